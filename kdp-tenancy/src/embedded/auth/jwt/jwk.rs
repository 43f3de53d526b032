//! Public keys as JSON (RFC 7517).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::PublicKey;

/// Most keys that are kept of one issuer.
const MAX_KEYS: usize = 64;

/// The keys of an issuer.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct JwkSet(Vec<(Option<String>, PublicKey)>);

#[derive(Deserialize)]
struct WireSet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct WireKey {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(rename = "use")]
    use_: Option<String>,
    kid: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl JwkSet {
    /// The keys in a document; those that are for something else, or of a kind not known here, are
    /// left out. `None` when it is no set of keys.
    pub(in super::super) fn parse(document: &[u8]) -> Option<Self> {
        let set: WireSet = serde_json::from_slice(document).ok()?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Some(Self(keys.filter_map(WireKey::into_key).take(MAX_KEYS).collect()))
    }

    /// The keys that a token with this key id may have been signed with. A token that names none may
    /// have been signed with any, as in OpenID Connect.
    pub(in super::super) fn candidates(&self, key_id: Option<&str>) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().filter(move |(id, _)| key_id.is_none() || id.as_deref() == key_id).map(|(_, key)| key)
    }
}

impl WireKey {
    fn into_key(self) -> Option<(Option<String>, PublicKey)> {
        if self.use_.as_deref().is_some_and(|use_| use_ != "sig") {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let point = |size: usize| {
            let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
            (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
        };
        let number = |text: &Option<String>| {
            let bytes = bytes(text)?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            Some(bytes[zeros..].to_vec())
        };
        let key = match (&*self.kty, &*self.crv) {
            ("EC", "P-256") => PublicKey::P256(point(32)?),
            ("EC", "P-384") => PublicKey::P384(point(48)?),
            ("OKP", "Ed25519") => PublicKey::Ed25519(bytes(&self.x)?),
            ("RSA", _) => PublicKey::Rsa { n: number(&self.n)?, e: number(&self.e)? },
            _ => return None,
        };
        Some((self.kid, key))
    }
}

impl PublicKey {
    /// The key as JSON; `None` for the kinds this server never signs with.
    pub(crate) fn to_jwk(&self, key_id: &str) -> Option<Value> {
        let Self::P256(point) = self else { return None };
        let mut jwk = p256_members(point)?;
        jwk["kid"] = key_id.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = "ES256".into();
        Some(jwk)
    }
}

/// A name for a key on P-256 that follows from the key (RFC 7638).
pub(crate) fn thumbprint(point: &[u8]) -> Option<String> {
    // The members are sorted and there is no space, as the digest requires.
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(p256_members(point)?.to_string())))
}

fn p256_members(point: &[u8]) -> Option<Value> {
    let (4, rest) = (*point.first()?, point.get(1..65)?) else { return None };
    let (x, y) = rest.split_at(32);
    Some(json!({"crv": "P-256", "kty": "EC", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)}))
}
