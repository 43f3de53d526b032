//! What can be chosen when a control plane is started.

use kdp_core::api::limits::WorkspaceLimitsSpec;

use super::{
    auth::{Authenticator, TokenAuthenticator},
    limits::LimitsOptions,
};

/// Choices for [`Embedded::start`](super::Embedded::start) and its like; the default is right for
/// a platform without users of its own outside the process.
#[derive(Debug, Default)]
#[must_use]
pub struct EmbeddedOptions {
    pub(super) authenticator: Authenticator,
    pub(super) limits: LimitsOptions,
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

    /// Limits every workspace, together with all below it, that no `WorkspaceLimits` in its parent
    /// speaks of. The root is not limited.
    pub fn with_limits(mut self, limits: WorkspaceLimitsSpec) -> Self {
        self.limits.fallback = Some(limits);
        self
    }

    /// Works on at most so many requests at once; the others wait for their turn, which goes round
    /// among workspaces. At least 1; by default two for each processor, and four at least.
    ///
    /// Writes that wait for the disk, open watches and requests of the system take no place.
    pub fn with_concurrency(mut self, requests: usize) -> Self {
        self.limits.seats = Some(requests.max(1));
        self
    }

    /// Works on all requests as they come: no turns, and no limits on rates, concurrency and
    /// watches. Right where all workspaces belong to one tenant.
    pub fn without_fairness(mut self) -> Self {
        self.limits.seats = None;
        self
    }
}
