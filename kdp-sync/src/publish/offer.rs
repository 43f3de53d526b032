//! Kinds that no CustomResourceDefinition defines: built-in and aggregated ones.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;
use kube::core::Version;
use serde_json::{Value, json};

use super::openapi;
use crate::{
    api::{PublishedResourceSpec, SourceResource},
    diagnostic::Diagnostic,
};

/// A kind as the discovery of an API server offers it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offer {
    resource: APIResource,
    versions: Vec<OfferedVersion>,
    preferred: String,
}

#[derive(Clone, Debug, PartialEq)]
struct OfferedVersion {
    name: String,
    subresources: BTreeSet<String>,
}

impl Offer {
    /// Finds a kind in the versions of its group, which come in the order of discovery; `preferred`
    /// is the version that the server prefers for the group.
    pub(crate) fn find(source: &SourceResource, group: &[(String, Vec<APIResource>)], preferred: &str) -> Option<Self> {
        let mut found = None;
        let mut versions = Vec::new();
        for (name, resources) in group {
            let mut version = OfferedVersion { name: name.clone(), subresources: BTreeSet::new() };
            let mut is_offered = false;
            for resource in resources.iter().filter(|resource| resource.kind == source.kind) {
                match resource.name.split_once('/') {
                    Some((_, subresource)) => {
                        version.subresources.insert(subresource.to_owned());
                    }
                    None => {
                        is_offered = true;
                        found = Some(resource.clone());
                    }
                }
            }
            versions.extend(is_offered.then_some(version));
        }
        let is_preferred = versions.iter().any(|version| version.name == preferred);
        let preferred = if is_preferred { preferred } else { &versions.first()?.name }.to_owned();
        versions.sort_by_key(|version| Version::parse(&version.name).priority());
        Some(Self { resource: found?, versions, preferred })
    }

    /// The definition that the kind would have, were it a custom one: every version, the preferred
    /// one as storage version, and schemas as far as the OpenAPI document (in version 2) tells them.
    ///
    /// # Errors
    /// When the document lacks the kind, or its schema refers to itself; and when the kind is in a
    /// group that custom resources cannot be in, and is not projected to another one.
    pub(crate) fn definition(&self, published: &PublishedResourceSpec, openapi: &Value) -> Result<Value, Diagnostic> {
        let SourceResource { api_group: group, kind, .. } = &published.resource;
        let is_projected = published.projection.as_ref().is_some_and(|projection| !projection.group.is_empty());
        if is_protected(group) && !is_projected {
            let message = format!("a kind of the protected group {group} needs another group for tenants");
            return Err(Diagnostic::new("spec.projection.group", message));
        }
        let APIResource { name: plural, singular_name, namespaced, short_names, categories, .. } = &self.resource;
        let singular = if singular_name.is_empty() { kind.to_lowercase() } else { singular_name.clone() };
        let mut names =
            json!({"plural": plural, "singular": singular, "kind": kind, "listKind": format!("{kind}List")});
        for (field, list) in [("shortNames", short_names), ("categories", categories)] {
            if let Some(list) = list {
                names[field] = list.clone().into();
            }
        }
        let mut versions = Vec::new();
        for OfferedVersion { name, subresources } in &self.versions {
            let schema = openapi::schema(openapi, group, name, kind)
                .map_err(|fault| Diagnostic::new("spec.resource", format!("{kind} in {name}: {fault}")))?;
            let mut served = json!({});
            if subresources.contains("status") {
                served["status"] = json!({});
            }
            if subresources.contains("scale") {
                served["scale"] =
                    json!({"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"});
            }
            versions.push(json!({
                "name": name, "served": true, "storage": *name == self.preferred,
                "schema": {"openAPIV3Schema": schema}, "subresources": served,
            }));
        }
        let group_in_name = if group.is_empty() { "core" } else { group };
        Ok(json!({
            "metadata": {"name": format!("{plural}.{group_in_name}")},
            "spec": {
                "group": group, "names": names, "versions": versions,
                "scope": if *namespaced { "Namespaced" } else { "Cluster" },
            },
        }))
    }
}

/// Whether Kubernetes keeps the group for itself.
fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|own| group.strip_suffix(own).is_some_and(|above| above.is_empty() || above.ends_with('.')))
}

#[cfg(test)]
mod tests;
