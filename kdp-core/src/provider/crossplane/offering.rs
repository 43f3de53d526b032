//! What a cluster with Crossplane offers: its CompositeResourceDefinitions.

use std::collections::BTreeSet;

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::target::{MACHINE_FIELDS, Shape, Target};
use crate::{Error, ErrorKind};

const GROUP: &str = "apiextensions.crossplane.io";
/// Definitions read with one request.
const PAGE: u32 = 100;
/// No real schema is nested deeper.
const DEEPEST: usize = 32;

/// What one CompositeResourceDefinition offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Offering {
    /// API group of the kind.
    pub group: String,
    /// The version that compositions refer to; orders are written in it.
    pub version: String,
    /// Kind of the composite resource.
    pub kind: String,
    /// Plural name of the composite resource.
    pub plural: String,
    /// Where composite resources live.
    pub scope: Scope,
    /// The claim that stands for the composite resource in a namespace; only with
    /// [`Scope::LegacyCluster`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimNames>,
    /// JSON Schema of the parameters: of the `spec`, without the fields that are Crossplane's.
    pub schema: Value,
    /// Columns for lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub printer_columns: Vec<PrinterColumn>,
    /// Why the version should not be used for anything new; none when it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// Keys of the connection Secret, of legacy definitions that declare them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connection_keys: Vec<String>,
}

/// Where the composite resources of a definition live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scope {
    /// In namespaces, with the fields of Crossplane v2.
    Namespaced,
    /// In no namespace, with the fields of Crossplane v2.
    Cluster,
    /// In no namespace, with the fields of Crossplane v1.
    LegacyCluster,
}

/// Names of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClaimNames {
    /// Kind of the claim.
    pub kind: String,
    /// Plural name of the claim.
    pub plural: String,
}

/// A column of lists, as in a CustomResourceDefinition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct PrinterColumn {
    /// Heading.
    pub name: String,
    /// OpenAPI type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Where the value is, such as `.status.endpoint`.
    pub json_path: String,
    /// What it says, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// From which width on it is shown; 0 is always.
    pub priority: i32,
}

impl Offering {
    /// Orders become composite resources.
    #[must_use]
    pub fn target(&self) -> Target {
        let shape = match self.scope {
            Scope::Namespaced => Shape::Namespaced,
            Scope::Cluster => Shape::Cluster,
            Scope::LegacyCluster => Shape::LegacyCluster,
        };
        self.target_of(&self.kind, &self.plural, shape)
    }

    /// Orders become claims; none when the definition offers no claim.
    #[must_use]
    pub fn claim_target(&self) -> Option<Target> {
        self.claim.as_ref().map(|claim| self.target_of(&claim.kind, &claim.plural, Shape::Claim))
    }

    fn target_of(&self, kind: &str, plural: &str, shape: Shape) -> Target {
        let mut target = Target::new(&self.group, &self.version, kind, plural, shape);
        collect_sensitive(&self.schema, &mut Vec::new(), &mut target.sensitive);
        target
    }

