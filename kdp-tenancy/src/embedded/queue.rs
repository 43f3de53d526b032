//! What the control plane itself still has to do, each thing at most once in the queue.

use std::collections::{HashSet, VecDeque};

use kdp_core::LogicalClusterName;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::surface::ExportId;

/// An object the control plane has to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// A Workspace that is being deleted.
    Workspace { cluster: LogicalClusterName, name: String },
    /// A Namespace that is being deleted.
    Namespace { cluster: LogicalClusterName, name: String },
    /// A CustomResourceDefinition that is being deleted.
    Crd { cluster: LogicalClusterName, name: String },
    /// An APIBinding that is being deleted, or may have something new to bind.
    Binding { cluster: LogicalClusterName, name: String },
    /// An APIExport that changed.
    Export { cluster: LogicalClusterName, name: String },
    /// Every APIExport of a logical cluster in which a schema appeared.
    Exports(LogicalClusterName),
    /// The endpoint slices of an export whose consumers changed.
    Slices(ExportId),
    /// An endpoint slice that changed.
    Slice { cluster: LogicalClusterName, name: String },
    /// A logical cluster in which names of resources may have become free.
    Names(LogicalClusterName),
    /// The copy of a schema that no binding used when it was looked at, by its UID.
    Schema(String),
    /// A logical cluster that waits for the bindings of its type.
    Bindings(LogicalClusterName),
    /// The aggregated ClusterRoles of a logical cluster in which a ClusterRole changed.
    AggregateRoles(LogicalClusterName),
    /// A ClusterRole or ClusterRoleBinding that the workspaces below are to have too, or no longer.
    SyncRole { cluster: LogicalClusterName, plural: String, name: String },
    /// What a logical cluster is to have of its ancestors' ClusterRoles and ClusterRoleBindings.
    SyncRolesInto(LogicalClusterName),
}

/// A queue without duplicates.
#[derive(Debug, Default)]
pub(crate) struct WorkQueue {
    state: Mutex<State>,
    added: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Work>,
    known: HashSet<Work>,
    running: HashSet<Work>,
}

impl WorkQueue {
    /// Adds `work` unless it waits already. While it runs, it is kept for after that.
    pub(crate) fn add(&self, work: Work) {
        let mut state = self.state.lock();
        if state.known.insert(work.clone()) && !state.running.contains(&work) {
            state.waiting.push_back(work);
            drop(state);
            self.added.notify_one();
        }
    }

    /// Takes the next thing to do; it must be given back with [`WorkQueue::done`]. Cancel-safe.
    pub(crate) async fn next(&self) -> Work {
        loop {
            let added = self.added.notified();
            {
                let mut state = self.state.lock();
                if let Some(work) = state.waiting.pop_front() {
                    state.known.remove(&work);
                    state.running.insert(work.clone());
                    if !state.waiting.is_empty() {
                        self.added.notify_one();
                    }
                    return work;
                }
            }
            added.await;
        }
    }

    /// Says that `work` is no longer under way.
    pub(crate) fn done(&self, work: &Work) {
        let mut state = self.state.lock();
        state.running.remove(work);
        if state.known.contains(work) {
            state.waiting.push_back(work.clone());
            drop(state);
            self.added.notify_one();
        }
    }
}
