//! Small documents over HTTPS.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The largest document that is read, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;
/// How long one document may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Gets documents from servers that certain authorities vouch for.
///
/// It never follows a redirect: whoever configured a URL is answerable for that one only.
pub(super) struct Fetch {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Fetch {
    /// Trusts the certificates in `authority`, or the system's when there are none.
    pub(super) fn new(authority: Option<&str>) -> Result<Self, String> {
        let config = match authority.filter(|authority| !authority.is_empty()) {
            Some(authority) => trusting(authority)?,
            None => system_trust()?,
        };
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1().build();
        // Keys are fetched rarely: a connection is not worth keeping.
        Ok(Self { client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector) })
    }

    /// The document at a URL.
    pub(super) async fn get(&self, url: &str) -> Result<Bytes, String> {
        let uri: Uri = url.parse().map_err(|_| "the URL is malformed")?;
        let document = async {
            let response = self.client.get(uri).await.map_err(|error| format!("no answer: {error}"))?;
            if response.status() != StatusCode::OK {
                return Err(format!("the answer is {}", response.status()));
            }
            let body = Limited::new(response.into_body(), MAX_DOCUMENT).collect().await;
            Ok(body.map_err(|error| format!("the answer cannot be read: {error}"))?.to_bytes())
        };
        tokio::time::timeout(TIMEOUT, document).await.map_err(|_| "no answer in time".to_owned())?
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").finish_non_exhaustive()
    }
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())
}

fn trusting(authority: &str) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        let certificate = certificate.map_err(|_| "must be certificates in PEM")?;
        roots.add(certificate).map_err(|_| "holds a certificate that cannot be used")?;
    }
    if roots.is_empty() {
        return Err("must be certificates in PEM".into());
    }
    Ok(builder()?.with_root_certificates(roots).with_no_client_auth())
}

/// Reading the system's certificates takes a while, so it happens once.
fn system_trust() -> Result<ClientConfig, String> {
    static CONFIG: OnceLock<Result<ClientConfig, String>> = OnceLock::new();
    let read = || {
        let config = builder()?.with_native_roots();
        Ok(config.map_err(|_| "the system trusts no certificates, so some must be given")?.with_no_client_auth())
    };
    CONFIG.get_or_init(read).clone()
}
