//! The ways to both sides.

use std::path::Path;

use http::Uri;
use kdp_core::{
    ControlPlaneExt, Error, ErrorKind, WorkspacePath,
    api::apis::{APIExport, APIExportEndpointSlice},
};
use kdp_tenancy::Kcp;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::settings::{Reference, ServiceCluster};

/// The APIExport that an agent fills, and the way there.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) control_plane: Kcp,
    pub(super) workspace: WorkspacePath,
    pub(super) export: String,
}

/// A kcp, and the workspace that its kubeconfig names.
#[derive(Clone, Debug)]
pub(super) struct KcpSide {
    control_plane: Kcp,
    workspace: WorkspacePath,
}

impl KcpSide {
    /// What a kubeconfig file leads to. Nothing is contacted.
    ///
    /// # Errors
    /// `Invalid` when the file cannot be used, or names no workspace.
    pub(super) async fn open(kubeconfig: &Path) -> Result<Self, Error> {
        let config = config_from(kubeconfig).await?;
        let workspace = workspace_of(&config.cluster_url).ok_or_else(|| {
            let message = "its server must be the URL of a workspace, which contains /clusters/<workspace>";
            Error::new(ErrorKind::Invalid, "use", kubeconfig.display(), message)
        })?;
        Ok(Self { control_plane: Kcp::new(config)?, workspace })
    }

    /// The export that a reference leads to.
    ///
    /// # Errors
    /// `NotFound` when there is no such slice; otherwise as kcp answers.
    pub(super) async fn resolve(self, reference: &Reference) -> Result<Target, Error> {
        let Self { control_plane, workspace } = self;
        let client = control_plane.system_client(&workspace)?;
        match reference {
            Reference::Export(name) => {
                let exports: Api<APIExport> = Api::all(client);
                exports.get(name).await.map_err(|e| Error::from_kube("get APIExport", name, e))?;
                Ok(Target { control_plane, workspace, export: name.clone() })
            }
            Reference::EndpointSlice(name) => {
                let slices: Api<APIExportEndpointSlice> = Api::all(client);
                let slice =
                    slices.get(name).await.map_err(|e| Error::from_kube("get APIExportEndpointSlice", name, e))?;
                let export = slice.spec.export;
                let workspace = if export.path.is_empty() { workspace } else { path(&export.path)? };
                Ok(Target { control_plane, workspace, export: export.name })
            }
        }
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
    Client::try_from(config).map_err(|e| {
        Error::new(ErrorKind::Invalid, "use", "the kubeconfig of the service cluster", "no client can be made of it")
            .with_source(e)
    })
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

fn path(text: &str) -> Result<WorkspacePath, Error> {
    text.parse().map_err(|e| {
        Error::new(ErrorKind::Invalid, "use", "the path of an APIExport", "it is no workspace").with_source(e)
    })
}

/// A host alone is reached over HTTPS.
fn url_of_host(host: &str) -> Result<Uri, Error> {
    let url = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
    url.parse().map_err(|e: http::uri::InvalidUri| {
        Error::new(ErrorKind::Invalid, "use", format!("--kubeconfig-host-override {host:?}"), "it is no address")
            .with_source(e)
    })
}
