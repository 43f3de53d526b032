//! Which logical clusters wait for whom, kept from the labels of their LogicalClusters.

use std::collections::{BTreeSet, HashMap};

use kdp_core::LogicalClusterName;
use serde_json::{Map, Value};

use super::kinds::logical_cluster::Stage;

/// The logical clusters that are being initialized or terminated, by the label of each who is waited for. All the
/// others take no place here.
#[derive(Debug, Default)]
pub(crate) struct Lifecycles {
    waiting: HashMap<String, BTreeSet<LogicalClusterName>>,
    labels: HashMap<LogicalClusterName, Vec<String>>,
}

impl Lifecycles {
    /// Takes in the labels of a LogicalCluster; `None` when it is gone.
    pub(crate) fn set(&mut self, cluster: &LogicalClusterName, labels: Option<&Map<String, Value>>) {
        for label in self.labels.remove(cluster).unwrap_or_default() {
            if let Some(clusters) = self.waiting.get_mut(&label) {
                clusters.remove(cluster);
                if clusters.is_empty() {
                    self.waiting.remove(&label);
                }
            }
        }
        let Some(labels) = labels else { return };
        let Some(stage) = Stage::ALL.into_iter().find(|stage| stage.is_in(labels)) else { return };
        let own: Vec<String> = labels.keys().filter(|key| stage.owns_label(key)).cloned().collect();
        if own.is_empty() {
            return;
        }
        for label in &own {
            self.waiting.entry(label.clone()).or_default().insert(cluster.clone());
        }
        self.labels.insert(cluster.clone(), own);
    }

    /// The logical clusters that wait for `name` in a stage, in order.
    pub(crate) fn waiting_for(&self, stage: Stage, name: &str) -> Vec<LogicalClusterName> {
        self.waiting.get(&stage.label(name).0).into_iter().flatten().cloned().collect()
    }

    /// Whether a logical cluster waits for `name` in a stage.
    pub(crate) fn is_waiting_for(&self, cluster: &LogicalClusterName, stage: Stage, name: &str) -> bool {
        self.labels.get(cluster).is_some_and(|labels| labels.contains(&stage.label(name).0))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_clusters_in_the_stage_wait_and_none_is_left_behind() {
        let mut lifecycles = Lifecycles::default();
        let (a, b): (LogicalClusterName, LogicalClusterName) = ("a".parse().unwrap(), "b".parse().unwrap());
        let labels = |phase: &str| {
            let (key, value) = Stage::Initializing.label("root:x");
            json!({"tenancy.kcp.io/phase": phase, key: value}).as_object().unwrap().clone()
        };
        lifecycles.set(&b, Some(&labels("Initializing")));
        lifecycles.set(&a, Some(&labels("Initializing")));
        assert_eq!(lifecycles.waiting_for(Stage::Initializing, "root:x"), [a.clone(), b.clone()]);
        assert!(lifecycles.waiting_for(Stage::Terminating, "root:x").is_empty());
        assert!(lifecycles.waiting_for(Stage::Initializing, "root:y").is_empty());
        lifecycles.set(&a, Some(&labels("Ready")));
        assert!(!lifecycles.is_waiting_for(&a, Stage::Initializing, "root:x"));
        lifecycles.set(&b, None);
        assert!(lifecycles.waiting.is_empty() && lifecycles.labels.is_empty());
    }
}
