//! What the APIExport offers and which rights it asks for.

mod news;

pub(crate) use news::export_news;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    api::{PublishedResourceSpec, Side},
    engine::RelatedType,
    object::{self, ResourceType},
    wire,
};

/// What this agent wants the export to contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Export {
    /// Name of the schema of each resource, by (group, plural).
    pub(crate) resources: BTreeMap<(String, String), String>,
    /// Identity hash of each claimed resource, by (group, plural); empty for builtin kinds.
    pub(crate) claims: BTreeMap<(String, String), String>,
}

/// The rights on other resources that one published resource needs in a workspace.
pub(crate) fn claims<'a>(
    published: &'a PublishedResourceSpec,
    related: impl IntoIterator<Item = (&'a RelatedType, Side, &'a str)>,
) -> BTreeMap<(String, String), String> {
    let claim = |group: &str, resource: &str| ((group.to_owned(), resource.to_owned()), String::new());
    let mut claims = BTreeMap::from([claim("", "events")]);
    let by_namespace = published.filter.as_ref().is_some_and(|filter| filter.namespace.is_some());
    if !published.related.is_empty() || by_namespace {
        claims.extend([claim("", "namespaces")]);
    }
    if published.enable_workspace_paths {
        claims.extend([claim("core.kcp.io", "logicalclusters")]);
    }
    for (types, origin, identity) in related {
        let ResourceType { group, plural, .. } = types.on(origin, Side::Kcp).as_ref();
        let known = claims.entry((group.clone(), plural.clone())).or_default();
        if !identity.is_empty() {
            identity.clone_into(known);
        }
    }
    claims
}

/// A merge patch that brings the export up to date; none if it already is.
///
/// Entries of other resources stay, and so do claims: they are only ever added. The patch names
/// the resourceVersion it was made for, so that a concurrent change is noticed and not undone.
///
/// Several agents may fill one export. So nothing is written as long as all is there that this one
/// wants, whoever was the last to write and in whatever order.
pub(crate) fn update_export(export: &Value, wanted: &Export, agent: &str) -> Option<Value> {
    let spec = &export["spec"];
    let mut is_changed = false;
    let mut resources: Vec<Value> = list(&spec["resources"]).to_vec();
    for ((group, name), schema) in &wanted.resources {
        match resources.iter_mut().find(|r| text(r, "group") == group && text(r, "name") == name) {
            Some(resource) if text(resource, "schema") == schema => continue,
            Some(resource) => resource["schema"] = schema.clone().into(),
            None => resources.push(json!({"name": name, "group": group, "schema": schema, "storage": {"crd": {}}})),
        }
        is_changed = true;
    }

    let mut claims: Vec<Value> = list(&spec["permissionClaims"]).to_vec();
    let offered =
        |group: &str, name: &str| resources.iter().any(|r| text(r, "group") == group && text(r, "name") == name);
    for ((group, resource), identity) in &wanted.claims {
        let known = claims.iter().any(|c| text(c, "group") == group && text(c, "resource") == resource);
        if known || offered(group, resource) {
            continue;
        }
        let mut claim = json!({"group": group, "resource": resource, "verbs": ["*"]});
        if !identity.is_empty() {
            claim["identityHash"] = identity.clone().into();
        }
        claims.push(claim);
        is_changed = true;
    }
    if !is_changed && object::annotation(export, wire::AGENT_NAME).is_some() {
        return None;
    }
    resources.sort_by_key(|resource| resource_group(resource, "name"));
    claims.sort_by(|a, b| (text(a, "group"), text(a, "resource")).cmp(&(text(b, "group"), text(b, "resource"))));
    let mut metadata = json!({"annotations": {wire::AGENT_NAME: agent}});
    if let Some(version) = object::resource_version(export) {
        metadata["resourceVersion"] = version.into();
    }
    Some(json!({"metadata": metadata, "spec": {"resources": resources, "permissionClaims": claims}}))
}

/// An export that offers nothing yet.
pub(crate) fn new_export(name: &str) -> Value {
    json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": name}, "spec": {}})
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn resource_group(value: &Value, name: &str) -> String {
    format!("{}.{}", text(value, name), text(value, "group"))
}

#[cfg(test)]
mod tests;
