//! The keys of an issuer: found by discovery, kept, and fetched again when they may have changed.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    super::jwt::{JwkSet, Jwt},
    fetch::Fetch,
};
use crate::embedded::auth::TokenRejected;

/// The shortest time between two fetches, so that nobody with forged tokens makes us flood an issuer.
const PAUSE: Duration = Duration::from_secs(10);
/// The age from which keys are fetched again when they are needed, so that a withdrawn key ends.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// The age up to which keys are used while the issuer cannot be reached.
const STALE: Duration = Duration::from_secs(60 * 60);

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct IssuerKeys {
    source: Arc<Source>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct Source {
    issuer: String,
    discovery: String,
    fetch: Fetch,
}

#[derive(Debug, Default)]
struct State {
    known: Option<(Arc<JwkSet>, Instant)>,
    /// When the last fetch ended.
    ended: Option<Instant>,
    /// A fetch under way. Everybody who needs it drives it, so it goes on when one of them goes away.
    pending: Option<Pending>,
}

type Pending = Shared<BoxFuture<'static, ()>>;

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl IssuerKeys {
    pub(super) fn new(issuer: &str, discovery: Option<&str>, fetch: Fetch) -> Self {
        let discovery = match discovery {
            Some(url) => url.to_owned(),
            None => format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')),
        };
        let source = Source { issuer: issuer.to_owned(), discovery, fetch };
        Self { source: Arc::new(source), state: Arc::default() }
    }

    /// Fetches the keys if there are none yet.
    pub(super) async fn warm_up(&self) {
        if self.known(STALE).is_none() {
            self.refresh().await;
        }
    }

    /// The claims of a token that this issuer signed.
    pub(super) async fn verify<'t>(&self, token: &'t Jwt<'_>) -> Result<&'t Map<String, Value>, TokenRejected> {
        if let Some(claims) = self.known(FRESH).and_then(|keys| check(&keys, token)) {
            return Ok(claims);
        }
        self.refresh().await;
        let keys = self.known(STALE).ok_or_else(|| TokenRejected::new("the keys of the issuer cannot be fetched"))?;
        check(&keys, token).ok_or_else(|| TokenRejected::new("the token is not signed with a key of its issuer"))
    }

    fn known(&self, max_age: Duration) -> Option<Arc<JwkSet>> {
        let state = self.state.lock();
        state.known.as_ref().filter(|(_, since)| since.elapsed() < max_age).map(|(keys, _)| keys.clone())
    }

    /// Fetches the keys, unless that was done a moment ago.
    async fn refresh(&self) {
        let pending = {
            let mut state = self.state.lock();
            match &state.pending {
                Some(pending) => pending.clone(),
                None if state.ended.is_some_and(|ended| ended.elapsed() < PAUSE) => return,
                None => {
                    let pending = fetched(self.source.clone(), Arc::downgrade(&self.state)).boxed().shared();
                    state.pending.insert(pending).clone()
                }
            }
        };
        pending.await;
    }
}

fn check<'t>(keys: &JwkSet, token: &'t Jwt<'_>) -> Option<&'t Map<String, Value>> {
    keys.candidates(token.key_id()).find_map(|key| token.verify(key))
}

/// Fetches the keys and puts them into the state; what the state holds must not hold the state.
async fn fetched(source: Arc<Source>, state: Weak<Mutex<State>>) {
    let result = source.keys().await;
    let Some(state) = state.upgrade() else { return };
    let mut state = state.lock();
    state.pending = None;
    state.ended = Some(Instant::now());
    match result {
        Ok(keys) => state.known = Some((Arc::new(keys), Instant::now())),
        Err(error) => tracing::warn!(issuer = %source.issuer, %error, "oidc.keys_not_fetched"),
    }
}

impl Source {
    async fn keys(&self) -> Result<JwkSet, String> {
        let document = self.fetch.get(&self.discovery).await?;
        let discovery: Discovery =
            serde_json::from_slice(&document).map_err(|_| "the discovery document is malformed")?;
        if discovery.issuer != self.issuer {
            return Err("the discovery document is of another issuer".into());
        }
        JwkSet::parse(&self.fetch.get(&discovery.jwks_uri).await?).ok_or_else(|| "the key set is malformed".into())
    }
}
