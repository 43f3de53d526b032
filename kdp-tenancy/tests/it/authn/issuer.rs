//! An OpenID Connect issuer of the tests' own: HTTPS, discovery, and keys that can be exchanged.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair as CertificateKey};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use rustls::{ServerConfig, crypto::ring::default_provider, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A running issuer; it stops when it is dropped.
pub(super) struct Issuer {
    pub(super) url: String,
    pub(super) authority: String,
    key: Mutex<Key>,
    keys: Arc<Mutex<Value>>,
    server: tokio::task::JoinHandle<()>,
}

struct Key {
    id: String,
    pair: EcdsaKeyPair,
}

impl Issuer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let certificate_key = CertificateKey::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&certificate_key).unwrap();
        let private = PrivateKeyDer::try_from(certificate_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let key = new_key("first");
        let keys = Arc::new(Mutex::new(json!({"keys": [jwk(&key)]})));
        let server = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), url.clone(), keys.clone()));
        Self { url, authority: certificate.pem(), key: Mutex::new(key), keys, server }
    }

    /// Signs with a new key from now on, and no longer publishes the old one.
    pub(super) fn rotate(&self) {
        let key = new_key("second");
        *self.keys.lock().unwrap() = json!({"keys": [jwk(&key)]});
        *self.key.lock().unwrap() = key;
    }

    /// Good claims, with changes.
    pub(super) fn claims(&self, change: impl FnOnce(&mut Value)) -> Value {
        let now = jiff::Timestamp::now().as_second();
        let mut claims =
            json!({"iss": self.url, "aud": "kdp", "sub": "ann", "groups": ["devs"], "exp": now + 600, "iat": now});
        change(&mut claims);
        claims
    }

    /// A token that is as it should be.
    pub(super) fn token(&self) -> String {
        self.signed(&self.claims(|_| {}))
    }

    /// A token with these claims.
    pub(super) fn signed(&self, claims: &Value) -> String {
        let key = self.key.lock().unwrap();
        let input = input(&json!({"alg": "ES256", "kid": key.id}), claims);
        let signature = key.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Tokens that were not signed as they should be, and claim to be what the issuer makes.
    pub(super) fn forgeries(&self) -> Vec<String> {
        let claims = self.claims(|_| {});
        let key = self.key.lock().unwrap();
        let public = key.pair.public_key().as_ref();
        let document = jwk(&key).to_string();
        let mut forgeries = Vec::new();
        for algorithm in ["none", "NONE", "HS256"] {
            forgeries.push(format!("{}.", input(&json!({"alg": algorithm, "kid": key.id}), &claims)));
        }
        for secret in [public, document.as_bytes(), b""] {
            let input = input(&json!({"alg": "HS256", "kid": key.id}), &claims);
            let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
            forgeries.push(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)));
        }
        let stranger = new_key(&key.id);
        let header = json!({"alg": "ES256", "kid": key.id, "jwk": jwk(&stranger)});
        let input = input(&header, &claims);
        let signature = stranger.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        forgeries.push(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)));
        forgeries
    }

    /// Goes away.
    pub(super) fn stop(&self) {
        self.server.abort();
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, url: String, keys: Arc<Mutex<Value>>) {
    let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys")}).to_string();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let Ok(stream) = tls.accept(stream).await else { continue };
        let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| {
            let body = match request.uri().path() {
                "/.well-known/openid-configuration" => discovery.clone(),
                "/keys" => keys.lock().unwrap().to_string(),
                _ => String::new(),
            };
            async { Ok::<_, Infallible>(http::Response::new(Full::new(bytes::Bytes::from(body)))) }
        });
        // One connection after the other is enough; a client that goes away is no fault.
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}

fn new_key(id: &str) -> Key {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    Key { id: id.into(), pair }
}

fn jwk(key: &Key) -> Value {
    let point = key.pair.public_key().as_ref();
    let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": key.id,
        "x": coordinate(&point[1..33]), "y": coordinate(&point[33..])})
}

fn input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}
