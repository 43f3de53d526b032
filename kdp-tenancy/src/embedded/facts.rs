//! What the index knows for authorization: gates of workspaces, exports that limit their users,
//! and who wants to hear when rights change.
//!
//! Only what is out of the ordinary takes memory.

mod changes;

use std::{
    collections::{HashMap, HashSet},
    mem::swap,
    sync::Arc,
};

use kdp_core::LogicalClusterName;
use parking_lot::RwLock;

pub(crate) use self::changes::Changes;
use super::{auth::Gate, key::ParsedKey, object, roles::Sources, surface::ExportId};
use crate::store::Entry;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    gates: RwLock<HashMap<LogicalClusterName, Arc<Gate>>>,
    limiting: RwLock<HashSet<ExportId>>,
    changes: Arc<Changes>,
    sources: Sources,
}

impl Facts {
    /// Exchanges everything but who listens with what another one was told.
    pub(crate) fn adopt(&self, told: &Self) {
        swap(&mut *self.gates.write(), &mut *told.gates.write());
        swap(&mut *self.limiting.write(), &mut *told.limiting.write());
        self.sources.adopt(&told.sources);
    }

    /// Takes in an object as it is now.
    pub(crate) fn apply(&self, cluster: &LogicalClusterName, key: &ParsedKey<'_>, entry: Option<&Entry>) {
        match (key.group, key.plural) {
            ("core.kcp.io", "logicalclusters") => {
                let gate = entry.and_then(|entry| Gate::read(&object::to_json(entry)));
                let mut gates = self.gates.write();
                match gate {
                    Some(gate) => gates.insert(cluster.clone(), Arc::new(gate)),
                    None => gates.remove(cluster),
                };
            }
            ("apis.kcp.io", "apiexports") => {
                let export = ExportId { cluster: cluster.to_string(), name: key.name.into() };
                let limits = |entry: &Entry| {
                    // What cannot be read limits its users to nothing that is granted explicitly.
                    object::decode(entry).map_or(true, |export| {
                        export.pointer("/spec/maximalPermissionPolicy/local").is_some_and(|local| !local.is_null())
                    })
                };
                if entry.is_some_and(limits) {
                    self.limiting.write().insert(export);
                } else {
                    self.limiting.write().remove(&export);
                }
            }
            _ => {}
        }
    }

    /// Tells whoever waits that rights in a cluster may be others now, or who has them.
    pub(crate) fn announce(&self, cluster: &LogicalClusterName, key: &ParsedKey<'_>, is_gone: bool) {
        let decides = matches!(
            (key.group, key.plural),
            ("core.kcp.io", "logicalclusters") | ("apis.kcp.io", "apiexports" | "apibindings")
        );
        let vouches = match (key.group, key.plural) {
            ("", "serviceaccounts") => is_gone,
            ("tenancy.kcp.io", "workspacetypes" | "workspaceauthenticationconfigurations") => true,
            _ => false,
        };
        if decides || vouches || key.group == "rbac.authorization.k8s.io" {
            self.changes.announce(cluster);
        }
    }

    /// The gate of a cluster; `None` when it is open to everybody with access.
    pub(crate) fn gate(&self, cluster: &LogicalClusterName) -> Option<Arc<Gate>> {
        self.gates.read().get(cluster).cloned()
    }

    /// Whether a cluster is suspended, as far as providers and readers of all clusters go.
    pub(crate) fn is_suspended(&self, cluster: &LogicalClusterName) -> bool {
        self.gates.read().get(cluster).is_some_and(|gate| gate.keeps_providers_out())
    }

    /// Whether any export limits what its users may do.
    pub(crate) fn has_limits(&self) -> bool {
        !self.limiting.read().is_empty()
    }

    /// Whether the export limits what its users may do.
    pub(crate) fn limits(&self, export: &ExportId) -> bool {
        self.limiting.read().contains(export)
    }

    /// What is to be copied to the workspaces below.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Where to hear of changes of rights.
    pub(crate) fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }
}
