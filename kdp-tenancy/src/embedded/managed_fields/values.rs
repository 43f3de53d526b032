//! Equality and order of JSON values as Kubernetes sees them: `1` and `1.0` are one number.

use std::cmp::Ordering;

use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

/// Whether two values are equal, numbers compared by what they count.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || compare_numbers(&canonical(a), &canonical(b)).is_eq(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ka, a), (kb, b))| ka == kb && same(a, b))
        }
        _ => a == b,
    }
}

/// A JSON value that can identify a list item: totally ordered, and equal by meaning.
#[derive(Clone, Debug)]
pub(crate) struct Scalar(Value);

impl Scalar {
    /// The identity of `value`; `80.0` becomes `80`.
    pub(crate) fn new(value: &Value) -> Self {
        match value {
            Value::Number(number) => Self(Value::Number(canonical(number))),
            other => Self(other.clone()),
        }
    }

    /// The value itself.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Ord for Scalar {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Scalar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scalar {}

/// Numbers before strings before booleans before lists before maps before null, as FieldsV1 sorts.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let items = a.iter().zip(b).map(|(a, b)| compare(a, b));
            first_difference(items).then(a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => {
            let entries = a.iter().zip(b).map(|((ka, a), (kb, b))| ka.cmp(kb).then_with(|| compare(a, b)));
            first_difference(entries).then(a.len().cmp(&b.len()))
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

/// Compares canonical numbers: by size, and where rounding to a float hides the difference, exactly.
fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    let key = |number: &Number| (number.as_f64().unwrap_or(f64::NAN), number.as_i128().unwrap_or(i128::MAX));
    let ((approximate_a, exact_a), (approximate_b, exact_b)) = (key(a), key(b));
    approximate_a.total_cmp(&approximate_b).then(exact_a.cmp(&exact_b))
}

/// Writes a float that is a whole number as an integer.
fn canonical(number: &Number) -> Number {
    /// The first float above every `i64`.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    match number.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number inside the range of i64")]
        Some(float) if number.is_f64() && float.fract() == 0.0 && (-BEYOND..BEYOND).contains(&float) => {
            Number::from(float as i64)
        }
        _ => number.clone(),
    }
}
