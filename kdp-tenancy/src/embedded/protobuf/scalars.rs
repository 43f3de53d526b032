//! Values that are one word of JSON: text, numbers and points in time.

use jiff::Timestamp;
use prost::Message as _;
use serde_json::{Number, Value};

use super::malformed;
use crate::embedded::status::Result;

/// `k8s.io.apimachinery.pkg.apis.meta.v1.Timestamp`
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Instant {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// Go's zero time, 0001-01-01T00:00:00Z, in seconds of Unix.
const ZERO_TIME: i64 = -62_135_596_800;

/// 9999-12-31T23:59:59Z, the last second RFC 3339 can write.
const LAST_SECOND: i64 = 253_402_300_799;

/// The text of a string field.
pub(super) fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(malformed)
}

/// A number, which JSON writes without a fraction if it has none.
pub(super) fn double(number: f64) -> Result<Value> {
    /// 2^53: below it, every whole number is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Ok(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number).ok_or_else(|| malformed(format_args!("{number} is no number of JSON")))
}

/// `metav1.Time`: RFC 3339 without fractions.
///
/// Fractions of a second are dropped as Go drops them, because its JSON has none.
pub(super) fn time(bytes: &[u8]) -> Result<Value> {
    let Instant { seconds, .. } = Instant::decode(bytes).map_err(malformed)?;
    rfc3339(bytes, seconds, 0, "%Y-%m-%dT%H:%M:%SZ")
}

/// `metav1.MicroTime`: RFC 3339 with six digits of fraction.
pub(super) fn micro_time(bytes: &[u8]) -> Result<Value> {
    let Instant { seconds, nanos } = Instant::decode(bytes).map_err(malformed)?;
    rfc3339(bytes, seconds, nanos, "%Y-%m-%dT%H:%M:%S.%6fZ")
}

/// Null for the zero time, which Go writes to the wire as an empty message.
fn rfc3339(bytes: &[u8], seconds: i64, nanos: i32, format: &str) -> Result<Value> {
    if bytes.is_empty() || (seconds, nanos) == (ZERO_TIME, 0) {
        return Ok(Value::Null);
    }
    let in_range = (ZERO_TIME..=LAST_SECOND).contains(&seconds) && (0..1_000_000_000).contains(&nanos);
    let instant = in_range.then(|| Timestamp::new(seconds, nanos).ok()).flatten();
    let instant = instant.ok_or_else(|| malformed(format_args!("{seconds}s {nanos}ns is no time of RFC 3339")))?;
    Ok(instant.strftime(format).to_string().into())
}
