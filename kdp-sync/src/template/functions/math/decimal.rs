//! Decimal arithmetic, in which 0.1 and 0.2 make 0.3.

use std::fmt;

/// Digits that a division gives after the point.
const DIVISION_DIGITS: i32 = 16;

/// A mantissa and a power of ten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    /// The shortest decimal that reads back as the same float; none for infinities and the like.
    pub(super) fn of(float: f64) -> Option<Self> {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e')?;
        let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let mantissa = digits.replace('.', "").parse().ok()?;
        let exponent: i32 = exponent.parse().ok()?;
        Some(Self { mantissa, exponent: exponent - i32::try_from(decimals).ok()? })
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let mantissa = self.at(exponent)?.checked_add(other.at(exponent)?)?;
        Some(Self { mantissa, exponent })
    }

    pub(super) fn sub(self, other: Self) -> Option<Self> {
        self.add(Self { mantissa: -other.mantissa, ..other })
    }

    pub(super) fn mul(self, other: Self) -> Option<Self> {
        let mantissa = self.mantissa.checked_mul(other.mantissa)?;
        Some(Self { mantissa, exponent: self.exponent.checked_add(other.exponent)? })
    }

    /// Rounds the last digit half away from zero.
    pub(super) fn div(self, other: Self) -> Option<Self> {
        let exponent = -DIVISION_DIGITS;
        // self / other = mantissa * 10^exponent
        let shift = self.exponent.checked_sub(other.exponent)?.checked_sub(exponent)?;
        let scale = |value: i128, by: i32| value.checked_mul(10i128.checked_pow(by.unsigned_abs())?);
        let (above, below) = if shift >= 0 {
            (scale(self.mantissa, shift)?, other.mantissa)
        } else {
            (self.mantissa, scale(other.mantissa, shift)?)
        };
        let quotient = above.checked_div(below)?;
        let rest = above.checked_rem(below)?;
        let away = if (above < 0) == (below < 0) { 1 } else { -1 };
        let rounds_up = rest.unsigned_abs() >= below.unsigned_abs().div_ceil(2);
        Some(Self { mantissa: quotient + if rounds_up { away } else { 0 }, exponent })
    }

    /// The mantissa at another, not larger exponent.
    fn at(self, exponent: i32) -> Option<i128> {
        if self.mantissa == 0 {
            return Some(0);
        }
        let by = u32::try_from(self.exponent.checked_sub(exponent)?).ok()?;
        self.mantissa.checked_mul(10i128.checked_pow(by)?)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}e{}", self.mantissa, self.exponent)
    }
}
