//! What the control plane itself still has to do, each thing at most once in the queue.

use std::collections::{HashMap, HashSet, VecDeque};

use kdp_core::LogicalClusterName;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{index::BOUND_SCHEMAS, surface::ExportId};

/// How many things are worked on at once.
const PLACES: usize = 32;
/// How many of them in one logical cluster.
const PLACES_OF_ONE: usize = 8;

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
    /// A namespace in which something that its ResourceQuotas may count has changed.
    Quota { cluster: LogicalClusterName, namespace: String },
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

impl Work {
    /// The logical cluster on whose account it is done.
    fn cluster(&self) -> &str {
        match self {
            Self::Workspace { cluster, .. }
            | Self::Namespace { cluster, .. }
            | Self::Crd { cluster, .. }
            | Self::Binding { cluster, .. }
            | Self::Export { cluster, .. }
            | Self::Exports(cluster)
            | Self::Quota { cluster, .. }
            | Self::Slice { cluster, .. }
            | Self::Names(cluster)
            | Self::Bindings(cluster)
            | Self::AggregateRoles(cluster)
            | Self::SyncRole { cluster, .. }
            | Self::SyncRolesInto(cluster) => cluster.as_str(),
            Self::Slices(export) => &export.cluster,
            Self::Schema(_) => BOUND_SCHEMAS,
        }
    }
}

/// A queue without duplicates, in which every logical cluster has its turn.
///
/// However much there is to do in one of them, it waits behind that one's own work only, and it never
/// holds all places. A logical cluster takes memory only while there is something to do in it.
#[derive(Debug, Default)]
pub(crate) struct WorkQueue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    lines: HashMap<String, Line>,
    /// The logical clusters that could use a place, the next one first.
    turns: VecDeque<String>,
    /// What waits in a line, or is to be done again after it ran.
    known: HashSet<Work>,
    running: HashSet<Work>,
    /// How many places are taken.
    taken: usize,
}

/// What is to be done in one logical cluster.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Turn>,
    taken: usize,
    /// Whether it stands in `turns`.
    has_turn: bool,
}

/// Something to do, and how often it failed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) work: Work,
    pub(crate) failures: u32,
}

