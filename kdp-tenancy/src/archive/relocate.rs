//! Moves a workspace.

use std::collections::BTreeMap;

use kdp_core::{ControlPlane, Error, ErrorKind, WorkspacePath};
use serde_json::Value;

use super::{
    Summary, export,
    format::{Archive, Record},
    import, rules,
};

/// An object that two archives do not hold alike, by its place.
pub type Difference = String;

/// Moves the workspace at `source` to `target`: `freeze` it, export, import, compare, and then
/// `retire` it. The archive is held in memory.
///
/// `freeze` has to keep tenants from writing while the platform still reads;
/// [`lifecycle::suspend`](crate::lifecycle::suspend) is that on [`Embedded`](crate::Embedded), for one
/// workspace. `retire` decides what becomes of the source, such as
/// [`lifecycle::delete`](crate::lifecycle::delete); it runs only when the target holds the same objects.
/// After any failure before that, `thaw` runs, and the target stays for another attempt, which
/// completes it.
///
/// # Errors
/// What failed first; `Stale` when the target holds something else than the source.
pub async fn move_workspace(
    (source_plane, source): (&dyn ControlPlane, &WorkspacePath),
    (target_plane, target): (&dyn ControlPlane, &WorkspacePath),
    freeze: impl AsyncFn() -> Result<(), Error>,
    thaw: impl AsyncFn() -> Result<(), Error>,
    retire: impl AsyncFn() -> Result<(), Error>,
) -> Result<Summary, Error> {
    let copied = async {
        freeze().await?;
        let mut archive = Vec::new();
        let summary = export(source_plane, source, &mut archive).await?;
        import(target_plane, target, &archive[..]).await?;
        let mut arrived = Vec::new();
        export(target_plane, target, &mut arrived).await?;
        match difference(&archive, &arrived).await?.first() {
            None => Ok(summary),
            Some(first) => Err(Error::new(ErrorKind::Stale, "move", source, format!("{first} differs at the target"))),
        }
    };
    match copied.await {
        Ok(summary) => {
            retire().await?;
            Ok(summary)
        }
        Err(error) => {
            // The first failure is the one to tell.
            if let Err(second) = thaw().await {
                tracing::error!(error = %second, workspace = %source, "workspace.resume.failed");
            }
            Err(error)
        }
    }
}

/// The places of objects that `source` has and `target` does not have alike. UIDs, and what a control
/// plane derives by itself, do not count; neither do objects that only `target` has.
///
/// # Errors
/// `Invalid` when one is no archive.
pub async fn difference(source: &[u8], target: &[u8]) -> Result<Vec<Difference>, Error> {
    let (source, target) = (objects(source).await?, objects(target).await?);
    Ok(source.into_iter().filter(|(place, object)| target.get(place) != Some(object)).map(|(place, _)| place).collect())
}

async fn objects(archive: &[u8]) -> Result<BTreeMap<String, Value>, Error> {
    let (mut found, mut workspace) = (BTreeMap::new(), String::new());
    for record in Archive::read(archive).await?.records() {
        match record? {
            Record::Workspace(next) => workspace = next.path.join(":"),
            Record::Object(record) => {
                let metadata = &record.object["metadata"];
                let resource = rules::resource_name(&record.group, &record.plural);
                let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
                let place = format!("{workspace} {resource} {}/{}", text("namespace"), text("name"));
                found.insert(place, rules::comparable(&record.group, &record.plural, record.object));
            }
            Record::Archive { .. } | Record::Manifest(_) => {}
        }
    }
    Ok(found)
}
