//! Discovery documents: which groups, versions and resources a surface serves.

mod priority;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use self::priority::Priority;
use super::resource::{ApiResource, Subresource};

/// Version of the aggregated discovery format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AggregatedVersion {
    /// `v2`, of Kubernetes 1.30 and newer.
    V2,
    /// `v2beta1`, of Kubernetes 1.26 and newer.
    V2Beta1,
}

impl AggregatedVersion {
    /// The version as it stands in a media type.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V2Beta1 => "v2beta1",
        }
    }

    /// Media type of the document.
    #[must_use]
    pub(crate) fn content_type(self) -> String {
        format!("application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList", self.as_str())
    }
}

/// Which half of discovery: the URLs below `/api` or those below `/apis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// `/api`, the core group.
    Core,
    /// `/apis`, every group with a name.
    Groups,
}

/// `/api` for clients without aggregated discovery: an `APIVersions`.
#[must_use]
pub(crate) fn api_versions(resources: &[Arc<ApiResource>]) -> Value {
    let surface = Surface::new(resources, Root::Core);
    let versions: Vec<&str> = surface.groups.iter().flat_map(|group| group.versions.iter().map(|v| v.name)).collect();
    json!({"kind": "APIVersions", "versions": versions, "serverAddressByClientCIDRs": []})
}

