//! From a request to the identity it acts as.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::SystemTime};

use http::{HeaderMap, header::AUTHORIZATION, request::Parts};
use kdp_core::Identity;

use super::{
    names::{self, ANONYMOUS},
    peer::PeerIdentity,
    service_account,
    tokens::{TokenAuthenticator, TokenIdentity, TokenRejected},
};
use crate::embedded::status::{Result, StatusError};

/// Finds out who a request acts as.
///
/// In this order: the peer's certificate (or, in-process, the identity the client was made for),
/// the bearer token, anonymous. Headers of a front proxy (`X-Remote-User` and its like) mean
/// nothing here: nobody but this process is trusted to have authenticated anybody.
#[derive(Debug)]
pub struct Authenticator {
    tokens: Vec<Arc<dyn TokenAuthenticator>>,
    audiences: Vec<String>,
    anonymous: Anonymous,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anonymous {
    Allowed,
    Refused,
}

impl Default for Authenticator {
    fn default() -> Self {
        Self { tokens: Vec::new(), audiences: vec![service_account::ISSUER.into()], anonymous: Anonymous::Allowed }
    }
}

impl Authenticator {
    /// Knows certificates only; requests without one are anonymous.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks `tokens` too, after those added before.
    #[must_use]
    pub fn with_tokens(mut self, tokens: impl TokenAuthenticator) -> Self {
        self.tokens.push(Arc::new(tokens));
        self
    }

    /// The audiences this server answers to, instead of kcp's own.
    #[must_use]
    pub fn with_audiences(mut self, audiences: Vec<String>) -> Self {
        self.audiences = audiences;
        self
    }

    /// Refuses requests without credentials.
    #[must_use]
    pub fn without_anonymous(mut self) -> Self {
        self.anonymous = Anonymous::Refused;
        self
    }

    /// The identity that the request acts as, impersonation left aside. Cancel-safe.
    ///
    /// # Errors
    /// 401 when a credential is not valid: an expired certificate, an unknown token, more than one
    /// `Authorization` header; or when there is none and anonymous requests are refused.
    pub async fn authenticate(&self, parts: &Parts) -> Result<Identity> {
        self.authenticate_with(parts, None).await
    }

    /// As [`Authenticator::authenticate`]; about a token that nobody here knows, `workspace` is asked.
    ///
    /// # Errors
    /// As [`Authenticator::authenticate`].
    pub async fn authenticate_with(
        &self,
        parts: &Parts,
        workspace: Option<&dyn TokenAuthenticator>,
    ) -> Result<Identity> {
        if let Some(peer) = parts.extensions.get::<PeerIdentity>()
            && let Some(identity) = peer.identity()
        {
            if peer.is_expired(SystemTime::now()) {
                return Err(StatusError::unauthorized());
            }
            return Ok(grouped(identity.clone()));
        }
        if let Some(token) = bearer_token(&parts.headers)? {
            return match self.authenticate_token_with(token, &[], workspace).await {
                Ok(found) => Ok(found.identity),
                Err(error) => {
                    tracing::debug!(%error, "bearer token rejected");
                    Err(StatusError::unauthorized())
                }
            };
        }
        match self.anonymous {
            Anonymous::Allowed => Ok(grouped(Identity { username: ANONYMOUS.into(), ..Identity::default() })),
            Anonymous::Refused => Err(StatusError::unauthorized()),
        }
    }

    /// The holder of a token that is meant for one of `audiences`; no audiences means those of this
    /// server. Cancel-safe.
    ///
    /// # Errors
    /// When nobody knows the token, or one who does says it is not valid.
    pub async fn authenticate_token(
        &self,
        token: &str,
        audiences: &[String],
    ) -> std::result::Result<TokenIdentity, TokenRejected> {
        self.authenticate_token_with(token, audiences, None).await
    }

    /// As [`Authenticator::authenticate_token`]; about a token that nobody here knows, `workspace` is
    /// asked.
    ///
    /// # Errors
    /// As [`Authenticator::authenticate_token`].
    pub async fn authenticate_token_with(
        &self,
        token: &str,
        audiences: &[String],
        workspace: Option<&dyn TokenAuthenticator>,
    ) -> std::result::Result<TokenIdentity, TokenRejected> {
        let audiences = if audiences.is_empty() { &self.audiences } else { audiences };
        let mut rejected = TokenRejected::new("invalid bearer token");
        for tokens in self.tokens.iter().map(|tokens| &**tokens).chain(workspace) {
            match tokens.authenticate(token, audiences).await {
                Ok(Some(found)) if found.audiences.iter().any(|audience| audiences.contains(audience)) => {
                    return Ok(TokenIdentity { identity: grouped(found.identity), ..found });
                }
                Ok(Some(_)) => rejected = TokenRejected::new("the token is meant for another audience"),
                Ok(None) => {}
                Err(error) => rejected = error,
            }
        }
        Err(rejected)
    }
}

fn grouped(mut identity: Identity) -> Identity {
    names::add_authentication_group(&mut identity);
    identity
}

/// The bearer token; `None` when the request has none, or credentials of another scheme.
fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        // Two readers of one request must not see different users.
        return Err(StatusError::unauthorized());
    }
    let value = value.to_str().map_err(|_| StatusError::unauthorized())?.trim();
    let Some((scheme, token)) = value.split_once(' ') else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim_start();
    if token.is_empty() || token.contains(' ') { Err(StatusError::unauthorized()) } else { Ok(Some(token)) }
}
