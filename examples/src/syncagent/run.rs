//! From the start of the agent to its end.

use std::sync::Arc;

use kdp_core::{Error, Platform};
use kdp_sync::{Agent, AgentOptions, Metrics};

use super::{
    connection::{KcpSide, service_cluster},
    settings::Settings,
    signals::Stop,
};

/// Runs the agent until somebody wants it to end, and lets it finish what it has begun.
pub(super) async fn run(settings: Settings) -> Result<(), Error> {
    let mut stop = Stop::listen()?;
    let kcp = KcpSide::open(&settings.kcp_kubeconfig).await?;
    let service = service_cluster(&settings.service).await?;
    let metrics = Metrics::new();
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
        .with_state_namespace(settings.namespace)
        .with_duties(settings.duties);
    options.published_resources = settings.published_resources;
    let agent = Agent::new(service, options).with_metrics(metrics.clone());
    Platform::builder(Arc::new(target.control_plane)).component(agent).run(stop.requested()).await
}
