//! The initializer that the control plane itself carries out: it binds what a workspace's type says.

use kdp_core::{
    LogicalClusterName,
    api::{
        core::LOGICAL_CLUSTER_NAME,
        tenancy::{BINDING_LIFECYCLE_ANNOTATION, BINDINGS_INITIALIZER, BindingLifecycle, TYPE_ANNOTATION},
    },
};
use serde_json::{Value, json};
use sha2::{Digest, Sha224};

use super::Step;
use crate::{
    embedded::{
        decode::Decoded,
        http::query::Query,
        key::ResourceKey,
        kinds::{
            base62,
            logical_cluster::{self, BINDINGS_CONDITION, Stage},
            set_condition,
            workspace_type::{self, Lineage, cluster_of_export},
        },
        object::{self, str_at},
        registry::{
            Caller, Extra, Place, Registry,
            write::{Part, Write},
        },
        status::Result,
        surface::Surface,
        waiting::{Awaited, Topic},
    },
    store::{Entry, RangeQuery},
};

/// The part of a binding's name that is a hash.
const HASH_LENGTH: usize = 5;
/// The longest name of an object.
const NAME_LENGTH: usize = 253;

/// An export that a workspace has to bind.
struct Wanted {
    home: Option<LogicalClusterName>,
    path: String,
    export: String,
    lifecycle: BindingLifecycle,
}

/// Makes the bindings that are missing, and takes the initializer away once all are bound.
///
/// It is called again whenever one of the bindings or an export changes.
pub(super) async fn bind_defaults(registry: &Registry, cluster: &LogicalClusterName) -> Result<Step> {
    let found = registry.find(cluster, "core.kcp.io", "logicalclusters", None, LOGICAL_CLUSTER_NAME).await?;
    let Some((_, logical_cluster)) = found else { return Ok(Step::Done) };
    if !Stage::Initializing.is_waiting_for(&logical_cluster, BINDINGS_INITIALIZER) {
        return Ok(Step::Done);
    }
    let type_ = str_at(&logical_cluster, &["metadata", "annotations", TYPE_ANNOTATION]);
    let Some(lineage) = workspace_type::of(registry, &logical_cluster).await? else {
        if registry.index.await_defaults(cluster, vec![(String::new(), Topic::AnyType)]) {
            return Ok(Step::Again);
        }
        let message = format!("the workspace type {type_}, or one that it extends, does not exist");
        return report(registry, cluster, Err(("WorkspaceTypesInvalid", message))).await;
    };
    let (mut waiting, mut missing) = (Vec::new(), Vec::new());
    let all = wanted(registry, &lineage);
    // A type may have changed between the look at it and this, so it is looked at once more.
    if registry.index.await_defaults(cluster, awaited(&lineage, &all)) {
        return Ok(Step::Again);
    }
    for wanted in all {
        let name = format!("{}:{}", wanted.path, wanted.export);
        match bind(registry, cluster, &wanted).await? {
            Some(true) => {}
            Some(false) => waiting.push(name),
            None => missing.push(name),
        }
    }
    let outcome = if !missing.is_empty() {
        Err(("APIBindingErrors", format!("APIExports were not found: {}", missing.join(", "))))
    } else if !waiting.is_empty() {
        Err(("WaitingOnAPIBindings", format!("APIExports are not bound yet: {}", waiting.join(", "))))
    } else {
        Ok(())
    };
    report(registry, cluster, outcome).await
}

/// The exports that the types name, each once.
fn wanted(registry: &Registry, lineage: &Lineage) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for type_ in lineage.types() {
        for reference in &type_.spec.default_api_bindings {
            let path = if reference.path.is_empty() { type_.cluster.to_string() } else { reference.path.clone() };
            if all.iter().any(|known| known.path == path && known.export == reference.export) {
                continue;
            }
            let home = cluster_of_export(registry, &type_.cluster, &path);
            let lifecycle = type_.spec.default_api_binding_lifecycle.unwrap_or_default();
            all.push(Wanted { home, path, export: reference.export.clone(), lifecycle });
        }
    }
    all
}

/// What can change what is still to be done: the types, and the exports that they name.
fn awaited(lineage: &Lineage, all: &[Wanted]) -> Vec<Awaited> {
    let types = lineage.types().iter().map(|type_| (type_.cluster.to_string(), Topic::Type(type_.name.clone())));
    let exports = all.iter().map(|wanted| (wanted.path.clone(), Topic::Export(wanted.export.clone())));
    types.chain(exports).collect()
}