/// `/apis` for clients without aggregated discovery: an `APIGroupList`.
#[must_use]
pub(crate) fn api_groups(resources: &[Arc<ApiResource>]) -> Value {
    let groups: Vec<Value> = Surface::new(resources, Root::Groups).groups.iter().map(Group::names).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`: an `APIGroup`, or `None` when nothing of that group is served.
#[must_use]
pub(crate) fn api_group(resources: &[Arc<ApiResource>], group: &str) -> Option<Value> {
    let surface = Surface::new(resources, Root::Groups);
    let mut document = surface.groups.iter().find(|candidate| candidate.name == group)?.names();
    document["kind"] = "APIGroup".into();
    document["apiVersion"] = "v1".into();
    Some(document)
}

/// `/api/VERSION` (with an empty group) or `/apis/GROUP/VERSION`: an `APIResourceList`, or `None`
/// when nothing of that version is served.
#[must_use]
pub(crate) fn api_resources(resources: &[Arc<ApiResource>], group: &str, version: &str) -> Option<Value> {
    let root = if group.is_empty() { Root::Core } else { Root::Groups };
    let surface = Surface::new(resources, root);
    let group = surface.groups.iter().find(|candidate| candidate.name == group)?;
    let version = group.versions.iter().find(|candidate| candidate.name == version)?;
    let rows: Vec<Value> = version.resources.iter().flat_map(|resource| rows(resource)).collect();
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version.resources.first()?.api_version(),
        "resources": rows,
    }))
}

/// `/api` or `/apis` as one document: an `APIGroupDiscoveryList`.
#[must_use]
pub(crate) fn aggregated(resources: &[Arc<ApiResource>], root: Root, version: AggregatedVersion) -> Value {
    let groups: Vec<Value> = Surface::new(resources, root).groups.iter().map(Group::aggregated).collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{}", version.as_str()),
        "metadata": {},
        "items": groups,
    })
}

/// Entity tag of a document, in quotes as it stands in the header.
#[must_use]
pub(crate) fn etag(document: &[u8]) -> String {
    format!("\"{:X}\"", Sha256::digest(document))
}

struct Surface<'r> {
    groups: Vec<Group<'r>>,
}

struct Group<'r> {
    name: &'r str,
    /// The preferred one first; never empty.
    versions: Vec<Version<'r>>,
}

struct Version<'r> {
    name: &'r str,
    resources: Vec<&'r ApiResource>,
}

impl<'r> Surface<'r> {
    /// Sorts resources into groups and versions, so that equal surfaces give equal documents
    /// whatever the order of `resources`.
    fn new(resources: &'r [Arc<ApiResource>], root: Root) -> Self {
        let mut groups: BTreeMap<_, BTreeMap<_, Vec<&'r ApiResource>>> = BTreeMap::new();
        for resource in resources.iter().filter(|resource| resource.group.is_empty() == (root == Root::Core)) {
            let group = (!is_kubernetes_own(&resource.group), resource.group.as_str());
            let version = Reverse(Priority::of(&resource.version));
            groups.entry(group).or_default().entry(version).or_default().push(resource);
        }
        let versions = |versions: BTreeMap<Reverse<Priority<'r>>, Vec<&'r ApiResource>>| {
            let version = |(Reverse(priority), mut resources): (Reverse<Priority<'r>>, Vec<&'r ApiResource>)| {
                resources.sort_by(|left, right| left.plural.cmp(&right.plural));
                Version { name: priority.version(), resources }
            };
            versions.into_iter().map(version).collect()
        };
        Self { groups: groups.into_iter().map(|((_, name), of)| Group { name, versions: versions(of) }).collect() }
    }
}

/// Kubernetes' groups come first: clients resolve a short name to the first group that has it.
fn is_kubernetes_own(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

impl Group<'_> {
    fn names(&self) -> Value {
        let version = |version: &Version<'_>| json!({"groupVersion": format!("{}/{}", self.name, version.name), "version": version.name});
        let versions: Vec<Value> = self.versions.iter().map(version).collect();
        json!({"name": self.name, "preferredVersion": versions.first(), "versions": versions})
    }

    fn aggregated(&self) -> Value {
        let version = |version: &Version<'_>| {
            let resources: Vec<Value> =
                version.resources.iter().map(|resource| aggregated_resource(resource)).collect();
            json!({"version": version.name, "resources": resources, "freshness": "Current"})
        };
        let versions: Vec<Value> = self.versions.iter().map(version).collect();
        json!({"metadata": {"name": self.name, "creationTimestamp": null}, "versions": versions})
    }
}

fn rows(resource: &ApiResource) -> Vec<Value> {
    let mut row = Map::new();
    row.insert("name".into(), resource.plural.as_str().into());
    row.insert("singularName".into(), resource.singular.as_str().into());
    row.insert("namespaced".into(), resource.namespaced.into());
    row.insert("kind".into(), resource.kind.as_str().into());
    row.insert("verbs".into(), json!(resource.verbs));
    insert_names(&mut row, resource);
    let subresource = |subresource: &Subresource| {
        let mut row = json!({
            "name": format!("{}/{}", resource.plural, subresource.name),
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": subresource.verbs,
        });
        if let Some((group, version, kind)) = &subresource.group_version_kind {
            row["group"] = group.as_str().into();
            row["version"] = version.as_str().into();
            row["kind"] = kind.as_str().into();
        }
        row
    };
    std::iter::once(Value::Object(row)).chain(resource.subresources.iter().map(subresource)).collect()
}

fn aggregated_resource(resource: &ApiResource) -> Value {
    let own = (resource.group.clone(), resource.version.clone(), resource.kind.clone());
    let response_kind =
        |(group, version, kind): &(String, String, String)| json!({"group": group, "version": version, "kind": kind});
    let mut entry = Map::new();
    entry.insert("resource".into(), resource.plural.as_str().into());
    entry.insert("responseKind".into(), response_kind(&own));
    entry.insert("scope".into(), if resource.namespaced { "Namespaced" } else { "Cluster" }.into());
    entry.insert("singularResource".into(), resource.singular.as_str().into());
    entry.insert("verbs".into(), json!(resource.verbs));
    insert_names(&mut entry, resource);
    if !resource.subresources.is_empty() {
        let subresource = |subresource: &Subresource| {
            json!({
                "subresource": subresource.name,
                "responseKind": response_kind(subresource.group_version_kind.as_ref().unwrap_or(&own)),
                "verbs": subresource.verbs,
            })
        };
        entry.insert("subresources".into(), resource.subresources.iter().map(subresource).collect());
    }
    Value::Object(entry)
}

fn insert_names(entry: &mut Map<String, Value>, resource: &ApiResource) {
    for (key, names) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
        if !names.is_empty() {
            entry.insert(key.into(), json!(names));
        }
    }
}
