//! What the control plane does by itself: it empties what is being deleted, and keeps bindings
//! and endpoint slices in step with their exports.
//!
//! Level-triggered: every step looks at what is stored now, so it can be cut off anywhere and
//! begun again.

mod default_bindings;

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use kdp_core::{LogicalClusterName, reconcile};
use serde_json::{Value, json};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    consumers::bound_export,
    key::{ParsedKey, ResourceKey, cluster_prefix},
    kinds::{
        self, bound_schema, crd as crds,
        logical_cluster::{self, Stage},
        namespace, quota, slice,
    },
    object::{self, finalizers, metadata_mut, str_at},
    queue::{Turn, Work},
    registry::{Caller, Extra, Place, Registry, remove::DeleteOptions},
    roles,
    status::{Result, StatusError},
    surface::{ExportId, Surface},
    waiting::Topic,
};
use crate::store::{Entry, RangeQuery, Revision};

/// How long to wait for a change of what holds a deletion before looking again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What a step found.
enum Step {
    Done,
    /// Somebody else was faster.
    Again,
    /// Something below this prefix must change first; everything up to the revision was looked at.
    Waits(String, Revision),
}

/// Works the queue until `shutdown`; then finishes what is under way.
pub(crate) async fn run(registry: Registry, shutdown: CancellationToken) {
    let tasks = TaskTracker::new();
    loop {
        let turn = tokio::select! {
            turn = registry.index.queue.next() => turn,
            () = shutdown.cancelled() => break,
        };
        let (registry, shutdown) = (registry.clone(), shutdown.clone());
        tasks.spawn(async move { carry_out(&registry, turn, &shutdown).await });
    }
    tasks.close();
    tasks.wait().await;
}

/// Does one step. Others have the place while there is something to wait for before the next one.
async fn carry_out(registry: &Registry, mut turn: Turn, shutdown: &CancellationToken) {
    let queue = &registry.index.queue;
    // A fault here must not take the place for ever.
    let step = AssertUnwindSafe(step(registry, &turn.work)).catch_unwind().await;
    let step = step.unwrap_or_else(|_| Err(StatusError::internal("the step panicked")));
    if matches!(step, Ok(Step::Done)) {
        return queue.done(&turn.work);
    }
    queue.pause(&turn.work);
    let pause = async {
        match step {
            Ok(Step::Done | Step::Again) => {}
            Ok(Step::Waits(prefix, after)) => {
                turn.failures = 0;
                changed(registry, &prefix, after).await;
            }
            Err(error) => {
                turn.failures += 1;
                let pause = reconcile::backoff(turn.failures);
                tracing::warn!(work = ?turn.work, %error, ?pause, "control.failed");
                tokio::time::sleep(pause).await;
            }
        }
    };
    tokio::select! {
        () = pause => queue.again(turn),
        () = shutdown.cancelled() => {}
    }
}

/// Returns once something below `prefix` changed after `after`, or after a while.
async fn changed(registry: &Registry, prefix: &str, after: Revision) {
    let change = async {
        if let Ok(mut watch) = registry.store.watch(prefix, after).await {
            // Whatever it is, even the end of the watch: it is time to look again.
            let _ = watch.next().await;
        }
    };
    // Not having changed for so long is no error.
    let _ = tokio::time::timeout(LOOK_AGAIN, change).await;
}

async fn step(registry: &Registry, work: &Work) -> Result<Step> {
    match work {
        Work::Workspace { cluster, name } => empty_workspace(registry, cluster, name).await,
        Work::Namespace { cluster, name } => empty_namespace(registry, cluster, name).await,
        Work::Crd { cluster, name } => empty_crd(registry, cluster, name).await,
        Work::Binding { cluster, name } => settle_binding(registry, cluster, name).await,
        Work::Bindings(cluster) => default_bindings::bind_defaults(registry, cluster).await,
        Work::Export { cluster, name } => {
            let id = ExportId { cluster: cluster.to_string(), name: name.clone() };
            for (consumer, binding) in registry.index.bindings_of(&id) {
                registry.index.queue.add(Work::Binding { cluster: consumer, name: binding });
            }
            registry.index.wake(cluster, &Topic::Export(name.clone()));
            slice::update_all(registry, &id).await?;
            Ok(Step::Done)
        }
        Work::Exports(cluster) => {
            let prefix = ResourceKey::new(cluster, "apis.kcp.io", "apiexports").prefix(None);
            for entry in registry.store.range(RangeQuery::prefix(prefix)).await?.entries {
                if let Some(key) = ParsedKey::parse(&entry.key) {
                    registry.index.queue.add(Work::Export { cluster: cluster.clone(), name: key.name.into() });
                }
            }
            Ok(Step::Done)
        }
        Work::Quota { cluster, namespace } => match quota::settle(registry, cluster, namespace).await? {
            Some((prefix, seen)) => Ok(Step::Waits(prefix, seen)),
            None => Ok(Step::Done),
        },
        Work::AggregateRoles(cluster) => roles::aggregate::settle(registry, cluster).await.map(|()| Step::Done),
        Work::SyncRole { cluster, plural, name } => {
            roles::sync::from(registry, cluster, &(plural.clone(), name.clone())).await.map(|()| Step::Done)
        }
        Work::SyncRolesInto(cluster) => roles::sync::into(registry, cluster).await.map(|()| Step::Done),
        Work::Slices(id) => {
            slice::update_all(registry, id).await?;
            Ok(Step::Done)
        }
        Work::Slice { cluster, name } => {
            slice::update(registry, cluster, name).await?;
            Ok(Step::Done)
        }
        Work::Schema(uid) => {
            bound_schema::collect(registry, uid).await?;
            Ok(Step::Done)
        }
        Work::Names(cluster) => settle_names(registry, cluster).await,
    }
}

