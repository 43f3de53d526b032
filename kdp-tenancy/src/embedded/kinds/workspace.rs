//! Workspaces: each is a logical cluster of its own, made in the same transaction.

mod create;
pub(crate) mod home;
mod new_cluster;

use kdp_core::{
    LogicalClusterName,
    api::tenancy::{OWNER_ANNOTATION, PHASE_LABEL, REQUIRED_GROUPS_ANNOTATION},
};
use serde_json::Value;

pub(super) use self::create::create;
pub(crate) use self::new_cluster::NewCluster;
use super::{is_system, logical_cluster::Stage};
use crate::{
    embedded::{
        key::cluster_prefix,
        object::{object_at, str_at},
        registry::{Caller, Extra, Place, Registry, rules::invalid},
        status::{FieldError, Result},
    },
    store::{Change, RangeQuery},
};

const CLUSTER_ANNOTATION: &str = "internal.tenancy.kcp.io/cluster";

/// Annotations that only the system writes.
const RESERVED: [&str; 3] = [OWNER_ANNOTATION, CLUSTER_ANNOTATION, REQUIRED_GROUPS_ANNOTATION];

/// Checks a change of anything but the status, and takes back what only the system writes.
pub(super) fn update(place: &Place, caller: &Caller, before: &Value, workspace: &mut Value) -> Result<()> {
    if is_system(caller) {
        return Ok(());
    }
    let fixed = [
        ("cluster", "only the system may change it"),
        ("URL", "only the system may change it"),
        ("type", "it is immutable"),
        ("mount", "it is immutable"),
    ];
    let errors: Vec<_> = fixed
        .into_iter()
        .filter(|(field, _)| before["spec"][field] != workspace["spec"][field])
        .map(|(field, why)| FieldError::forbidden(format!("spec.{field}"), why))
        .collect();
    if !errors.is_empty() {
        return Err(invalid(place, str_at(before, &["metadata", "name"]), errors));
    }
    keep(before, workspace, "annotations", |key| RESERVED.contains(&key));
    keep(before, workspace, "labels", |key| key == PHASE_LABEL || Stage::ALL.iter().any(|stage| stage.owns_label(key)));
    Ok(())
}

/// Takes what `is_reserved` over from `before`, in the labels or annotations.
fn keep(before: &Value, object: &mut Value, field: &str, is_reserved: impl Fn(&str) -> bool) {
    let Some(kept) = before["metadata"][field].as_object() else { return };
    let map = object_at(&mut object["metadata"], field);
    map.retain(|key, _| !is_reserved(key));
    map.extend(kept.iter().filter(|(key, _)| is_reserved(key)).map(|(key, value)| (key.clone(), value.clone())));
}

/// Marks a workspace whose deletion begins.
pub(super) fn mark_deleting(workspace: &mut Value) {
    let waits = workspace["status"]["terminators"].as_array().is_some_and(|terminators| !terminators.is_empty());
    set_phase(workspace, if waits { "Terminating" } else { "Deleting" });
}

/// Sets the phase in the status and in the label that goes with it.
pub(crate) fn set_phase(object: &mut Value, phase: &str) {
    object_at(object, "status").insert("phase".into(), phase.into());
    object_at(&mut object["metadata"], "labels").insert(PHASE_LABEL.into(), phase.into());
}

/// Removes whatever is left in the logical cluster together with its workspace.
pub(super) async fn remove(registry: &Registry, workspace: &Value, extra: &mut Extra) -> Result<()> {
    let Ok(child) = str_at(workspace, &["spec", "cluster"]).parse::<LogicalClusterName>() else { return Ok(()) };
    let left = registry.store.range(RangeQuery::prefix(cluster_prefix(&child))).await?;
    extra.changes.extend(left.entries.iter().map(|entry| Change::Delete(entry.key.to_string())));
    Ok(())
}
