//! `ObjectMeta`: shape, rules and generated names.

mod checks;
pub(crate) mod names;
mod shape;

#[cfg(test)]
mod tests;

use rand::Rng;
use serde_json::Value;

pub(crate) use self::checks::{keep_immutable, validate, validate_update};
pub(crate) use self::names::NameRule;
pub(crate) use self::shape::{check_types, prune};

pub(crate) use self::checks::validate_embedded;

/// Characters of generated names: no vowels and nothing easily confused, so that no words appear.
const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Random characters at the end of a generated name.
const SUFFIX: usize = 5;

/// Longest generated name; a DNS label.
const MAX_GENERATED: usize = 63;

/// A name that starts with `base` and ends in five random characters; `base` is cut so that the
/// whole has at most 63 bytes.
#[must_use]
pub(crate) fn generate_name(base: &str) -> String {
    let mut end = base.len().min(MAX_GENERATED - SUFFIX);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = base[..end].to_owned();
    let mut rng = rand::rng();
    name.extend((0..SUFFIX).map(|_| char::from(SAFE[rng.random_range(0..SAFE.len())])));
    name
}

/// The text at `metadata.<name>`; empty when there is none.
fn text<'a>(metadata: &'a Value, name: &str) -> &'a str {
    metadata.get(name).and_then(Value::as_str).unwrap_or_default()
}