/// A builtin cluster-scoped object that is being deleted, and its place.
async fn deleting(
    registry: &Registry,
    cluster: &LogicalClusterName,
    group: &str,
    version: &str,
    plural: &str,
    name: &str,
) -> Result<Option<(Place, Entry, Value)>> {
    let Some((entry, object)) = registry.find(cluster, group, plural, None, name).await? else { return Ok(None) };
    if object["metadata"]["deletionTimestamp"].is_null() {
        return Ok(None);
    }
    let served = Surface::base().find(group, version, plural).cloned();
    Ok(served.map(|served| (Place::new(cluster.clone(), served, None), entry, object)))
}

/// Removes one finalizer, and the object with it if that was the last one.
async fn release(
    registry: &Registry,
    place: &Place,
    entry: &Entry,
    mut object: Value,
    finalizer: &str,
) -> Result<Step> {
    let left: Vec<_> = finalizers(&object).into_iter().filter(|f| *f != finalizer).map(str::to_owned).collect();
    metadata_mut(&mut object).insert("finalizers".into(), json!(left));
    finish(registry, place, entry, object).await
}

async fn finish(registry: &Registry, place: &Place, entry: &Entry, object: Value) -> Result<Step> {
    if object == object::decode_plain(entry)? {
        // Somebody else's finalizer holds it. Writing it again would bring up the same work again.
        return Ok(Step::Done);
    }
    let written = if super::registry::remove::is_released(&object) {
        registry.finish_removal(place, entry, &object, Extra::default()).await?
    } else {
        registry.put(place, entry.key.to_string(), Some(entry.modified), object, Extra::default()).await?
    };
    Ok(match written {
        Some(_) => Step::Done,
        None => Step::Waits(
            entry.key.rsplit_once('/').map_or_else(String::new, |(prefix, _)| format!("{prefix}/")),
            entry.modified,
        ),
    })
}

/// Deletes every object below `prefix` that `wanted` says; returns how many are still held.
async fn empty(
    registry: &Registry,
    cluster: &LogicalClusterName,
    prefix: &str,
    wanted: impl Fn(&ParsedKey<'_>) -> bool,
) -> Result<(usize, Revision)> {
    let surface = registry.index.surface(cluster).await?;
    let page = registry.store.range(RangeQuery::prefix(prefix)).await?;
    let mut held = 0;
    for entry in &page.entries {
        // Not every store waits for anything; others must get to run between two deletions.
        tokio::task::yield_now().await;
        let Some(key) = ParsedKey::parse(&entry.key).filter(|key| wanted(key)) else { continue };
        let Some(served) = surface.versions(key.group, key.plural).first() else { continue };
        let place = Place::new(cluster.clone(), served.clone(), key.namespace.map(Into::into));
        match registry.delete(&place, key.name, &DeleteOptions::default(), &Caller::system()).await {
            Ok(super::registry::remove::Removed::Gone(_)) => {}
            Ok(super::registry::remove::Removed::Held(_)) => held += 1,
            Err(error) if error.reason() == "NotFound" => {}
            Err(error) => return Err(error),
        }
    }
    Ok((held, page.revision))
}

/// Empties a workspace that is being deleted, once its terminators are done: everything but bindings, rights and the logical
/// cluster first, so that whoever holds an object can still reach it; then the bindings; then the
/// workspace goes with what is left.
async fn empty_workspace(registry: &Registry, cluster: &LogicalClusterName, name: &str) -> Result<Step> {
    let found = deleting(registry, cluster, "tenancy.kcp.io", "v1alpha1", "workspaces", name).await?;
    let Some((place, entry, workspace)) = found else { return Ok(Step::Done) };
    let finalizer = kdp_core::api::tenancy::LOGICAL_CLUSTER_FINALIZER;
    let Ok(child) = str_at(&workspace, &["spec", "cluster"]).parse::<LogicalClusterName>() else {
        return release(registry, &place, &entry, workspace, finalizer).await;
    };
    if let Some(step) = close_cluster(registry, &child).await? {
        return Ok(step);
    }
    let prefix = cluster_prefix(&child);
    let is_binding = |key: &ParsedKey<'_>| key.is("apis.kcp.io", "apibindings");
    let stays = |key: &ParsedKey<'_>| {
        key.is("core.kcp.io", "logicalclusters") || key.group == "rbac.authorization.k8s.io" || is_binding(key)
    };
    let (held, seen) = empty(registry, &child, &prefix, |key| !stays(key)).await?;
    if held > 0 {
        return Ok(Step::Waits(prefix, seen));
    }
    let (held, seen) = empty(registry, &child, &prefix, is_binding).await?;
    if held > 0 {
        return Ok(Step::Waits(prefix, seen));
    }
    release(registry, &place, &entry, workspace, finalizer).await
}

