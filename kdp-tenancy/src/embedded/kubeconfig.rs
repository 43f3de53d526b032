//! Kubeconfig files: everything a client outside this process needs, in one file.

#[cfg(test)]
mod tests;

use std::{fmt, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kdp_core::{Endpoint, Error, ErrorKind};
use serde_json::{Value, json};

use super::pki::{ClientCertificate, files};

/// A kubeconfig with one cluster, one user and one context, which is the current one.
#[derive(Clone)]
pub struct Kubeconfig {
    name: String,
    server: String,
    ca_pem: String,
    credentials: Credentials,
    namespace: Option<String>,
}

#[derive(Clone)]
enum Credentials {
    Certificate(ClientCertificate),
    Token(String),
}

impl Kubeconfig {
    /// A kubeconfig whose user shows a client certificate.
    ///
    /// `name` is given to the context, the cluster and the user; `base` is the server's address,
    /// such as `https://127.0.0.1:6443`; `ca_pem` is the certificate that signed the server's.
    #[must_use]
    pub fn new(name: &str, base: &str, endpoint: &Endpoint, ca_pem: &str, certificate: ClientCertificate) -> Self {
        Self::with_credentials(name, base, endpoint, ca_pem, Credentials::Certificate(certificate))
    }

    /// The same, for a user who shows a bearer token.
    #[must_use]
    pub fn with_token(name: &str, base: &str, endpoint: &Endpoint, ca_pem: &str, token: &str) -> Self {
        Self::with_credentials(name, base, endpoint, ca_pem, Credentials::Token(token.to_owned()))
    }

    /// The namespace that clients use when they are told none.
    #[must_use]
    pub fn with_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// The file's text, in YAML. It holds a secret.
    ///
    /// # Errors
    /// `Internal` when it cannot be serialized.
    pub fn to_yaml(&self) -> Result<String, Error> {
        serde_saphyr::to_string(&self.to_value()).map_err(|error| {
            Error::new(ErrorKind::Internal, "write", format!("kubeconfig {:?}", self.name), "it cannot be serialized")
                .with_source(error)
        })
    }

    /// Writes the file, readable by its owner only and whole or not at all.
    ///
    /// # Errors
    /// `Unavailable`, naming the file, when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        files::write_private(path, self.to_yaml()?.as_bytes()).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "write", path.display(), "the file cannot be written").with_source(error)
        })
    }

    fn with_credentials(name: &str, base: &str, endpoint: &Endpoint, ca_pem: &str, credentials: Credentials) -> Self {
        Self {
            name: name.to_owned(),
            server: format!("{}{endpoint}", base.trim_end_matches('/')),
            ca_pem: ca_pem.to_owned(),
            credentials,
            namespace: None,
        }
    }

    fn to_value(&self) -> Value {
        let Self { name, server, ca_pem, credentials, namespace } = self;
        let user = match credentials {
            Credentials::Certificate(certificate) => json!({
                "client-certificate-data": STANDARD.encode(certificate.certificate_pem()),
                "client-key-data": STANDARD.encode(certificate.key_pem()),
            }),
            Credentials::Token(token) => json!({ "token": token }),
        };
        let mut context = json!({ "cluster": name, "user": name });
        if let Some(namespace) = namespace {
            context["namespace"] = namespace.as_str().into();
        }
        let cluster = json!({ "certificate-authority-data": STANDARD.encode(ca_pem), "server": server });
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": name, "cluster": cluster }],
            "contexts": [{ "name": name, "context": context }],
            "current-context": name,
            "users": [{ "name": name, "user": user }],
        })
    }
}

impl fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubeconfig").field("name", &self.name).field("server", &self.server).finish_non_exhaustive()
    }
}
