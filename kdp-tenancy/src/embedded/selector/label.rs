//! Selection by labels.

use std::fmt;

use serde_json::{Map, Value};

use super::parse;
use crate::embedded::meta::names;
use crate::embedded::status::{FieldError, FieldErrorKind, Result, StatusError};

/// Requirements on labels, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector {
    /// None of them: everything is selected.
    requirements: Vec<Requirement>,
}

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

/// How a label must relate to the values of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Operator {
    /// `key=value`.
    Equals,
    /// `key==value`; means the same.
    DoubleEquals,
    /// `key!=value`; holds also when the label is absent.
    NotEquals,
    /// `key in (a,b)`.
    In,
    /// `key notin (a,b)`; holds also when the label is absent.
    NotIn,
    /// `key`.
    Exists,
    /// `!key`.
    DoesNotExist,
    /// `key>value`, both integers.
    GreaterThan,
    /// `key<value`, both integers.
    LessThan,
}

impl LabelSelector {
    /// Selects what meets all of `requirements`.
    #[must_use]
    pub(crate) fn new(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements }
    }

    /// Parses the text of a `labelSelector` query parameter; empty text selects everything.
    ///
    /// # Errors
    /// 400 `BadRequest` in the words of Kubernetes.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        parse::parse(text).map(Self::new).map_err(StatusError::bad_request)
    }

    /// Whether it selects everything, so that nobody needs to look at labels.
    #[must_use]
    pub(crate) fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object with these labels is selected; values that are not text count as absent.
    #[must_use]
    pub(crate) fn matches(&self, labels: &Map<String, Value>) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels.get(&requirement.key)))
    }
}

impl Requirement {
    /// A requirement on the label `key`.
    ///
    /// # Errors
    /// 400 `BadRequest` when key or values are no label key and values, or when the operator takes
    /// another number of values.
    pub(crate) fn new(key: &str, operator: Operator, mut values: Vec<String>) -> Result<Self> {
        let mut faults = Vec::new();
        faults.extend(key_fault(key, "key"));
        let fault = match operator {
            Operator::In | Operator::NotIn => {
                values.is_empty().then_some("for 'in', 'notin' operators, values set can't be empty")
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals => {
                (values.len() != 1).then_some("exact-match compatibility requires one single value")
            }
            Operator::Exists | Operator::DoesNotExist => {
                (!values.is_empty()).then_some("values set must be empty for exists and does not exist")
            }
            Operator::GreaterThan | Operator::LessThan => {
                (values.len() != 1).then_some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
        };
        faults.extend(fault.map(|detail| FieldError::invalid("values", values.clone(), detail)));
        for (index, value) in values.iter().enumerate() {
            let is_order = matches!(operator, Operator::GreaterThan | Operator::LessThan);
            if is_order && value.parse::<i64>().is_err() {
                let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                faults.push(FieldError::invalid(format!("values[{index}]"), value.as_str(), detail));
            }
            let words = names::label_value(value);
            if !words.is_empty() {
                let field = format!("values[{index}][{key}]");
                faults.push(FieldError::new(field, FieldErrorKind::Invalid, value.as_str().into(), words.join("; ")));
            }
        }
        if faults.is_empty() {
            values.sort_unstable();
            values.dedup();
            return Ok(Self { key: key.to_owned(), operator, values });
        }
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        let text = if let [fault] = &faults[..] { fault.clone() } else { format!("[{}]", faults.join(", ")) };
        Err(StatusError::bad_request(text))
    }

    fn matches(&self, label: Option<&Value>) -> bool {
        let label = label.and_then(Value::as_str);
        let is_listed = || label.is_some_and(|label| self.values.iter().any(|value| value == label));
        let order = || {
            let bound: i64 = self.values.first()?.parse().ok()?;
            Some(label?.parse::<i64>().ok()?.cmp(&bound))
        };
        match self.operator {
            Operator::Equals | Operator::DoubleEquals | Operator::In => is_listed(),
            Operator::NotEquals | Operator::NotIn => !is_listed(),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => order().is_some_and(std::cmp::Ordering::is_gt),
            Operator::LessThan => order().is_some_and(std::cmp::Ordering::is_lt),
        }
    }
}

/// What is wrong with `key` as the key of a label.
pub(super) fn key_fault(key: &str, field: &str) -> Option<FieldError> {
    let faults = names::qualified_name(key);
    (!faults.is_empty()).then(|| FieldError::invalid(field, key, faults.join("; ")))
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, operator, values } = self;
        let values = values.join(",");
        match operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}
