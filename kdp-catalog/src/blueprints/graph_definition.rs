//! kro's own kind.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blueprint::{
    ResourceGraph,
    definition::{BlueprintDefinitionStatus, GraphSchema, Resource},
};

/// kro's ResourceGraphDefinition, for those who bring one along.
///
/// What a BlueprintDefinition says beside the graph is said by annotations: `blueprints.kdp.k8c.io/version`, which is
/// `0.1.0` unless given, and `blueprints.kdp.k8c.io/published: "true"`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kro.run",
    version = "v1alpha1",
    kind = "ResourceGraphDefinition",
    shortname = "rgd",
    status = "BlueprintDefinitionStatus",
    printcolumn = r#"{"name":"Kind","type":"string","jsonPath":".spec.schema.kind"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#
)]
pub struct ResourceGraphDefinitionSpec {
    /// The API.
    pub schema: GraphSchema,
    /// The objects.
    #[serde(default)]
    pub resources: Vec<Resource>,
}

impl From<ResourceGraphDefinitionSpec> for ResourceGraph {
    fn from(spec: ResourceGraphDefinitionSpec) -> Self {
        Self { schema: spec.schema, resources: spec.resources }
    }
}
