//! `google.protobuf.Struct`: JSON in the messages of Crossplane.

use std::collections::BTreeMap;

use prost::Message;
use serde_json::{Map, Number, Value};

/// Beyond this, a double does not hold every integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Struct {
    #[prost(btree_map = "string, message", tag = "1")]
    fields: BTreeMap<String, Any>,
}

#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(int32, tag = "1")]
    Null(i32),
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
    #[prost(message, tag = "5")]
    Struct(Struct),
    #[prost(message, tag = "6")]
    List(List),
}

/// An object as a message; what is no object is an empty one.
pub(crate) fn to_struct(value: &Value) -> Struct {
    let fields = value.as_object().into_iter().flatten();
    Struct { fields: fields.map(|(name, field)| (name.clone(), to_any(field))).collect() }
}

fn to_any(value: &Value) -> Any {
    let kind = match value {
        Value::Null => Kind::Null(0),
        Value::Bool(value) => Kind::Bool(*value),
        Value::Number(number) => Kind::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::Text(text.clone()),
        Value::Array(items) => Kind::List(List { values: items.iter().map(to_any).collect() }),
        Value::Object(_) => Kind::Struct(to_struct(value)),
    };
    Any { kind: Some(kind) }
}

/// The object that a message holds.
pub(crate) fn from_struct(value: Struct) -> Value {
    Value::Object(value.fields.into_iter().map(|(name, field)| (name, from_any(field))).collect::<Map<_, _>>())
}

fn from_any(value: Any) -> Value {
    match value.kind {
        None | Some(Kind::Null(_)) => Value::Null,
        Some(Kind::Bool(value)) => Value::Bool(value),
        // The format knows doubles alone; what was an integer is one again.
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the exact integers")]
        Some(Kind::Number(number)) if number.fract() == 0.0 && number.abs() <= EXACT => Value::from(number as i64),
        Some(Kind::Number(number)) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        Some(Kind::Text(text)) => Value::String(text),
        Some(Kind::Struct(fields)) => from_struct(fields),
        Some(Kind::List(list)) => Value::Array(list.values.into_iter().map(from_any).collect()),
    }
}
