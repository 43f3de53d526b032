//! From the start of the agent to its end.

use std::{io, sync::Arc};

use futures::future::join_all;
use kdp_core::{Error, ErrorKind, Platform};
use kdp_sync::{Agent, AgentOptions, Health, Metrics};
use tokio_util::sync::CancellationToken;

use super::{
    connection::{KcpSide, service_cluster},
    pages::{Pages, serve},
    settings::{ListenAddress, Settings},
    signals::Stop,
};

/// Runs the agent until somebody wants it to end, and lets it finish what it has begun.
pub(super) async fn run(settings: Settings) -> Result<(), Error> {
    let mut stop = Stop::listen()?;
    let (metrics, health) = (Metrics::new(), Health::new());
    let mut pages = Vec::new();
    let done = CancellationToken::new();
    let wanted =
        [(&settings.metrics, Pages::Metrics(metrics.clone())), (&settings.health, Pages::Health(health.clone()))];
    for (address, page) in wanted {
        let Some(address) = address else { continue };
        let listener = address.listen().await.map_err(|error| cannot_listen(address, error))?;
        pages.push(serve(listener, page, done.clone()));
    }
    let work = async {
        let worked = work(settings, metrics, health, &mut stop).await;
        done.cancel();
        worked
    };
    tokio::join!(work, join_all(pages)).0
}

async fn work(settings: Settings, metrics: Metrics, health: Health, stop: &mut Stop) -> Result<(), Error> {
    let kcp = KcpSide::open(&settings.kcp_kubeconfig).await?;
    let service = service_cluster(&settings.service).await?;
    let target = tokio::select! {
        target = kcp.resolve(&settings.reference) => target?,
        () = stop.requested() => return Ok(()),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        agent = settings.agent_name,
        workspace = %target.workspace,
        export = target.export,
        "agent.starting"
    );
    let mut options = AgentOptions::new(settings.agent_name, target.workspace, target.export)
        .with_state_namespace(settings.namespace);
    options.published_resources = settings.published_resources;
    let agent = Agent::new(service, options).with_metrics(metrics).with_health(health);
    Platform::builder(Arc::new(target.control_plane)).component(agent).run(stop.requested()).await
}

fn cannot_listen(address: &ListenAddress, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "listen on", address, "the address cannot be bound").with_source(error)
}
