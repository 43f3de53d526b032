//! Bearer tokens.

mod csv;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use kdp_core::Identity;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

pub use self::csv::TokenFileError;

/// Knows some bearer tokens and whose they are.
#[async_trait]
pub trait TokenAuthenticator: fmt::Debug + Send + Sync + 'static {
    /// The holder of `token`, or `None` when the token is not of a kind known here and others may
    /// be asked. Cancel-safe.
    ///
    /// A token made for certain audiences counts only when one of `audiences` is among them.
    ///
    /// # Errors
    /// When the token is of the kind known here, but not valid.
    async fn authenticate(&self, token: &str, audiences: &[String]) -> Result<Option<TokenIdentity>, TokenRejected>;
}

#[async_trait]
impl<T: TokenAuthenticator + ?Sized> TokenAuthenticator for Arc<T> {
    async fn authenticate(&self, token: &str, audiences: &[String]) -> Result<Option<TokenIdentity>, TokenRejected> {
        (**self).authenticate(token, audiences).await
    }
}

/// What a valid token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenIdentity {
    /// Whose token it is.
    pub identity: Identity,
    /// Those of the audiences asked for that the token is meant for.
    pub audiences: Vec<String>,
}

impl TokenIdentity {
    /// A token of `identity` that is good for `audiences`.
    #[must_use]
    pub fn new(identity: Identity, audiences: Vec<String>) -> Self {
        Self { identity, audiences }
    }
}

/// A token is not valid; the message says why and never repeats the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenRejected(String);

impl TokenRejected {
    /// A rejection for this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A fixed list of tokens; each is good for every audience.
///
/// Only digests are kept. A look-up compares all of them in full, so that its duration tells
/// nothing about the tokens or about which of them matched.
#[derive(Default)]
pub struct StaticTokens {
    entries: Vec<([u8; 32], Identity)>,
}

impl StaticTokens {
    /// No tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token of `identity`. Of two equal tokens the later counts.
    #[must_use]
    pub fn with_token(mut self, token: &str, identity: Identity) -> Self {
        self.entries.push((digest(token), identity));
        self
    }

    fn find(&self, token: &str) -> Option<&Identity> {
        let wanted = digest(token);
        let mut found = Choice::from(0);
        let mut index = 0_u64;
        for (position, (known, _)) in (0_u64..).zip(&self.entries) {
            let equal = known.ct_eq(&wanted);
            index.conditional_assign(&position, equal);
            found |= equal;
        }
        let index = usize::try_from(index).ok()?;
        if bool::from(found) { self.entries.get(index).map(|(_, identity)| identity) } else { None }
    }
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTokens").field("count", &self.entries.len()).finish()
    }
}

#[async_trait]
impl TokenAuthenticator for StaticTokens {
    async fn authenticate(&self, token: &str, audiences: &[String]) -> Result<Option<TokenIdentity>, TokenRejected> {
        Ok(self.find(token).map(|identity| TokenIdentity::new(identity.clone(), audiences.to_vec())))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
