//! From the start of the agent to its end.

use std::{io, sync::Arc};

use futures::future::join_all;
use kdp_core::{Error, ErrorKind, Platform};
use kdp_sync::{Agent, AgentOptions, LeaseOptions};
use tokio_util::sync::CancellationToken;

use super::{
    connection::{KcpSide, service_cluster},
    pages::{Pages, serve},
    settings::{Controller, ListenAddress, Reference, Settings},
    signals::Stop,
};

/// Runs the agent until somebody wants it to end, and lets it finish what it has begun.
pub(super) async fn run(settings: Settings) -> Result<(), Error> {
    let mut stop = Stop::listen()?;
    let kcp = KcpSide::open(&settings.kcp_kubeconfig, &settings.shard_overrides).await?;
    let service = service_cluster(&settings.service).await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        agent = settings.agent_name,
        workspace = %kcp.workspace,
        reference = settings.reference.name(),
        "agent.starting"
    );
    let agent = Agent::new(service, options(&settings, &kcp));
    let wanted =
        [(&settings.metrics, Pages::Metrics(agent.metrics())), (&settings.health, Pages::Health(agent.health()))];
    let mut pages = Vec::new();
    let done = CancellationToken::new();
    for (address, page) in wanted {
        let Some(address) = address else { continue };
        let listener = address.listen().await.map_err(|error| cannot_listen(address, error))?;
        pages.push(serve(listener, page, done.clone()));
    }
    let work = async {
        let platform = Platform::builder(Arc::new(kcp.control_plane)).component(agent);
        let worked = platform.run(stop.requested()).await;
        done.cancel();
        worked
    };
    tokio::join!(work, join_all(pages)).0
}

/// What the agent is told.
fn options(settings: &Settings, kcp: &KcpSide) -> AgentOptions {
    let (name, workspace) = (&settings.agent_name, kcp.workspace.clone());
    let mut options = match &settings.reference {
        Reference::EndpointSlice(slice) => AgentOptions::of_endpoint_slice(name, workspace, slice),
        Reference::Export(export) => AgentOptions::new(name, workspace, export),
    };
    options = options.with_state_namespace(&settings.namespace);
    options.published_resources.clone_from(&settings.published_resources);
    if settings.is_elected {
        options = options.with_lease(LeaseOptions::new(host_name()));
    }
    if let Some(shards) = settings.workspace_shards {
        options = options.with_workspace_shards(shards);
    }
    for controller in &settings.disabled {
        options = match controller {
            Controller::Export => options.without_export(),
            Controller::Schemas => options.without_schemas(),
            Controller::Sync => options.without_sync(),
        };
    }
    options
}

/// The name of the Pod, which Kubernetes gives to the machine; whatever it is, it only names the
/// replica to people.
fn host_name() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| "kdp-syncagent".into())
}

fn cannot_listen(address: &ListenAddress, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "listen on", address, "the address cannot be bound").with_source(error)
}
