//! APIExportEndpointSlices: where the providers of exports find their consumers.

use kdp_core::LogicalClusterName;
use serde_json::{Value, json};

use super::{binding, is_system, set_condition};
use crate::{
    embedded::{
        object::{self, object_at, str_at},
        registry::{Caller, Place, Registry},
        status::{FieldError, Result, StatusError},
        surface::ExportId,
    },
    store::{Change, Transaction},
};

/// Whoever may bind an export may ask where it is served; a missing export looks like a forbidden one.
pub(super) async fn create(registry: &Registry, place: &Place, caller: &Caller, slice: &mut Value) -> Result<()> {
    let export = &slice["spec"]["export"];
    if !is_system(caller) && !binding::may_bind(registry, &place.cluster, caller, export).await? {
        let name = str_at(slice, &["metadata", "name"]);
        return Err(StatusError::forbidden(place.reference(), name, binding::no_right_to_bind(export)));
    }
    slice.as_object_mut().map(|fields| fields.remove("status"));
    settle(registry, &place.cluster, slice).await
}

pub(super) fn validate(slice: &Value) -> Vec<FieldError> {
    let partition = str_at(slice, &["spec", "partition"]);
    if partition.is_empty() {
        return Vec::new();
    }
    vec![FieldError::forbidden("spec.partition", "there is one shard and no Partition")]
}

/// Works out where the export is served: nowhere before it has a consumer, as in kcp.
async fn settle(registry: &Registry, cluster: &LogicalClusterName, slice: &mut Value) -> Result<()> {
    let id = binding::referred(registry, cluster, &slice["spec"]["export"]);
    let is_there = match &id {
        Some(ExportId { cluster, name }) => match cluster.parse() {
            Ok(home) => registry.find(&home, "apis.kcp.io", "apiexports", None, name).await?.is_some(),
            Err(_) => false,
        },
        None => false,
    };
    let endpoints = match &id {
        Some(id) if is_there && registry.index.has_consumers(id) => json!([{"url": registry.urls.export(id)}]),
        _ => json!([]),
    };
    if slice["status"]["endpoints"] != endpoints {
        object_at(slice, "status").insert("endpoints".into(), endpoints);
    }
    if is_there {
        set_condition(slice, "APIExportValid", "True", "", "");
    } else {
        set_condition(slice, "APIExportValid", "False", "APIExportNotFound", "the APIExport was not found");
    }
    set_condition(slice, "PartitionValid", "True", "", "");
    Ok(())
}

/// Writes a slice anew if what it says is no longer true.
pub(crate) async fn update(registry: &Registry, cluster: &LogicalClusterName, name: &str) -> Result<()> {
    let found = registry.find(cluster, "apis.kcp.io", "apiexportendpointslices", None, name).await?;
    let Some((entry, before)) = found else { return Ok(()) };
    let mut slice = before.clone();
    settle(registry, cluster, &mut slice).await?;
    if slice == before {
        return Ok(());
    }
    let key = entry.key.to_string();
    let change = Change::Put(key.clone(), object::encode(cluster, slice)?);
    let transaction = Transaction { conditions: vec![(key, Some(entry.modified))], changes: vec![change] };
    // Losing the race means that the slice changed, and with it this is called again.
    registry.commit(transaction, false).await.map(drop)
}

/// Brings every slice of an export up to date.
pub(crate) async fn update_all(registry: &Registry, export: &ExportId) -> Result<()> {
    for slice in registry.index.slices_of(export) {
        update(registry, &slice.cluster, &slice.name).await?;
    }
    Ok(())
}
