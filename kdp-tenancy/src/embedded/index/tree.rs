//! The workspace tree.

use std::collections::BTreeMap;

use kdp_core::{LogicalClusterName, WorkspacePath};
use serde::Deserialize;

use super::Index;
use crate::{
    embedded::{key::ParsedKey, object, queue::Work},
    store::Entry,
};

/// Every logical cluster. In ordered maps, which grow a little at a time: a hash map of a million entries
/// would now and then be moved as a whole, with everybody waiting.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) clusters: BTreeMap<LogicalClusterName, Node>,
}

#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) parent: Option<(LogicalClusterName, String)>,
    children: BTreeMap<String, LogicalClusterName>,
    pub(super) exists: bool,
}

/// The part of a Workspace that says where it is.
#[derive(Deserialize)]
struct WorkspaceObject {
    spec: WorkspaceSpec,
}

#[derive(Deserialize)]
struct WorkspaceSpec {
    cluster: LogicalClusterName,
}

/// The logical cluster of a stored Workspace, once it has one.
pub(crate) fn child_of(entry: Option<&Entry>) -> Option<LogicalClusterName> {
    let workspace: WorkspaceObject = serde_json::from_slice(&object::to_json(entry?)).ok()?;
    Some(workspace.spec.cluster)
}

impl Index {
    pub(super) fn apply_workspace(
        &self,
        cluster: &LogicalClusterName,
        key: &ParsedKey<'_>,
        entry: Option<&Entry>,
        previous: Option<&Entry>,
    ) {
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
        tree.clusters.iter().filter(|(_, node)| node.exists).map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn exists(&self, cluster: &LogicalClusterName) -> bool {
        self.tree.read().clusters.get(cluster).is_some_and(|node| node.exists)
    }
}
