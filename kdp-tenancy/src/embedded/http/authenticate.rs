//! Who a request acts as, and where it goes when it does not say.

use http::request::Parts;
use kdp_core::{Identity, LogicalClusterName};

use super::{ApiServer, route::Scope};
use crate::embedded::{
    auth::{self, InWorkspace, PeerIdentity},
    kinds::logical_cluster::Controller,
    status::Result,
};

impl ApiServer {
    /// Who a request to `scope` comes from, impersonation left aside, without what only the control
    /// plane itself vouches for; and the scope it is for.
    pub(super) async fn identify(&self, parts: &Parts, scope: Scope) -> Result<(Identity, Scope)> {
        let (mut identity, scope) = self.authenticate(parts, scope).await?;
        if !parts.extensions.get::<PeerIdentity>().is_some_and(PeerIdentity::is_in_process) {
            identity = auth::from_outside(identity);
        }
        Controller::disown(&mut identity);
        Ok((identity, scope))
    }

    /// The identity of a request to `scope`, and the scope it is for: as in kcp, a service account
    /// that names no workspace is at home.
    async fn authenticate(&self, parts: &Parts, scope: Scope) -> Result<(Identity, Scope)> {
        let cluster = match &scope {
            Scope::Workspace(path) => self.registry.index.resolve(path),
            Scope::Server => Some(LogicalClusterName::root()),
            Scope::AllWorkspaces | Scope::Export { .. } | Scope::Lifecycle { .. } | Scope::Nowhere => None,
        };
        let identity = match cluster.map(|cluster| self.authenticator_of(cluster)) {
            Some(workspace) => self.authenticator.authenticate_with(parts, Some(&workspace)).await?,
            None => self.authenticator.authenticate(parts).await?,
        };
        match (&scope, auth::service_account_home(&identity)) {
            (Scope::Server, Some(home)) => Ok((identity, Scope::Workspace(home.path()))),
            _ => Ok((identity, scope)),
        }
    }

    /// Whose tokens a workspace accepts beside what all accept.
    pub(super) fn authenticator_of(&self, cluster: LogicalClusterName) -> InWorkspace {
        self.workspace_authenticators.of(cluster)
    }
}
