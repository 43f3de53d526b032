//! Definitions of either kind, as one.

use kdp_core::Error;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::{FIELD_MANAGER, GRAPH_PUBLISHED, GRAPH_VERSION, graph_definition::ResourceGraphDefinition};
use crate::{
    CatalogMetadata,
    blueprint::{BlueprintDefinition, ResourceGraph, definition::BlueprintDefinitionStatus},
};

/// Version of a ResourceGraphDefinition that says none.
const FIRST_VERSION: &str = "0.1.0";

/// A definition.
#[derive(Clone, Debug)]
pub(super) struct Source {
    object: Object,
    pub(super) version: String,
    pub(super) published: bool,
    pub(super) deprecated: bool,
    pub(super) catalog: CatalogMetadata,
    pub(super) graph: ResourceGraph,
    pub(super) status: BlueprintDefinitionStatus,
}

#[derive(Clone, Debug)]
enum Object {
    Blueprint(Box<BlueprintDefinition>),
    Graph(Box<ResourceGraphDefinition>),
}

impl Source {
    /// All definitions of a workspace, in an order that does not change.
    pub(super) async fn list(client: &Client) -> Result<Vec<Self>, Error> {
        let all = ListParams::default();
        let failed = |error| Error::from_kube("list", "the blueprints", error);
        let blueprints = Api::<BlueprintDefinition>::all(client.clone()).list(&all).await.map_err(failed)?;
        let graphs = Api::<ResourceGraphDefinition>::all(client.clone()).list(&all).await.map_err(failed)?;
        let blueprints = blueprints.items.into_iter().map(Self::of_blueprint);
        let sources = blueprints.chain(graphs.items.into_iter().map(Self::of_graph));
        Ok(sources.filter(|source| !source.is_going()).collect())
    }

    fn of_blueprint(object: BlueprintDefinition) -> Self {
        let spec = object.spec.clone();
        let mut catalog = spec.catalog_metadata.unwrap_or_default();
        for (field, other) in [
            (&mut catalog.title, spec.display_name),
            (&mut catalog.description, spec.description),
            (&mut catalog.category, spec.category),
        ] {
            if field.is_empty() {
                *field = other;
            }
        }
        Self {
            version: spec.version,
            published: spec.published,
            deprecated: spec.deprecated,
            catalog,
            graph: spec.resource_graph,
            status: object.status.clone().unwrap_or_default(),
            object: Object::Blueprint(Box::new(object)),
        }
    }

    fn of_graph(object: ResourceGraphDefinition) -> Self {
        let annotation = |key| object.annotations().get(key).map(String::as_str);
        Self {
            version: annotation(GRAPH_VERSION).unwrap_or(FIRST_VERSION).to_owned(),
            published: annotation(GRAPH_PUBLISHED) == Some("true"),
            deprecated: false,
            catalog: CatalogMetadata { title: object.spec.schema.kind.clone(), ..CatalogMetadata::default() },
            graph: object.spec.clone().into(),
            status: object.status.clone().unwrap_or_default(),
            object: Object::Graph(Box::new(object)),
        }
    }

    fn is_going(&self) -> bool {
        match &self.object {
            Object::Blueprint(object) => object.metadata.deletion_timestamp.is_some(),
            Object::Graph(object) => object.metadata.deletion_timestamp.is_some(),
        }
    }

    pub(super) fn generation(&self) -> Option<i64> {
        match &self.object {
            Object::Blueprint(object) => object.meta().generation,
            Object::Graph(object) => object.meta().generation,
        }
    }

    pub(super) fn name(&self) -> String {
        match &self.object {
            Object::Blueprint(object) => {
                format!("blueprintdefinition {}/{}", object.namespace().unwrap_or_default(), object.name_any())
            }
            Object::Graph(object) => format!("resourcegraphdefinition {}", object.name_any()),
        }
    }

    /// Writes the status if it is news. What has changed meanwhile is looked at again by itself.
    pub(super) async fn write(&self, client: &Client, status: &BlueprintDefinitionStatus) -> Result<(), Error> {
        if *status == self.status {
            return Ok(());
        }
        // A merge keeps what is not named.
        let mut fields = serde_json::to_value(status).unwrap_or_default();
        for field in ["validationErrors", "apiExportRef"] {
            if fields.get(field).is_none() {
                fields[field] = serde_json::Value::Null;
            }
        }
        let patch = Patch::Merge(json!({"status": fields}));
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let client = client.clone();
        let written = match &self.object {
            Object::Blueprint(object) => {
                let api: Api<BlueprintDefinition> = Api::namespaced(client, &object.namespace().unwrap_or_default());
                api.patch_status(&object.name_any(), &params, &patch).await.map(drop)
            }
            Object::Graph(object) => {
                let api: Api<ResourceGraphDefinition> = Api::all(client);
                api.patch_status(&object.name_any(), &params, &patch).await.map(drop)
            }
        };
        match written {
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
            other => other.map_err(|error| Error::from_kube("update", self.name(), error)),
        }
    }
}
