//! The numbers of Go's JSON decoder.

use serde_json::Value;

/// 2^63: whole floats below are integers of 64 bits.
const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

/// Makes every number a float, which is what Go's decoder makes of numbers whose type it is not told.
pub(super) fn to_floats(value: &mut Value) {
    each_number(value, |number| number.as_f64().map(Value::from));
}

/// Makes every whole float an integer, which is how Go's encoder writes it.
pub(super) fn to_integers(value: &mut Value) {
    #[expect(clippy::cast_possible_truncation, reason = "a whole number, and in the range of i64")]
    each_number(value, |number| {
        let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0)?;
        (float.abs() < TOO_LARGE).then(|| (float as i64).into())
    });
}

fn each_number(value: &mut Value, change: impl Fn(&serde_json::Number) -> Option<Value> + Copy) {
    match value {
        Value::Number(number) => {
            if let Some(changed) = change(number) {
                *value = changed;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_number(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|value| each_number(value, change)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
