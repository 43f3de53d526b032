//! Moves a workspace.

use std::collections::BTreeMap;

use kdp_core::{
    ControlPlane, ControlPlaneExt, Error, ErrorKind, WorkspacePath,
    api::{core::LogicalCluster, tenancy::Workspace},
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    Summary, export,
    format::{Archive, Record},
    import, rules,
};

/// Annotation of a LogicalCluster that makes it inactive.
const INACTIVE: &str = "core.kcp.io/inactive";

/// An object that two archives do not hold alike, by its place.
pub type Difference = String;

/// Marks the workspace as inactive; what that means is up to its control plane.
///
/// # Errors
/// When the control plane refuses.
pub async fn suspend(control_plane: &dyn ControlPlane, path: &WorkspacePath) -> Result<(), Error> {
    mark(control_plane, path, json!("true")).await
}

/// Makes the workspace active again.
///
/// # Errors
/// When the control plane refuses.
pub async fn resume(control_plane: &dyn ControlPlane, path: &WorkspacePath) -> Result<(), Error> {
    mark(control_plane, path, Value::Null).await
}

async fn mark(control_plane: &dyn ControlPlane, path: &WorkspacePath, value: Value) -> Result<(), Error> {
    let clusters: Api<LogicalCluster> = Api::all(control_plane.system_client(path)?);
    let patch = Patch::Merge(json!({"metadata": {"annotations": {INACTIVE: value}}}));
    let failed = |error| Error::from_kube("mark", path, error);
    clusters.patch("cluster", &PatchParams::default(), &patch).await.map(drop).map_err(failed)
}

/// Moves the workspace at `source` to `target`: `freeze` it, export, import, compare, and then
/// `retire` it. The archive is held in memory.
///
/// `freeze` has to keep tenants from writing while the platform still reads; [`suspend`] is that
/// where the control plane lets its masters into inactive workspaces. `retire` decides what becomes
/// of the source, such as [`delete`]; it runs only when the target holds the same objects. After any failure before that,
/// `thaw` runs, and the target stays for another attempt, which completes it.
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

/// Deletes the workspace at `path`, with everything in it.
///
/// # Errors
/// `Invalid` for a bare logical cluster name; else when the control plane refuses.
pub async fn delete(control_plane: &dyn ControlPlane, path: &WorkspacePath) -> Result<(), Error> {
    let bare =
        || Error::new(ErrorKind::Invalid, "delete", path, "a logical cluster without a parent cannot be deleted");
    let parent = path.parent().ok_or_else(bare)?;
    let workspaces: Api<Workspace> = Api::all(control_plane.system_client(&parent)?);
    let failed = |error| Error::from_kube("delete", path, error);
    workspaces.delete(path.base(), &DeleteParams::default()).await.map(drop).map_err(failed)
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
