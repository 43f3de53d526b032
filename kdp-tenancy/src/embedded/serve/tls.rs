//! The TLS side of the listener.

use std::{fmt, sync::Arc, time::SystemTime};

use kdp_core::{Error, ErrorKind};
use parking_lot::RwLock;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;

use crate::embedded::pki::{Pki, ServerCertificate};

pub(super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The server's certificate, renewed while it serves.
pub(super) struct Certificates {
    pki: Arc<Pki>,
    names: Vec<String>,
    provider: Arc<CryptoProvider>,
    current: RwLock<Current>,
}

#[derive(Clone)]
struct Current {
    key: Arc<CertifiedKey>,
    renew_at: SystemTime,
}

impl Certificates {
    /// Reads or makes the certificate for `names`.
    pub(super) async fn load(pki: Arc<Pki>, names: Vec<String>) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let current = certify(&pki, &names, &provider).await?;
        Ok(Self { pki, names, provider, current: RwLock::new(current) })
    }

    /// What is shown to clients now.
    pub(super) fn current_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().key)
    }

    /// Replaces the certificate when it is time to. A failure leaves the old one in place, which is
    /// valid for months after that, to be tried again.
    pub(super) async fn renew(&self, now: SystemTime) {
        if now < self.current.read().renew_at {
            return;
        }
        match certify(&self.pki, &self.names, &self.provider).await {
            Ok(current) => *self.current.write() = current,
            Err(error) => tracing::warn!(%error, "cannot renew the server certificate"),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current_key())
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("names", &self.names).finish_non_exhaustive()
    }
}

/// Handshakes with an optional client certificate of our own authority.
pub(super) fn acceptor(certificates: &Arc<Certificates>) -> Result<TlsAcceptor, Error> {
    let failed = |message: &str| Error::new(ErrorKind::Internal, "set up", "TLS", message);
    let mut roots = RootCertStore::empty();
    roots
        .add(certificates.pki.ca_certificate().clone())
        .map_err(|error| failed("the authority cannot be trusted").with_source(error))?;
    let provider = &certificates.provider;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| failed("client certificates cannot be verified").with_source(error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed("no protocol version is usable").with_source(error))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::clone(certificates) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn certify(pki: &Arc<Pki>, names: &[String], provider: &CryptoProvider) -> Result<Current, Error> {
    let (pki, names) = (Arc::clone(pki), names.to_vec());
    let failed = |message: &str| Error::new(ErrorKind::Internal, "load", "the server certificate", message);
    let certificate: ServerCertificate = spawn_blocking(move || pki.server_certificate(&names))
        .await
        .map_err(|error| failed("the work was abandoned").with_source(error))??;
    let key = CertifiedKey::from_der(certificate.chain(), certificate.key(), provider)
        .map_err(|error| failed("its key cannot be used").with_source(error))?;
    Ok(Current { key: Arc::new(key), renew_at: certificate.renew_at() })
}
