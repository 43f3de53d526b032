//! Carries ClusterRoles and ClusterRoleBindings down to the workspaces below.
//!
//! What a workspace should have is worked out from its ancestors alone: of each name, the object
//! of the topmost ancestor that has one to copy. So it does not matter in which order things happen,
//! and nothing ever travels up or sideways.

use std::collections::BTreeSet;

use kdp_core::LogicalClusterName;
use serde_json::Value;

use super::{
    GROUP, RoleName,
    copy::{Change, Mark, change, copy_of},
};
use crate::{
    embedded::{
        key::{ParsedKey, ResourceKey},
        kinds, object,
        registry::Registry,
        status::Result,
    },
    store::{self, RangeQuery, Revision, Transaction},
};

/// How often a copy is tried again when somebody else was faster.
const ATTEMPTS: usize = 8;

/// Brings every workspace below `cluster` up to date with one object of it.
pub(in super::super) async fn from(registry: &Registry, cluster: &LogicalClusterName, name: &RoleName) -> Result<()> {
    for below in registry.index.descendants(cluster) {
        settle(registry, &below, name).await?;
    }
    Ok(())
}

/// Brings one workspace up to date with all that its ancestors have for it.
pub(in super::super) async fn into(registry: &Registry, cluster: &LogicalClusterName) -> Result<()> {
    let sources = registry.index.facts().sources();
    let mut names: BTreeSet<RoleName> =
        registry.index.ancestors(cluster).iter().flat_map(|ancestor| sources.of(ancestor)).collect();
    for plural in ["clusterroles", "clusterrolebindings"] {
        let prefix = ResourceKey::new(cluster, GROUP, plural).prefix(None);
        for entry in registry.store.range(RangeQuery::prefix(prefix)).await?.entries {
            if let (Mark::CopyOf(_), Some(key)) = (Mark::of(Some(&entry)), ParsedKey::parse(&entry.key)) {
                names.insert((plural.into(), key.name.into()));
            }
        }
    }
    for name in &names {
        settle(registry, cluster, name).await?;
    }
    Ok(())
}

async fn settle(registry: &Registry, cluster: &LogicalClusterName, name: &RoleName) -> Result<()> {
    for _ in 0..ATTEMPTS {
        if try_settle(registry, cluster, name).await? {
            return Ok(());
        }
    }
    Err(crate::embedded::status::StatusError::too_many_requests("the object keeps changing", 1))
}

/// Whether it is as it should be now; otherwise something changed meanwhile.
async fn try_settle(registry: &Registry, cluster: &LogicalClusterName, (plural, name): &RoleName) -> Result<bool> {
    let Some(living) = living(registry, cluster).await? else { return Ok(true) };
    let wanted = wanted(registry, cluster, plural, name).await?;
    let present = registry.find(cluster, GROUP, plural, None, name).await?;
    let key = ResourceKey::new(cluster, GROUP, plural).object(None, name);
    let change = match change(wanted, present.as_ref().map(|(_, object)| object)) {
        Change::Nothing => return Ok(true),
        Change::Create(object) => kinds::put_new(cluster, GROUP, plural, "v1", object)?,
        Change::Replace(object) => store::Change::Put(key.clone(), object::encode(cluster, object)?),
        Change::Remove => store::Change::Delete(key.clone()),
    };
    let conditions = vec![living, (key, present.map(|(entry, _)| entry.modified))];
    Ok(registry.commit(Transaction { conditions, changes: vec![change] }, true).await?.is_some())
}

/// The condition that a workspace exists and is not being deleted; `None` when it does not hold.
async fn living(registry: &Registry, cluster: &LogicalClusterName) -> Result<Option<(String, Option<Revision>)>> {
    let found = registry.find(cluster, "core.kcp.io", "logicalclusters", None, "cluster").await?;
    let living = found.filter(|(_, object)| object["metadata"]["deletionTimestamp"].is_null());
    Ok(living.map(|(entry, _)| (entry.key.to_string(), Some(entry.modified))))
}

/// What a workspace should have under a name.
async fn wanted(registry: &Registry, cluster: &LogicalClusterName, plural: &str, name: &str) -> Result<Option<Value>> {
    for ancestor in registry.index.ancestors(cluster) {
        let found = registry.find(&ancestor, GROUP, plural, None, name).await?;
        if let Some((_, object)) = found.filter(|(_, object)| Mark::of_object(object) == Mark::Source) {
            return Ok(Some(copy_of(&object, &ancestor)));
        }
    }
    Ok(None)
}