    /// The offering of a definition, as either version of the API serves it; nothing when it is not
    /// established, is being removed, or has no version that compositions refer to.
    #[must_use]
    pub fn of_definition(definition: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let is_established = |condition: &Value| condition["type"] == "Established" && condition["status"] == "True";
        let conditions = definition["status"]["conditions"].as_array()?;
        let is_leaving = !definition["metadata"]["deletionTimestamp"].is_null();
        if is_leaving || !conditions.iter().any(is_established) {
            return None;
        }
        let spec = &definition["spec"];
        let versions = spec["versions"].as_array()?;
        let is_offered = |version: &&Value| version["referenceable"] == true && version["served"] == true;
        let version = versions.iter().find(is_offered)?;
        let is_v2 = definition["apiVersion"] == format!("{GROUP}/v2");
        let scope = match spec["scope"].as_str() {
            Some("Namespaced") => Scope::Namespaced,
            Some("Cluster") => Scope::Cluster,
            Some("LegacyCluster") => Scope::LegacyCluster,
            // Each version of the API has a default of its own.
            None if is_v2 => Scope::Namespaced,
            None => Scope::LegacyCluster,
            Some(_) => return None,
        };
        let claim = (scope == Scope::LegacyCluster)
            .then(|| {
                let names = &spec["claimNames"];
                Some(ClaimNames { kind: text(&names["kind"])?, plural: text(&names["plural"])? })
            })
            .flatten();
        let columns = version["additionalPrinterColumns"].as_array().cloned().unwrap_or_default();
        let keys = spec["connectionSecretKeys"].as_array().cloned().unwrap_or_default();
        let name = text(&version["name"])?;
        let kind = text(&spec["names"]["kind"])?;
        let deprecated = (version["deprecated"] == true).then(|| {
            text(&version["deprecationWarning"]).unwrap_or_else(|| format!("version {name} of {kind} is deprecated"))
        });
        Some(Self {
            group: text(&spec["group"])?,
            version: name,
            kind,
            plural: text(&spec["names"]["plural"])?,
            scope,
            claim,
            schema: parameters(&version["schema"]["openAPIV3Schema"]),
            printer_columns: columns.into_iter().filter_map(|column| serde_json::from_value(column).ok()).collect(),
            deprecated,
            connection_keys: keys.iter().filter_map(text).collect(),
        })
    }
}

/// What the cluster offers now, by group and kind.
///
/// # Errors
/// `NotFound` when the cluster has no Crossplane; `Forbidden` when the identity of the client may not
/// list its definitions; `Unavailable` when the cluster cannot be reached.
pub async fn discover(client: &Client) -> Result<Vec<Offering>, Error> {
    let definitions = match list(client, "v2").await {
        // Crossplane v1 knows no other version.
        Err(error) if error.kind() == ErrorKind::NotFound => list(client, "v1").await?,
        listed => listed?,
    };
    let mut offerings: Vec<_> = definitions.iter().filter_map(Offering::of_definition).collect();
    offerings.sort_by(|one, two| (&one.group, &one.kind).cmp(&(&two.group, &two.kind)));
    Ok(offerings)
}

async fn list(client: &Client, version: &str) -> Result<Vec<Value>, Error> {
    let gvk = GroupVersionKind::gvk(GROUP, version, "CompositeResourceDefinition");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "compositeresourcedefinitions");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut found = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await.map_err(|e| Error::from_kube("list", &resource.plural, e))?;
        for object in page.items {
            let mut object = serde_json::to_value(object).map_err(|error| {
                Error::new(ErrorKind::Internal, "read", &resource.plural, "it is no JSON").with_source(error)
            })?;
            // Items of a list may come without it, and the default scope depends on it.
            object["apiVersion"] = json!(resource.api_version);
            found.push(object);
        }
        match page.metadata.continue_ {
            Some(token) if !token.is_empty() => params.continue_token = Some(token),
            _ => return Ok(found),
        }
    }
}

/// The schema of the `spec` without what is Crossplane's.
fn parameters(schema: &Value) -> Value {
    let mut spec = match &schema["properties"]["spec"] {
        Value::Object(spec) => Value::Object(spec.clone()),
        _ => json!({"type": "object"}),
    };
    if let Some(properties) = spec["properties"].as_object_mut() {
        properties.retain(|name, _| !MACHINE_FIELDS.contains(&name.as_str()));
    }
    if let Some(required) = spec["required"].as_array_mut() {
        required.retain(|name| name.as_str().is_none_or(|name| !MACHINE_FIELDS.contains(&name)));
    }
    spec
}

/// Collects the paths of passwords: what has `format: password`.
fn collect_sensitive(schema: &Value, path: &mut Vec<String>, found: &mut BTreeSet<Vec<String>>) {
    if path.len() > DEEPEST {
        return;
    }
    if schema["format"] == "password" {
        found.insert(path.clone());
        return;
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        collect_sensitive(property, path, found);
        path.pop();
    }
    for part in ["items", "additionalProperties"] {
        if schema[part].is_object() {
            path.push("*".into());
            collect_sensitive(&schema[part], path, found);
            path.pop();
        }
    }
}

#[cfg(test)]
mod tests;
