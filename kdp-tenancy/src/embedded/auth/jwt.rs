//! Signed tokens in the compact form (RFC 7515, RFC 7519), as far as bearer tokens need them.
//!
//! The signatures are checked by *ring*. Only asymmetric algorithms exist here, and which one is used
//! follows from the key: a token cannot choose `none`, nor make a public key pass for a shared secret.

mod jwk;
#[cfg(test)]
mod tests;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Map, Value};

pub(super) use self::jwk::JwkSet;
pub(crate) use self::jwk::thumbprint;

/// Longest token that is looked at, in bytes: what a header of HTTP holds at most in practice.
const MAX_LENGTH: usize = 16 * 1024;

/// How far the clock of who issued a token may be ahead of ours, in seconds.
const NOT_BEFORE_LEEWAY: i64 = 60;

/// A token taken apart. Nothing in it is true before [`Jwt::verify`] says so.
#[derive(Debug)]
pub(super) struct Jwt<'t> {
    header: Header,
    claims: Map<String, Value>,
    signed: &'t str,
    signature: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// A public key and the one way in which it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// An uncompressed point on P-256.
    P256(Vec<u8>),
    /// An uncompressed point on P-384.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
    /// Modulus and exponent, big-endian.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl<'t> Jwt<'t> {
    /// The parts of a token; `None` for anything else.
    pub(super) fn parse(token: &'t str) -> Option<Self> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let claims = serde_json::from_slice(&decode(claims)?).ok()?;
        Some(Self { header, claims, signed, signature: decode(signature)? })
    }

    /// What the token says of who issued it; not proved.
    pub(super) fn unverified_issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// The name of the key that it says it was signed with.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The claims, when the token was signed with this key.
    pub(super) fn verify(&self, key: &PublicKey) -> Option<&Map<String, Value>> {
        // An extension that must be understood is one that is not understood here.
        if self.header.crit.is_some() {
            return None;
        }
        key.has_signed(&self.header.alg, self.signed.as_bytes(), &self.signature).then_some(&self.claims)
    }
}

impl PublicKey {
    fn has_signed(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let plain = |how: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key).verify(message, signature).is_ok()
        };
        match (self, algorithm) {
            (Self::P256(point), "ES256") => plain(&signature::ECDSA_P256_SHA256_FIXED, point),
            (Self::P384(point), "ES384") => plain(&signature::ECDSA_P384_SHA384_FIXED, point),
            (Self::Ed25519(key), "EdDSA") => plain(&signature::ED25519, key),
            (Self::Rsa { n, e }, algorithm) => {
                let how = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
                    "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
                    "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
                    "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => return false,
                };
                RsaPublicKeyComponents { n, e }.verify(how, message, signature).is_ok()
            }
            _ => false,
        }
    }
}

/// What is wrong with the time of a token whose claims are these, at `now` in Unix seconds.
pub(super) fn check_times(claims: &Map<String, Value>, now: i64) -> Result<(), &'static str> {
    let seconds = |name: &str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        // Some issuers write fractions; they are rounded down, as in Kubernetes.
        #[expect(clippy::cast_possible_truncation, reason = "a float beyond the range saturates")]
        Some(value) => match value.as_f64() {
            Some(seconds) => Ok(Some(seconds as i64)),
            None => Err("the token holds a time that is not a number"),
        },
    };
    match seconds("exp")? {
        None => return Err("the token does not say when it expires"),
        Some(expiry) if now >= expiry => return Err("the token has expired"),
        Some(_) => {}
    }
    match seconds("nbf")? {
        Some(from) if now.saturating_add(NOT_BEFORE_LEEWAY) < from => Err("the token is not valid yet"),
        _ => Ok(()),
    }
}

/// The audiences of a token: one, or a list.
pub(super) fn audiences(claims: &Map<String, Value>) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(audience)) => vec![audience],
        Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What is to be signed for a token with this header and these claims.
pub(super) fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// The token, once it is signed.
pub(super) fn token(signing_input: String, signature: &[u8]) -> String {
    signing_input + "." + &URL_SAFE_NO_PAD.encode(signature)
}
