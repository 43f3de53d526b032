//! Storage quantities as Kubernetes writes them: `64Mi`, `1G`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What the schema accepts: a whole number and an optional suffix.
pub const PATTERN: &str = "^[1-9][0-9]{0,11}(k|M|G|T|Ki|Mi|Gi|Ti)?$";

const SUFFIXES: [(&str, u64); 8] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bytes(pub u64);

/// A string is not a storage quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a whole number with one of the suffixes k, M, G, T, Ki, Mi, Gi, Ti")]
pub struct ParseError(String);

impl FromStr for Bytes {
    type Err = ParseError;

    fn from_str(value: &str) -> Result<Self, ParseError> {
        let (digits, unit) = SUFFIXES
            .iter()
            .find_map(|(suffix, unit)| value.strip_suffix(suffix).map(|digits| (digits, *unit)))
            .unwrap_or((value, 1));
        let starts_right = digits.starts_with(|c: char| matches!(c, '1'..='9'));
        digits
            .parse::<u64>()
            .ok()
            .filter(|_| starts_right)
            .and_then(|number| number.checked_mul(unit))
            .map(Self)
            .ok_or_else(|| ParseError(value.into()))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = SUFFIXES.iter().take(4).rev().find(|(_, unit)| self.0 > 0 && self.0.is_multiple_of(*unit));
        match binary {
            Some((suffix, unit)) => write!(f, "{}{suffix}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (text, bytes) in [("1", 1), ("64Mi", 64 << 20), ("1G", 1_000_000_000), ("2Ti", 2 << 40), ("5k", 5_000)] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "0", "-1", "+1", "1.5Gi", "1 Gi", "Gi", "1GiB", "1m", "01", "99999999999Ti"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_quantity_is_shown_with_its_largest_binary_suffix() {
        for (bytes, text) in [(1 << 30, "1Gi"), (3 << 19, "1536Ki"), (1000, "1000"), (0, "0")] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }
}
