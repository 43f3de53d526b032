//! Kinds on both sides.

use std::collections::BTreeMap;

use kdp_core::Error;
use kube::Client;
use serde_json::Value;

use crate::{
    api::{Scope, Side, SourceResource},
    driver::in_time,
    engine::{FoundKind, UnknownKind},
    publish::Projection,
};

/// The CustomResourceDefinitions of the service cluster, by name.
#[derive(Debug, Default)]
pub(super) struct Definitions(BTreeMap<String, Value>);

impl Definitions {
    pub(super) fn put(&mut self, name: String, definition: Value) {
        self.0.insert(name, definition);
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// Keeps only the definitions with these names.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&str) -> bool) -> Vec<Value> {
        let mut lost = Vec::new();
        self.0.retain(|name, definition| {
            let is_kept = is_kept(name);
            if !is_kept {
                lost.push(definition.take());
            }
            is_kept
        });
        lost
    }

    /// The definition of a kind.
    pub(super) fn of(&self, resource: &SourceResource) -> Option<&Value> {
        self.0.values().find(|definition| defines(definition, resource))
    }
}

/// Whether this is the definition of the kind.
pub(super) fn defines(definition: &Value, resource: &SourceResource) -> bool {
    let spec = &definition["spec"];
    spec["group"] == resource.api_group && spec["names"]["kind"] == resource.kind
}

/// Asks an API server how the kind of a resource is called.
pub(crate) async fn kind_of(client: &Client, resource: &UnknownKind) -> Result<Option<FoundKind>, Error> {
    let UnknownKind { side, group, version, plural } = resource;
    let subject = format!("{plural}.{version}.{group} on the side {side:?}");
    let list = if group.is_empty() {
        in_time("discover", subject, client.list_core_api_resources(version)).await
    } else {
        in_time("discover", subject, client.list_api_group_resources(&format!("{group}/{version}"))).await
    };
    match list {
        Ok(list) => {
            let found = list.resources.into_iter().find(|found| found.name == *plural);
            Ok(found.map(|found| {
                let scope = if found.namespaced { Scope::Namespaced } else { Scope::Cluster };
                FoundKind { kind: found.kind, scope }
            }))
        }
        Err(error) if error.kind() == kdp_core::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The kind of a resource, if it is this one.
pub(super) fn kind_if(projection: &Projection, resource: &UnknownKind) -> Option<FoundKind> {
    let UnknownKind { side, group, version, plural } = resource;
    let types = &projection.remote;
    let is_it = *side == Side::Kcp && (&types.group, &types.version, &types.plural) == (group, version, plural);
    is_it.then(|| FoundKind { kind: types.kind.clone(), scope: projection.remote_scope })
}
