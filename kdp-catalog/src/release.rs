//! `catalog.kdp.k8c.io` Release: one version of an offering.

use jiff::Timestamp;
use kube::CustomResource;
use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    lifecycle::{self, Deprecation, ReleaseState},
    offering::any_object,
};

/// A version of an offering, in the provider's workspace.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "catalog.kdp.k8c.io",
    version = "v1alpha1",
    kind = "Release",
    category = "kdp",
    printcolumn = r#"{"name":"Offering","type":"string","jsonPath":".spec.offering"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"Deprecated","type":"date","jsonPath":".spec.deprecation.since"}"#,
    printcolumn = r#"{"name":"Retired","type":"date","jsonPath":".spec.retired"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSpec {
    /// Name of the Offering.
    pub offering: String,
    /// Its semantic version, such as `2.1.0`.
    #[schemars(with = "String")]
    pub version: Version,
    /// Values of the order's `spec` on top of those of the offering and its plan.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "any_object")]
    pub parameters: Map<String, Value>,
    /// That its use is discouraged, and until when it can be ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation: Option<Deprecation>,
    /// Since when no order gets it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Timestamp>,
}

impl Release {
    /// The release and whether it can be ordered.
    #[must_use]
    pub fn standing(&self) -> lifecycle::Release {
        let state = match (self.spec.retired, &self.spec.deprecation) {
            (Some(since), _) => ReleaseState::Retired { since },
            (None, Some(deprecation)) => ReleaseState::Deprecated(deprecation.clone()),
            (None, None) => ReleaseState::Available,
        };
        lifecycle::Release { version: self.spec.version.clone(), state }
    }
}
