//! From the start of the agent to its end.

use std::{fmt, io, process::ExitCode, time::Duration};

use futures::future::join_all;
use kdp_core::{Error, ErrorKind, Platform, SharedControlPlane, WorkspacePath, reconcile::Chain};
use kdp_sync::{Agent, AgentOptions, Inspector, LeaseOptions};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "otlp")]
use super::otlp;
use super::{
    connection::{TenantSide, service_cluster},
    flags::Output,
    pages::{Pages, serve},
    screen,
    settings::{Controller, ListenAddress, Mode, Reference, Settings, Tenants},
    signals::Stop,
};

/// Does what the settings say.
pub(super) async fn run(settings: Settings) -> Result<ExitCode, Error> {
    let tenants = match &settings.tenants {
        Tenants::Kcp { kubeconfig, .. } => TenantSide::kcp(kubeconfig, &settings.shard_overrides).await?,
        Tenants::Cluster { kubeconfig, .. } => TenantSide::cluster(kubeconfig).await?,
    };
    let service = service_cluster(&settings.service).await?;
    #[cfg(feature = "otlp")]
    let (tenants, service) = if settings.logging.has_spans {
        let control_plane = otlp::Traced::shared(tenants.control_plane);
        (TenantSide { control_plane, ..tenants }, otlp::traced(service))
    } else {
        (tenants, service)
    };
    let agent = Agent::new(service, options(&settings, &tenants.workspace));
    match settings.mode {
        Mode::Run => serve_until_stopped(&settings, tenants, agent).await.map(|()| ExitCode::SUCCESS),
        Mode::Plan(output) => {
            let preview = agent.inspector().preview(&tenants.control_plane).await?;
            screen::line(told(&preview, output)?);
            Ok(verdict(preview.is_empty() && preview.problems.is_empty()))
        }
        Mode::Drift(output) => {
            let drift = agent.inspector().drift(&tenants.control_plane).await?;
            screen::line(told(&drift, output)?);
            Ok(verdict(drift.is_empty()))
        }
        Mode::HandBack => {
            for object in agent.hand_back(&tenants.control_plane).await? {
                screen::line(format_args!("no longer held: {object}"));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Runs the agent until somebody wants it to end, and lets it finish what it has begun.
async fn serve_until_stopped(settings: &Settings, tenants: TenantSide, agent: Agent) -> Result<(), Error> {
    let mut stop = Stop::listen()?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        agent = settings.agent_name,
        tenants = %settings.tenants,
        "agent.starting"
    );
    let wanted =
        [(&settings.metrics, Pages::Metrics(agent.metrics())), (&settings.health, Pages::Health(agent.health()))];
    let mut pages = Vec::new();
    let done = CancellationToken::new();
    for (address, page) in wanted {
        let Some(address) = address else { continue };
        let listener = address.listen().await.map_err(|error| cannot_listen(address, error))?;
        pages.push(serve(listener, page, done.clone()));
    }
    let counting = count_drift(settings.drift_interval, agent.inspector(), tenants.control_plane.clone(), &done);
    let work = async {
        let platform = Platform::builder(tenants.control_plane).component(agent);
        let worked = platform.run(stop.requested()).await;
        done.cancel();
        worked
    };
    tokio::join!(work, join_all(pages), counting).0
}

/// Counts the copies that differ from their orders, again and again.
async fn count_drift(
    interval: Option<Duration>,
    inspector: Inspector,
    control_plane: SharedControlPlane,
    done: &CancellationToken,
) {
    let Some(interval) = interval else { return };
    let count = async {
        loop {
            tokio::time::sleep(interval).await;
            match inspector.drift(&control_plane).await {
                Ok(drift) => tracing::info!(
                    drifted = drift.drifted.len(),
                    missing = drift.missing.len(),
                    orphans = drift.orphans.len(),
                    leftovers = drift.leftovers.len(),
                    "drift.counted"
                ),
                Err(error) => tracing::warn!(error = %Chain(&error), "drift.failed"),
            }
        }
    };
    tokio::select! {
        () = count => {}
        () = done.cancelled() => {}
    }
}

/// 0 when all is as it should be, else 2.
fn verdict(is_empty: bool) -> ExitCode {
    if is_empty { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

fn told<T: fmt::Display + Serialize>(what: &T, output: Output) -> Result<String, Error> {
    match output {
        Output::Text => Ok(what.to_string()),
        Output::Json => serde_json::to_string_pretty(what).map_err(|error| {
            Error::new(ErrorKind::Internal, "tell", "what was found", "it is no JSON").with_source(error)
        }),
    }
}

/// What the agent is told.
fn options(settings: &Settings, workspace: &WorkspacePath) -> AgentOptions {
    let (agent, workspace) = (&settings.agent_name, workspace.clone());
    let mut options = match &settings.tenants {
        Tenants::Kcp { reference: Reference::EndpointSlice(slice), .. } => {
            AgentOptions::of_endpoint_slice(agent, workspace, slice)
        }
        Tenants::Kcp { reference: Reference::Export(export), .. } => AgentOptions::new(agent, workspace, export),
        Tenants::Cluster { name: None, .. } => AgentOptions::of_cluster(agent),
        Tenants::Cluster { name: Some(name), .. } => AgentOptions::of_cluster(agent).with_cluster_name(name.clone()),
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