/// Makes the binding to an export unless there is one. Returns whether it is bound; `None` when there is no such
/// export.
async fn bind(registry: &Registry, cluster: &LogicalClusterName, wanted: &Wanted) -> Result<Option<bool>> {
    let is_bound = |binding: &Value| str_at(binding, &["status", "phase"]) == "Bound";
    let prefix = ResourceKey::new(cluster, "apis.kcp.io", "apibindings").prefix(None);
    for entry in registry.store.range(RangeQuery::prefix(prefix)).await?.entries {
        let binding = object::decode(&entry)?;
        let export = &binding["spec"]["reference"]["export"];
        if str_at(export, &["path"]) == wanted.path && str_at(export, &["name"]) == wanted.export {
            return Ok(Some(is_bound(&binding)));
        }
    }
    let export = match &wanted.home {
        Some(home) => registry.find(home, "apis.kcp.io", "apiexports", None, &wanted.export).await?,
        None => None,
    };
    let Some((_, export)) = export else { return Ok(None) };
    let mut claims = export["spec"]["permissionClaims"].as_array().cloned().unwrap_or_default();
    for claim in &mut claims {
        claim["selector"] = json!({"matchAll": true});
        claim["state"] = "Accepted".into();
    }
    let binding = json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding",
        "metadata": {
            "name": binding_name(cluster, &wanted.path, &wanted.export),
            "annotations": {BINDING_LIFECYCLE_ANNOTATION: wanted.lifecycle},
        },
        "spec": {"reference": {"export": {"path": wanted.path, "name": wanted.export}}, "permissionClaims": claims},
    });
    let Some(served) = Surface::base().find("apis.kcp.io", "v1alpha2", "apibindings").cloned() else {
        return Ok(None);
    };
    let place = Place::new(cluster.clone(), served, None);
    let (query, caller) = (Query::default(), Caller::system());
    let write = Write { place: &place, part: Part::Main, query: &query, caller: &caller };
    let saved = registry.create(write, Decoded { value: binding, duplicates: Vec::new() }).await?;
    let made = object::decode_at(&saved.stored, saved.revision.unwrap_or_default())?;
    Ok(Some(is_bound(&made)))
}

/// The name of a default binding, as kcp makes it.
fn binding_name(cluster: &LogicalClusterName, path: &str, export: &str) -> String {
    let hash = base62(&Sha224::digest(format!("{cluster}|{path}|{export}"))).to_lowercase();
    let start: String = export.chars().take(NAME_LENGTH - 1 - HASH_LENGTH).collect();
    format!("{start}-{}", hash.chars().take(HASH_LENGTH).collect::<String>())
}

/// Says in the LogicalCluster how far it is, and takes the initializer away when it is done.
async fn report(
    registry: &Registry,
    cluster: &LogicalClusterName,
    outcome: Result<(), (&str, String)>,
) -> Result<Step> {
    let found = registry.find(cluster, "core.kcp.io", "logicalclusters", None, LOGICAL_CLUSTER_NAME).await?;
    let Some((entry, before)) = found else { return Ok(Step::Done) };
    let mut object = before.clone();
    match outcome {
        Ok(()) => {
            set_condition(&mut object, BINDINGS_CONDITION, "True", "", "");
            let list = Stage::Initializing.list();
            let left: Vec<_> =
                Stage::Initializing.waiting(&object).iter().filter(|name| **name != BINDINGS_INITIALIZER).collect();
            let left = json!(left);
            object["status"][list] = left;
            logical_cluster::advance(&mut object);
        }
        Err((reason, message)) => set_condition(&mut object, BINDINGS_CONDITION, "False", reason, &message),
    }
    if object == before {
        return Ok(Step::Done);
    }
    write(registry, cluster, &entry, object).await
}

async fn write(registry: &Registry, cluster: &LogicalClusterName, entry: &Entry, object: Value) -> Result<Step> {
    let mut extra = Extra::default();
    logical_cluster::reflect_in_owner(registry, &object, &mut extra).await?;
    let Some(served) = Surface::base().find("core.kcp.io", "v1alpha1", "logicalclusters").cloned() else {
        return Ok(Step::Done);
    };
    let place = Place::new(cluster.clone(), served, None);
    let key = entry.key.to_string();
    // Losing the race means that the object, or its Workspace, changed: look again.
    Ok(match registry.put(&place, key.clone(), Some(entry.modified), object, extra).await? {
        Some(_) => Step::Done,
        None => Step::Again,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_binding_has_a_short_valid_name_of_its_own() {
        let cluster = "root".parse().unwrap();
        let name = binding_name(&cluster, "root", "tenancy.kcp.io");
        assert_eq!(name.strip_prefix("tenancy.kcp.io-").unwrap().len(), 5);
        assert_ne!(name, binding_name(&cluster, "root:a", "tenancy.kcp.io"));
        assert_eq!(binding_name(&cluster, "root", &"x".repeat(253)).len(), 253);
    }
}
