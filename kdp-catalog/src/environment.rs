//! `catalog.kdp.k8c.io` Environment: a stage of a tenant, with its own values for what is ordered in it.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    lifecycle::RequirementSpec,
    offering::{GroupKind, any_object},
};

/// A stage, such as `staging`, in the tenant's workspace.
///
/// An order is in the environment that its annotation [`ENVIRONMENT`](crate::resolution::ENVIRONMENT)
/// names, or else in that which the label of the same name on its namespace names.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "catalog.kdp.k8c.io",
    version = "v1alpha1",
    kind = "Environment",
    category = "kdp",
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.type"}"#,
    printcolumn = r#"{"name":"Region","type":"string","jsonPath":".spec.region"}"#,
    printcolumn = r#"{"name":"Data","type":"string","jsonPath":".spec.dataClass"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvironmentSpec {
    /// What it is for, such as `development` or `production`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub type_: String,
    /// Where it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// The most sensitive data in it, such as `internal` or `personal`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data_class: String,
    /// Which release an order gets that asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<RequirementSpec>,
    /// Values for orders in it; of several that fit an order, each on top of those before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<EnvironmentParameters>,
}

/// Values for some of the orders in an environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentParameters {
    /// Only for orders of this kind.
    pub kind: GroupKind,
    /// Only for orders that get this offering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offering: Option<String>,
    /// Values of the order's `spec` that it does not have to state.
    #[schemars(schema_with = "any_object")]
    pub values: Map<String, Value>,
}
