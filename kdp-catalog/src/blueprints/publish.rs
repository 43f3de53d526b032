//! The artefacts of a published blueprint: revision, schema, export and service, in this order.

use std::collections::BTreeMap;

use kdp_core::{
    Error,
    api::apis::{
        APIExport, APIExportSpec, APIResourceSchema, APIResourceSchemaSpec, APIResourceVersion, ExportedResource,
        PermissionClaim, ResourceNames, ResourceStorage,
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    CURRENT, FIELD_MANAGER, OFFERS,
    check::RESERVED_STATUS,
    names,
    revision::{BlueprintRevision, BlueprintRevisionSpec, UsedKind, hash_of},
    source::Source,
};
use crate::{
    Service, ServiceSpec,
    blueprint::{Graph, ResourceGraph, definition::InstanceScope},
};

/// What publishing a definition would create.
#[derive(Clone, Debug)]
pub(super) struct Artefacts {
    pub(super) export: String,
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) revision: BlueprintRevision,
    pub(super) schema: APIResourceSchema,
}

impl Artefacts {
    /// The artefacts of a definition whose graph is without faults.
    pub(super) fn of(source: &Source, graph: &Graph, kinds: Vec<UsedKind>) -> Self {
        let definition = &source.graph;
        let kind = &definition.schema.kind;
        let export = names::export(kind);
        let hash = hash_of(definition);
        let spec = BlueprintRevisionSpec {
            export: export.clone(),
            version: source.version.clone(),
            hash: hash.clone(),
            kinds,
            resource_graph: definition.clone(),
        };
        let spec = BlueprintRevision::new(&names::revision(kind, &source.version), spec);
        Self {
            export,
            group: names::group_of(definition).to_owned(),
            kind: kind.clone(),
            schema: schema(definition, graph, &source.version, &hash),
            revision: spec,
        }
    }

    /// What an APIExport that offers this is marked with.
    pub(super) fn offers(&self) -> String {
        format!("{}.{}", self.kind, self.group)
    }

    /// Makes the revision and the schema, if they are not there.
    pub(super) async fn store(&self, client: &Client) -> Result<(), Error> {
        create(client, &self.revision).await?;
        create(client, &self.schema).await
    }

    /// Offers the newest of what is published, with all rights that revisions need.
    pub(super) async fn offer(&self, client: &Client, source: &Source, kinds: &[UsedKind]) -> Result<(), Error> {
        let exports: Api<APIExport> = Api::all(client.clone());
        let failed = |error| Error::from_kube("publish", &self.export, error);
        let resource = ExportedResource {
            name: self.schema.spec.names.plural.clone(),
            group: self.group.clone(),
            schema: self.schema.name_any(),
            storage: ResourceStorage { crd: Some(json!({})), ..ResourceStorage::default() },
        };
        let spec =
            APIExportSpec { resources: vec![resource], permission_claims: claims(kinds), ..APIExportSpec::default() };
        let annotations: BTreeMap<_, _> =
            [(OFFERS.to_owned(), self.offers()), (CURRENT.to_owned(), source.version.clone())].into();
        match exports.get_opt(&self.export).await.map_err(failed)? {
            None => {
                let mut export = APIExport::new(&self.export, spec);
                export.metadata.annotations = Some(annotations);
                create(client, &export).await?;
            }
            Some(known) => {
                let is_same = known.spec.resources == spec.resources
                    && known.spec.permission_claims == spec.permission_claims
                    && annotations.iter().all(|(key, value)| known.annotations().get(key) == Some(value));
                if !is_same {
                    let patch = json!({
                        "metadata": {"annotations": annotations, "resourceVersion": known.resource_version()},
                        "spec": {"resources": spec.resources, "permissionClaims": spec.permission_claims},
                    });
                    exports.patch(&self.export, &manager(), &Patch::Merge(patch)).await.map_err(failed)?;
                }
            }
        }
        self.list_in_catalog(client, source).await
    }

    async fn list_in_catalog(&self, client: &Client, source: &Source) -> Result<(), Error> {
        let services: Api<Service> = Api::all(client.clone());
        let failed = |error| Error::from_kube("list in the catalog", &self.export, error);
        match services.get_opt(&self.export).await.map_err(failed)? {
            None => {
                let spec = ServiceSpec {
                    api_group: self.group.clone(),
                    catalog_metadata: source.catalog.clone(),
                    ..ServiceSpec::default()
                };
                create(client, &Service::new(&self.export, spec)).await
            }
            Some(known) if known.spec.catalog_metadata == source.catalog => Ok(()),
            Some(_) => {
                let patch = Patch::Merge(json!({"spec": {"catalogMetadata": source.catalog}}));
                services.patch(&self.export, &manager(), &patch).await.map(drop).map_err(failed)
            }
        }
    }
}

