//! CustomResourceDefinitions: the names they get, and their conditions.

use kdp_core::LogicalClusterName;
use serde_json::{Value, json};

use super::{claim_names, definition, set_condition};
use crate::{
    embedded::{
        object::{self, finalizers, object_at, str_at},
        registry::{Extra, Place, Registry},
        status::Result,
        surface::{Origin, Surface},
    },
    store::RangeQuery,
};

/// Holds a CustomResourceDefinition until its objects are gone.
pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Whether the definition is served.
pub(crate) fn is_established(crd: &Value) -> bool {
    crd["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Established" && condition["status"] == "True")
}

pub(super) async fn create(registry: &Registry, place: &Place, crd: &mut Value) -> Result<()> {
    definition::default(crd);
    object::add_finalizer(crd, FINALIZER);
    settle(registry, place, crd).await
}

pub(super) async fn update(
    registry: &Registry,
    place: &Place,
    before: &Value,
    crd: &mut Value,
    extra: &mut Extra,
) -> Result<()> {
    definition::default(crd);
    crd["status"] = before["status"].clone();
    if finalizers(before).is_empty() && !before["metadata"]["deletionTimestamp"].is_null() {
        return Ok(());
    }
    if !is_established(before) || before["spec"]["names"] != crd["spec"]["names"] {
        claim_names(registry, &place.cluster, extra).await?;
    }
    settle(registry, place, crd).await
}

/// Gives names that have become free to the definitions of a logical cluster that had to do without.
/// Returns whether another look is needed, as somebody else took names meanwhile.
pub(crate) async fn settle_names(registry: &Registry, cluster: &LogicalClusterName) -> Result<bool> {
    let Some(served) = Surface::base().find("apiextensions.k8s.io", "v1", "customresourcedefinitions").cloned() else {
        return Ok(false);
    };
    let place = Place::new(cluster.clone(), served, None);
    for entry in registry.store.range(RangeQuery::prefix(place.prefix())).await?.entries {
        let before = object::decode_plain(&entry)?;
        if is_established(&before) || !before["metadata"]["deletionTimestamp"].is_null() {
            continue;
        }
        let (mut crd, mut extra) = (before.clone(), Extra::default());
        claim_names(registry, cluster, &mut extra).await?;
        settle(registry, &place, &mut crd).await?;
        if crd == before {
            continue;
        }
        let key = entry.key.to_string();
        if registry.put(&place, key, Some(entry.modified), crd, extra).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn set_terminating(crd: &mut Value) {
    set_condition(crd, "Terminating", "True", "InstanceDeletionPending", "CustomResource deletion is pending");
}

/// Decides on the names and says which versions were ever stored.
async fn settle(registry: &Registry, place: &Place, crd: &mut Value) -> Result<()> {
    let group = str_at(crd, &["spec", "group"]).to_owned();
    let names = crd["spec"]["names"].clone();
    let own = format!("{}/{}", place.cluster, str_at(crd, &["metadata", "name"]));
    let surface = registry.index.surface(&place.cluster).await?;
    let taken = surface.each_resource().find(|served| {
        let foreign = !matches!(&served.origin, Origin::Crd { name, .. } if *name == own);
        let resource = &served.resource;
        foreign && resource.group == group && (resource.plural == names["plural"] || resource.kind == names["kind"])
    });
    match taken {
        Some(served) => {
            let message = format!("{} is already in use", served.resource.plural);
            set_condition(crd, "NamesAccepted", "False", "PluralConflict", &message);
            set_condition(crd, "Established", "False", "NotAccepted", "not all names are accepted");
        }
        None => {
            set_condition(crd, "NamesAccepted", "True", "NoConflicts", "no conflicts found");
            set_condition(crd, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted");
            object_at(crd, "status").insert("acceptedNames".into(), names);
        }
    }
    let storage = crd["spec"]["versions"].as_array().into_iter().flatten().find(|version| version["storage"] == true);
    if let Some(storage) = storage.map(|version| version["name"].clone()) {
        let stored = object_at(crd, "status").entry("storedVersions").or_insert_with(|| json!([]));
        if let Some(stored) = stored.as_array_mut().filter(|stored| !stored.contains(&storage)) {
            stored.push(storage);
        }
    }
    Ok(())
}
