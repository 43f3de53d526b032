//! What every request needs to know of the whole control plane, kept in memory from the store's
//! own events: the workspace tree, who binds what, and caches for each logical cluster.
//!
//! Nothing here is written back. A replica on a shared store, and a restart, arrive at the same
//! index because its only source is the store.

mod apis;
mod caches;
mod export_surface;
mod load;
#[cfg(test)]
mod tests;
mod tree;
mod wake;

use std::{collections::HashMap, sync::Arc};

use kdp_core::{LogicalClusterName, api::tenancy::BINDINGS_INITIALIZER};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::{OnceCell, watch};

pub(crate) use self::tree::child_of;
use self::{caches::Caches, tree::Tree};
use super::{
    auth::Policy,
    consumers::{Bindings, bound_export},
    exports::{Exports, Named},
    facts::Facts,
    fanout::Fanout,
    key::{ParsedKey, ResourceKey},
    kinds::logical_cluster::Stage,
    lifecycles::Lifecycles,
    limits::Limits,
    object::{self, str_at},
    queue::{Work, WorkQueue},
    roles::Moment,
    status::{Result, StatusError},
    surface::{ExportId, Origin, Shared, Surface},
    waiting::Waiting,
};
use crate::store::{Entry, RangeQuery, Revision, SharedStore};

/// How many logical clusters keep their caches.
const CACHED_CLUSTERS: usize = 4096;

/// The logical cluster that holds a copy of every schema in use by a binding, as in kcp.
pub(crate) const BOUND_SCHEMAS: &str = "system:bound-crds";

/// See the module.
#[derive(Debug)]
pub(crate) struct Index {
    store: SharedStore,
    tree: RwLock<Tree>,
    bindings: RwLock<Bindings>,
    exports: RwLock<Exports>,
    /// Surfaces of exports that depend on other exports, replaced as a whole when any export changes.
    borrowed: Mutex<Arc<Surfaces>>,
    lifecycles: RwLock<Lifecycles>,
    waiting: RwLock<Waiting>,
    caches: Mutex<Caches<Cache>>,
    shared: Shared,
    facts: Facts,
    applied: watch::Sender<Revision>,
    pub(crate) fanout: Arc<Fanout>,
    pub(crate) queue: WorkQueue,
    pub(crate) limits: Arc<Limits>,
}

/// What homes are called below the root; no workspace can have that name.
const HOME: &str = "~";

type Surfaces = Mutex<HashMap<ExportId, Arc<Surface>>>;

#[derive(Debug, Default)]
struct Cache {
    surface: OnceCell<Arc<Surface>>,
    policy: OnceCell<Arc<Policy>>,
    exports: Mutex<HashMap<String, Arc<Surface>>>,
}

impl Index {
    pub(crate) fn new(store: SharedStore, limits: Arc<Limits>) -> Self {
        Self {
            store,
            tree: RwLock::default(),
            bindings: RwLock::default(),
            exports: RwLock::default(),
            borrowed: Mutex::default(),
            lifecycles: RwLock::default(),
            waiting: RwLock::default(),
            caches: Mutex::new(Caches::new(CACHED_CLUSTERS)),
            shared: Shared::default(),
            facts: Facts::default(),
            applied: watch::channel(Revision(0)).0,
            fanout: Arc::default(),
            queue: WorkQueue::default(),
            limits,
        }
    }

    /// The revision that the index has seen and passed on.
    pub(crate) fn reached(&self) -> Revision {
        *self.applied.borrow()
    }

    /// Whether this is an index that is not in use yet.
    fn is_loading(&self) -> bool {
        self.reached() == Revision(0)
    }

    /// Waits until the index has seen the transaction of `revision`. Cancel-safe.
    pub(crate) async fn seen(&self, revision: Revision) {
        let mut applied = self.applied.subscribe();
        // An error means the index was dropped, and with it whoever could be waiting.
        let _ = applied.wait_for(|applied| *applied >= revision).await;
    }

    /// Whether a change of this resource changes the index.
    pub(crate) fn follows(group: &str, plural: &str) -> bool {
        matches!(
            (group, plural),
            ("tenancy.kcp.io", "workspaces")
                | ("core.kcp.io", "logicalclusters")
                | ("apis.kcp.io", "apiexports" | "apibindings" | "apiexportendpointslices")
                | ("apiextensions.k8s.io", "customresourcedefinitions")
                | ("tenancy.kdp.k8c.io", "workspacelimits")
                | ("rbac.authorization.k8s.io", _)
        )
    }

