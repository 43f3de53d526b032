//! What can be chosen when a control plane is started.

use super::{
    auth::{Authenticator, TokenAuthenticator},
    http::HomeWorkspaces,
};

/// Choices for [`Embedded::start`](super::Embedded::start) and its like; the default is right for
/// a platform without users of its own outside the process.
#[derive(Debug, Default)]
#[must_use]
pub struct EmbeddedOptions {
    pub(super) authenticator: Authenticator,
    pub(super) home_workspaces: HomeWorkspaces,
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
}
