//! What an agent is told when it is made.

use std::num::NonZeroUsize;

use kdp_core::{Error, ErrorKind, Identity, LogicalClusterName, WorkspacePath};

use crate::lease::LeaseOptions;

const STATE_NAMESPACE: &str = "kdp-sync";
const CONCURRENCY: usize = 32;

/// More shards than this are of no use: each is a Lease that is renewed all the time.
const MOST_SHARDS: usize = 256;

/// What an agent is told when it is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentOptions {
    /// Name of the agent, also a label on what it makes; unique on its service cluster.
    pub name: String,
    /// Workspace of the APIExport, or of the APIExportEndpointSlice if one is named.
    pub provider: WorkspacePath,
    /// Name of the APIExport; of no meaning if an endpoint slice is named.
    pub export: String,
    /// Name of the APIExportEndpointSlice that tells the APIExport and where its shards serve it.
    pub endpoint_slice: Option<String>,
    /// Whether there is no export, but tenants are in the workspace `provider` itself.
    pub is_direct: bool,
    /// What the one workspace is called in labels and names on the service cluster; found out when absent.
    pub cluster: Option<LogicalClusterName>,
    /// Whom the agent acts as on the control plane.
    pub identity: Identity,
    /// Namespace of the Secrets with the last synced state, and of the Leases, on the service cluster.
    pub state_namespace: String,
    /// Whether the agent makes the APIExport when there is none.
    pub creates_export: bool,
    /// Whether the agent makes APIResourceSchemas and says on PublishedResources what came of it.
    pub publishes_schemas: bool,
    /// Whether the agent keeps the APIExport in step.
    pub updates_export: bool,
    /// Whether the agent syncs orders.
    pub syncs: bool,
    /// Label selector of the PublishedResources that are this agent's; all when absent.
    pub published_resources: Option<String>,
    /// How many orders are worked on at once.
    pub concurrency: usize,
    /// Whether the agent holds orders by a finalizer that no other agent has.
    pub has_own_finalizer: bool,
    /// How this replica competes with others; it is the only one when absent.
    pub lease: Option<LeaseOptions>,
    /// Over how many shards workspaces are spread, if replicas share the work.
    pub workspace_shards: Option<NonZeroUsize>,
}