    fn apply(&self, key: &str, entry: Option<&Entry>, previous: Option<&Entry>, revision: Revision) {
        let Some(key) = ParsedKey::parse(key) else { return };
        let Ok(cluster) = key.cluster.parse::<LogicalClusterName>() else { return };
        self.facts.apply(&cluster, &key, entry);
        if let Some(work) = self.limits.follow(&key, entry, previous, |name| self.child(&cluster, name)) {
            self.queue.add(work);
        }
        self.apply_object(&cluster, &key, entry, previous, revision);
        self.facts.announce(&cluster, &key, entry.is_none());
        let moment = if self.is_loading() { Moment::Loading } else { Moment::Following };
        for work in self.facts.sources().apply(&cluster, &key, entry, previous, moment) {
            self.queue.add(work);
        }
    }

    fn apply_object(
        &self,
        cluster: &LogicalClusterName,
        key: &ParsedKey<'_>,
        entry: Option<&Entry>,
        previous: Option<&Entry>,
        revision: Revision,
    ) {
        let cluster = cluster.clone();
        match (key.group, key.plural) {
            ("tenancy.kcp.io", "workspaces") => self.apply_workspace(&cluster, key, entry, previous),
            ("core.kcp.io", "logicalclusters") => {
                self.apply_lifecycle(&cluster, entry);
                self.place_home(&cluster, entry);
                if entry.is_none() {
                    self.tree.write().clusters.remove(&cluster);
                    self.caches.lock().forget(&cluster);
                    return;
                }
                self.tree.write().clusters.entry(cluster.clone()).or_default().exists = true;
                if previous.is_none() {
                    self.wake_below(&cluster);
                }
            }
            ("tenancy.kcp.io", "workspacetypes") => self.wake_type(&cluster, key.name),
            ("apis.kcp.io", "apibindings") => {
                self.apply_binding(&cluster, key, entry, previous, revision);
                self.caches.lock().forget(&cluster);
            }
            ("apis.kcp.io", "apiexports") => {
                self.caches.lock().forget(&cluster);
                *self.borrowed.lock() = Arc::default();
                let id = ExportId { cluster: cluster.to_string(), name: key.name.into() };
                self.exports.write().set_export(&id, decoded(previous).as_ref(), decoded(entry).as_ref());
                self.queue.add(Work::Export { cluster, name: key.name.into() });
            }
            ("apis.kcp.io", "apiexportendpointslices") => {
                if let Some(object) = decoded(entry.or(previous)) {
                    let slice = Named { cluster: cluster.clone(), name: key.name.into() };
                    self.exports.write().set_slice(slice, &object, entry.is_some());
                }
                self.queue.add(Work::Slice { cluster, name: key.name.into() });
            }
            ("apis.kcp.io", "apiresourceschemas") if cluster.as_str() == BOUND_SCHEMAS && entry.is_some() => {
                self.queue.add(Work::Schema(key.name.into()));
            }
            ("apis.kcp.io", "apiresourceschemas") if previous.is_none() && !cluster.is_system() => {
                self.caches.lock().forget(&cluster);
                *self.borrowed.lock() = Arc::default();
                self.queue.add(Work::Exports(cluster));
            }
            ("apiextensions.k8s.io", "customresourcedefinitions") => {
                self.caches.lock().forget(&cluster);
                let is_settled = decoded(entry).as_ref().is_some_and(super::kinds::crd::is_established);
                if previous.is_some() || !is_settled {
                    self.queue.add(Work::Names(cluster.clone()));
                }
                self.queue_if_deleting(entry, || Work::Crd { cluster, name: key.name.into() });
            }
            ("", "namespaces") => {
                self.queue_if_deleting(entry, || Work::Namespace { cluster, name: key.name.into() });
            }
            ("rbac.authorization.k8s.io", _) => {
                self.caches.lock().forget(&cluster);
            }
            _ => {}
        }
    }

    /// Notes whom a logical cluster waits for, and looks after it when that is this server.
    fn apply_lifecycle(&self, cluster: &LogicalClusterName, entry: Option<&Entry>) {
        let header = entry.and_then(|entry| object::header(entry).ok());
        self.lifecycles.write().set(cluster, header.as_ref().map(|header| &header.metadata.labels));
        self.queue_bindings(cluster);
        if header.is_some_and(|header| header.metadata.deletion_timestamp.is_some()) {
            let parent = self.tree.read().clusters.get(cluster).and_then(|node| node.parent.clone());
            if let Some((cluster, name)) = parent {
                self.queue.add(Work::Workspace { cluster, name });
            }
        }
    }

    /// A home has no Workspace that says what it is below. For limits, and for turns, that is the root:
    /// else it would have none, and as many turns as all that is below the root.
    fn place_home(&self, cluster: &LogicalClusterName, entry: Option<&Entry>) {
        let is_below = || self.tree.read().clusters.get(cluster).is_some_and(|node| node.parent.is_some());
        let root = LogicalClusterName::root();
        if entry.is_none() {
            self.limits.unlink(cluster);
        } else if *cluster != root && !cluster.is_system() && !is_below() {
            self.limits.link(cluster, &root, HOME);
        }
    }

