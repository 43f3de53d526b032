//! Who binds which export, and what that lets the export's provider reach.
//!
//! Consent has a time: a provider that reads the past must not see what a consumer had not yet let it
//! see. So each workspace is known together with the revision since which its bindings say what they
//! say; for anything before that, the store is asked for the bindings as they were.

mod grants;
mod sight;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use kdp_core::LogicalClusterName;

pub(crate) use self::{
    grants::{Consumer, Grants, bound_export},
    sight::Sight,
};
use super::surface::ExportId;
use crate::store::Revision;

/// How many workspaces without bindings are remembered, for watches that are a little behind.
const REMEMBERED: usize = 4096;

/// The bindings of every workspace.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    clusters: HashMap<LogicalClusterName, Known>,
    by_export: HashMap<ExportId, BTreeSet<LogicalClusterName>>,
    /// How many bindings use each schema, by its UID.
    users: HashMap<String, usize>,
    /// Workspaces whose last binding went, and when, oldest first.
    left: VecDeque<(LogicalClusterName, Revision)>,
    /// Nothing is known of workspaces that have no bindings now from before this revision.
    forgotten: Revision,
}

#[derive(Debug, Default)]
struct Known {
    grants: Arc<Grants>,
    since: Revision,
}

/// What the bindings of a workspace granted at some revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Past {
    /// This.
    Known(Arc<Grants>),
    /// Something else than now; the store knows.
    Changed,
    /// That is too long ago to be known.
    Forgotten,
}

impl Bindings {
    /// Says what the binding `name` of `cluster` grants since `revision`; returns the schemas that no
    /// binding uses any more.
    pub(crate) fn set(
        &mut self,
        cluster: &LogicalClusterName,
        name: &str,
        consumer: Option<Consumer>,
        revision: Revision,
    ) -> Vec<String> {
        let before = self.clusters.get(cluster).and_then(|known| known.grants.consumer(name).cloned());
        if before == consumer {
            return Vec::new();
        }
        if let Some(after) = &consumer {
            self.by_export.entry(after.export.clone()).or_default().insert(cluster.clone());
            for schema in &after.schemas {
                *self.users.entry(schema.clone()).or_default() += 1;
            }
        }
        let known = self.clusters.entry(cluster.clone()).or_default();
        known.since = known.since.max(revision);
        known.grants = Arc::new(known.grants.with(name, consumer));
        let grants = known.grants.clone();
        let mut unused = Vec::new();
        if let Some(before) = before {
            if grants.binding_to(&before.export).is_none()
                && let Some(consumers) = self.by_export.get_mut(&before.export)
            {
                consumers.remove(cluster);
                if consumers.is_empty() {
                    self.by_export.remove(&before.export);
                }
            }
            for schema in before.schemas {
                let users = self.users.entry(schema.clone()).or_default();
                *users = users.saturating_sub(1);
                if *users == 0 {
                    self.users.remove(&schema);
                    unused.push(schema);
                }
            }
        }
        if grants.is_empty() {
            self.remember(cluster, revision);
        }
        unused
    }

    /// Says that nothing from before `revision` is known of workspaces without bindings.
    pub(crate) fn forget_before(&mut self, revision: Revision) {
        self.clusters.retain(|_, known| !known.grants.is_empty());
        self.left.clear();
        self.forgotten = revision;
    }

    fn remember(&mut self, cluster: &LogicalClusterName, revision: Revision) {
        self.left.push_back((cluster.clone(), revision));
        if self.left.len() > REMEMBERED
            && let Some((oldest, at)) = self.left.pop_front()
        {
            self.forgotten = self.forgotten.max(at);
            if self.clusters.get(&oldest).is_some_and(|known| known.grants.is_empty() && known.since <= at) {
                self.clusters.remove(&oldest);
            }
        }
    }

    /// What the bindings of a workspace grant now.
    pub(crate) fn grants(&self, cluster: &LogicalClusterName) -> Arc<Grants> {
        self.clusters.get(cluster).map(|known| known.grants.clone()).unwrap_or_default()
    }

    /// What the bindings of a workspace granted at `revision`.
    pub(crate) fn grants_at(&self, cluster: &LogicalClusterName, revision: Revision) -> Past {
        match self.clusters.get(cluster) {
            Some(known) if known.since <= revision => Past::Known(known.grants.clone()),
            Some(_) => Past::Changed,
            None if revision < self.forgotten => Past::Forgotten,
            None => Past::Known(Arc::default()),
        }
    }

    pub(crate) fn has_consumers(&self, export: &ExportId) -> bool {
        self.by_export.contains_key(export)
    }

    /// The bindings to an export, as logical cluster and name.
    pub(crate) fn of(&self, export: &ExportId) -> Vec<(LogicalClusterName, String)> {
        let clusters = self.by_export.get(export).into_iter().flatten();
        let named = |cluster: &LogicalClusterName| {
            let known = self.clusters.get(cluster)?;
            Some((cluster.clone(), known.grants.binding_to(export)?.to_owned()))
        };
        clusters.filter_map(named).collect()
    }

    /// The logical clusters that bind an export, in order.
    pub(crate) fn consumers(&self, export: &ExportId) -> Vec<LogicalClusterName> {
        self.by_export.get(export).into_iter().flatten().cloned().collect()
    }

    /// Whether any binding uses the schema with this UID.
    pub(crate) fn uses(&self, schema: &str) -> bool {
        self.users.contains_key(schema)
    }
}
