//! What a workspace asks of whoever comes in, RBAC left aside: its phase, and required groups.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use kdp_core::api::tenancy::WorkspacePhase;
use serde::Deserialize;

use super::{
    Attributes, ResourceAttributes,
    names::{INITIALIZER_PREFIX, KCP_ADMIN, TERMINATOR_PREFIX, is_member, service_account},
    scope::Callers,
};

/// Alternatives, separated by `;`, of which one must be a subset of a user's groups; the groups of
/// an alternative are separated by `,`.
const REQUIRED_GROUPS: &str = "authorization.kcp.io/required-groups";
/// Suspends a workspace while it is `true`; the second is its former name.
const INACTIVE: [&str; 2] = ["core.kcp.io/inactive", "internal.kcp.io/inactive"];

/// The part of a LogicalCluster that decides who comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    phase: WorkspacePhase,
    required_groups: Vec<Vec<String>>,
    /// The groups of those that still have to make the workspace ready, or to clean it up.
    lifecycle_groups: Vec<String>,
    is_suspended: bool,
    is_being_deleted: bool,
}

/// A LogicalCluster, as far as a gate reads it.
#[derive(Deserialize)]
struct Wire {
    metadata: WireMetadata,
    #[serde(default)]
    status: WireStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMetadata {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    deletion_timestamp: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireStatus {
    phase: WorkspacePhase,
    initializers: Vec<String>,
    terminators: Vec<String>,
}

impl Gate {
    /// The gate of a LogicalCluster, from its JSON; `None` for the ordinary one that everybody with
    /// access passes.
    ///
    /// What cannot be read lets nobody in.
    #[must_use]
    pub fn read(logical_cluster: &[u8]) -> Option<Self> {
        let gate = serde_json::from_slice::<Wire>(logical_cluster).map_or_else(|_| Self::closed(), Self::from);
        (gate != Self { phase: WorkspacePhase::Ready, ..Self::closed() }).then_some(gate)
    }

    fn closed() -> Self {
        Self {
            phase: WorkspacePhase::Unavailable,
            required_groups: Vec::new(),
            lifecycle_groups: Vec::new(),
            is_suspended: false,
            is_being_deleted: false,
        }
    }

    /// Whether the workspace is suspended.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.is_suspended
    }

    /// Whether providers are kept from a suspended workspace. While it is being deleted they are
    /// not: what they hold there is released by nobody else.
    #[must_use]
    pub fn keeps_providers_out(&self) -> bool {
        self.is_suspended && !self.is_being_deleted
    }

    /// Whether the phase lets anybody in, and the groups of the callers suffice.
    pub(super) fn admits(&self, callers: &Callers<'_>) -> bool {
        let in_use = match self.phase {
            WorkspacePhase::Initializing
            | WorkspacePhase::Ready
            | WorkspacePhase::Inactive
            | WorkspacePhase::Terminating
            | WorkspacePhase::Deleting => true,
            WorkspacePhase::Scheduling | WorkspacePhase::Unavailable => false,
        };
        in_use && self.has_required_groups(callers)
    }

    fn has_required_groups(&self, callers: &Callers<'_>) -> bool {
        let in_group = |group: &str| callers.iter().any(|caller| is_member(caller, group));
        self.required_groups.is_empty()
            || callers.iter().any(|caller| service_account(&caller.username).is_some())
            || in_group(KCP_ADMIN)
            || self.required_groups.iter().any(|all_of| all_of.iter().all(|group| in_group(group)))
    }

    /// Whether a caller is an initializer or terminator whose turn it is.
    ///
    /// The virtual workspace that put it into the group has decided about the request already.
    pub(super) fn is_lifecycle(&self, callers: &Callers<'_>) -> bool {
        self.lifecycle_groups.iter().any(|group| callers.iter().any(|caller| is_member(caller, group)))
    }

    /// Whether the workspace is suspended and this is not one of the few things that go on.
    ///
    /// Masters can read, so that what is suspended can be looked into and moved.
    pub(super) fn blocks(&self, callers: &Callers<'_>, attributes: &Attributes<'_>) -> bool {
        let goes_on = match attributes {
            Attributes::Resource(ResourceAttributes { group, resource, .. }) => {
                (*group, *resource) == ("core.kcp.io", "logicalclusters")
            }
            Attributes::Path { path, .. } => *path == "/openapi" || path.starts_with("/openapi/"),
        };
        let is_look = matches!(attributes.verb(), "get" | "list") && callers.has_master();
        self.is_suspended && !goes_on && !is_look
    }
}

impl From<Wire> for Gate {
    fn from(Wire { metadata, status }: Wire) -> Self {
        let lifecycle_groups = match status.phase {
            WorkspacePhase::Initializing => grouped(INITIALIZER_PREFIX, &status.initializers),
            WorkspacePhase::Terminating => grouped(TERMINATOR_PREFIX, &status.terminators),
            _ => Vec::new(),
        };
        Self {
            phase: status.phase,
            required_groups: metadata
                .annotations
                .get(REQUIRED_GROUPS)
                .map(|text| alternatives(text))
                .unwrap_or_default(),
            lifecycle_groups,
            is_suspended: is_marked_inactive(|key| metadata.annotations.get(key).map(String::as_str)),
            is_being_deleted: metadata.deletion_timestamp.is_some(),
        }
    }
}

/// Whether annotations, looked up by key, suspend the workspace.
pub(crate) fn is_marked_inactive<'a>(annotation: impl Fn(&str) -> Option<&'a str>) -> bool {
    INACTIVE.iter().any(|key| annotation(key) == Some("true"))
}

fn alternatives(text: &str) -> Vec<Vec<String>> {
    text.split(';').map(|all_of| all_of.split(',').map(|group| group.trim().to_owned()).collect()).collect()
}

fn grouped(prefix: &str, names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("{prefix}{name}")).collect()
}
