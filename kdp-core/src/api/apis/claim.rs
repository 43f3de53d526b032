//! Permission claims: what an export asks for, and what a consumer says to that.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A right on another resource of a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionClaim {
    /// API group; empty for core.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// Verbs; `*` for all.
    #[serde(default)]
    pub verbs: Vec<String>,
    /// Identity of the export that provides the resource; empty for builtin kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity_hash: String,
    /// The selector that the export suggests to its consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_selector: Option<ClaimSelector>,
}

/// A permission claim and the consumer's word on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptablePermissionClaim {
    /// API group; empty for core.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// Verbs; `*` for all.
    #[serde(default)]
    pub verbs: Vec<String>,
    /// Identity of the export that provides the resource; empty for builtin kinds.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub identity_hash: String,
    /// Which objects the claim covers; immutable.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "Permission claim selector is immutable"}]))]
    pub selector: ClaimSelector,
    /// `Accepted` or `Rejected`.
    #[schemars(regex(pattern = "^(Accepted|Rejected)$"))]
    pub state: String,
}

/// A permission claim in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScopedPermissionClaim {
    /// API group; empty for core.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// The verbs that both sides name; `*` for all.
    #[serde(default)]
    pub verbs: Vec<String>,
    /// Identity of the export that provides the resource; empty for builtin kinds.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub identity_hash: String,
    /// Which objects the claim covers.
    #[serde(default)]
    pub selector: ClaimSelector,
}

/// Which objects a claim covers; either all, or those that fulfil every requirement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimSelector {
    /// Every object.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub match_all: bool,
    /// Objects with these labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Objects whose labels fulfil these requirements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// A requirement on one label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SelectorRequirement {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// What the label is compared with; empty for `Exists` and `DoesNotExist`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}
