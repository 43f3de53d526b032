//! What was ordered, and by which object.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Teardown;
use crate::LogicalClusterName;

/// Which order, wherever it is written down.
///
/// The [`uid`](Self::uid) is what identifies it; the rest says where to find it. Names of real
/// things are best made of the UID: it is unique over all workspaces and is never used again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrderId {
    /// UID of the ordering object; a new object of the same name is another order.
    pub uid: String,
    /// Namespace of the ordering object; empty when it has none.
    pub namespace: String,
    /// Name of the ordering object.
    pub name: String,
    /// Logical cluster of the ordering object; none in a cluster without workspaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<LogicalClusterName>,
}

impl OrderId {
    /// An order in a cluster without workspaces; the namespace is empty when the object has none.
    pub fn new(uid: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { uid: uid.into(), namespace: namespace.into(), name: name.into(), workspace: None }
    }

    /// The same in a workspace.
    #[must_use]
    pub fn in_workspace(mut self, workspace: LogicalClusterName) -> Self {
        self.workspace = Some(workspace);
        self
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(workspace) = &self.workspace {
            write!(f, "{workspace}|")?;
        }
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// What was ordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Order {
    /// Which order.
    pub id: OrderId,
    /// `metadata.generation` of the ordering object.
    pub generation: i64,
    /// The `spec` of the ordering object, validated and defaulted.
    pub spec: Value,
    /// What was sealed for this order before, with all that earlier plans may have made; none
    /// before the first apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Teardown>,
}

impl Order {
    /// An order for which nothing was sealed yet.
    #[must_use]
    pub fn new(id: OrderId, generation: i64, spec: Value) -> Self {
        Self { id, generation, spec, sealed: None }
    }

    /// The same with what was sealed for it.
    #[must_use]
    pub fn with_sealed(mut self, sealed: Option<Teardown>) -> Self {
        self.sealed = sealed;
        self
    }
}
