//! The ways to both sides.

use std::{path::Path, sync::Arc};

use http::Uri;
use kdp_core::{Error, ErrorKind, SharedControlPlane, WorkspacePath};
use kdp_sync::PlainCluster;
use kdp_tenancy::Kcp;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::settings::ServiceCluster;

/// Where the tenants are, and the workspace that its kubeconfig names.
#[derive(Clone, Debug)]
pub(super) struct TenantSide {
    pub(super) control_plane: SharedControlPlane,
    pub(super) workspace: WorkspacePath,
}

impl TenantSide {
    /// A plain cluster. Nothing is contacted.
    ///
    /// # Errors
    /// `Invalid` when the file cannot be used.
    pub(super) async fn cluster(kubeconfig: &Path) -> Result<Self, Error> {
        let client = client_of(config_from(kubeconfig).await?, "the kubeconfig of the tenants' cluster")?;
        Ok(Self { control_plane: Arc::new(PlainCluster::new(client)), workspace: WorkspacePath::root() })
    }

    /// What a kubeconfig file of kcp leads to, and whatever shards are announced there, each `old`
    /// address of which is reached at a `new` one. Nothing is contacted.
    ///
    /// # Errors
    /// `Invalid` when the file cannot be used, or names no workspace.
    pub(super) async fn kcp(kubeconfig: &Path, overrides: &[(String, String)]) -> Result<Self, Error> {
        let config = config_from(kubeconfig).await?;
        let workspace = workspace_of(&config.cluster_url).ok_or_else(|| {
            let message = "its server must be the URL of a workspace, which contains /clusters/<workspace>";
            Error::new(ErrorKind::Invalid, "use", kubeconfig.display(), message)
        })?;
        let mut control_plane = Kcp::new(config)?.with_announced_shards();
        for (old, new) in overrides {
            control_plane = control_plane.with_host_override(old, new)?;
        }
        Ok(Self { control_plane: Arc::new(control_plane), workspace })
    }
}

/// A client for the service cluster, and the address it talks to. Nothing is contacted.
///
/// # Errors
/// `Invalid` when there is no kubeconfig that can be used.
pub(super) async fn service_cluster(settings: &ServiceCluster) -> Result<Client, Error> {
    let mut config = match &settings.kubeconfig {
        Some(file) => config_from(file).await?,
        None => config_from_surroundings().await?,
    };
    if let Some(host) = &settings.host {
        config.cluster_url = url_of_host(host)?;
    }
    if settings.ca_file.is_some() {
        config.root_cert = None;
        config.root_cert_file.clone_from(&settings.ca_file);
    }
    client_of(config, "the kubeconfig of the service cluster")
}

fn client_of(config: Config, what: &str) -> Result<Client, Error> {
    let unusable = |e| Error::new(ErrorKind::Invalid, "use", what, "no client can be made of it").with_source(e);
    Client::try_from(config).map_err(unusable)
}

async fn config_from(file: &Path) -> Result<Config, Error> {
    let unusable =
        |e| Error::new(ErrorKind::Invalid, "use", file.display(), "it is no usable kubeconfig").with_source(e);
    let kubeconfig = Kubeconfig::read_from(file).map_err(unusable)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(unusable)
}

/// As Kubernetes' own clients look for it: what `$KUBECONFIG` names, the cluster around, the file
/// of the user.
async fn config_from_surroundings() -> Result<Config, Error> {
    let is_named = std::env::var_os("KUBECONFIG").is_some_and(|files| !files.is_empty());
    if !is_named && let Ok(config) = Config::incluster() {
        return Ok(config);
    }
    Config::infer().await.map_err(|e| {
        let message = "no kubeconfig leads there; name one with --kubeconfig";
        Error::new(ErrorKind::Invalid, "reach", "the service cluster", message).with_source(e)
    })
}

/// What follows the last `/clusters/` of a URL, if that is a workspace.
fn workspace_of(url: &Uri) -> Option<WorkspacePath> {
    let (_, workspace) = url.path().trim_end_matches('/').rsplit_once("/clusters/")?;
    workspace.parse().ok()
}

/// A host alone is reached over HTTPS.
fn url_of_host(host: &str) -> Result<Uri, Error> {
    let url = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
    url.parse().map_err(|e: http::uri::InvalidUri| {
        Error::new(ErrorKind::Invalid, "use", format!("--kubeconfig-host-override {host:?}"), "it is no address")
            .with_source(e)
    })
}
