//! `core.kdp.k8c.io` Service: a provider's description of one offer.

use kdp_core::{Error, api::install_crd, condition::Condition};
use kube::{CustomResource, CustomResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One offer: an API group that tenants can bind, and how the catalog presents it.
///
/// Its APIExport has the same name and lives in the same workspace.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "core.kdp.k8c.io",
    version = "v1alpha1",
    kind = "Service",
    status = "ServiceStatus",
    category = "kdp",
    printcolumn = r#"{"name":"Title","type":"string","jsonPath":".spec.catalogMetadata.title"}"#,
    printcolumn = r#"{"name":"Group","type":"string","jsonPath":".spec.apiGroup"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Offers","type":"string","jsonPath":".status.conditions[?(@.type==\"ResourcesOffered\")].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    /// API group of the offered kinds; one service offers one group.
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$"))]
    pub api_group: String,
    /// How the catalog presents the service.
    #[serde(default)]
    pub catalog_metadata: CatalogMetadata,
    /// Secret that receives the kubeconfig of the service's sync agent; none is made without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<SecretReference>,
    /// Whether a first draft of the user interface is to be generated.
    #[serde(default, rename = "generateUI", skip_serializing_if = "std::ops::Not::not")]
    pub generate_ui: bool,
}

/// How the catalog presents a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CatalogMetadata {
    /// Name for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What the service is good for, in Markdown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where to read more.
    #[serde(rename = "documentationURL", skip_serializing_if = "String::is_empty")]
    pub documentation_url: String,
    /// Shelf of the catalog, such as `Databases`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub category: String,
    /// Picture of the tile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
}

/// Picture of a tile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Logo {
    /// Where the picture is kept, as a data URI.
    pub config_map: ConfigMapKey,
}

/// One key of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapKey {
    /// Name of the ConfigMap.
    pub name: String,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The key.
    pub key: String,
}

/// A Secret by name and namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretReference {
    /// Name of the Secret.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// What is known of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ServiceStatus {
    /// What was observed: `Ready`, `ResourcesOffered`, `KubeconfigReady`, and `ExportDeleted` while the service is being deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Makes the kind `Service` known in a workspace and returns once services can be created there.
///
/// # Errors
/// As [`install_crd`].
pub async fn install_service_crd(client: &kube::Client) -> Result<(), Error> {
    install_crd(client, &Service::crd(), crate::controller::FIELD_MANAGER).await
}

#[cfg(test)]
mod tests;