impl AgentOptions {
    /// The options of the agent `name`, which publishes through `export` in the workspace `provider`.
    ///
    /// It acts as the platform itself, keeps its state in the namespace `kdp-sync`, works on 32
    /// orders at once, is the only replica, and expects the export to exist.
    #[must_use]
    pub fn new(name: impl Into<String>, provider: WorkspacePath, export: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            provider,
            export: export.into(),
            endpoint_slice: None,
            is_direct: false,
            cluster: None,
            identity: Identity::system_masters(),
            state_namespace: STATE_NAMESPACE.into(),
            creates_export: false,
            publishes_schemas: true,
            updates_export: true,
            syncs: true,
            published_resources: None,
            concurrency: CONCURRENCY,
            has_own_finalizer: false,
            lease: None,
            workspace_shards: None,
        }
    }

    /// The same for the export that the APIExportEndpointSlice `slice` in the workspace `provider`
    /// refers to, which may be in another workspace. It is reached at every address that the slice
    /// tells, as they come and go.
    #[must_use]
    pub fn of_endpoint_slice(name: impl Into<String>, provider: WorkspacePath, slice: impl Into<String>) -> Self {
        let slice = slice.into();
        Self { endpoint_slice: Some(slice.clone()), ..Self::new(name, provider, slice) }
    }

    /// The same for tenants who are all in one cluster, or one workspace, without an export: kinds are
    /// published there as CustomResourceDefinitions, which stay when the agent goes.
    ///
    /// With a [`PlainCluster`](crate::PlainCluster) as the control plane, any Kubernetes will do. The
    /// cluster as a whole is one tenant: what is kept apart elsewhere by workspaces is, between its
    /// namespaces, up to its own rights. Names on the service cluster are made of the UID of its
    /// namespace `kube-system`, or of [another name](Self::with_cluster_name).
    #[must_use]
    pub fn of_cluster(name: impl Into<String>) -> Self {
        let options = Self::new(name, WorkspacePath::root(), "");
        Self { is_direct: true, updates_export: false, ..options }
    }

    /// Calls the one cluster of the tenants this; it must not change after the first run.
    #[must_use]
    pub fn with_cluster_name(mut self, cluster: LogicalClusterName) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// Acts on the control plane as `identity`.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// Keeps the state in this namespace of the service cluster; it is made if there is none.
    #[must_use]
    pub fn with_state_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.state_namespace = namespace.into();
        self
    }

    /// Makes the APIExport when there is none.
    #[must_use]
    pub fn with_created_export(mut self) -> Self {
        self.creates_export = true;
        self
    }

    /// Leaves it to somebody else to make APIResourceSchemas and to name them on PublishedResources;
    /// those without a name wait for it.
    #[must_use]
    pub fn without_schemas(mut self) -> Self {
        self.publishes_schemas = false;
        self
    }

    /// Leaves it to somebody else to keep the APIExport in step.
    #[must_use]
    pub fn without_export(mut self) -> Self {
        self.updates_export = false;
        self
    }

    /// Leaves it to somebody else to sync orders.
    #[must_use]
    pub fn without_sync(mut self) -> Self {
        self.syncs = false;
        self
    }

    /// Leaves PublishedResources alone that do not match this label selector.
    #[must_use]
    pub fn with_published_resources(mut self, label_selector: impl Into<String>) -> Self {
        self.published_resources = Some(label_selector.into());
        self
    }

    /// Holds orders by a finalizer of the agent's own, in place of the existing agent's.
    ///
    /// For agents that share an export, each with filters of its own: none of them then lets go of
    /// an order that another one still serves. On one service cluster, each needs a state namespace
    /// of its own, too.
    #[must_use]
    pub fn with_own_finalizer(mut self) -> Self {
        self.has_own_finalizer = true;
        self
    }

    /// Works on at most this many orders at once; at least one.
    #[must_use]
    pub fn with_concurrency(mut self, orders: usize) -> Self {
        self.concurrency = orders.max(1);
        self
    }

    /// Works only while this replica holds the Lease `syncagent.<name>` in the state namespace.
    #[must_use]
    pub fn with_lease(mut self, lease: LeaseOptions) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Shares the work with the other replicas: workspaces are spread over this many shards, and
    /// each replica works on its part of them. The holder of the agent's Lease publishes.
    ///
    /// Every replica must be told the same number, so it cannot be changed while one is running.
    /// Needs [`with_lease`](Self::with_lease), and the right to list and delete Leases.
    #[must_use]
    pub fn with_workspace_shards(mut self, shards: NonZeroUsize) -> Self {
        self.workspace_shards = Some(shards);
        self
    }

    /// Checks what would never work.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_name(&self.name)?;
        let wrong =
            |message: &str| Err(Error::new(ErrorKind::Invalid, "start", format!("agent {:?}", self.name), message));
        match (&self.lease, self.workspace_shards) {
            (None, Some(_)) => wrong("sharing workspaces needs a lease, by which replicas know one another"),
            (_, Some(shards)) if shards.get() > MOST_SHARDS => wrong("at most 256 shards are possible"),
            (Some(lease), _) => lease.check(),
            (None, None) => Ok(()),
        }
    }
}

/// The name is a label value and part of names.
fn check_name(name: &str) -> Result<(), Error> {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_name = (1..=63).contains(&name.len())
        && name.bytes().all(is_plain)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-');
    if is_name {
        return Ok(());
    }
    let message = "the name of an agent is up to 63 lower-case letters, digits and '-', and starts with a letter";
    Err(Error::new(ErrorKind::Invalid, "start", format!("agent {name:?}"), message))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_would_never_work_is_refused_at_the_start() {
        let options = |name: &str| AgentOptions::new(name, "root".parse().unwrap(), "e");
        let shards = NonZeroUsize::new(4).unwrap();
        let times = |duration: u64, deadline: u64, period: u64| {
            let second = Duration::from_secs;
            LeaseOptions::new("pod").with_times(second(duration), second(deadline), second(period))
        };
        let check =
            |options: AgentOptions, expected: bool| assert_eq!(options.check().is_ok(), expected, "{options:?}");
        check(options("agent"), true);
        check(options("Agent"), false);
        check(options("agent").with_workspace_shards(shards), false);
        let leased = options("agent").with_lease(times(15, 10, 2));
        check(leased.clone().with_workspace_shards(shards), true);
        check(leased.with_workspace_shards(NonZeroUsize::new(257).unwrap()), false);
        check(options("agent").with_lease(times(10, 10, 2)), false);
        check(options("agent").with_lease(times(15, 2, 2)), false);
        check(options("agent").with_lease(times(15, 10, 0)), false);
    }
}
