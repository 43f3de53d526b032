//! The agent: everything a service owner runs.

mod definitions;
mod export;
mod publisher;
mod resources;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use kdp_core::{
    Component, ComponentContext, Endpoint, Error, ErrorKind, Identity, LogicalClusterName, Retry, WorkspacePath,
    api::{
        CLUSTER_ANNOTATION,
        core::{LOGICAL_CLUSTER_NAME, LogicalCluster},
    },
    reconcile::{Chain, backoff},
};
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::{publisher::Publisher, resources::Resources};
use crate::{
    driver::{Caches, Remote, in_time},
    engine::Place,
};

const STATE_NAMESPACE: &str = "kdp-sync";
const CONCURRENCY: usize = 32;

/// What an agent is told when it is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentOptions {
    /// Name of the agent, also a label on what it makes; unique on its service cluster.
    pub name: String,
    /// Workspace of the APIExport.
    pub provider: WorkspacePath,
    /// Name of the APIExport.
    pub export: String,
    /// Whom the agent acts as on the control plane.
    pub identity: Identity,
    /// Namespace of the Secrets with the last synced state, on the service cluster.
    pub state_namespace: String,
    /// Whether the agent makes the APIExport when there is none.
    pub creates_export: bool,
    /// Label selector of the PublishedResources that are this agent's; all when absent.
    pub published_resources: Option<String>,
    /// How many orders are worked on at once.
    pub concurrency: usize,
    /// Whether the agent holds orders by a finalizer that no other agent has.
    pub has_own_finalizer: bool,
}

impl AgentOptions {
    /// The options of the agent `name`, which publishes through `export` in the workspace `provider`.
    ///
    /// It acts as the platform itself, keeps its state in the namespace `kdp-sync`, works on 32
    /// orders at once, and expects the export to exist.
    #[must_use]
    pub fn new(name: impl Into<String>, provider: WorkspacePath, export: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            provider,
            export: export.into(),
            identity: Identity::system_masters(),
            state_namespace: STATE_NAMESPACE.into(),
            creates_export: false,
            published_resources: None,
            concurrency: CONCURRENCY,
            has_own_finalizer: false,
        }
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
}

/// Publishes what the PublishedResources of a service cluster say, and syncs the orders.
///
/// Runs as a [`Component`] on the control plane of its platform. It is ready once every
/// PublishedResource that was there at the start has been published, or refused with a condition
/// that says why. Everything it knows it reads again when it starts: it may be stopped at any time.
pub struct Agent {
    service_cluster: Client,
    options: AgentOptions,
}

impl Agent {
    /// An agent for the service cluster that the client talks to; any Kubernetes will do.
    ///
    /// The cluster must know PublishedResources: see [`install_crds`](crate::install_crds).
    #[must_use]
    pub fn new(service_cluster: Client, options: AgentOptions) -> Self {
        Self { service_cluster, options }
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("options", &self.options).finish_non_exhaustive()
    }
}

#[async_trait]
impl Component for Agent {
    fn name(&self) -> &str {
        &self.options.name
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        let Self { service_cluster, options } = *self;
        let (control_plane, shutdown) = (context.control_plane(), context.shutdown());
        check_name(&options.name)?;
        let provider = control_plane.client(&Endpoint::Workspace(options.provider.clone()), &options.identity)?;
        let Some(cluster) = persistently(shutdown, || cluster_of(&provider, &options.provider)).await? else {
            return Ok(());
        };
        let remote = Remote::new(
            service_cluster.clone(),
            control_plane.clone(),
            options.identity.clone(),
            cluster,
            &options.export,
        );
        let state_namespace = || remote.ensure_namespace(&Place::Service, &options.state_namespace);
        if persistently(shutdown, state_namespace).await?.is_none() {
            return Ok(());
        }
        let caches = Caches::new(service_cluster.clone(), remote.all_workspaces()?);
        let slots = Arc::new(Semaphore::new(options.concurrency));
        let publisher = Publisher::new(service_cluster, provider, options, remote, slots);
        let mut resources = Resources::new(publisher, &caches);
        resources.run(&context).await;
        join_all(resources.into_syncs().map(|sync| sync.stop())).await;
        caches.closed().await;
        Ok(())
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

async fn cluster_of(provider: &Client, path: &WorkspacePath) -> Result<LogicalClusterName, Error> {
    let api: Api<LogicalCluster> = Api::all(provider.clone());
    let cluster = in_time("find workspace", path, api.get(LOGICAL_CLUSTER_NAME)).await?;
    let name = cluster.metadata.annotations.as_ref().and_then(|annotations| annotations.get(CLUSTER_ANNOTATION));
    let name = name.and_then(|name| name.parse().ok());
    name.ok_or_else(|| Error::new(ErrorKind::Internal, "find workspace", path, "it does not say its cluster name"))
}

/// Tries until it succeeds or cannot succeed; `None` when `shutdown` came first.
async fn persistently<T, F: Future<Output = Result<T, Error>>>(
    shutdown: &CancellationToken,
    attempt: impl Fn() -> F,
) -> Result<Option<T>, Error> {
    let mut failures = 0;
    loop {
        let pause: Duration = match attempt().await {
            Ok(value) => return Ok(Some(value)),
            Err(error) if error.retry() == Retry::Never => return Err(error),
            Err(error) => {
                failures += 1;
                let pause = backoff(failures);
                tracing::warn!(error = %Chain(&error), ?pause, "agent.start_failed");
                pause
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return Ok(None),
        }
    }
}
