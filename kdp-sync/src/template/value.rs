//! Values as templates see them, and how Go prints them.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::TemplateError;
use crate::{go_json, path};

/// A value during rendering.
#[derive(Clone, Debug)]
pub(crate) enum Val<'a> {
    /// JSON; null also stands for everything that is missing.
    Json(Cow<'a, Value>),
    /// What a path found in an object, with gjson's methods.
    Found(Option<&'a Value>),
}

impl<'a> Val<'a> {
    pub(crate) const MISSING: Self = Self::Json(Cow::Owned(Value::Null));

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Json(Cow::Owned(Value::String(text.into())))
    }

    pub(super) fn of(value: impl Into<Value>) -> Self {
        Self::Json(Cow::Owned(value.into()))
    }

    pub(super) fn json(&self) -> &Value {
        match self {
            Self::Json(value) => value,
            Self::Found(found) => found.unwrap_or(&Value::Null),
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Json(value) if value.is_null())
    }

    /// Whether `if` takes the branch.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Found(_) => true,
            Self::Json(value) => !is_empty(value),
        }
    }

    /// The value of a field.
    pub(super) fn field(self, name: &str) -> Result<Self, TemplateError> {
        match self {
            Self::Found(found) => method(found, name),
            Self::Json(Cow::Borrowed(Value::Object(map))) => {
                Ok(map.get(name).map_or(Self::MISSING, |value| Self::Json(Cow::Borrowed(value))))
            }
            Self::Json(Cow::Owned(Value::Object(mut map))) => Ok(map.remove(name).map_or(Self::MISSING, Self::of)),
            Self::Json(value) if value.is_null() => {
                Err(TemplateError::new(format!("cannot take field {name:?} of a missing value")))
            }
            Self::Json(value) => {
                Err(TemplateError::new(format!("cannot take field {name:?} of a {}", type_name(&value))))
            }
        }
    }

    /// The text Go prints for the value.
    pub(super) fn print(&self) -> String {
        match self {
            Self::Found(found) => path::text(*found),
            Self::Json(value) => print(value),
        }
    }
}

/// The methods of gjson's result that a template may call.
fn method<'a>(found: Option<&'a Value>, name: &str) -> Result<Val<'a>, TemplateError> {
    let number = || match found {
        Some(Value::Number(n)) => n.as_f64().unwrap_or_default(),
        Some(Value::Bool(true)) => 1.0,
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        _ => 0.0,
    };
    Ok(match name {
        "String" => Val::text(path::text(found)),
        "Str" => Val::text(found.and_then(Value::as_str).unwrap_or_default()),
        "Raw" => Val::text(found.map(Value::to_string).unwrap_or_default()),
        "Exists" => Val::of(found.is_some()),
        "Bool" => Val::of(match found {
            Some(Value::Bool(truth)) => *truth,
            Some(Value::String(text)) => matches!(text.to_ascii_lowercase().as_str(), "1" | "t" | "true"),
            _ => number() != 0.0,
        }),
        #[expect(clippy::cast_possible_truncation, reason = "an integer part is asked for")]
        "Int" => Val::of(found.and_then(Value::as_i64).unwrap_or_else(|| number() as i64)),
        "Float" | "Num" => Val::of(number()),
        "Value" => found.map_or(Val::MISSING, |value| Val::Json(Cow::Borrowed(value))),
        _ => return Err(TemplateError::new(format!("a found value has no method {name:?}"))),
    })
}

/// The variables of a template, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope<'a>(Vec<(&'static str, Val<'a>)>);

impl<'a> Scope<'a> {
    pub(crate) fn with(mut self, name: &'static str, value: Val<'a>) -> Self {
        self.0.push((name, value));
        self
    }

    pub(crate) fn with_text(self, name: &'static str, text: &str) -> Self {
        self.with(name, Val::text(text))
    }

    pub(crate) fn with_json(self, name: &'static str, value: &'a Value) -> Self {
        self.with(name, Val::Json(Cow::Borrowed(value)))
    }

    pub(super) fn get(&self, name: &str) -> Result<Val<'a>, TemplateError> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()).ok_or_else(|| {
            let known: Vec<_> = self.0.iter().map(|(name, _)| *name).collect();
            TemplateError::new(format!("there is no .{name} here, only .{}", known.join(", .")))
        })
    }
}

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "missing value",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

/// Go's `%v`.
pub(super) fn print(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => print_number(number),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(print_inner).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let pairs: Vec<_> = map.iter().map(|(key, value)| format!("{key}:{}", print_inner(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

fn print_inner(value: &Value) -> String {
    if value.is_null() { "<nil>".into() } else { print(value) }
}

fn print_number(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => print_float(float),
        _ => number.to_string(),
    }
}

/// Go's shortest `%g`: an exponent below 1e-4 and from 1e6 on.
fn print_float(float: f64) -> String {
    let scientific = go_json::exponent(float, 2);
    let exponent: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or_default();
    if (-4..6).contains(&exponent) { format!("{float}") } else { scientific }
}
