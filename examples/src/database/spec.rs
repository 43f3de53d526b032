//! The kind `Database`: what a user orders and what is reported back.

use std::{fmt, str::FromStr};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kdp_core::{Error, ErrorKind, condition::Condition};
use kube::{CustomResource, CustomResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::quantity::{self, Bytes};

/// API group of the kind.
pub const GROUP: &str = "databases.example.com";

/// A database, ordered.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "databases.example.com",
    version = "v1alpha1",
    kind = "Database",
    namespaced,
    status = "DatabaseStatus",
    shortname = "db",
    category = "kdp",
    printcolumn = r#"{"name":"Engine","type":"string","jsonPath":".spec.engine"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".status.version"}"#,
    printcolumn = r#"{"name":"Storage","type":"string","jsonPath":".spec.storage"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.version) == has(oldSelf.version) && (!has(self.version) || self.version == oldSelf.version)",
    "message": "version cannot be changed",
    "fieldPath": ".version"
}]))]
pub struct DatabaseSpec {
    /// The database engine. It cannot be changed.
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "engine cannot be changed"}]))]
    pub engine: Engine,
    /// Major version of the engine; the newest that is offered unless given. It cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub version: Option<String>,
    /// Most bytes the database may hold, such as `64Mi` or `1G`. It may grow but not shrink.
    #[schemars(
        length(max = 14),
        regex(pattern = quantity::PATTERN),
        extend("x-kubernetes-validations" = [{
            "rule": "quantity(self).compareTo(quantity(oldSelf)) >= 0",
            "message": "storage may grow but not shrink"
        }])
    )]
    pub storage: String,
}

impl DatabaseSpec {
    /// The storage in bytes.
    ///
    /// # Errors
    /// `Invalid` when it is no quantity, which the schema does not let through.
    pub fn storage_bytes(&self) -> Result<Bytes, Error> {
        Bytes::from_str(&self.storage)
            .map_err(|e| Error::new(ErrorKind::Invalid, "read", "storage", format!("storage: {e}")))
    }
}

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[non_exhaustive]
pub enum Engine {
    /// A SQLite database file.
    Sqlite,
    /// A PostgreSQL instance.
    Postgres,
}

impl Engine {
    /// The engine as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What has become of a [`Database`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseStatus {
    /// The state in one word, such as `Ready`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// Why, and what happens next.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Version of the engine that runs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Storage that is granted; it follows `spec.storage` once a change has been carried out.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub storage: String,
    /// Where the database is: a file, or a host and port.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// Name of the Secret with the credentials, in the namespace of the Database.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret_name: String,
    /// The `metadata.generation` the rest of the status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What was observed; `Ready` sums it up.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// What can be provisioned on this machine: one engine in some major versions, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The engine.
    pub engine: Engine,
    /// Its major versions, newest first.
    pub versions: Vec<String>,
}

/// The CustomResourceDefinition of [`Database`] in which only these offers can be ordered.
#[must_use]
pub fn crd(offers: &[Offer]) -> CustomResourceDefinition {
    let mut crd = Database::crd();
    let spec = crd
        .spec
        .versions
        .first_mut()
        .and_then(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut()?.properties.as_mut()?.get_mut("spec"))
        .expect("the derived definition has a version, a schema and a spec");
    let rules = spec.x_kubernetes_validations.get_or_insert_default();
    rules.extend(offers.iter().map(|offer| {
        let rule = format!(
            "self.engine != '{}' || !has(self.version) || self.version in {}",
            offer.engine,
            json!(offer.versions)
        );
        let message = format!("{} is offered in version {}", offer.engine, offer.versions.join(", "));
        serde_json::from_value(json!({"rule": rule, "message": message, "fieldPath": ".version"}))
            .expect("a rule is an object of strings")
    }));
    let engine = spec
        .properties
        .as_mut()
        .and_then(|properties| properties.get_mut("engine"))
        .expect("the derived spec has an engine");
    engine.enum_ = Some(offers.iter().map(|offer| JSON(json!(offer.engine))).collect());
    crd
}

#[cfg(test)]
mod tests;
