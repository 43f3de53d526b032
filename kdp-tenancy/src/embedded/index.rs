//! What every request needs to know of the whole control plane, kept in memory from the store's
//! own events: the workspace tree, who binds what, and caches for each logical cluster.
//!
//! Nothing here is written back. A replica on a shared store, and a restart, arrive at the same
//! index because its only source is the store.

mod apis;
mod export_surface;
mod wake;

use std::{collections::HashMap, sync::Arc};

use kdp_core::{LogicalClusterName, WorkspacePath, api::tenancy::BINDINGS_INITIALIZER};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;

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
use crate::store::{Entry, Event, RangeQuery, Revision, SharedStore, StoreError, Watch, WatchError};

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
    caches: Mutex<HashMap<LogicalClusterName, Arc<Cache>>>,
    shared: Shared,
    facts: Facts,
    applied: watch::Sender<Revision>,
    pub(crate) fanout: Arc<Fanout>,
    pub(crate) queue: WorkQueue,
    pub(crate) limits: Arc<Limits>,
}

type Surfaces = Mutex<HashMap<ExportId, Arc<Surface>>>;

#[derive(Debug, Default)]
struct Tree {
    clusters: HashMap<LogicalClusterName, Node>,
}

#[derive(Debug, Default)]
struct Node {
    parent: Option<(LogicalClusterName, String)>,
    children: HashMap<String, LogicalClusterName>,
    exists: bool,
}

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
            caches: Mutex::default(),
            shared: Shared::default(),
            facts: Facts::default(),
            applied: watch::channel(Revision(0)).0,
            fanout: Arc::default(),
            queue: WorkQueue::default(),
            limits,
        }
    }

    /// Reads the store once and returns the revision up to which the index is now true.
    pub(crate) async fn load(&self) -> Result<Revision, StoreError> {
        *self.tree.write() = Tree::default();
        *self.exports.write() = Exports::default();
        *self.lifecycles.write() = Lifecycles::default();
        *self.waiting.write() = Waiting::default();
        self.caches.lock().clear();
        self.facts.clear();
        self.limits.restart();
        let page = self.store.range(RangeQuery::prefix("")).await?;
        // In one piece: half of the bindings would hide half of the consumers.
        let bindings = RwLock::default();
        for entry in &page.entries {
            self.apply(&bindings, &entry.key, Some(entry), None, entry.modified);
        }
        let mut bindings = bindings.into_inner();
        bindings.forget_before(page.revision);
        *self.bindings.write() = bindings;
        self.fanout.restart(page.revision);
        self.limits.counted(page.revision);
        self.applied.send_replace(page.revision);
        Ok(page.revision)
    }

    /// Follows the store from `after` until `shutdown`, loading anew if it ever falls behind.
    pub(crate) async fn follow(&self, mut after: Revision, shutdown: CancellationToken) -> Result<(), StoreError> {
        loop {
            let mut events = match self.store.watch("", after).await {
                Ok(events) => events,
                Err(StoreError::Compacted { .. }) => {
                    after = self.load().await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let ended = loop {
                let event = tokio::select! {
                    event = events.next() => event,
                    () = shutdown.cancelled() => return Ok(()),
                };
                match event {
                    Some(Ok(event)) => {
                        if let Err(error) = self.catch_up(event, &mut events).await {
                            break error;
                        }
                    }
                    Some(Err(error)) => break error,
                    None => return Ok(()),
                }
            };
            tracing::warn!(error = %ended, "index.reload");
            after = self.load().await?;
        }
    }

    /// Applies `event` and everything behind it that is there already.
    async fn catch_up(&self, event: Arc<Event>, events: &mut Watch) -> Result<(), WatchError> {
        let mut last = event.revision;
        self.take(&event);
        loop {
            // Every event up to `newest` is in the watch by now, so the index has seen all of it
            // once the watch is empty.
            let newest = self.store.revision();
            while let Some(next) = events.try_next() {
                let event = next?;
                last = event.revision;
                self.take(&event);
            }
            self.limits.counted(newest);
            self.applied.send_replace(newest);
            if last <= newest {
                return Ok(());
            }
            // The store hands out the events of a transaction just before it reports its revision.
            tokio::task::yield_now().await;
        }
    }

    /// Applies an event, and passes it on to whoever watches its resource everywhere.
    fn take(&self, event: &Arc<Event>) {
        self.apply(&self.bindings, &event.key, event.entry.as_ref(), event.previous.as_ref(), event.revision);
        self.fanout.publish(event, || self.exports_around(event));
    }

    /// The revision that the index has seen and passed on.
    pub(crate) fn reached(&self) -> Revision {
        *self.applied.borrow()
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

    fn apply(
        &self,
        bindings: &RwLock<Bindings>,
        key: &str,
        entry: Option<&Entry>,
        previous: Option<&Entry>,
        revision: Revision,
    ) {
        let Some(key) = ParsedKey::parse(key) else { return };
        let Ok(cluster) = key.cluster.parse::<LogicalClusterName>() else { return };
        self.facts.apply(&cluster, &key, entry);
        if let Some(work) = self.limits.follow(&key, entry, previous, |name| self.child(&cluster, name)) {
            self.queue.add(work);
        }
        self.apply_object(bindings, &cluster, &key, entry, previous, revision);
        self.facts.announce(&cluster, &key);
        let moment = if *self.applied.borrow() == Revision(0) { Moment::Loading } else { Moment::Following };
        for work in self.facts.sources().apply(&cluster, &key, entry, previous, moment) {
            self.queue.add(work);
        }
    }

    fn apply_object(
        &self,
        bindings: &RwLock<Bindings>,
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
                if entry.is_none() {
                    self.tree.write().clusters.remove(&cluster);
                    self.caches.lock().remove(&cluster);
                    return;
                }
                self.tree.write().clusters.entry(cluster.clone()).or_default().exists = true;
                if previous.is_none() {
                    self.wake_below(&cluster);
                }
            }
            ("tenancy.kcp.io", "workspacetypes") => self.wake_type(&cluster, key.name),
            ("apis.kcp.io", "apibindings") => {
                self.apply_binding(bindings, &cluster, key, entry, previous, revision);
                self.caches.lock().remove(&cluster);
            }
            ("apis.kcp.io", "apiexports") => {
                self.caches.lock().remove(&cluster);
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
                self.caches.lock().remove(&cluster);
                *self.borrowed.lock() = Arc::default();
                self.queue.add(Work::Exports(cluster));
            }
            ("apiextensions.k8s.io", "customresourcedefinitions") => {
                self.caches.lock().remove(&cluster);
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
                self.caches.lock().remove(&cluster);
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

    fn apply_workspace(
        &self,
        cluster: &LogicalClusterName,
        key: &ParsedKey<'_>,
        entry: Option<&Entry>,
        previous: Option<&Entry>,
    ) {
        let child_of = |entry: Option<&Entry>| -> Option<LogicalClusterName> {
            str_at(&object::decode(entry?).ok()?, &["spec", "cluster"]).parse().ok()
        };
        let (now, before) = (child_of(entry), child_of(previous));
        let mut tree = self.tree.write();
        match now.clone() {
            Some(child) => {
                self.limits.link(&child, cluster, key.name);
                tree.clusters.entry(child.clone()).or_default().parent = Some((cluster.clone(), key.name.into()));
                tree.clusters.entry(cluster.clone()).or_default().children.insert(key.name.into(), child);
            }
            None => {
                if let Some(node) = tree.clusters.get_mut(cluster) {
                    node.children.remove(key.name);
                }
                if let Some(child) = &before {
                    self.limits.unlink(child);
                    tree.clusters.remove(child);
                }
            }
        }
        drop(tree);
        if let Some(child) = now.filter(|now| before.as_ref() != Some(now)) {
            self.wake_below(&child);
        }
        self.queue_if_deleting(entry, || Work::Workspace { cluster: cluster.clone(), name: key.name.into() });
    }

    /// What decides about access, RBAC left aside.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The logical cluster at a path, if there is one.
    pub(crate) fn resolve(&self, path: &WorkspacePath) -> Option<LogicalClusterName> {
        let tree = self.tree.read();
        let mut cluster = path.cluster();
        for name in path.names() {
            cluster = tree.clusters.get(&cluster)?.children.get(name)?.clone();
        }
        tree.clusters.get(&cluster).filter(|node| node.exists)?;
        Some(cluster)
    }

    /// The logical cluster of the workspace `name` in `parent`, if there is one.
    pub(crate) fn child(&self, parent: &LogicalClusterName, name: &str) -> Option<LogicalClusterName> {
        self.tree.read().clusters.get(parent)?.children.get(name).cloned()
    }

    /// The canonical path of a logical cluster.
    pub(crate) fn path(&self, cluster: &LogicalClusterName) -> WorkspacePath {
        let tree = self.tree.read();
        let mut names = Vec::new();
        let mut top = cluster.clone();
        while let Some((parent, name)) = tree.clusters.get(&top).and_then(|node| node.parent.clone()) {
            names.push(name);
            top = parent;
        }
        let mut path = top.path();
        for name in names.iter().rev() {
            path = path.join(name).expect("the tree holds only valid workspace names");
        }
        path
    }

    /// The logical clusters above one, the topmost first.
    pub(crate) fn ancestors(&self, cluster: &LogicalClusterName) -> Vec<LogicalClusterName> {
        let tree = self.tree.read();
        let above = |of: &LogicalClusterName| Some(tree.clusters.get(of)?.parent.as_ref()?.0.clone());
        let mut ancestors: Vec<_> = std::iter::successors(above(cluster), above).collect();
        ancestors.reverse();
        ancestors
    }

    /// The logical clusters below one, each after those above it.
    pub(crate) fn descendants(&self, cluster: &LogicalClusterName) -> Vec<LogicalClusterName> {
        let tree = self.tree.read();
        let children =
            |of: &LogicalClusterName| tree.clusters.get(of).into_iter().flat_map(|node| node.children.values());
        let mut found: Vec<LogicalClusterName> = children(cluster).cloned().collect();
        let mut next = 0;
        while let Some(below) = found.get(next).cloned() {
            found.extend(children(&below).cloned());
            next += 1;
        }
        found
    }

    /// Every logical cluster, in order.
    pub(crate) fn clusters(&self) -> Vec<LogicalClusterName> {
        let tree = self.tree.read();
        let mut clusters: Vec<_> =
            tree.clusters.iter().filter(|(_, node)| node.exists).map(|(name, _)| name.clone()).collect();
        clusters.sort();
        clusters
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

    fn exists(&self, cluster: &LogicalClusterName) -> bool {
        self.tree.read().clusters.get(cluster).is_some_and(|node| node.exists)
    }

    fn cache(&self, cluster: &LogicalClusterName) -> Arc<Cache> {
        let mut caches = self.caches.lock();
        if let Some(cache) = caches.get(cluster) {
            return cache.clone();
        }
        if caches.len() >= CACHED_CLUSTERS {
            caches.clear();
        }
        caches.entry(cluster.clone()).or_default().clone()
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
