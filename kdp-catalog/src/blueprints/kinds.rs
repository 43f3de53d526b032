//! The kinds that blueprints in a provider's workspace can use, and their schemas.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kdp_core::{
    Error, ErrorKind, Identity, LogicalClusterName, SharedControlPlane,
    api::apis::{APIBinding, APIExport, APIResourceSchema},
};
use kube::{
    Api, Client, ResourceExt,
    api::{GetParams, ListParams},
    core::{GroupVersionKind, Request},
    discovery::{Scope, pinned_kind},
};
use serde_json::Value;

use super::{check, revision::UsedKind};
use crate::blueprint::ResourceGraph;

/// How deep references between definitions are followed; what is deeper may be anything.
const MAX_DEPTH: usize = 24;

/// A kind with its schema.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) used: UsedKind,
    pub(super) schema: Value,
}

/// What is known in a provider's workspace at one moment.
pub(super) struct Kinds {
    client: Client,
    exported: Vec<(APIResourceSchema, String)>,
    /// OpenAPI documents by API version, once they were asked for.
    documents: HashMap<String, Value>,
    found: BTreeMap<(String, String), Option<Known>>,
}

impl Kinds {
    /// Reads what the workspace exports and binds.
    pub(super) async fn of(control_plane: &SharedControlPlane, client: &Client) -> Result<Self, Error> {
        let all = ListParams::default();
        let failed = |what: &'static str| move |error| Error::from_kube("list", what, error);
        let own: Api<APIResourceSchema> = Api::all(client.clone());
        let own = own.list(&all).await.map_err(failed("apiresourceschemas"))?.items;
        let exports = Api::<APIExport>::all(client.clone()).list(&all).await.map_err(failed("apiexports"))?;
        let bindings = Api::<APIBinding>::all(client.clone()).list(&all).await.map_err(failed("apibindings"))?;
        let mut exported = Vec::new();
        for export in &exports {
            let Some(status) = export.status.as_ref().filter(|status| !status.identity_hash.is_empty()) else {
                continue;
            };
            for resource in &export.spec.resources {
                let schema = own.iter().find(|schema| schema.name_any() == resource.schema);
                exported.extend(schema.map(|schema| (schema.clone(), status.identity_hash.clone())));
            }
        }
        for status in bindings.iter().filter_map(|binding| binding.status.as_ref()) {
            let Ok(cluster) = status.api_export_cluster_name.parse::<LogicalClusterName>() else { continue };
            let there = control_plane.client(&cluster.into(), &Identity::system_masters())?;
            let schemas: Api<APIResourceSchema> = Api::all(there);
            for bound in &status.bound_resources {
                let schema = schemas.get_opt(&bound.schema.name).await.map_err(failed("the bound schemas"))?;
                exported.extend(schema.map(|schema| (schema, bound.schema.identity_hash.clone())));
            }
        }
        Ok(Self { client: client.clone(), exported, documents: HashMap::new(), found: BTreeMap::new() })
    }

    /// The kinds a graph names, as far as they are known.
    pub(super) async fn used_by(&mut self, graph: &ResourceGraph) -> Result<Vec<Known>, Error> {
        let mut made = BTreeMap::<(&str, &str), bool>::new();
        for resource in &graph.resources {
            if let Some((api_version, kind, place)) = check::kind_of(resource) {
                *made.entry((api_version, kind)).or_default() |= place == "template";
            }
        }
        let mut known = Vec::new();
        for ((api_version, kind), made) in made {
            if let Some(mut found) = self.find(api_version, kind).await? {
                found.used.made = made;
                known.push(found);
            }
        }
        Ok(known)
    }

    async fn find(&mut self, api_version: &str, kind: &str) -> Result<Option<Known>, Error> {
        let key = (api_version.to_owned(), kind.to_owned());
        if let Some(found) = self.found.get(&key) {
            return Ok(found.clone());
        }
        let found = match self.exported_kind(api_version, kind) {
            Some(found) => Some(found),
            None => self.served_kind(api_version, kind).await?,
        };
        self.found.insert(key, found.clone());
        Ok(found)
    }

