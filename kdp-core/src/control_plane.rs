//! The seam to where workspaces live.

pub mod conformance;
mod export_url;

use std::{fmt, sync::Arc};

pub use export_url::ExportUrl;

use crate::{Error, Identity, LogicalClusterName, WorkspacePath};

/// Where workspaces live: an in-process API server, or a remote one.
///
/// Everything above the control plane reaches a tenant through the [`kube::Client`] this hands
/// out, so the same platform runs on any implementation. Clients are cheap: an implementation
/// shares the connection or service behind them.
pub trait ControlPlane: fmt::Debug + Send + Sync + 'static {
    /// A client that talks to `endpoint` and acts as `identity`.
    ///
    /// The endpoint is not contacted; one that does not exist answers 403 or 404 at the first
    /// request, exactly as over the network.
    ///
    /// # Errors
    /// When no client can be built, for instance because the identity cannot be assumed there.
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<kube::Client, Error>;

    /// The URL that clients outside this process use for `endpoint`; `None` when nothing is served
    /// outside it.
    fn url(&self, endpoint: &Endpoint) -> Option<String>;
}

/// Shorthands every [`ControlPlane`] has.
pub trait ControlPlaneExt: ControlPlane {
    /// A client for the platform itself, with every right in `workspace`.
    ///
    /// # Errors
    /// As [`ControlPlane::client`].
    fn system_client(&self, workspace: &WorkspacePath) -> Result<kube::Client, Error> {
        self.client(&Endpoint::Workspace(workspace.clone()), &Identity::system_masters())
    }

    /// A client for the platform itself that lists and watches across all workspaces.
    ///
    /// # Errors
    /// As [`ControlPlane::client`].
    fn wildcard_client(&self) -> Result<kube::Client, Error> {
        self.client(&Endpoint::AllWorkspaces, &Identity::system_masters())
    }
}

impl<C: ControlPlane + ?Sized> ControlPlaneExt for C {}

/// A shared control plane.
pub type SharedControlPlane = Arc<dyn ControlPlane>;

/// What part of a control plane a client talks to; each is a URL prefix of kcp's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// One workspace: `/clusters/<path>`.
    Workspace(WorkspacePath),
    /// Every workspace at once, list and watch only: `/clusters/*`.
    AllWorkspaces,
    /// The objects of one APIExport, in all workspaces that bind it or in one of them:
    /// `/services/apiexport/<cluster>/<export>/clusters/<* or name>`.
    ApiExport {
        /// Logical cluster that holds the APIExport.
        cluster: LogicalClusterName,
        /// Name of the APIExport.
        export: String,
        /// One consumer workspace, or all of them.
        consumer: Option<LogicalClusterName>,
    },
    /// The same, as one of several shards serves it, each for the workspaces that it holds:
    /// `<url>/clusters/<* or name>`.
    ExportShard {
        /// Where the shard serves the export, as an APIExportEndpointSlice tells.
        url: ExportUrl,
        /// One consumer workspace of the shard, or all of them.
        consumer: Option<LogicalClusterName>,
    },
    /// The workspaces that wait for an initializer, all of them (the LogicalClusters, list and watch only) or the
    /// content of one: `/services/initializingworkspaces/<initializer>/clusters/<* or name>`.
    InitializingWorkspaces {
        /// Name of the initializer: the logical cluster and the name of a WorkspaceType, as `root:example`.
        initializer: String,
        /// One workspace, or all of them.
        workspace: Option<LogicalClusterName>,
    },
    /// The same for terminators: `/services/terminatingworkspaces/<terminator>/clusters/<* or name>`.
    TerminatingWorkspaces {
        /// Name of the terminator: the logical cluster and the name of a WorkspaceType, as `root:example`.
        terminator: String,
        /// One workspace, or all of them.
        workspace: Option<LogicalClusterName>,
    },
}

impl Endpoint {
    /// The URL path prefix, without a trailing slash.
    #[must_use]
    pub fn prefix(&self) -> String {
        let or_all =
            |name: &Option<LogicalClusterName>| name.as_ref().map_or("*", LogicalClusterName::as_str).to_owned();
        match self {
            Self::Workspace(path) => format!("/clusters/{path}"),
            Self::AllWorkspaces => "/clusters/*".into(),
            Self::ApiExport { cluster, export, consumer } => {
                format!("/services/apiexport/{cluster}/{export}/clusters/{}", or_all(consumer))
            }
            Self::ExportShard { url, consumer } => {
                format!("/services/apiexport/{}/{}/clusters/{}", url.cluster(), url.export(), or_all(consumer))
            }
            Self::InitializingWorkspaces { initializer, workspace } => {
                format!("/services/initializingworkspaces/{initializer}/clusters/{}", or_all(workspace))
            }
            Self::TerminatingWorkspaces { terminator, workspace } => {
                format!("/services/terminatingworkspaces/{terminator}/clusters/{}", or_all(workspace))
            }
        }
    }
}

impl From<WorkspacePath> for Endpoint {
    fn from(path: WorkspacePath) -> Self {
        Self::Workspace(path)
    }
}

impl From<LogicalClusterName> for Endpoint {
    fn from(name: LogicalClusterName) -> Self {
        Self::Workspace(name.path())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix())
    }
}
