//! Everything needed to write an order of one service.

use kdp_catalog::{Catalog, CatalogEntry};
use kdp_core::{
    Error, ErrorKind, Identity,
    api::apis::{APIBinding, APIResourceSchema},
};
use kube::{ResourceExt, discovery::ApiResource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Availability, Field, KindRef, ServiceSummary,
    discover::{bindings, discover},
    nearest::nearest,
    schema::{self, example, fields},
};

/// One service in all detail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ServiceDescription {
    /// The service in few words.
    pub service: ServiceSummary,
    /// What it is good for, in Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where to read more.
    #[serde(default, rename = "documentationURL", skip_serializing_if = "String::is_empty")]
    pub documentation_url: String,
    /// The kinds that can be ordered, each in its preferred version.
    pub kinds: Vec<KindDescription>,
}

/// One kind that can be ordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct KindDescription {
    /// API group.
    pub group: String,
    /// Version the description is of.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural resource name.
    pub plural: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Where the schema was read.
    pub source: SchemaSource,
    /// The fields of a manifest besides kind and metadata.
    pub fields: Vec<Field>,
    /// A manifest that fulfils the schema; rules in CEL are not looked at.
    pub example: Value,
    /// JSON Schema (2020-12) of a manifest.
    pub schema: Value,
    /// Columns of a list; `None` when they are not known, because the caller may not list the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
}

/// Where a schema was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum SchemaSource {
    /// The workspace, which serves the kind.
    Workspace,
    /// The provider's workspace; the kind must be bound before it can be ordered.
    Provider,
}

/// A column of a list of objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Column {
    /// Heading.
    pub name: String,
    /// Type, such as `string` or `date`.
    #[serde(rename = "type")]
    pub type_: String,
    /// What it shows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// 0 for columns that are always shown.
    #[serde(default)]
    pub priority: i32,
}

/// Describes the service `name` of the catalog, or what the workspace's APIBinding `name` brings.
///
/// Kinds that the workspace binds are described as it serves them; others as the provider offers
/// them. `client` is the caller's, of the workspace that would order; `identity` is the same caller.
///
/// # Errors
/// `NotFound` when the caller sees no such service, naming similar ones; `Forbidden` when the
/// service is not bound and the caller may see no more than its name.
pub async fn describe(
    client: &kube::Client,
    catalog: &Catalog,
    identity: &Identity,
    name: &str,
) -> Result<ServiceDescription, Error> {
    let (entry, bindings) = futures::try_join!(catalog.get(identity, name), bindings(client))?;
    let entry = entry.map(|entry| entry.with_bound_among(&bindings));
    let binding = match &entry {
        Some(entry) => entry.binding_among(&bindings),
        None => bindings.iter().find(|binding| binding.name_any() == name),
    };
    let Some(mut service) = (match (&entry, binding) {
        (Some(entry), _) => Some(ServiceSummary::of_entry(entry, &[])),
        (None, Some(binding)) => Some(ServiceSummary::of_binding(binding)),
        (None, None) => None,
    }) else {
        return Err(unknown(client, catalog, identity, name).await?);
    };
    service.name = name.to_owned();
    let kinds = match (binding, &entry) {
        (Some(binding), _) if service.availability == Availability::Bound => bound_kinds(client, binding).await?,
        (_, Some(entry)) => offered_kinds(catalog, identity, entry).await?,
        (_, None) => Vec::new(),
    };
    let tile = entry.and_then(|entry| entry.details).unwrap_or_default();
    Ok(ServiceDescription { service, description: tile.description, documentation_url: tile.documentation_url, kinds })
}

async fn unknown(client: &kube::Client, catalog: &Catalog, identity: &Identity, name: &str) -> Result<Error, Error> {
    let services = discover(client, catalog, identity, None).await?;
    let near = nearest(name, services.iter().map(|service| service.name.as_str()), 3);
    let message = match near.as_slice() {
        [] => "there is no such service to be seen; discover lists those there are".to_owned(),
        near => format!("there is no such service to be seen; did you mean {}?", near.join(" or ")),
    };
    Ok(Error::new(ErrorKind::NotFound, "describe service", name, message))
}

