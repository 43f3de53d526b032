//! A cluster that knows no workspaces, as a control plane.

use std::fmt;

use kdp_core::{ControlPlane, Endpoint, Error, ErrorKind, Identity};
use kube::Client;

/// A plain Kubernetes cluster as the tenants' side of an [`Agent`](crate::Agent).
///
/// To the agent it is one workspace: see [`AgentOptions::of_cluster`](crate::AgentOptions::of_cluster).
pub struct PlainCluster(Client);

impl PlainCluster {
    /// The cluster that the client talks to, as whom it talks.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

impl ControlPlane for PlainCluster {
    /// The one client there is, which acts as it always does, whatever the identity.
    ///
    /// # Errors
    /// `Unsupported` for anything that spans workspaces or is an export.
    fn client(&self, endpoint: &Endpoint, _: &Identity) -> Result<Client, Error> {
        match endpoint {
            Endpoint::Workspace(_) => Ok(self.0.clone()),
            _ => {
                let message = "a plain cluster has neither workspaces nor exports";
                Err(Error::new(ErrorKind::Unsupported, "reach", endpoint, message))
            }
        }
    }

    fn url(&self, _: &Endpoint) -> Option<String> {
        None
    }
}

impl fmt::Debug for PlainCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainCluster").finish_non_exhaustive()
    }
}
