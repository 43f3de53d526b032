//! Namespaces.

use serde_json::{Value, json};

use super::is_system;
use crate::embedded::{
    object::{metadata_mut, object_at, str_at},
    registry::{Caller, Place},
    status::{Result, StatusError},
};

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The finalizer in `spec.finalizers` that holds a namespace until its content is gone.
pub(crate) const FINALIZER: &str = "kubernetes";

/// A namespace as the control plane itself makes it.
pub(crate) fn new(name: &str) -> Value {
    let mut object = json!({"kind": "Namespace", "metadata": {"name": name}});
    complete(&mut object);
    object
}

/// Fills in what the server decides.
pub(super) fn complete(object: &mut Value) {
    let name = str_at(object, &["metadata", "name"]).to_owned();
    if let Some(labels) = metadata_mut(object).entry("labels").or_insert_with(|| json!({})).as_object_mut() {
        labels.insert(NAME_LABEL.into(), name.into());
    }
    if object["metadata"]["deletionTimestamp"].is_null() {
        object_at(object, "spec").insert("finalizers".into(), json!([FINALIZER]));
        object_at(object, "status").insert("phase".into(), "Active".into());
    }
}

/// `default` stays as long as its workspace.
pub(super) fn check_delete(place: &Place, caller: &Caller, object: &Value) -> Result<()> {
    let name = str_at(object, &["metadata", "name"]);
    if name == "default" && !is_system(caller) {
        return Err(StatusError::forbidden(place.reference(), name, "this namespace may not be deleted"));
    }
    Ok(())
}
