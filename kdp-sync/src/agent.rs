//! The agent: everything a service owner runs.

mod definition;
mod definitions;
mod discovery;
mod export;
mod handback;
mod inspector;
mod options;
mod publisher;
mod resources;
mod status;
mod topology;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use kdp_core::{
    Component, ComponentContext, Error, ErrorKind,
    reconcile::{Chain, backoff},
};
use kube::{Api, Client, api::ListParams};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::{definitions::kind_of, status::Board};
pub use self::{inspector::Inspector, options::AgentOptions, status::AgentStatus};
use self::{publisher::Publisher, resources::Resources, topology::Topology};
use crate::{
    api::PublishedResource,
    driver::{Caches, Endpoints, Remote, Slots, in_time},
    engine::Place,
    health::{Health, keep_in_touch},
    lease::{Leases, Tenure},
    metrics::Metrics,
    sharding::{Ownership, Replica},
    telemetry::Telemetry,
};

/// Publishes what the PublishedResources of a service cluster say, and syncs the orders.
///
/// Runs as a [`Component`] on the control plane of its platform. It is ready once every
/// PublishedResource that was there at the start has been published, or refused with a condition
/// that says why, and the export is served somewhere; or when another replica leads, for which it
/// stands by. [`Agent::status`] says more. What does not exist yet, such as the provider's workspace,
/// is waited for. Everything it knows it reads again when it starts: it may be stopped at any time.
pub struct Agent {
    service_cluster: Client,
    options: AgentOptions,
    board: Board,
    telemetry: Telemetry,
}

/// What decides about what this replica may do.
#[derive(Clone, Debug)]
struct Mandate {
    /// How long it publishes.
    leads: Tenure,
    /// The workspaces in which it works.
    ownership: Ownership,
}

impl Mandate {
    /// Everything, for as long as the agent runs.
    fn undivided() -> Self {
        Self { leads: Tenure::forever(), ownership: Ownership::new([Tenure::forever()]) }
    }
}

impl Agent {
    /// An agent for the service cluster that the client talks to; any Kubernetes will do.
    ///
    /// The cluster must know PublishedResources: see [`install_crds`](crate::install_crds).
    #[must_use]
    pub fn new(service_cluster: Client, options: AgentOptions) -> Self {
        let status = AgentStatus {
            is_leader: options.lease.is_none(),
            shards: options.workspace_shards.map(|_| Vec::new()),
            ..AgentStatus::default()
        };
        let board = Board::new(status);
        let telemetry = Telemetry { metrics: Metrics::new(), health: Health::new(board.follow()) };
        Self { service_cluster, options, board, telemetry }
    }

    /// What the agent counts; all clones are one.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.telemetry.metrics.clone()
    }

    /// Looks at what the agent would do, and at what does not agree, whether or not it runs.
    #[must_use]
    pub fn inspector(&self) -> Inspector {
        let Self { service_cluster, options, telemetry, .. } = self;
        Inspector { service: service_cluster.clone(), options: options.clone(), telemetry: telemetry.clone() }
    }

    /// How the agent is; all clones are one.
    #[must_use]
    pub fn health(&self) -> Health {
        self.telemetry.health.clone()
    }

    /// What the agent is doing, from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<AgentStatus> {
        self.board.follow()
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
        self.options.check()?;
        let replica = self.options.lease.clone().map(|lease| {
            let AgentOptions { name, state_namespace, workspace_shards, .. } = &self.options;
            let leases = Leases::new(self.service_cluster.clone(), state_namespace, name, lease);
            Replica::new(leases, workspace_shards.map(Into::into))
        });
        let mandate = replica.as_ref().map_or_else(Mandate::undivided, |replica| Mandate {
            leads: replica.leads(),
            ownership: replica.ownership(),
        });
        let board = self.board.clone();
        let done = CancellationToken::new();
        let work = async {
            let worked = self.work(&context, mandate).await;
            done.cancel();
            worked
        };
        let compete = async {
            if let Some(replica) = replica {
                replica.run(&board, &done).await;
            }
        };
        let tell = async {
            tokio::select! {
                () = board.ready() => context.ready(),
                () = done.cancelled() => {}
            }
        };
        let (worked, (), ()) = tokio::join!(work, compete, tell);
        worked
    }
}

impl Agent {
    async fn work(&self, context: &ComponentContext, mandate: Mandate) -> Result<(), Error> {
        let Self { service_cluster, options, board, telemetry } = self;
        let (control_plane, shutdown) = (context.control_plane(), context.shutdown());
        let endpoints = Endpoints::new(control_plane.clone(), options.identity.clone());
        let remote = Remote::new(service_cluster.clone(), endpoints.clone());
        let state_namespace = || remote.ensure_namespace(&Place::Service, &options.state_namespace);
        if persistently(board, shutdown, state_namespace).await?.is_none() {
            return Ok(());
        }
        let selector = || check_selector(service_cluster, options);
        if persistently(board, shutdown, selector).await?.is_none() {
            return Ok(());
        }
        let Some(topology) = persistently(board, shutdown, || Topology::find(control_plane, options)).await? else {
            return Ok(());
        };
        let options = AgentOptions { export: topology.export.clone(), ..options.clone() };
        let caches = Caches::new(service_cluster.clone(), endpoints.clone(), telemetry.clone());
        let slots = Slots::new(options.concurrency);
        let provider = topology.provider.clone();
        let contact = keep_in_touch(&telemetry.health, service_cluster, &topology.provider, shutdown);
        let publisher =
            Publisher::new(service_cluster.clone(), provider, options, remote, slots, mandate, telemetry.clone());
        let mut resources = Resources::new(publisher, &caches);
        tokio::join!(resources.run(board, shutdown), topology.follow(&endpoints, board, shutdown), contact);
        join_all(resources.into_syncs().map(|sync| sync.stop())).await;
        caches.closed().await;
        Ok(())
    }
}

/// Has the API server read the selector: a watch with a wrong one would only fail again and again.
async fn check_selector(service_cluster: &Client, options: &AgentOptions) -> Result<(), Error> {
    let Some(selector) = &options.published_resources else { return Ok(()) };
    let api: Api<PublishedResource> = Api::all(service_cluster.clone());
    let one = ListParams::default().labels(selector).limit(1);
    in_time("list PublishedResources", selector, api.list_metadata(&one)).await.map(drop)
}

/// Tries until it succeeds or cannot succeed; `None` when `shutdown` came first. What does not exist
/// or is not allowed may come to be.
async fn persistently<T, F: Future<Output = Result<T, Error>>>(
    board: &Board,
    shutdown: &CancellationToken,
    attempt: impl Fn() -> F,
) -> Result<Option<T>, Error> {
    let mut failures = 0;
    loop {
        let pause: Duration = match attempt().await {
            Ok(value) => {
                board.update(|status| status.waits_for = None);
                return Ok(Some(value));
            }
            Err(error) if error.kind() == ErrorKind::Invalid => return Err(error),
            Err(error) => {
                failures += 1;
                let pause = backoff(failures);
                tracing::warn!(error = %Chain(&error), ?pause, "agent.start_failed");
                board.update(|status| status.waits_for = Some(Chain(&error).to_string()));
                pause
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return Ok(None),
        }
    }
}
