//! Which composite resource an order becomes, and where Crossplane keeps its own fields in it.

use std::collections::BTreeSet;

use kube::api::{ApiResource, GroupVersionKind};
use serde_json::Value;

/// The generations of composite resources, which differ in where they live and in where Crossplane
/// keeps its own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape {
    /// A composite resource of Crossplane v2 in a namespace; machine fields are in `spec.crossplane`.
    Namespaced,
    /// A composite resource of Crossplane v2 without a namespace; machine fields are in `spec.crossplane`.
    Cluster,
    /// A composite resource of Crossplane v1, which has no namespace; machine fields are in `spec`.
    LegacyCluster,
    /// A claim of Crossplane v1, in a namespace; machine fields are in `spec`.
    Claim,
}

/// Fields of the `spec` that are Crossplane's in one generation or the other.
///
/// They are refused in orders of every shape: a schema that keeps unknown fields would let a v1
/// field through where nobody expects it. Source: `xcrd` of Crossplane 2.
pub(super) const MACHINE_FIELDS: [&str; 13] = [
    "crossplane",
    "claimRef",
    "compositeDeletePolicy",
    "compositionRef",
    "compositionRevisionRef",
    "compositionRevisionSelector",
    "compositionSelector",
    "compositionUpdatePolicy",
    "environmentConfigRefs",
    "publishConnectionDetailsTo",
    "resourceRef",
    "resourceRefs",
    "writeConnectionSecretToRef",
];

impl Shape {
    /// Whether objects of this shape are in a namespace.
    #[must_use]
    pub fn is_namespaced(self) -> bool {
        matches!(self, Self::Namespaced | Self::Claim)
    }

    /// Whether Crossplane itself writes the connection details of this shape into a Secret.
    #[must_use]
    pub fn is_legacy(self) -> bool {
        matches!(self, Self::LegacyCluster | Self::Claim)
    }

    /// The object that holds Crossplane's fields; null where there is none yet.
    pub(super) fn machine_fields(self, object: &Value) -> &Value {
        if self.is_legacy() { &object["spec"] } else { &object["spec"]["crossplane"] }
    }
}

/// The kind of composite resource or claim that orders become.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Target {
    pub(super) resource: ApiResource,
    pub(super) shape: Shape,
    /// Paths of values that plans do not show; `*` stands for any element or key.
    pub(super) sensitive: BTreeSet<Vec<String>>,
}

impl Target {
    /// The kind with this group, version, kind and plural name, of which no parameter is sensitive.
    ///
    /// Better taken from an [`Offering`](super::Offering), which knows all of this.
    #[must_use]
    pub fn new(group: &str, version: &str, kind: &str, plural: &str, shape: Shape) -> Self {
        let gvk = GroupVersionKind::gvk(group, version, kind);
        Self { resource: ApiResource::from_gvk_with_plural(&gvk, plural), shape, sensitive: BTreeSet::new() }
    }

    /// The same; plans do not show the value at this path of the `spec`, such as `admin.password`
    /// or `users.*.password`.
    #[must_use]
    pub fn with_sensitive(mut self, path: &str) -> Self {
        self.sensitive.insert(path.split('.').map(Into::into).collect());
        self
    }

    /// The generation of the kind.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The kind as the API server serves it.
    #[must_use]
    pub fn resource(&self) -> &ApiResource {
        &self.resource
    }

    /// Such as `buckets.example.org`: the kind in inventories.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.resource.plural, self.resource.group)
    }
}
