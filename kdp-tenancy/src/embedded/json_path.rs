//! The simple JSON paths of printer columns and selectable fields.
//!
//! `.spec.color`, `.metadata.labels['app.kubernetes.io/name']`, `.spec.ports[0].name`, `.items[*].id`
//! and `.status.conditions[?(@.type=="Ready")].status`, with or without braces around. Recursive
//! descent, slices and unions are not part of it. A path is parsed once and evaluated often.

mod parse;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use serde_json::Value;
use thiserror::Error;

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath {
    steps: Vec<Step>,
}

/// Text that is not a simple JSON path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("invalid JSON path at byte {position}: {reason}")]
pub(crate) struct JsonPathError {
    /// Byte offset of the fault in the text.
    pub position: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    /// Counted from the end when negative.
    Index(i64),
    /// Every item of a list, or every value of an object.
    All,
    Filter(Filter),
}

#[derive(Clone, Debug, PartialEq)]
struct Filter {
    /// Fields and indexes only: filters do not nest, so that evaluating takes no stack.
    path: Vec<Step>,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Exists,
    Compare(Comparison, Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl FromStr for JsonPath {
    type Err = JsonPathError;

    fn from_str(text: &str) -> Result<Self, JsonPathError> {
        parse::path(text).map(|steps| Self { steps })
    }
}

impl JsonPath {
    /// Every value the path leads to, in document order.
    #[must_use]
    pub(crate) fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        self.steps.iter().fold(vec![value], |values, step| values.into_iter().flat_map(|v| step.follow(v)).collect())
    }

    /// The first value the path leads to.
    #[must_use]
    pub(crate) fn first<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.find(value).into_iter().next()
    }
}

impl Step {
    fn follow<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(index) => item(value, *index).into_iter().collect(),
            Self::All => children(value),
            Self::Filter(filter) => children(value).into_iter().filter(|child| filter.accepts(child)).collect(),
        }
    }
}

fn item(value: &Value, index: i64) -> Option<&Value> {
    let items = value.as_array()?;
    let distance = usize::try_from(index.unsigned_abs()).ok()?;
    let position = if index < 0 { items.len().checked_sub(distance)? } else { distance };
    items.get(position)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

impl Filter {
    fn accepts(&self, value: &Value) -> bool {
        let found = self.path.iter().try_fold(value, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Index(index) => item(value, *index),
            Step::All | Step::Filter(_) => None,
        });
        match (&self.test, found) {
            (_, None) => false,
            (Test::Exists, Some(_)) => true,
            (Test::Compare(comparison, literal), Some(value)) => comparison.holds(value, literal),
        }
    }
}

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = match (left, right) {
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            (Value::Number(left), Value::Number(right)) => {
                left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right))
            }
            (left, right) => {
                return (self == Self::Equal && left == right) || (self == Self::NotEqual && left != right);
            }
        };
        order.is_some_and(|order| match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        })
    }
}
