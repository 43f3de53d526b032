//! Tokens of service accounts.
//!
//! A token is a JWT that this installation signed for a service account of one logical cluster. It is
//! not stored: it counts as long as its signature, its time and its audience are right and the
//! service account, and the Secret it is bound to, are still the ones it was made for.

mod claims;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use kdp_core::{Identity, LogicalClusterName};
use serde_json::{Value, json};

pub(crate) use self::{
    claims::{Claims, Named},
    request::Request,
};
use super::{
    jwt::{self, Jwt},
    names, scope,
    tokens::{TokenAuthenticator, TokenIdentity, TokenRejected},
};
use crate::{
    embedded::{
        key::ResourceKey,
        object::{self, str_at},
        pki::Pki,
        status::{Result, StatusError},
    },
    store::SharedStore,
};

/// Who issues the tokens of service accounts, and whom they are for unless they say otherwise: as in
/// kcp the same for every installation, since it is only a name.
pub(crate) const ISSUER: &str = "https://kcp.default.svc";

/// Extra field that names the token, as in Kubernetes.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// Signs tokens of service accounts.
///
/// # Errors
/// When the system gives no randomness.
pub(crate) fn sign(pki: &Pki, claims: &Claims) -> Result<String> {
    let keys = pki.token_keys().all();
    let key = keys.first().ok_or_else(|| StatusError::internal("there is no key to sign tokens with"))?;
    let input = jwt::signing_input(&json!({"alg": "ES256", "kid": key.id()}), &claims.to_value()?);
    let signature = key.sign(input.as_bytes()).ok_or_else(|| StatusError::internal("the token cannot be signed"))?;
    Ok(jwt::token(input, &signature))
}

/// The public keys of the tokens, for whoever wants to verify them elsewhere.
pub(crate) fn jwks(pki: &Pki) -> Value {
    let keys: Vec<Value> = pki.token_keys().all().iter().filter_map(|key| key.public().to_jwk(key.id())).collect();
    json!({"keys": keys})
}

/// The document by which an OpenID Connect client finds the keys of the server at `base`.
pub(crate) fn discovery(base: &str) -> Value {
    json!({
        "issuer": ISSUER,
        "jwks_uri": format!("{base}/openid/v1/jwks"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}

/// Knows the tokens of the service accounts in all workspaces.
#[derive(Debug)]
pub(crate) struct ServiceAccountTokens {
    store: SharedStore,
    pki: Arc<Pki>,
}

impl ServiceAccountTokens {
    pub(crate) fn new(store: SharedStore, pki: Arc<Pki>) -> Self {
        Self { store, pki }
    }

    /// Whether the object that a token was made for is still there, and not about to go.
    async fn is_alive(
        &self,
        cluster: &LogicalClusterName,
        plural: &str,
        namespace: &str,
        wanted: &Named,
    ) -> Result<bool, TokenRejected> {
        let key = ResourceKey::new(cluster, "", plural).object(Some(namespace), &wanted.name);
        let unreadable = |_| TokenRejected::new("the service account cannot be looked up");
        let Some(entry) = self.store.get(&key).await.map_err(unreadable)? else { return Ok(false) };
        let found = object::decode(&entry).map_err(|_| TokenRejected::new("the service account is not readable"))?;
        Ok(str_at(&found, &["metadata", "uid"]) == wanted.uid && found["metadata"]["deletionTimestamp"].is_null())
    }
}

#[async_trait]
impl TokenAuthenticator for ServiceAccountTokens {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
    ) -> std::result::Result<Option<TokenIdentity>, TokenRejected> {
        let Some(token) = Jwt::parse(token).filter(|token| token.unverified_issuer() == Some(ISSUER)) else {
            return Ok(None);
        };
        let keys = self.pki.token_keys().all();
        let key = keys.iter().find(|key| Some(key.id()) == token.key_id());
        // An issuer of that name elsewhere may be known to somebody else here.
        let Some(verified) = key.and_then(|key| token.verify(key.public())) else { return Ok(None) };
        jwt::check_times(verified, jiff::Timestamp::now().as_second()).map_err(TokenRejected::new)?;
        let claims = Claims::from_map(verified)
            .ok_or_else(|| TokenRejected::new("the token is not one of a service account"))?;
        let meant_for: Vec<String> =
            audiences.iter().filter(|audience| claims.audiences.contains(audience)).cloned().collect();
        if meant_for.is_empty() {
            return Err(TokenRejected::new("the token is meant for another audience"));
        }
        let (cluster, namespace) = (&claims.cluster, claims.namespace.as_str());
        if !self.is_alive(cluster, "serviceaccounts", namespace, &claims.service_account).await? {
            return Err(TokenRejected::new("the service account of the token does not exist any more"));
        }
        if let Some(secret) = &claims.secret
            && !self.is_alive(cluster, "secrets", namespace, secret).await?
        {
            return Err(TokenRejected::new("the secret that the token is bound to does not exist any more"));
        }
        Ok(Some(TokenIdentity::new(identity(&claims), meant_for)))
    }
}

/// Whom a token of these claims lets its holder act as.
fn identity(claims: &Claims) -> Identity {
    let mut identity = Identity {
        username: claims.subject(),
        uid: Some(claims.service_account.uid.clone()),
        groups: names::service_account_groups(&claims.namespace),
        ..Identity::default()
    };
    identity.extra.insert(CREDENTIAL_ID.into(), vec![format!("JTI={}", claims.id)]);
    identity.extra.insert(scope::HOME.into(), vec![claims.cluster.to_string()]);
    identity
}
