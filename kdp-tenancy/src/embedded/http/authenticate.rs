//! Who a request acts as, and where it goes when it does not say.

use http::request::Parts;
use kdp_core::Identity;

use super::{ApiServer, route::Scope};
use crate::embedded::{auth, status::Result};

impl ApiServer {
    /// The identity of a request to `scope`, impersonation left aside, and the scope it is for: as in
    /// kcp, a service account that names no workspace is at home.
    pub(super) async fn authenticate(&self, parts: &Parts, scope: Scope) -> Result<(Identity, Scope)> {
        let identity = self.authenticator.authenticate(parts).await?;
        match (&scope, auth::service_account_home(&identity)) {
            (Scope::Server, Some(home)) => Ok((identity, Scope::Workspace(home.path()))),
            _ => Ok((identity, scope)),
        }
    }
}
