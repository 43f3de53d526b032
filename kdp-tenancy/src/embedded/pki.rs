//! The certificates of one installation: its own authority, and what that signs.

mod authority;
mod client_certificate;
pub(crate) mod files;
mod pem;
mod server_certificate;
#[cfg(test)]
mod tests;
mod token_keys;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use kdp_core::{Error, ErrorKind, Identity};
use rustls::pki_types::CertificateDer;

use self::authority::Authority;
pub(crate) use self::client_certificate::read_client_subject;
pub(crate) use self::token_keys::TokenKeys;
pub use self::{client_certificate::ClientCertificate, server_certificate::ServerCertificate};

/// File that holds the authority: its certificate and its private key, together so that no crash
/// can leave one without the other.
const AUTHORITY_FILE: &str = "ca.pem";
/// File that holds the server's certificate and its private key.
const SERVER_FILE: &str = "server.pem";
/// File that holds the private keys that sign tokens of service accounts, the newest first.
const TOKEN_FILE: &str = "service-account.pem";

/// How far a fresh certificate reaches back, for clients whose clock is slow.
const CLOCK_SKEW: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The certificate authority of one installation.
///
/// It is made on the first start and kept: whoever trusts it once trusts every later start. The
/// authority signs the server's certificate and the certificates of clients; a client certificate
/// of any other authority is refused in the TLS handshake.
pub struct Pki {
    authority: Authority,
    token_keys: TokenKeys,
    directory: Option<PathBuf>,
}

impl Pki {
    /// The authority kept in `directory`, or a new one when the directory holds none.
    ///
    /// A directory that does not exist is made, accessible by its owner only, as is every file
    /// in it.
    ///
    /// # Errors
    /// `Invalid`, naming the file, when a file is damaged, expired or without its counterpart. An
    /// authority is never replaced: that would lock out every client that trusts it.
    pub fn load_or_create(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(AUTHORITY_FILE);
        let authority = match std::fs::read(&path) {
            Ok(text) => Authority::from_pem(&text).map_err(|problem| problem.in_file(&path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(directory, &path)?,
            Err(error) => return Err(unreadable(&path, error)),
        };
        let token_keys = TokenKeys::load_or_create(directory.join(TOKEN_FILE))?;
        Ok(Self { authority, token_keys, directory: Some(directory.to_owned()) })
    }

    /// A new authority that exists in memory only.
    ///
    /// # Errors
    /// `Internal` when no key can be generated.
    pub fn ephemeral() -> Result<Self, Error> {
        Ok(Self { authority: Authority::generate()?, token_keys: TokenKeys::ephemeral()?, directory: None })
    }

    /// The authority's certificate in PEM, for clients to trust.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        pem::encode("CERTIFICATE", self.authority.certificate())
    }

    /// The keys that sign tokens of service accounts.
    pub(crate) fn token_keys(&self) -> &TokenKeys {
        &self.token_keys
    }

    /// The authority's certificate.
    #[must_use]
    pub fn ca_certificate(&self) -> &CertificateDer<'static> {
        self.authority.certificate()
    }

    /// A certificate with which a client proves to be `identity`, with a key of its own.
    ///
    /// The username becomes the common name, each group an organization, and the uid the attribute
    /// Kubernetes reads it from. The certificate is valid from five minutes ago until `validity`
    /// from now, or until the authority expires.
    ///
    /// # Errors
    /// `Invalid` when the username is empty, `Unsupported` when the identity carries extra fields,
    /// which no certificate can express.
    pub fn client_certificate(&self, identity: &Identity, validity: Duration) -> Result<ClientCertificate, Error> {
        client_certificate::issue(&self.authority, identity, validity)
    }

    /// A certificate for a server that is reached by `names` (DNS names and IP addresses).
    ///
    /// The one from an earlier start is used again as long as it has those names and more than a
    /// third of its lifetime left; otherwise a new one is made and kept. Reads and writes files.
    ///
    /// # Errors
    /// `Invalid` when a name is neither a DNS name nor an IP address, or, naming the file, when the
    /// kept certificate is damaged.
    pub fn server_certificate(&self, names: &[String]) -> Result<ServerCertificate, Error> {
        let Some(directory) = &self.directory else {
            return Ok(server_certificate::issue(&self.authority, names)?.0);
        };
        let path = directory.join(SERVER_FILE);
        match std::fs::read(&path) {
            Ok(text) => {
                let kept =
                    server_certificate::read(&self.authority, &text).map_err(|problem| problem.in_file(&path))?;
                if kept.has_names(names) && SystemTime::now() < kept.renew_at() {
                    return Ok(kept);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&path, error)),
        }
        let (certificate, text) = server_certificate::issue(&self.authority, names)?;
        files::write_private(&path, text.as_bytes()).map_err(|error| unwritable(&path, error))?;
        Ok(certificate)
    }
}

impl fmt::Debug for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pki").field("directory", &self.directory).finish_non_exhaustive()
    }
}

fn create(directory: &Path, path: &Path) -> Result<Authority, Error> {
    if directory.join(SERVER_FILE).exists() {
        return Err(Problem(format!(
            "the file is missing although {SERVER_FILE} exists; restore it, or remove {SERVER_FILE} to start with a \
             new authority that no existing client trusts"
        ))
        .in_file(path));
    }
    let authority = Authority::generate()?;
    files::create_private_directory(directory).map_err(|error| unwritable(directory, error))?;
    files::write_private(path, authority.to_pem().as_bytes()).map_err(|error| unwritable(path, error))?;
    Ok(authority)
}

/// What is wrong with a certificate or its key.
struct Problem(String);

impl Problem {
    fn new(message: &str) -> Self {
        Self(message.to_owned())
    }

    fn in_file(self, path: &Path) -> Error {
        Error::new(ErrorKind::Invalid, "load", path.display(), self.0)
    }

    fn in_new(self, what: &'static str) -> Error {
        Error::new(ErrorKind::Internal, "issue", what, self.0)
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "read", path.display(), "the file cannot be read").with_source(error)
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "write", path.display(), "the file cannot be written").with_source(error)
}

fn signing_failed(what: &'static str, error: rcgen::Error) -> Error {
    Error::new(ErrorKind::Internal, "issue", what, "the certificate cannot be made").with_source(error)
}