    /// Has the bindings of its type made in a logical cluster that waits for them.
    fn queue_bindings(&self, cluster: &LogicalClusterName) {
        if self.is_waiting_for(cluster, Stage::Initializing, BINDINGS_INITIALIZER) {
            self.queue.add(Work::Bindings(cluster.clone()));
        } else {
            self.await_defaults(cluster, Vec::new());
        }
    }

    /// The logical clusters that wait for `name` in a stage, in order.
    pub(crate) fn waiting_for(&self, stage: Stage, name: &str) -> Vec<LogicalClusterName> {
        self.lifecycles.read().waiting_for(stage, name)
    }

    /// Whether a logical cluster waits for `name` in a stage.
    pub(crate) fn is_waiting_for(&self, cluster: &LogicalClusterName, stage: Stage, name: &str) -> bool {
        self.lifecycles.read().is_waiting_for(cluster, stage, name)
    }

    fn queue_if_deleting(&self, entry: Option<&Entry>, work: impl FnOnce() -> Work) {
        let header = entry.map(object::header);
        if matches!(header, Some(Ok(header)) if header.metadata.deletion_timestamp.is_some()) {
            self.queue.add(work());
        }
    }

    /// What decides about access, RBAC left aside.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The surface of a logical cluster.
    pub(crate) async fn surface(&self, cluster: &LogicalClusterName) -> Result<Arc<Surface>> {
        let cache = self.cache(cluster);
        cache.surface.get_or_try_init(|| self.load_surface(cluster)).await.cloned()
    }

    /// The RBAC policy of a logical cluster; `None` when there is no such cluster.
    pub(crate) async fn policy(&self, cluster: &LogicalClusterName) -> Result<Option<Arc<Policy>>> {
        if !self.exists(cluster) {
            return Ok(None);
        }
        let cache = self.cache(cluster);
        cache.policy.get_or_try_init(|| self.load_policy(cluster)).await.cloned().map(Some)
    }

    async fn load_policy(&self, cluster: &LogicalClusterName) -> Result<Arc<Policy>> {
        let mut objects = Vec::new();
        for plural in ["clusterroles", "clusterrolebindings", "roles", "rolebindings"] {
            objects.extend(self.objects(cluster, "rbac.authorization.k8s.io", plural).await?);
        }
        Ok(Arc::new(Policy::from_objects(&objects)))
    }

    fn cache(&self, cluster: &LogicalClusterName) -> Arc<Cache> {
        self.caches.lock().of(cluster)
    }

    async fn load_surface(&self, cluster: &LogicalClusterName) -> Result<Arc<Surface>> {
        let mut definitions = Vec::new();
        for binding in self.objects(cluster, "apis.kcp.io", "apibindings").await? {
            let Some(export) = bound_export(&binding) else { continue };
            for bound in binding["status"]["boundResources"].as_array().into_iter().flatten() {
                let uid = str_at(bound, &["schema", "UID"]);
                if let Some(schema) = self.bound_schema(uid).await? {
                    definitions.push((Origin::Bound { export: export.clone(), schema_uid: uid.into() }, schema));
                }
            }
        }
        for crd in self.objects(cluster, "apiextensions.k8s.io", "customresourcedefinitions").await? {
            if super::kinds::crd::is_established(&crd) {
                let name = format!("{}/{}", cluster, str_at(&crd, &["metadata", "name"]));
                let version = format!("{}/{}", str_at(&crd, &["metadata", "uid"]), crd["metadata"]["generation"]);
                definitions.push((Origin::Crd { name, version }, crd));
            }
        }
        Ok(self.shared.surface(&definitions))
    }

    async fn objects(&self, cluster: &LogicalClusterName, group: &str, plural: &str) -> Result<Vec<Value>> {
        let prefix = ResourceKey::new(cluster, group, plural).prefix(None);
        let page = self.store.range(RangeQuery::prefix(prefix)).await.map_err(StatusError::from)?;
        page.entries.iter().map(object::decode).collect()
    }
}

fn decoded(entry: Option<&Entry>) -> Option<Value> {
    object::decode(entry?).ok()
}

/// Where the copy of the schema with this UID is stored.
pub(crate) fn bound_schema_key(uid: &str) -> String {
    let cluster = BOUND_SCHEMAS.parse().expect("it is a system cluster name");
    ResourceKey::new(&cluster, "apis.kcp.io", "apiresourceschemas").object(None, uid)
}