/// Lets nothing new into a logical cluster that is being deleted. `None` once its content may be deleted; it is
/// looked at again when a terminator is done.
async fn close_cluster(registry: &Registry, cluster: &LogicalClusterName) -> Result<Option<Step>> {
    let found = registry.find(cluster, "core.kcp.io", "logicalclusters", None, "cluster").await?;
    let Some((entry, mut object)) = found else { return Ok(None) };
    let waits = !Stage::Terminating.waiting(&object).is_empty();
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Ok(waits.then_some(Step::Done));
    }
    let now = super::registry::rules::seconds(jiff::Timestamp::now());
    let mut finalizers = vec![logical_cluster::DELETION_FINALIZER];
    if waits {
        finalizers.push(logical_cluster::TERMINATORS_FINALIZER);
    }
    let metadata = metadata_mut(&mut object);
    metadata.insert("deletionTimestamp".into(), now.into());
    metadata.insert("deletionGracePeriodSeconds".into(), 0.into());
    metadata.insert("finalizers".into(), json!(finalizers));
    kinds::workspace::set_phase(&mut object, if waits { "Terminating" } else { "Deleting" });
    let Some(served) = Surface::base().find("core.kcp.io", "v1alpha1", "logicalclusters").cloned() else {
        return Ok(None);
    };
    let place = Place::new(cluster.clone(), served, None);
    let key = entry.key.to_string();
    Ok(match registry.put(&place, key, Some(entry.modified), object, Extra::default()).await? {
        Some(_) => waits.then_some(Step::Done),
        None => Some(Step::Again),
    })
}

