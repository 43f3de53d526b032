//! What a path found in an object, with the methods of gjson's result.

use std::collections::BTreeMap;

use serde_json::Value;

use super::value::{Element, IntType, List, Map, Val};
use crate::{go_json, path};

/// What a path found; none when there is nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a>(pub(super) Option<&'a Value>);

impl<'a> Found<'a> {
    pub(super) fn text(self) -> String {
        path::text(self.0)
    }

    /// The result of a method that takes no arguments, or of a field.
    pub(super) fn method(self, name: &str) -> Result<Val<'a>, String> {
        let is_container = matches!(self.0, Some(Value::Array(_) | Value::Object(_)));
        Ok(match name {
            "String" => Val::text(self.text()),
            "Str" => Val::text(self.0.and_then(Value::as_str).unwrap_or_default()),
            "Raw" => Val::text(self.raw()),
            "Type" => Val::text(match self.0 {
                None | Some(Value::Null) => "Null",
                Some(Value::Bool(true)) => "True",
                Some(Value::Bool(false)) => "False",
                Some(Value::Number(_)) => "Number",
                Some(Value::String(_)) => "String",
                Some(Value::Array(_) | Value::Object(_)) => "JSON",
            }),
            "Exists" => Val::Bool(self.0.is_some()),
            "IsArray" => Val::Bool(matches!(self.0, Some(Value::Array(_)))),
            "IsObject" => Val::Bool(matches!(self.0, Some(Value::Object(_)))),
            "IsBool" => Val::Bool(matches!(self.0, Some(Value::Bool(_)))),
            "Bool" => Val::Bool(match self.0 {
                Some(Value::Bool(truth)) => *truth,
                Some(Value::String(text)) => matches!(text.to_ascii_lowercase().as_str(), "1" | "t" | "true"),
                Some(Value::Number(_)) => self.number() != 0.0,
                _ => false,
            }),
            #[expect(clippy::cast_possible_truncation, reason = "an integer part is asked for")]
            "Int" => Val::Int(self.0.and_then(Value::as_i64).unwrap_or_else(|| self.number() as i64), IntType::Int64),
            "Float" => Val::Float(self.number()),
            "Num" => Val::Float(self.0.and_then(Value::as_f64).unwrap_or_default()),
            "Value" if is_container => {
                return Err("lists and maps of .Value are not supported; use .LocalObject".into());
            }
            // Numbers of gjson are floats, whatever they look like.
            "Value" => match self.0 {
                Some(Value::Number(number)) => Val::Float(number.as_f64().unwrap_or(f64::NAN)),
                Some(value) => Val::of_json(value),
                None => Val::Nil,
            },
            "Array" => Val::List(match self.0 {
                None | Some(Value::Null) => List::new(Vec::new(), Element::Found),
                Some(Value::Array(items)) => {
                    List::new(items.iter().map(|item| Val::Found(Self(Some(item)))).collect(), Element::Found)
                }
                Some(_) => List::new(vec![Val::Found(self)], Element::Found),
            }),
            "Map" => {
                let entries: BTreeMap<_, _> = match self.0 {
                    Some(Value::Object(map)) => {
                        map.iter().map(|(key, value)| (key.as_str().into(), Val::Found(Self(Some(value))))).collect()
                    }
                    _ => BTreeMap::new(),
                };
                Val::Map(Map::made(entries, Element::Found))
            }
            _ => return Err(format!("a found value has no method {name:?}")),
        })
    }

    /// The result of a method that takes a path.
    pub(super) fn get(self, path: &str) -> Result<Self, String> {
        let path: path::Path = path.parse().map_err(|e: path::PathError| e.to_string())?;
        Ok(Self(self.0.and_then(|value| path.get(value))))
    }

    fn raw(self) -> String {
        let mut bytes = Vec::new();
        if let Some(value) = self.0 {
            go_json::write(&mut bytes, value);
        }
        String::from_utf8(bytes).unwrap_or_default()
    }

    fn number(self) -> f64 {
        match self.0 {
            Some(Value::Number(number)) => number.as_f64().unwrap_or_default(),
            Some(Value::Bool(true)) => 1.0,
            Some(Value::String(text)) => text.parse().unwrap_or_default(),
            _ => 0.0,
        }
    }
}
