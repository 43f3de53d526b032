//! Waking those who wait for something that appeared or changed.

use kdp_core::{LogicalClusterName, api::tenancy::BINDINGS_INITIALIZER};

use super::Index;
use crate::embedded::{
    kinds::logical_cluster::Stage,
    queue::Work,
    waiting::{Awaited, Topic},
};

impl Index {
    /// Has everybody look again who waits for this in a logical cluster.
    pub(crate) fn wake(&self, cluster: &LogicalClusterName, topic: &Topic) {
        self.queue_waiting(cluster, |path| self.waiting.read().on(path, topic).cloned().collect());
    }

    /// Has everybody look again who waits for a WorkspaceType.
    pub(super) fn wake_type(&self, cluster: &LogicalClusterName, name: &str) {
        self.wake(cluster, &Topic::Type(name.into()));
        for work in self.waiting.read().on("", &Topic::AnyType) {
            self.queue.add(work.clone());
        }
    }

    /// Has everybody look again who waits for something in or below a workspace that has appeared.
    pub(super) fn wake_below(&self, cluster: &LogicalClusterName) {
        // Then everybody who waits looks anyway.
        if self.is_loading() {
            return;
        }
        self.queue_waiting(cluster, |path| self.waiting.read().at_or_below(path).cloned().collect());
    }

    fn queue_waiting(&self, cluster: &LogicalClusterName, at: impl Fn(&str) -> Vec<Work>) {
        if self.waiting.read().is_empty() {
            return;
        }
        for path in self.written_paths(cluster) {
            for work in at(&path) {
                self.queue.add(work);
            }
        }
    }

    /// Every way to write the path of a logical cluster: from itself, and from each one above it.
    fn written_paths(&self, cluster: &LogicalClusterName) -> Vec<String> {
        let tree = self.tree.read();
        let mut paths = vec![cluster.to_string()];
        let (mut top, mut below) = (cluster, String::new());
        while let Some((parent, name)) = tree.clusters.get(top).and_then(|node| node.parent.as_ref()) {
            below = format!(":{name}{below}");
            paths.push(format!("{parent}{below}"));
            top = parent;
        }
        paths
    }

    /// Notes for what a logical cluster waits to have the bindings of its type made, as long as it waits;
    /// returns whether that is something new.
    ///
    /// Whoever looks for it afterwards either finds it or is woken when it appears.
    pub(crate) fn await_defaults(&self, cluster: &LogicalClusterName, awaited: Vec<Awaited>) -> bool {
        let mut waiting = self.waiting.write();
        // Asked while nobody else can note or forget: else a note could outlive the wait.
        let waits = self.is_waiting_for(cluster, Stage::Initializing, BINDINGS_INITIALIZER);
        waiting.set(&Work::Bindings(cluster.clone()), if waits { awaited } else { Vec::new() })
    }
}
