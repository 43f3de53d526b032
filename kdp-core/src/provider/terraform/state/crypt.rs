//! Encryption at rest.

use std::fmt;

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use sha2::{Digest, Sha256};

use super::Bytes;
use crate::{Error, ErrorKind};

const MAGIC: &[u8; 5] = b"KDPS1";
const ID: usize = 8;
const HEADER: usize = MAGIC.len() + ID + NONCE_LEN;

/// The key that states are encrypted with: AES-256-GCM, with the name of the content as additional data,
/// so that nobody can put one in the place of another.
pub struct StateKey {
    current: Key,
    old: Vec<Key>,
    random: SystemRandom,
}

struct Key {
    id: [u8; ID],
    key: LessSafeKey,
}

impl StateKey {
    /// A key of these 32 bytes, which are to be random and kept as long as any state is.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { current: Key::new(&key), old: Vec::new(), random: SystemRandom::new() }
    }

    /// The same; what was encrypted with this other key can be read. It is encrypted with the new one when
    /// it is written the next time.
    #[must_use]
    pub fn with_old(mut self, key: [u8; 32]) -> Self {
        self.old.push(Key::new(&key));
        self
    }

    /// The content as it is stored under this name.
    pub(super) fn seal(&self, name: &str, content: &[u8]) -> Result<Bytes, Error> {
        let failed = || Error::new(ErrorKind::Internal, "encrypt", name, "there is no randomness");
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| failed())?;
        let mut sealed = Vec::with_capacity(HEADER + content.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&self.current.id);
        sealed.extend_from_slice(&nonce);
        let mut body = content.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.current.key.seal_in_place_append_tag(nonce, Aad::from(name), &mut body).map_err(|_| failed())?;
        sealed.append(&mut body);
        Ok(sealed.into())
    }

    /// The content that was stored under this name.
    pub(super) fn open(&self, name: &str, sealed: &[u8]) -> Result<Bytes, Error> {
        let fail = |message: &str| Error::new(ErrorKind::Internal, "decrypt", name, message);
        let Some((header, body)) = sealed.split_at_checked(HEADER).filter(|(header, _)| header.starts_with(MAGIC))
        else {
            return Err(fail("it is no content of a store of states"));
        };
        let (id, nonce) = header[MAGIC.len()..].split_at(ID);
        let Some(key) = [&self.current].into_iter().chain(&self.old).find(|key| key.id == id) else {
            return Err(fail("it was encrypted with a key that is not known; give it as an old key"));
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| fail("it is damaged"))?;
        let mut body = body.to_vec();
        let length =
            key.key.open_in_place(nonce, Aad::from(name), &mut body).map_err(|_| fail("it was changed"))?.len();
        body.truncate(length);
        Ok(body.into())
    }
}

impl Key {
    fn new(key: &[u8; 32]) -> Self {
        // It tells which key it is and nothing about it.
        let id = Sha256::new().chain_update(b"kdp state key id").chain_update(key).finalize();
        let unbound = UnboundKey::new(&AES_256_GCM, key).expect("the key has the right length");
        Self { id: id[..ID].try_into().expect("it is longer"), key: LessSafeKey::new(unbound) }
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