/// Marks an export as offering nothing at present; what is there stays.
pub(super) async fn withdraw(client: &Client, export: &APIExport) -> Result<(), Error> {
    if export.annotations().get(CURRENT).is_none_or(String::is_empty) {
        return Ok(());
    }
    let name = export.name_any();
    let patch = Patch::Merge(json!({"metadata": {"annotations": {CURRENT: ""}}}));
    let patched = Api::<APIExport>::all(client.clone()).patch(&name, &manager(), &patch).await;
    patched.map(drop).map_err(|error| Error::from_kube("withdraw", name, error))
}

fn manager() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

/// Creates an object unless there is one of its name.
async fn create<K>(client: &Client, object: &K) -> Result<(), Error>
where
    K: Resource<DynamicType = ()> + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
{
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    match Api::<K>::all(client.clone()).create(&params, object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(error) => Err(Error::from_kube("create", object.name_any(), error)),
    }
}

/// What the platform needs to do in the workspaces of consumers; they accept it when they bind.
fn claims(kinds: &[UsedKind]) -> Vec<PermissionClaim> {
    let mut claims = BTreeMap::<(&str, &str, &str), bool>::new();
    for kind in kinds {
        *claims.entry((kind.group(), &kind.plural, &kind.identity_hash)).or_default() |= kind.made;
    }
    let claim = |((group, resource, identity), made): ((&str, &str, &str), bool)| PermissionClaim {
        group: group.to_owned(),
        resource: resource.to_owned(),
        verbs: if made { vec!["*".to_owned()] } else { ["get", "list"].map(str::to_owned).to_vec() },
        identity_hash: identity.to_owned(),
        default_selector: None,
    };
    claims.into_iter().map(claim).collect()
}

fn schema(definition: &ResourceGraph, graph: &Graph, version: &str, hash: &str) -> APIResourceSchema {
    let api = &definition.schema;
    let (plural, group) = (names::plural(&api.kind), names::group_of(definition));
    let mut columns: Vec<Value> = graph
        .columns()
        .map(|column| json!({"name": column.name, "type": column.type_, "jsonPath": column.json_path}))
        .collect();
    columns.extend(api.additional_printer_columns.iter().filter_map(|column| serde_json::to_value(column).ok()));
    for (name, type_, path) in [
        ("Ready", "boolean", ".status.ready"),
        ("Revision", "string", ".status.revision.version"),
        ("Age", "date", ".metadata.creationTimestamp"),
    ] {
        if !columns.iter().any(|column| column["name"] == name) {
            columns.push(json!({"name": name, "type": type_, "jsonPath": path}));
        }
    }
    let spec = APIResourceSchemaSpec {
        group: group.to_owned(),
        names: ResourceNames {
            plural: plural.clone(),
            singular: api.kind.to_lowercase(),
            kind: api.kind.clone(),
            list_kind: format!("{}List", api.kind),
            short_names: api.short_names.clone(),
            categories: api.categories.clone(),
        },
        scope: if api.scope == InstanceScope::Cluster { "Cluster" } else { "Namespaced" }.to_owned(),
        versions: vec![APIResourceVersion {
            name: api.api_version.clone(),
            served: true,
            storage: true,
            schema: instance_schema(graph),
            subresources: Some(json!({"status": {}})),
            additional_printer_columns: columns,
            ..APIResourceVersion::default()
        }],
        conversion: None,
    };
    let mut object = APIResourceSchema::new(&names::schema(version, hash, &plural, group), spec);
    object.metadata = ObjectMeta {
        annotations: Some([(OFFERS.to_owned(), format!("{}.{group}", api.kind))].into()),
        ..object.metadata
    };
    object
}

/// The schema of instances with the fields that the platform writes.
pub(super) fn instance_schema(graph: &Graph) -> Value {
    let mut schema = graph.instance_schema();
    let text = json!({"type": "string"});
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let list = json!({"type": "array", "items": open});
    for field in RESERVED_STATUS {
        schema["properties"]["status"]["properties"][field] = match field {
            "ready" => json!({"type": "boolean"}),
            "observedGeneration" => json!({"type": "integer", "format": "int64"}),
            "revision" => json!({"type": "object", "properties": {"version": text, "hash": text}}),
            _ => list.clone(),
        };
    }
    schema["properties"]["status"]["type"] = json!("object");
    for (field, type_) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
        schema["properties"][field] = json!({"type": type_});
    }
    schema
}
