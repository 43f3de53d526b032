//! The API surface of a workspace: the builtin kinds, its CRDs, and what it binds.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, LazyLock, Weak},
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;

use super::{builtin, resource::ApiResource, schema::Schema};

/// A resource in one version, as one workspace serves it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) resource: Arc<ApiResource>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) origin: Origin,
}

/// Where a resource comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Every workspace has it.
    Builtin,
    /// A CustomResourceDefinition of the workspace, and its UID and revision.
    Crd { name: String, version: String },
    /// An APIExport that the workspace binds.
    Bound { export: ExportId, schema_uid: String },
}

/// An APIExport by its logical cluster and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ExportId {
    pub(crate) cluster: String,
    pub(crate) name: String,
}

/// Everything one workspace serves.
#[derive(Debug)]
pub(crate) struct Surface {
    served: BTreeMap<(String, String), Vec<Arc<Served>>>,
    resources: Vec<Arc<ApiResource>>,
    documents: Mutex<HashMap<String, Document>>,
}

/// A discovery or OpenAPI document, made once for each surface.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) body: Bytes,
    pub(crate) etag: String,
}

impl Surface {
    /// The surface of a workspace without CRDs and bindings; one for all of them.
    pub(crate) fn base() -> Arc<Self> {
        static BASE: LazyLock<Arc<Surface>> = LazyLock::new(|| {
            let served = builtin::resources()
                .iter()
                .map(|resource| {
                    let schema = Arc::new(Schema::trusted(&resource.schema));
                    Arc::new(Served { resource: resource.clone(), schema, origin: Origin::Builtin })
                })
                .collect();
            Arc::new(Surface::new(served))
        });
        BASE.clone()
    }

    /// The base surface and `more`. What comes first keeps a name that occurs twice.
    pub(crate) fn extended(more: Vec<Arc<Served>>) -> Self {
        let base = Self::base();
        let mut served: Vec<_> = base.served.values().flatten().cloned().collect();
        for new in more {
            let taken = served.iter().any(|old| {
                old.origin != new.origin
                    && old.resource.group == new.resource.group
                    && old.resource.plural == new.resource.plural
            });
            if !taken {
                served.push(new);
            }
        }
        Self::new(served)
    }

    /// A surface of exactly these resources.
    pub(crate) fn new(list: Vec<Arc<Served>>) -> Self {
        let mut served: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let resources = list.iter().map(|s| s.resource.clone()).collect();
        for one in list {
            served.entry((one.resource.group.clone(), one.resource.plural.clone())).or_default().push(one);
        }
        Self { served, resources, documents: Mutex::default() }
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Served>> {
        self.versions(group, plural).iter().find(|s| s.resource.version == version)
    }

    /// Every served version of a resource.
    pub(crate) fn versions(&self, group: &str, plural: &str) -> &[Arc<Served>] {
        self.served.get(&(group.to_owned(), plural.to_owned())).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn resources(&self) -> &[Arc<ApiResource>] {
        &self.resources
    }

    /// One version of each resource.
    pub(crate) fn each_resource(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.served.values().filter_map(|versions| versions.first())
    }

    /// The document `name`, if it was made before.
    pub(crate) fn known_document(&self, name: &str) -> Option<Document> {
        self.documents.lock().get(name).cloned()
    }

    /// Keeps a document for whoever asks next.
    pub(crate) fn keep_document(&self, name: &str, body: Bytes) -> Document {
        let document = Document { etag: super::discovery::etag(&body), body };
        self.documents.lock().insert(name.to_owned(), document.clone());
        document
    }
}

/// Compiled resources and surfaces, shared by every workspace that serves the same ones.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    definitions: Mutex<HashMap<Origin, Weak<Vec<Arc<Served>>>>>,
    surfaces: Mutex<HashMap<Vec<Origin>, Weak<Surface>>>,
    kept: Mutex<VecDeque<Arc<Vec<Arc<Served>>>>>,
}

/// How many compiled definitions stay although no cached surface uses them.
const KEPT: usize = 256;

impl Shared {
    /// The surface of a workspace with these CRDs and bound schemas.
    pub(crate) fn surface(&self, definitions: &[(Origin, Value)]) -> Arc<Surface> {
        if definitions.is_empty() {
            return Surface::base();
        }
        let key: Vec<_> = definitions.iter().map(|(origin, _)| origin.clone()).collect();
        if let Some(surface) = self.surfaces.lock().get(&key).and_then(Weak::upgrade) {
            return surface;
        }
        let mut more = Vec::new();
        for (origin, definition) in definitions {
            more.extend(self.compile(origin, definition).iter().cloned());
        }
        let surface = Arc::new(Surface::extended(more));
        let mut surfaces = self.surfaces.lock();
        surfaces.retain(|_, surface| surface.strong_count() > 0);
        surfaces.insert(key, Arc::downgrade(&surface));
        surface
    }

    pub(crate) fn compile(&self, origin: &Origin, definition: &Value) -> Arc<Vec<Arc<Served>>> {
        if let Some(compiled) = self.definitions.lock().get(origin).and_then(Weak::upgrade) {
            return compiled;
        }
        let resources = match origin {
            Origin::Bound { .. } => ApiResource::from_api_resource_schema(definition),
            _ => ApiResource::from_crd(definition),
        };
        let compiled = resources
            .into_iter()
            .map(|resource| {
                // Nothing is stored that was not checked to be structural.
                let schema = Arc::new(Schema::trusted(&resource.schema));
                Arc::new(Served { resource: Arc::new(resource), schema, origin: origin.clone() })
            })
            .collect::<Vec<_>>();
        let compiled = Arc::new(compiled);
        let mut definitions = self.definitions.lock();
        definitions.retain(|_, definition| definition.strong_count() > 0);
        definitions.insert(origin.clone(), Arc::downgrade(&compiled));
        let mut kept = self.kept.lock();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(compiled.clone());
        compiled
    }
}
