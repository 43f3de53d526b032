//! The chain of hashes through the lines of a file.
//!
//! A line is the JSON of an event with three annotations more, the last in the line:
//!
//! ```text
//! …,"audit.kdp.k8c.io/sequence":"7","audit.kdp.k8c.io/previous-hash":"<hex>","audit.kdp.k8c.io/hash":"<hex>"}}
//! ```
//!
//! The hash is SHA-256, or HMAC-SHA-256 with a [`ChainKey`], of every byte of the line before it:
//! the event, the sequence number and the hash of the line before. The first line of a log follows
//! a hash of the log's name, so a log cannot pass for that of another workspace.

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use ring::hmac;
use sha2::{Digest, Sha256};

/// What stands before the parts of the chain; inside a JSON string its quotes would be escaped, so
/// no client can write it.
const SEQUENCE: &str = "\"audit.kdp.k8c.io/sequence\":\"";
const PREVIOUS: &str = "\",\"audit.kdp.k8c.io/previous-hash\":\"";
const HASH: &str = "\",\"audit.kdp.k8c.io/hash\":\"";
const END: &str = "\"}}";
const HEX: usize = 64;

/// The hash of a line.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// A key that the hashes of a chain are made with, at least 32 bytes long.
///
/// Without it nobody can write a chain that verifies, nor verify one.
#[derive(Clone)]
pub struct ChainKey(hmac::Key);

/// The last line of a log: with it, kept elsewhere, [`Verifier`](super::Verifier) also finds that
/// lines were cut off at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The number of the line; the first is 1.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The chain's part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) previous: Hash,
    pub(super) hash: Hash,
}

impl ChainKey {
    /// The key of these bytes; `None` when there are fewer than 32.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= 32).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }
}

impl Head {
    /// The head that was noted earlier.
    #[must_use]
    pub fn new(sequence: u64, hash: Hash) -> Self {
        Self { sequence, hash }
    }

    /// What the first line of the log called `name` follows.
    pub(super) fn start(name: &str) -> Self {
        let hash = Sha256::new_with_prefix(b"kdp audit log\n").chain_update(name.as_bytes()).finalize();
        Self { sequence: 0, hash: Hash(hash.into()) }
    }

    /// Appends the line of `event`, as [`Event::to_json`](super::Event::to_json) writes it, to `lines`;
    /// it is the head from now on.
    pub(super) fn append(&mut self, lines: &mut Vec<u8>, event: &str, key: Option<&ChainKey>) {
        let start = lines.len();
        let open = event.strip_suffix("}}").expect("the last field of an event is its annotations");
        let comma = if open.ends_with('{') { "" } else { "," };
        self.sequence += 1;
        let Self { sequence, hash: previous } = *self;
        lines.extend_from_slice(format!("{open}{comma}{SEQUENCE}{sequence}{PREVIOUS}{previous}{HASH}").as_bytes());
        self.hash = Hash::of(&lines[start..], key);
        lines.extend_from_slice(format!("{}{END}\n", self.hash).as_bytes());
    }
}

impl Link {
    /// The chain's part of a line, which is given without its line break; `None` when it has none
    /// or its hash is wrong.
    pub(super) fn read(line: &[u8], key: Option<&ChainKey>) -> Option<Self> {
        let (signed, hash) = line.strip_suffix(END.as_bytes()).and_then(split_hash)?;
        let (rest, previous) = signed.strip_suffix(HASH.as_bytes()).and_then(split_hash)?;
        let rest = rest.strip_suffix(PREVIOUS.as_bytes())?;
        let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (rest, digits) = rest.split_at(rest.len() - digits);
        rest.ends_with(SEQUENCE.as_bytes()).then_some(())?;
        let sequence = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (Hash::of(signed, key) == hash).then_some(Self { sequence, previous, hash })
    }

    pub(super) fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash }
    }
}

fn split_hash(bytes: &[u8]) -> Option<(&[u8], Hash)> {
    let (rest, hex) = bytes.split_at_checked(bytes.len().checked_sub(HEX)?)?;
    Some((rest, std::str::from_utf8(hex).ok()?.parse().ok()?))
}

impl Hash {
    fn of(signed: &[u8], key: Option<&ChainKey>) -> Self {
        match key {
            None => Self(Sha256::digest(signed).into()),
            Some(ChainKey(key)) => {
                let tag = hmac::sign(key, signed);
                Self(tag.as_ref().try_into().expect("a tag of HMAC-SHA-256 has 32 bytes"))
            }
        }
    }
}

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        // One spelling for each hash, so that no byte of a line can be changed.
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(InvalidHash),
        };
        let text: &[u8; HEX] = text.as_bytes().try_into().map_err(|_| InvalidHash)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

/// A text is not 64 digits of lower-case hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 64 lower-case hexadecimal digits")]
#[non_exhaustive]
pub struct InvalidHash;

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainKey")
    }
}
