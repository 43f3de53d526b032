//! `catalog.kdp.k8c.io` Offering: how the orders of one kind are made, for whom, and within which limits.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kdp_core::condition::Condition;
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lifecycle::{Channel, RequirementSpec};

/// A way to make what one kind of a service orders, beside the Service in the provider's workspace.
///
/// Several offerings may be for one kind: an order gets the one that it names, or else the one whose
/// [`criteria`](Self::criteria) fit it most closely.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "catalog.kdp.k8c.io",
    version = "v1alpha1",
    kind = "Offering",
    status = "OfferingStatus",
    category = "kdp",
    printcolumn = r#"{"name":"Service","type":"string","jsonPath":".spec.service"}"#,
    printcolumn = r#"{"name":"Kind","type":"string","jsonPath":".spec.kind.kind"}"#,
    printcolumn = r#"{"name":"Provider","type":"string","jsonPath":".spec.provider.name"}"#,
    printcolumn = r#"{"name":"Accepted","type":"string","jsonPath":".status.conditions[?(@.type==\"Accepted\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct OfferingSpec {
    /// Name of the Service it belongs to.
    pub service: String,
    /// The kind of order that it is for.
    pub kind: GroupKind,
    /// Name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it is good for, in Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Which orders it is for; all of them without.
    #[serde(default)]
    pub criteria: Criteria,
    /// Of several that fit an order equally closely, the one with the highest is taken; 0 by default.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// Sizes or classes that an order can choose by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub plans: Vec<Plan>,
    /// The plan of an order that names none; the first one by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_plan: Option<String>,
    /// Values of the order's `spec` that it does not have to state.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "any_object")]
    pub parameters: Map<String, Value>,
    /// JSON Schema that the order's `spec` has to fulfil when all values are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub limits: Option<Value>,
    /// Who makes it.
    pub provider: ProviderBinding,
    /// Name of the Placement that says where; none when the provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    /// Which of its Releases an order gets that asks for none; the newest by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<RequirementSpec>,
    /// Lists of releases that can be followed by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub channels: Vec<Channel>,
    /// How long operations may take.
    #[serde(default, skip_serializing_if = "Deadlines::is_empty")]
    pub deadlines: Deadlines,
    /// What workload specifications call it, such as `postgres` as `type` of a Score resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub resource_types: Vec<String>,
}

/// A size or class of an offering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Its name, such as `small`.
    pub name: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it is good for, in Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// As of the offering, on top of those.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "any_object")]
    pub parameters: Map<String, Value>,
    /// As of the offering, in addition to those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub limits: Option<Value>,
    /// What it takes of a service cluster's capacity, in the units of the Placement.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub demand: BTreeMap<String, u64>,
    /// Instead of the offering's provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderBinding>,
    /// Instead of the offering's Placement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    /// Instead of the offering's deadlines, each that is given.
    #[serde(default, skip_serializing_if = "Deadlines::is_empty")]
    pub deadlines: Deadlines,
}

/// A kind without its version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct GroupKind {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
}

/// Which orders an offering is for: those that fulfil everything that is stated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Criteria {
    /// Labels of the Workspace, which its owner cannot set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<LabelSelector>,
    /// Labels of the Environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environments: Option<LabelSelector>,
    /// Labels of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<LabelSelector>,
    /// Types of the Environment, one of which it has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment_types: Vec<String>,
    /// Regions of the Environment, one of which it is in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Classes of data, one of which the Environment holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_classes: Vec<String>,
}

/// Who makes what is ordered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderBinding {
    /// Name under which the platform has the provider.
    pub name: String,
    /// What the provider is to know beside the order, in its own terms.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "any_object")]
    pub settings: Map<String, Value>,
}

/// How long operations may take, such as `30m` or `1h 30m`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Deadlines {
    /// From the order until it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<String>,
    /// From a change of the order until it is carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// From its deletion until everything is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
}

/// What is known of an offering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OfferingStatus {
    /// `Accepted`: whether orders can get it, and what is wrong with it otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl GroupKind {
    /// The kind of this group.
    pub fn new(group: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { group: group.into(), kind: kind.into() }
    }
}

impl std::fmt::Display for GroupKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.group.is_empty() { f.write_str(&self.kind) } else { write!(f, "{}.{}", self.kind, self.group) }
    }
}

impl Deadlines {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, and those of `other` where there are none.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let or = |own: &Option<String>, other: &Option<String>| own.clone().or_else(|| other.clone());
        Self {
            create: or(&self.create, &other.create),
            update: or(&self.update, &other.update),
            delete: or(&self.delete, &other.delete),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

pub(crate) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
