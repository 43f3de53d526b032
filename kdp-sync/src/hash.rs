//! The digests that names on the wire are made of.

use serde::Serialize;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use sha3::Sha3_256;

/// Length of the shortened digests in names.
pub(crate) const SHORT: usize = 20;

pub(crate) fn sha1(data: impl AsRef<[u8]>) -> String {
    hex(&Sha1::digest(data))
}

pub(crate) fn sha1_short(data: impl AsRef<[u8]>) -> String {
    let mut digest = sha1(data);
    digest.truncate(SHORT);
    digest
}

/// SHA-1 of a value as Go's encoder writes it: compact, HTML-escaped, with a trailing newline.
pub(crate) fn sha1_of_json(value: &impl Serialize) -> String {
    sha1(crate::go_json::line(value))
}

pub(crate) fn sha256(data: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(data))
}

pub(crate) fn sha3(data: impl AsRef<[u8]>) -> String {
    hex(&Sha3_256::digest(data))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Adler-32 of RFC 1950.
pub(crate) fn adler32(data: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (low, high) = data.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % MODULUS;
        (low, (high + low) % MODULUS)
    });
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_match_the_published_vectors() {
        assert_eq!(sha1("my-crontab"), "5e88753c0b240e5526631d00a18a26e78221e284");
        assert_eq!(sha1("default"), "7505d64a54e061b7acd54ccd58b49dc43500b635");
        assert_eq!(&sha3("objnamespace")[..SHORT], "2928c2aa0e510f017f07");
        assert_eq!(&sha3("objname")[..SHORT], "73d08a1ba188f1340dae");
    }
}