    fn exported_kind(&self, api_version: &str, kind: &str) -> Option<Known> {
        let (group, version) = api_version.split_once('/')?;
        self.exported.iter().find_map(|(schema, identity)| {
            let spec = &schema.spec;
            if (spec.group.as_str(), spec.names.kind.as_str()) != (group, kind) {
                return None;
            }
            let version = spec.versions.iter().find(|known| known.served && known.name == version)?;
            let used = UsedKind {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                plural: spec.names.plural.clone(),
                namespaced: spec.scope == "Namespaced",
                identity_hash: identity.clone(),
                made: false,
            };
            Some(Known { used, schema: version.schema.clone() })
        })
    }

    /// A kind that the workspace itself serves: a builtin one, or one of its CustomResourceDefinitions.
    async fn served_kind(&mut self, api_version: &str, kind: &str) -> Result<Option<Known>, Error> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let (resource, capabilities) = match pinned_kind(&self.client, &gvk).await {
            Ok(found) => found,
            Err(kube::Error::Discovery(_)) => return Ok(None),
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(None),
            Err(error) => return Err(Error::from_kube("discover", format!("{kind} of {api_version}"), error)),
        };
        let Some(schema) = self.document(group, version).await?.and_then(|document| schema_in(document, &gvk)) else {
            return Ok(None);
        };
        let used = UsedKind {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural: resource.plural,
            namespaced: capabilities.scope == Scope::Namespaced,
            identity_hash: String::new(),
            made: false,
        };
        Ok(Some(Known { used, schema }))
    }

    async fn document(&mut self, group: &str, version: &str) -> Result<Option<&Value>, Error> {
        let folder = if group.is_empty() { "/openapi/v3/api".to_owned() } else { format!("/openapi/v3/apis/{group}") };
        let path = format!("{folder}/{version}");
        if !self.documents.contains_key(&path) {
            let failed = |error| Error::new(ErrorKind::Internal, "read", &path, "it is no path").with_source(error);
            let request = Request::new(folder).get(version, &GetParams::default()).map_err(failed)?;
            let document = match self.client.request::<Value>(request).await {
                Ok(document) => document,
                Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(None),
                Err(error) => return Err(Error::from_kube("read", &path, error)),
            };
            self.documents.insert(path.clone(), document);
        }
        Ok(self.documents.get(&path))
    }
}

/// The schema of a kind in an OpenAPI document, with what it refers to written out.
fn schema_in(document: &Value, gvk: &GroupVersionKind) -> Option<Value> {
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    let is_it = |schema: &Value| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds.into_iter().flatten().any(|known| {
            known["kind"] == gvk.kind.as_str()
                && known["version"] == gvk.version.as_str()
                && known["group"].as_str().unwrap_or_default() == gvk.group
        })
    };
    let schema = schemas.values().find(|schema| is_it(schema))?;
    Some(written_out(schema, schemas, &mut BTreeSet::new(), 0))
}

fn written_out<'s>(
    schema: &'s Value,
    schemas: &'s serde_json::Map<String, Value>,
    open: &mut BTreeSet<&'s str>,
    depth: usize,
) -> Value {
    match schema {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
                let name = name.rsplit('/').next().unwrap_or_default();
                let Some(target) = schemas.get(name).filter(|_| depth < MAX_DEPTH && open.insert(name)) else {
                    return schema.clone();
                };
                let result = written_out(target, schemas, open, depth + 1);
                open.remove(name);
                return result;
            }
            let field =
                |(name, field): (&String, &'s Value)| (name.clone(), written_out(field, schemas, open, depth + 1));
            fields.iter().map(field).collect()
        }
        Value::Array(items) => items.iter().map(|item| written_out(item, schemas, open, depth + 1)).collect(),
        other => other.clone(),
    }
}
