//! What can be chosen when a control plane is started.

use std::path::Path;

use kdp_core::ErrorKind;

use super::auth::{Authenticator, StaticTokens, TokenAuthenticator};
use crate::Error;

/// Choices for [`Embedded::start`](super::Embedded::start) and its like; the default is right for
/// a platform without users of its own outside the process.
#[derive(Debug, Default)]
#[must_use]
pub struct EmbeddedOptions {
    pub(super) authenticator: Authenticator,
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
}