async fn empty_namespace(registry: &Registry, cluster: &LogicalClusterName, name: &str) -> Result<Step> {
    let Some((place, entry, mut object)) = deleting(registry, cluster, "", "v1", "namespaces", name).await? else {
        return Ok(Step::Done);
    };
    let surface = registry.index.surface(cluster).await?;
    let (mut held, mut seen) = (0, registry.store.revision());
    for served in surface.each_resource().filter(|served| served.resource.namespaced) {
        let resource = &served.resource;
        let prefix = ResourceKey::new(cluster, &resource.group, &resource.plural).prefix(Some(name));
        let (count, revision) = empty(registry, cluster, &prefix, |_| true).await?;
        held += count;
        seen = seen.min(revision);
    }
    if held > 0 {
        return Ok(Step::Waits(cluster_prefix(cluster), seen));
    }
    let left: Vec<_> = object["spec"]["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|f| *f != namespace::FINALIZER)
        .cloned()
        .collect();
    object["spec"]["finalizers"] = left.into();
    finish(registry, &place, &entry, object).await
}

async fn empty_crd(registry: &Registry, cluster: &LogicalClusterName, name: &str) -> Result<Step> {
    let found = deleting(registry, cluster, "apiextensions.k8s.io", "v1", "customresourcedefinitions", name).await?;
    let Some((place, entry, crd)) = found else { return Ok(Step::Done) };
    if !finalizers(&crd).contains(&crds::FINALIZER) {
        return Ok(Step::Done);
    }
    if crds::is_established(&crd) {
        let (group, plural) = (str_at(&crd, &["spec", "group"]), str_at(&crd, &["spec", "names", "plural"]));
        let prefix = ResourceKey::new(cluster, group, plural).prefix(None);
        let (held, seen) = empty(registry, cluster, &prefix, |_| true).await?;
        if held > 0 {
            return Ok(Step::Waits(prefix, seen));
        }
    }
    release(registry, &place, &entry, crd, crds::FINALIZER).await
}

/// Lets definitions and bindings that lost a conflict about names look again.
async fn settle_names(registry: &Registry, cluster: &LogicalClusterName) -> Result<Step> {
    if crds::settle_names(registry, cluster).await? {
        registry.index.queue.add(Work::Names(cluster.clone()));
    }
    let prefix = ResourceKey::new(cluster, "apis.kcp.io", "apibindings").prefix(None);
    for entry in registry.store.range(RangeQuery::prefix(prefix)).await?.entries {
        let binding = object::decode(&entry)?;
        let lost = |condition: &Value| condition["status"] == "False" && condition["reason"] == "NamingConflicts";
        if binding["status"]["conditions"].as_array().into_iter().flatten().any(lost) {
            let name = str_at(&binding, &["metadata", "name"]).to_owned();
            registry.index.queue.add(Work::Binding { cluster: cluster.clone(), name });
        }
    }
    Ok(Step::Done)
}

/// Brings a binding up to date with its export, or removes what it brought when it is deleted.
async fn settle_binding(registry: &Registry, cluster: &LogicalClusterName, name: &str) -> Result<Step> {
    let found = registry.find(cluster, "apis.kcp.io", "apibindings", None, name).await?;
    let Some((entry, mut binding)) = found else { return Ok(Step::Done) };
    let Some(served) = Surface::base().find("apis.kcp.io", "v1alpha2", "apibindings").cloned() else {
        return Ok(Step::Done);
    };
    let place = Place::new(cluster.clone(), served, None);
    if !binding["metadata"]["deletionTimestamp"].is_null() {
        if bound_export(&binding).is_some() {
            for bound in binding["status"]["boundResources"].as_array().into_iter().flatten() {
                let key = ResourceKey::new(cluster, str_at(bound, &["group"]), str_at(bound, &["resource"]));
                let (held, seen) = empty(registry, cluster, &key.prefix(None), |_| true).await?;
                if held > 0 {
                    return Ok(Step::Waits(key.prefix(None), seen));
                }
            }
        }
        return release(registry, &place, &entry, binding, kdp_core::api::apis::BINDING_FINALIZER).await;
    }
    let before = binding.clone();
    let mut extra = Extra::default();
    kinds::claim_names(registry, cluster, &mut extra).await?;
    kinds::settle_binding(registry, cluster, &mut binding, &mut extra).await?;
    roles::defaults::settle(registry, cluster, &binding, &mut extra).await?;
    if binding == before {
        return Ok(Step::Done);
    }
    let key = entry.key.to_string();
    match registry.put(&place, key, Some(entry.modified), binding, extra).await? {
        Some(_) => Ok(Step::Done),
        None => Ok(Step::Waits(ResourceKey::new(cluster, "apis.kcp.io", "apibindings").prefix(None), entry.modified)),
    }
}

/// Corrects every stored URL after the control plane moved to another address.
pub(crate) async fn rebase(registry: &Registry) -> Result<()> {
    for entry in registry.store.range(RangeQuery::prefix("")).await?.entries {
        let Some(key) = ParsedKey::parse(&entry.key) else { continue };
        let pointers: &[&str] = match (key.group, key.plural) {
            ("tenancy.kcp.io", "workspaces") => &["/spec/URL"],
            ("tenancy.kcp.io", "workspacetypes") => {
                &["/status/virtualWorkspaces/0/url", "/status/virtualWorkspaces/1/url"]
            }
            ("core.kcp.io", "logicalclusters") => &["/status/URL"],
            ("apis.kcp.io", "apiexportendpointslices") => &["/status/endpoints/0/url"],
            _ => continue,
        };
        let Ok(cluster) = key.cluster.parse() else { continue };
        let mut object = object::decode_plain(&entry)?;
        let mut is_changed = false;
        for pointer in pointers {
            let Some(Value::String(url)) = object.pointer_mut(pointer) else { continue };
            if let Some(now) = registry.urls.rebased(url).filter(|now| now != url) {
                *url = now;
                is_changed = true;
            }
        }
        if !is_changed {
            continue;
        }
        let key = entry.key.to_string();
        let change = crate::store::Change::Put(key.clone(), object::encode(&cluster, object)?);
        let transaction =
            crate::store::Transaction { conditions: vec![(key, Some(entry.modified))], changes: vec![change] };
        registry.commit(transaction, false).await?;
    }
    Ok(())
}
