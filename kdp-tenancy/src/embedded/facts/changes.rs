//! Hearing of changes of the rights in logical clusters.
//!
//! An entry exists only while somebody listens, so idle workspaces take nothing.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use futures::future;
use kdp_core::LogicalClusterName;
use parking_lot::Mutex;
use tokio::sync::watch;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    listened: Mutex<HashMap<LogicalClusterName, watch::Sender<()>>>,
}

/// Hears of changes in some clusters until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    changes: Arc<Changes>,
    heard: Vec<(LogicalClusterName, watch::Receiver<()>)>,
}

impl Changes {
    /// Listens to changes in `clusters` from now on.
    pub(crate) fn listen(self: &Arc<Self>, clusters: impl IntoIterator<Item = LogicalClusterName>) -> Listener {
        let mut listened = self.listened.lock();
        let heard = clusters
            .into_iter()
            .map(|cluster| {
                let sender = listened.entry(cluster.clone()).or_insert_with(|| watch::channel(()).0);
                (cluster, sender.subscribe())
            })
            .collect();
        drop(listened);
        Listener { changes: Arc::clone(self), heard }
    }

    /// Tells the listeners of a cluster.
    pub(crate) fn announce(&self, cluster: &LogicalClusterName) {
        if let Some(sender) = self.listened.lock().get(cluster) {
            sender.send_replace(());
        }
    }

    /// Tells the listeners of every cluster.
    pub(crate) fn announce_all(&self) {
        for sender in self.listened.lock().values() {
            sender.send_replace(());
        }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.listened.lock().is_empty()
    }
}

impl Listener {
    /// Returns when something changed since the last call, or since the listener was made; never,
    /// when it listens to nothing. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        if self.heard.is_empty() {
            return future::pending().await;
        }
        let waits = self.heard.iter_mut().map(|(_, receiver)| Box::pin(receiver.changed()));
        // An error means that the sender is gone, which it is not while this listener holds it.
        let (_, _, rest) = future::select_all(waits).await;
        drop(rest);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut listened = self.changes.listened.lock();
        for (cluster, receiver) in self.heard.drain(..) {
            drop(receiver);
            if let hash_map::Entry::Occupied(entry) = listened.entry(cluster)
                && entry.get().receiver_count() == 0
            {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_listener_hears_of_its_clusters_only_and_leaves_nothing_behind() {
        let changes = Arc::new(Changes::default());
        let name = |name: &str| -> LogicalClusterName { name.parse().unwrap() };
        let mut first = changes.listen([name("a"), name("b")]);
        let second = changes.listen([name("b")]);
        assert!(first.changed().now_or_never().is_none());
        changes.announce(&name("c"));
        assert!(first.changed().now_or_never().is_none());
        changes.announce(&name("b"));
        assert!(first.changed().now_or_never().is_some());
        assert!(first.changed().now_or_never().is_none());
        drop(first);
        assert!(!changes.is_empty());
        drop(second);
        assert!(changes.is_empty());
    }
}
