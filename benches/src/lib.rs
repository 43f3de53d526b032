//! What the benches share: control planes to measure, and objects to fill them with.

pub mod fleet;
pub mod report;
pub mod requests;

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use k8s_openapi::api::core::v1::ConfigMap;
use kdp_core::{
    ControlPlaneExt, Endpoint, Identity, Platform, RunningPlatform, WorkspacePath,
    api::tenancy::{Workspace, WorkspaceSpec},
};
use kdp_tenancy::Embedded;
use kube::{Client, Config, config::KubeConfigOptions, config::Kubeconfig};

/// A control plane that is served over HTTPS on a free port of the loopback address.
pub struct Served {
    /// A client over HTTPS, with every right in the root workspace.
    pub client: Client,
    /// The server; it stops when this is dropped.
    pub running: RunningPlatform,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("running", &self.running).finish_non_exhaustive()
    }
}

/// Serves `control_plane`.
///
/// # Panics
/// When it cannot be served.
pub async fn serve(control_plane: &Embedded) -> Served {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = control_plane.server(listen).await.expect("a free port can be bound");
    let admin = Identity { username: "bench".into(), groups: vec!["system:masters".into()], ..Identity::default() };
    let endpoint = Endpoint::Workspace(WorkspacePath::root());
    let yaml = control_plane.kubeconfig(&endpoint, &admin).expect("a certificate can be made");
    let running = Platform::builder(Arc::new(control_plane.clone())).component(server).start().await;
    let running = running.expect("the server starts");
    let kubeconfig = Kubeconfig::from_yaml(&yaml).expect("the kubeconfig is valid");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let client = Client::try_from(config.expect("the kubeconfig is complete")).expect("a client can be made");
    Served { client, running }
}

/// A client inside the process, with every right in the root workspace.
///
/// # Panics
/// Never for an embedded control plane.
#[must_use]
pub fn in_process(control_plane: &Embedded) -> Client {
    control_plane.system_client(&WorkspacePath::root()).expect("an embedded control plane always has a client")
}

/// A name that no other call returned.
#[must_use]
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A ConfigMap of about a kilobyte.
#[must_use]
pub fn config_map(name: &str) -> ConfigMap {
    let data = (0..8).map(|i| (format!("key-{i}"), "x".repeat(100))).collect();
    ConfigMap {
        metadata: kube::core::ObjectMeta { name: Some(name.into()), ..Default::default() },
        data: Some(data),
        ..ConfigMap::default()
    }
}

/// A workspace without wishes.
#[must_use]
pub fn workspace(name: &str) -> Workspace {
    Workspace::new(name, WorkspaceSpec::default())
}

/// Resident memory of this process in bytes; `None` where the system does not tell.
#[must_use]
pub fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}
