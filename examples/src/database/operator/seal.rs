//! What removing the real thing needs, sealed in the object before anything is made.

use kdp_core::{Error, ErrorKind, provider::Teardown};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::database::Database;

/// Annotation with the teardown record as JSON. It names things and holds no secret.
pub(super) const ANNOTATION: &str = "databases.example.com/teardown";
/// Keeps the object until the record has been worked off.
pub(super) const FINALIZER: &str = "databases.example.com/provider";

/// Writes that others came before, until it is left to the next reconcile.
const ATTEMPTS: usize = 5;

/// Whether something may exist for the object.
pub(super) fn is_sealed(database: &Database) -> bool {
    database.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// The sealed record; none when it is missing or damaged.
pub(super) fn open(database: &Database) -> Option<Teardown> {
    serde_json::from_str(database.annotations().get(ANNOTATION)?).ok()
}

/// Seals the record, in one write with the finalizer. A record that is sealed already is not
/// written again.
pub(super) async fn seal(client: &Client, database: &Database, teardown: &Teardown) -> Result<(), Error> {
    if is_sealed(database) && open(database).as_ref() == Some(teardown) {
        return Ok(());
    }
    let record = serde_json::to_string(teardown).map_err(|e| {
        Error::new(ErrorKind::Internal, "seal", &teardown.id, "the record cannot be written as JSON").with_source(e)
    })?;
    let edited = edit(client, database, |current| {
        let mut finalizers = current.finalizers().to_vec();
        if !is_sealed(current) {
            finalizers.push(FINALIZER.into());
        }
        json!({"finalizers": finalizers, "annotations": {ANNOTATION: record}})
    });
    edited.await
}

/// Lets the object go; its record has been worked off.
pub(super) async fn break_open(client: &Client, database: &Database) -> Result<(), Error> {
    let edited = edit(client, database, |current| {
        let others: Vec<_> = current.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).collect();
        json!({"finalizers": others})
    });
    match edited.await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Changes the metadata that is there now: with what was read earlier, a finalizer that somebody
/// added in the meantime would be lost.
async fn edit(client: &Client, database: &Database, change: impl Fn(&Database) -> Value) -> Result<(), Error> {
    let name = database.name_any();
    let failed = |e| Error::from_kube("seal", &name, e);
    let api = Api::<Database>::namespaced(client.clone(), &database.namespace().unwrap_or_default());
    for _ in 0..ATTEMPTS {
        let current = api.get(&name).await.map_err(failed)?;
        if current.metadata.uid != database.metadata.uid {
            return Err(Error::new(ErrorKind::NotFound, "seal", name, "another object has taken its name"));
        }
        let mut metadata = change(&current);
        metadata["resourceVersion"] = json!(current.metadata.resource_version);
        let patch = Patch::Merge(json!({"metadata": metadata}));
        match api.patch(&name, &PatchParams::default(), &patch).await.map_err(failed) {
            Err(error) if error.kind() == ErrorKind::Stale => {}
            result => return result.map(|_| ()),
        }
    }
    Err(Error::new(ErrorKind::Stale, "seal", name, "others keep changing it"))
}
