//! Numbers as Go reads and writes them.

use super::value::Val;
use crate::go_json;

/// Reads a whole number with an optional sign, in base 10 or in the base that its prefix says.
pub(super) fn int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, body) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some(_) if lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // Underscores may stand between digits, and after a prefix.
    let body_start = if base == 10 { body } else { body.strip_prefix('_').unwrap_or(body) };
    if body_start.is_empty() || body_start.split('_').any(str::is_empty) || body_start.contains(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(&body_start.replace('_', ""), base).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

pub(super) fn float(text: &str) -> Option<f64> {
    if text.contains('_') {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    // Too large a number is an error, unless infinity was spelled out.
    (value.is_finite() || text.contains(['n', 'N'])).then_some(value)
}

/// What sprig makes of any value that should be whole.
#[expect(clippy::cast_possible_truncation, reason = "the integer part is asked for")]
pub(super) fn to_int(value: &Val<'_>) -> i64 {
    match value {
        Val::Int(int, _) => *int,
        // Go's conversion gives the least number for whatever does not fit.
        Val::Float(float) if (-9.3e18..9.223_372_036_854_775e18).contains(float) => *float as i64,
        Val::Float(_) => i64::MIN,
        Val::Bool(truth) => i64::from(*truth),
        Val::Text(text) => {
            let whole = match text.split_once('.') {
                Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
                _ => text,
            };
            int(whole).unwrap_or_default()
        }
        _ => 0,
    }
}

/// What sprig makes of any value that should be a float.
#[expect(clippy::cast_precision_loss, reason = "as Go converts")]
pub(super) fn to_float(value: &Val<'_>) -> f64 {
    match value {
        Val::Int(int, _) => *int as f64,
        Val::Float(float) => *float,
        Val::Bool(truth) => f64::from(u8::from(*truth)),
        Val::Text(text) => float(text).unwrap_or_default(),
        _ => 0.0,
    }
}

/// Go's shortest `%g`: an exponent below 1e-4 and from 1e6 on.
pub(super) fn shortest(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.into();
    }
    let scientific = go_json::exponent(value, 2);
    let exponent: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or_default();
    if (-4..6).contains(&exponent) { format!("{value}") } else { scientific }
}

/// `%e` with digits after the point.
pub(super) fn exponent(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
    format!("{mantissa}e{sign}{exponent:0>2}")
}
