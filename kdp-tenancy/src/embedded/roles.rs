//! ClusterRoles and ClusterRoleBindings that the control plane itself keeps up to date:
//! aggregated rules, copies of roles for the workspaces below, and default roles of bindings.

pub(super) mod aggregate;
mod copy;
pub(super) mod defaults;
pub(super) mod sync;

use std::collections::{BTreeMap, BTreeSet};

use kdp_core::LogicalClusterName;
use parking_lot::RwLock;

use self::copy::Mark;
pub(crate) use self::copy::is_synced;
use super::{index::child_of, key::ParsedKey, queue::Work};
use crate::store::Entry;

const GROUP: &str = "rbac.authorization.k8s.io";

/// A ClusterRole or ClusterRoleBinding, by plural and name.
type RoleName = (String, String);

/// Whether events are those of a first load: then only what starts something is looked at, not
/// what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Loading,
    Following,
}

/// Which objects are to be copied to the workspaces below theirs.
#[derive(Debug, Default)]
pub(crate) struct Sources(RwLock<BTreeMap<LogicalClusterName, BTreeSet<RoleName>>>);

impl Sources {
    /// Exchanges everything with what another one was told.
    pub(crate) fn adopt(&self, told: &Self) {
        std::mem::swap(&mut *self.0.write(), &mut *told.0.write());
    }

    /// Takes in an object as it is now, and says what has to be looked at because of it.
    pub(crate) fn apply(
        &self,
        cluster: &LogicalClusterName,
        key: &ParsedKey<'_>,
        entry: Option<&Entry>,
        previous: Option<&Entry>,
        moment: Moment,
    ) -> Vec<Work> {
        match (key.group, key.plural) {
            (GROUP, "clusterroles" | "clusterrolebindings") => {
                let mut work = self.apply_role(cluster, key, entry, previous, moment);
                let aggregates = || entry.is_some_and(aggregate::may_aggregate);
                if key.plural == "clusterroles" && (moment == Moment::Following || aggregates()) {
                    work.push(Work::AggregateRoles(cluster.clone()));
                }
                work
            }
            ("tenancy.kcp.io", "workspaces") if moment == Moment::Following && !self.0.read().is_empty() => {
                let new = child_of(entry).filter(|new| child_of(previous).as_ref() != Some(new));
                new.map(Work::SyncRolesInto).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn apply_role(
        &self,
        cluster: &LogicalClusterName,
        key: &ParsedKey<'_>,
        entry: Option<&Entry>,
        previous: Option<&Entry>,
        moment: Moment,
    ) -> Vec<Work> {
        let (now, before) = (Mark::of(entry), Mark::of(previous));
        let name = (key.plural.to_owned(), key.name.to_owned());
        let source =
            |cluster: LogicalClusterName| Work::SyncRole { cluster, plural: key.plural.into(), name: key.name.into() };
        self.set(cluster, &name, now == Mark::Source);
        match (&now, &before) {
            (Mark::Source, _) | (_, Mark::Source) => vec![source(cluster.clone())],
            // At a load, the copies of one object lead to one look at all of them.
            (Mark::CopyOf(from), _) if moment == Moment::Loading => vec![source(from.clone())],
            (Mark::CopyOf(_), _) | (_, Mark::CopyOf(_)) => vec![Work::SyncRolesInto(cluster.clone())],
            (Mark::None, _) if moment == Moment::Following && self.has(&name) => {
                vec![Work::SyncRolesInto(cluster.clone())]
            }
            (Mark::None, _) => Vec::new(),
        }
    }

    fn set(&self, cluster: &LogicalClusterName, name: &RoleName, is_source: bool) {
        let mut sources = self.0.write();
        if is_source {
            sources.entry(cluster.clone()).or_default().insert(name.clone());
        } else if let Some(own) = sources.get_mut(cluster) {
            own.remove(name);
            if own.is_empty() {
                sources.remove(cluster);
            }
        }
    }

    /// Whether any workspace has an object of this name for those below it.
    fn has(&self, name: &RoleName) -> bool {
        self.0.read().values().any(|own| own.contains(name))
    }

    /// What `cluster` has for the workspaces below it.
    fn of(&self, cluster: &LogicalClusterName) -> BTreeSet<RoleName> {
        self.0.read().get(cluster).cloned().unwrap_or_default()
    }
}
