//! What can be chosen when a control plane is started.

use std::{path::Path, sync::Arc};

use kdp_core::{ErrorKind, api::authentication::AuthenticationConfiguration};

use super::{
    auth::{
        Authenticator, StaticTokens, TokenAuthenticator,
        oidc::{Oidc, Trust},
    },
    http::HomeWorkspaces,
};
use crate::Error;

/// Choices for [`Embedded::start`](super::Embedded::start) and its like; the default is right for
/// a platform without users of its own outside the process.
#[derive(Debug, Default)]
#[must_use]
pub struct EmbeddedOptions {
    pub(super) authenticator: Authenticator,
    pub(super) home_workspaces: HomeWorkspaces,
    pub(super) oidc: Vec<Arc<Oidc>>,
}

impl EmbeddedOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives every user a home workspace, made when the user first asks for
    /// `/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces/~` as `kubectl ws` does. Without this, nobody has one
    /// and the answer is 404.
    pub fn with_home_workspaces(mut self) -> Self {
        self.home_workspaces = HomeWorkspaces::On;
        self
    }

    /// Accepts the bearer tokens that `tokens` knows, after those added before.
    pub fn with_tokens(mut self, tokens: impl TokenAuthenticator) -> Self {
        self.authenticator = self.authenticator.with_tokens(tokens);
        self
    }

    /// Accepts the bearer tokens in a file of Kubernetes' format, which is read once, now; see
    /// [`StaticTokens::from_csv`].
    ///
    /// # Errors
    /// When the file cannot be read, or, naming the line, when it is malformed.
    pub fn with_token_file(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let failed = |kind, message| kdp_core::Error::new(kind, "read", path.display(), message);
        let text = std::fs::read_to_string(path).map_err(|error| {
            failed(ErrorKind::Unavailable, "the token file cannot be read".into()).with_source(error)
        })?;
        let tokens = StaticTokens::from_csv(&text).map_err(|error| failed(ErrorKind::Invalid, error.to_string()))?;
        Ok(self.with_tokens(tokens))
    }

    /// Accepts the OpenID Connect tokens of the issuers in Kubernetes' structured authentication
    /// configuration.
    ///
    /// Their keys are fetched when the control plane starts, without it waiting for them, and again
    /// when a token names a key that is not known, but not more often than every ten seconds. While an
    /// issuer cannot be reached, its tokens are refused. Keys are used for an hour at most without the
    /// issuer having confirmed them.
    ///
    /// # Errors
    /// Naming each faulty field of the configuration.
    pub fn with_oidc(mut self, configuration: &AuthenticationConfiguration) -> Result<Self, Error> {
        let oidc = Oidc::compile(&configuration.jwt, Trust::Operator).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.detail)).collect();
            kdp_core::Error::new(ErrorKind::Invalid, "use", "the authentication configuration", faults.join("; "))
        })?;
        let oidc = Arc::new(oidc);
        self.oidc.push(oidc.clone());
        Ok(self.with_tokens(oidc))
    }
}
