//! What can be chosen when a control plane is started.

use super::{
    audit::AuditOptions,
    auth::{Authenticator, TokenAuthenticator},
};

/// Choices for [`Embedded::start`](super::Embedded::start) and its like; the default is right for
/// a platform without users of its own outside the process.
#[derive(Debug, Default)]
#[must_use]
pub struct EmbeddedOptions {
    pub(super) authenticator: Authenticator,
    pub(super) audit: Option<AuditOptions>,
}

impl EmbeddedOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts the bearer tokens that `tokens` knows, after those added before.
    pub fn with_tokens(mut self, tokens: impl TokenAuthenticator) -> Self {
        self.authenticator = self.authenticator.with_tokens(tokens);
        self
    }

    /// Audits requests; without this, nothing is.
    pub fn with_audit(mut self, audit: AuditOptions) -> Self {
        self.audit = Some(audit);
        self
    }
}