impl WorkQueue {
    /// Adds `work` unless it waits already. While it runs, it is kept for after that.
    pub(crate) fn add(&self, work: Work) {
        let mut state = self.state.lock();
        if state.known.insert(work.clone()) && !state.running.contains(&work) {
            state.stand_in_line(Turn { work, failures: 0 });
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Takes the next thing to do as soon as there is a place for it; it must be given back with
    /// [`WorkQueue::done`], or with [`WorkQueue::pause`] and then [`WorkQueue::again`]. Cancel-safe.
    pub(crate) async fn next(&self) -> Turn {
        loop {
            let changed = self.changed.notified();
            if let Some(turn) = self.state.lock().take() {
                return turn;
            }
            changed.await;
        }
    }

    /// Says that `work` is no longer under way.
    pub(crate) fn done(&self, work: &Work) {
        let mut state = self.state.lock();
        state.leave(work);
        state.running.remove(work);
        if state.known.contains(work) {
            state.stand_in_line(Turn { work: work.clone(), failures: 0 });
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Gives the place of `work` to others, while it waits for something else to happen.
    pub(crate) fn pause(&self, work: &Work) {
        self.state.lock().leave(work);
        self.changed.notify_one();
    }

    /// Lets work that was paused stand in line again.
    pub(crate) fn again(&self, turn: Turn) {
        let mut state = self.state.lock();
        state.running.remove(&turn.work);
        state.known.insert(turn.work.clone());
        state.stand_in_line(turn);
        drop(state);
        self.changed.notify_one();
    }
}

impl WorkQueue {
    /// What waits in a queue that nobody works on.
    pub(crate) fn into_work(self) -> impl Iterator<Item = Work> {
        self.state.into_inner().known.into_iter()
    }
}

impl State {
    fn stand_in_line(&mut self, turn: Turn) {
        let cluster = turn.work.cluster().to_owned();
        self.lines.entry(cluster.clone()).or_default().waiting.push_back(turn);
        self.give_turn(cluster);
    }

    /// Lets a logical cluster stand behind the others, if it could use a place; forgets it when it is idle.
    fn give_turn(&mut self, cluster: String) {
        let Some(line) = self.lines.get_mut(&cluster) else { return };
        if line.waiting.is_empty() {
            if line.taken == 0 {
                self.lines.remove(&cluster);
            }
        } else if line.taken < PLACES_OF_ONE && !line.has_turn {
            line.has_turn = true;
            self.turns.push_back(cluster);
        }
    }

    fn take(&mut self) -> Option<Turn> {
        if self.taken >= PLACES {
            return None;
        }
        let cluster = self.turns.pop_front()?;
        let line = self.lines.get_mut(&cluster)?;
        line.has_turn = false;
        let turn = line.waiting.pop_front()?;
        line.taken += 1;
        self.taken += 1;
        self.known.remove(&turn.work);
        self.running.insert(turn.work.clone());
        self.give_turn(cluster);
        Some(turn)
    }

    fn leave(&mut self, work: &Work) {
        self.taken -= 1;
        let cluster = work.cluster();
        if let Some(line) = self.lines.get_mut(cluster) {
            line.taken -= 1;
            self.give_turn(cluster.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn names(cluster: &str) -> Work {
        Work::Names(cluster.parse().unwrap())
    }

    fn binding(cluster: &str, i: usize) -> Work {
        Work::Binding { cluster: cluster.parse().unwrap(), name: i.to_string() }
    }

    fn take(queue: &WorkQueue) -> Option<Work> {
        queue.next().now_or_never().map(|turn| turn.work)
    }

    #[test]
    fn much_work_in_one_cluster_delays_another_by_one_turn() {
        let queue = WorkQueue::default();
        (0..1000).for_each(|i| queue.add(binding("noisy", i)));
        queue.add(names("quiet"));
        assert_eq!(take(&queue), Some(binding("noisy", 0)));
        assert_eq!(take(&queue), Some(names("quiet")));
        assert_eq!(take(&queue), Some(binding("noisy", 1)));
    }

    #[test]
    fn one_cluster_never_holds_all_places() {
        let queue = WorkQueue::default();
        (0..1000).for_each(|i| queue.add(binding("noisy", i)));
        let held = std::iter::from_fn(|| take(&queue)).count();
        assert_eq!(held, PLACES_OF_ONE);
        queue.add(names("quiet"));
        assert_eq!(take(&queue), Some(names("quiet")));
        queue.done(&binding("noisy", 3));
        assert_eq!(take(&queue), Some(binding("noisy", PLACES_OF_ONE)));
        for i in 0..PLACES {
            queue.add(names(&format!("c{i}")));
        }
        while take(&queue).is_some() {}
        assert_eq!(queue.state.lock().taken, PLACES);
    }

    #[test]
    fn what_pauses_leaves_its_place_and_comes_back_with_its_failures() {
        let queue = WorkQueue::default();
        queue.add(names("a"));
        assert_eq!(take(&queue), Some(names("a")));
        queue.pause(&names("a"));
        queue.add(names("a"));
        assert_eq!(take(&queue), None, "it is still under way");
        queue.again(Turn { work: names("a"), failures: 2 });
        assert_eq!(queue.next().now_or_never(), Some(Turn { work: names("a"), failures: 2 }));
        queue.done(&names("a"));
        let state = queue.state.lock();
        assert!(state.lines.is_empty() && state.turns.is_empty() && state.known.is_empty());
        assert!(state.running.is_empty() && state.taken == 0);
    }

    #[test]
    fn what_is_added_while_it_runs_runs_once_more() {
        let queue = WorkQueue::default();
        queue.add(names("a"));
        queue.add(names("a"));
        assert_eq!((take(&queue), take(&queue)), (Some(names("a")), None));
        queue.add(names("a"));
        queue.done(&names("a"));
        assert_eq!((take(&queue), take(&queue)), (Some(names("a")), None));
    }
}