async fn bound_kinds(client: &kube::Client, binding: &APIBinding) -> Result<Vec<KindDescription>, Error> {
    let mut kinds = Vec::new();
    let bound = binding.status.iter().flat_map(|status| &status.bound_resources);
    for bound in bound {
        let failed = |error| Error::from_kube("describe", format!("{}.{}", bound.resource, bound.group), error);
        let group = kube::discovery::group(client, &bound.group).await.map_err(failed)?;
        let served = group.resources_by_stability().into_iter().find(|(served, _)| served.plural == bound.resource);
        // What is bound but no longer served is on its way out and cannot be ordered.
        let Some((resource, capabilities)) = served else { continue };
        let kind = KindRef::of(&resource);
        let namespaced = capabilities.scope == kube::discovery::Scope::Namespaced;
        let structural = schema::fetch(client, &kind).await?;
        kinds.push(KindDescription {
            columns: served_columns(client, &resource).await.map_err(failed)?,
            ..KindDescription::new(&kind, resource.plural, namespaced, &structural, SchemaSource::Workspace)
        });
    }
    Ok(kinds)
}

async fn offered_kinds(
    catalog: &Catalog,
    identity: &Identity,
    entry: &CatalogEntry,
) -> Result<Vec<KindDescription>, Error> {
    let schemas = catalog.schemas(identity, entry).await?;
    Ok(schemas.iter().filter_map(offered_kind).collect())
}

/// The kind in its storage version when that is served, which is the provider's own choice; else in
/// the first that is.
fn offered_kind(schema: &APIResourceSchema) -> Option<KindDescription> {
    let spec = &schema.spec;
    let served = || spec.versions.iter().filter(|version| version.served);
    let version = served().find(|version| version.storage).or_else(|| served().next())?;
    let api_version = match spec.group.as_str() {
        "" => version.name.clone(),
        group => format!("{group}/{}", version.name),
    };
    let kind = KindRef { api_version, kind: spec.names.kind.clone() };
    let namespaced = spec.scope == "Namespaced";
    let plural = spec.names.plural.clone();
    let columns = version.additional_printer_columns.iter().filter_map(column).collect();
    Some(KindDescription {
        columns: Some(columns),
        ..KindDescription::new(&kind, plural, namespaced, &version.schema, SchemaSource::Provider)
    })
}

impl KindDescription {
    fn new(kind: &KindRef, plural: String, namespaced: bool, structural: &Value, source: SchemaSource) -> Self {
        let schema = schema::of_manifest(structural, kind, namespaced);
        let gvk = kind.group_version_kind();
        Self {
            group: gvk.group,
            version: gvk.version,
            kind: gvk.kind,
            plural,
            namespaced,
            source,
            fields: fields::of_manifest(&schema),
            example: example::of_manifest(&schema, kind, namespaced),
            schema,
            columns: None,
        }
    }
}

/// The columns of the kind's table, as the server sends them with a list.
async fn served_columns(client: &kube::Client, resource: &ApiResource) -> Result<Option<Vec<Column>>, kube::Error> {
    let root = if resource.group.is_empty() { "/api" } else { "/apis" };
    let request = http::Request::get(format!("{root}/{}/{}?limit=1", resource.api_version, resource.plural))
        .header(http::header::ACCEPT, "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())
        .map_err(kube::Error::HttpError)?;
    match client.request::<Value>(request).await {
        Ok(table) => {
            let columns = table.get("columnDefinitions").and_then(Value::as_array);
            Ok(columns.map(|columns| columns.iter().filter_map(column).collect()))
        }
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(None),
        Err(error) => Err(error),
    }
}

/// A column from a table or from a printer column, which are alike in all that is shown here.
fn column(definition: &Value) -> Option<Column> {
    let text = |key: &str| definition.get(key).and_then(Value::as_str);
    let priority = definition.get("priority").and_then(Value::as_i64);
    Some(Column {
        name: text("name")?.to_owned(),
        type_: text("type").unwrap_or("string").to_owned(),
        description: text("description").unwrap_or_default().to_owned(),
        priority: priority.and_then(|priority| i32::try_from(priority).ok()).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
