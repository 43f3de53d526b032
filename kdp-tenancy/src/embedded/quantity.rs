//! Kubernetes' quantities, such as `500m`, `1.5Gi` or `10`, as exact numbers.

use std::str::FromStr;

/// Digits after the point that count, as in Kubernetes.
const SCALE: i32 = 9;

/// A quantity in billionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(i128);

/// The text is not a quantity, or one that nothing real has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAQuantity;

impl Quantity {
    /// Nothing.
    pub(crate) const ZERO: Self = Self(0);

    /// The number, if it is whole and not negative.
    pub(crate) fn whole(self) -> Option<u64> {
        let one = 10i128.pow(SCALE.unsigned_abs());
        if self.0 % one == 0 { u64::try_from(self.0 / one).ok() } else { None }
    }
}

impl FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
        let (number, suffix) = digits.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(NotAQuantity);
        }
        let (factor, exponent) = factor(suffix).ok_or(NotAQuantity)?;
        let mantissa: i128 = format!("{whole}{fraction}").parse().map_err(|_| NotAQuantity)?;
        let decimals = i32::try_from(fraction.len()).map_err(|_| NotAQuantity)?;
        let exponent = exponent - decimals + SCALE;
        let power = 10i128.checked_pow(exponent.unsigned_abs()).ok_or(NotAQuantity)?;
        let scaled = mantissa.checked_mul(factor).ok_or(NotAQuantity)?;
        let value = if exponent >= 0 {
            scaled.checked_mul(power).ok_or(NotAQuantity)?
        } else {
            // What is finer than the scale is rounded up, as in Kubernetes.
            scaled.checked_add(power - 1).ok_or(NotAQuantity)? / power
        };
        Ok(Self(if negative { -value } else { value }))
    }
}

/// What a suffix multiplies by, besides a power of ten.
fn factor(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => (1, suffix.strip_prefix(['e', 'E'])?.parse().ok().filter(|e: &i32| e.abs() <= 18)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_numbers_that_kubernetes_takes_them_for() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(text.parse::<Quantity>().ok().and_then(Quantity::whole), expected, "{text}");
        };
        check("0", Some(0));
        check("10", Some(10));
        check("+5", Some(5));
        check("2k", Some(2000));
        check("1.5Ki", Some(1536));
        check("3e2", Some(300));
        check("1E", Some(1_000_000_000_000_000_000));
        check("1000m", Some(1));
        check("500m", None);
        check("-1", None);
        for broken in ["", "-", ".", "1.2.3", "ten", "1 k", "1e", "1e99", "9999999999999999999999999999999999999999"] {
            assert_eq!(broken.parse::<Quantity>(), Err(NotAQuantity), "{broken}");
        }
    }

    #[test]
    fn quantities_are_in_order() {
        let in_order = ["-1", "-1m", "0", "1n", "1m", "0.5", "1", "1k", "1Ki", "1M", "1Gi"];
        let parsed: Vec<Quantity> = in_order.iter().map(|text| text.parse().unwrap()).collect();
        assert!(parsed.is_sorted());
    }
}
