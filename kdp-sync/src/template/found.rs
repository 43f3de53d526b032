//! What a path found in an object, with the methods of gjson's result.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::value::{Element, IntType, List, Map, Val};
use crate::{go_json, path};

/// What a path found; none when there is nothing. A query may make what is nowhere in the object.
#[derive(Clone, Debug)]
pub(super) struct Found<'a>(pub(super) Option<Cow<'a, Value>>);

impl<'a> Found<'a> {
    pub(super) fn text(&self) -> String {
        path::text(self.0.as_deref())
    }

    /// The result of a method that takes no arguments, or of a field.
    pub(super) fn method(&self, name: &str) -> Result<Val<'a>, String> {
        let found = self.0.as_deref();
        let is_container = matches!(found, Some(Value::Array(_) | Value::Object(_)));
        Ok(match name {
            "String" => Val::text(self.text()),
            "Str" => Val::text(found.and_then(Value::as_str).unwrap_or_default()),
            "Raw" => Val::text(self.raw()),
            "Type" => Val::text(match found {
                None | Some(Value::Null) => "Null",
                Some(Value::Bool(true)) => "True",
                Some(Value::Bool(false)) => "False",
                Some(Value::Number(_)) => "Number",
                Some(Value::String(_)) => "String",
                Some(Value::Array(_) | Value::Object(_)) => "JSON",
            }),
            "Exists" => Val::Bool(found.is_some()),
            "IsArray" => Val::Bool(matches!(found, Some(Value::Array(_)))),
            "IsObject" => Val::Bool(matches!(found, Some(Value::Object(_)))),
            "IsBool" => Val::Bool(matches!(found, Some(Value::Bool(_)))),
            "Bool" => Val::Bool(match found {
                Some(Value::Bool(truth)) => *truth,
                Some(Value::String(text)) => matches!(text.to_ascii_lowercase().as_str(), "1" | "t" | "true"),
                Some(Value::Number(_)) => self.number() != 0.0,
                _ => false,
            }),
            #[expect(clippy::cast_possible_truncation, reason = "an integer part is asked for")]
            "Int" => Val::Int(found.and_then(Value::as_i64).unwrap_or_else(|| self.number() as i64), IntType::Int64),
            "Float" => Val::Float(self.number()),
            "Num" => Val::Float(found.and_then(Value::as_f64).unwrap_or_default()),
            "Value" if is_container => {
                return Err("lists and maps of .Value are not supported; use .LocalObject".into());
            }
            // Numbers of gjson are floats, whatever they look like.
            "Value" => match found {
                Some(Value::Number(number)) => Val::Float(number.as_f64().unwrap_or(f64::NAN)),
                Some(Value::Bool(truth)) => Val::Bool(*truth),
                Some(Value::String(text)) => Val::text(text.as_str()),
                _ => Val::Nil,
            },
            "Array" => {
                let items = match found {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::Array(items)) => (0..items.len()).map(|at| self.part(|value| value.get(at))).collect(),
                    Some(_) => vec![Val::Found(self.clone())],
                };
                Val::List(List::new(items, Element::Found))
            }
            "Map" => {
                let keys = found.and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
                let entry = |key: &String| (key.as_str().into(), self.part(|value| value.get(key)));
                let entries: BTreeMap<_, _> = keys.map(entry).collect();
                Val::Map(Map::made(entries, Element::Found))
            }
            _ => return Err(format!("a found value has no method {name:?}")),
        })
    }

    /// The result of a method that takes a path.
    pub(super) fn get(&self, path: &str) -> Result<Self, String> {
        let path: path::Path = path.parse().map_err(|e: path::PathError| e.to_string())?;
        Ok(Self(match &self.0 {
            None => None,
            Some(Cow::Borrowed(value)) => path.get(value),
            Some(Cow::Owned(value)) => path.get(value).map(|found| Cow::Owned(found.into_owned())),
        }))
    }

    /// A part of what was found, itself something found.
    fn part(&self, of: impl Fn(&Value) -> Option<&Value>) -> Val<'a> {
        Val::Found(Self(match &self.0 {
            None => None,
            Some(Cow::Borrowed(value)) => of(value).map(Cow::Borrowed),
            Some(Cow::Owned(value)) => of(value).cloned().map(Cow::Owned),
        }))
    }

    fn raw(&self) -> String {
        let mut bytes = Vec::new();
        if let Some(value) = self.0.as_deref() {
            go_json::write(&mut bytes, value);
        }
        String::from_utf8(bytes).unwrap_or_default()
    }

    fn number(&self) -> f64 {
        match self.0.as_deref() {
            Some(Value::Number(number)) => number.as_f64().unwrap_or_default(),
            Some(Value::Bool(true)) => 1.0,
            Some(Value::String(text)) => text.parse().unwrap_or_default(),
            _ => 0.0,
        }
    }
}
