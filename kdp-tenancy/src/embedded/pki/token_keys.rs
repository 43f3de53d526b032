//! The keys that sign the tokens of service accounts.

use std::{fmt, io, path::PathBuf, sync::Arc};

use kdp_core::Error;
use parking_lot::RwLock;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

use super::{Problem, files, pem, unreadable, unwritable};
use crate::embedded::auth::{PublicKey, thumbprint};

/// Most keys that are kept; beyond, a rotation drops the oldest.
const MAX_KEYS: usize = 8;

/// A key pair on P-256.
pub(crate) struct TokenKey {
    id: String,
    public: PublicKey,
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
}

impl TokenKey {
    fn generate() -> Result<Self, Error> {
        let failed = |what: &str| Problem::new(what).in_new("the key for tokens");
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| failed("no key can be generated"))?;
        Self::from_pkcs8(pkcs8.as_ref().to_vec()).map_err(|problem| problem.in_new("the key for tokens"))
    }

    fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self, Problem> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &SystemRandom::new())
            .map_err(|_| Problem::new("a private key is not an ECDSA key on the curve P-256"))?;
        let point = pair.public_key().as_ref().to_vec();
        let id = thumbprint(&point).ok_or_else(|| Problem::new("a public key is not an uncompressed point"))?;
        Ok(Self { id, public: PublicKey::P256(point), pair, pkcs8 })
    }

    /// The name of the key, for the header of tokens.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of a message, as ES256 defines it; `None` when the system gives no randomness.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        Some(self.pair.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The keys of an installation: the first signs, and all of them verify.
#[derive(Debug)]
pub(crate) struct TokenKeys {
    keys: RwLock<Arc<[Arc<TokenKey>]>>,
    path: Option<PathBuf>,
}

impl TokenKeys {
    /// A new key that exists in memory only.
    pub(super) fn ephemeral() -> Result<Self, Error> {
        Ok(Self { keys: RwLock::new([Arc::new(TokenKey::generate()?)].into()), path: None })
    }

    /// The keys kept in a file, or a new one when there is none.
    pub(super) fn load_or_create(path: PathBuf) -> Result<Self, Error> {
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keys = [Arc::new(TokenKey::generate()?)];
                write(&path, &keys)?;
                return Ok(Self { keys: RwLock::new(keys.into()), path: Some(path) });
            }
            Err(error) => return Err(unreadable(&path, error)),
        };
        let keys: Vec<_> = PrivatePkcs8KeyDer::pem_slice_iter(&text)
            .map(|der| {
                let der = der.map_err(|_| Problem::new("the file is not PEM; restore it from a backup"))?;
                TokenKey::from_pkcs8(der.secret_pkcs8_der().to_vec()).map(Arc::new)
            })
            .collect::<Result<_, Problem>>()
            .map_err(|problem| problem.in_file(&path))?;
        if keys.is_empty() {
            return Err(Problem::new("the file holds no private key; restore it from a backup").in_file(&path));
        }
        Ok(Self { keys: RwLock::new(keys.into()), path: Some(path) })
    }

    /// Every key; the first one signs.
    pub(crate) fn all(&self) -> Arc<[Arc<TokenKey>]> {
        self.keys.read().clone()
    }

    /// Signs with a new key from now on, and still accepts what the others signed.
    pub(crate) fn rotate(&self) -> Result<(), Error> {
        let fresh = Arc::new(TokenKey::generate()?);
        self.replace(|keys| std::iter::once(fresh).chain(keys.iter().cloned()).take(MAX_KEYS).collect())
    }

    /// Accepts only what the newest key signed from now on.
    pub(crate) fn retire_old(&self) -> Result<(), Error> {
        self.replace(|keys| keys.iter().take(1).cloned().collect())
    }

    /// The file comes first: a key that signs is one that a restart still knows.
    fn replace(&self, change: impl FnOnce(&[Arc<TokenKey>]) -> Vec<Arc<TokenKey>>) -> Result<(), Error> {
        let mut keys = self.keys.write();
        let new = change(&keys);
        if let Some(path) = &self.path {
            write(path, &new)?;
        }
        *keys = new.into();
        Ok(())
    }
}

fn write(path: &std::path::Path, keys: &[Arc<TokenKey>]) -> Result<(), Error> {
    let text: String = keys.iter().map(|key| pem::encode("PRIVATE KEY", &key.pkcs8)).collect();
    files::write_private(path, text.as_bytes()).map_err(|error| unwritable(path, error))
}
