//! From the bytes of a message and its table to JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::table::{Field, Presence, Table, Type};
use super::wire::{Fields, Wire};
use super::{malformed, scalars};
use crate::embedded::status::{Result, StatusError};

/// How deep objects and arrays, and messages, may be inside each other.
///
/// `serde_json` reads no deeper text, so nothing deeper could be read back. Messages that JSON
/// leaves out count too, which bounds the stack.
pub(super) const MAX_NESTING: usize = 127;

/// Messages in an object. An empty message takes two bytes of the wire but hundreds in memory, so
/// the size of the body alone does not bound what decoding it takes.
pub(super) const MAX_MESSAGES: usize = 100_000;

/// The object that a message of the table describes.
pub(super) fn object(table: &'static Table, bytes: &[u8]) -> Result<Map<String, Value>> {
    let mut object = Map::new();
    Decoder { messages: 0, nesting: 0 }.message(table, bytes, &mut object)?;
    // Embedded JSON has a bound of its own, so together they may be too deep.
    if object.values().all(|value| nests_within(value, MAX_NESTING - 1)) { Ok(object) } else { Err(too_deep()) }
}

struct Decoder {
    /// Messages begun so far.
    messages: usize,
    /// Messages that are being decoded inside each other.
    nesting: usize,
}

impl Decoder {
    /// Adds the fields of a message to `object`, which has those of earlier parts of the same message.
    fn message(&mut self, table: &'static Table, bytes: &[u8], object: &mut Map<String, Value>) -> Result<()> {
        self.enter()?;
        for field in Fields::of(bytes) {
            let (number, wire) = field?;
            if let Some(field) = table.field(number) {
                let earlier = object.get_mut(field.name).map(Value::take);
                let value = self.value(field.ty, wire, earlier)?;
                object.insert(field.name.into(), value);
            }
        }
        for field in table.0 {
            self.settle(field, object)?;
        }
        self.nesting -= 1;
        Ok(())
    }

    fn enter(&mut self) -> Result<()> {
        self.messages += 1;
        self.nesting += 1;
        if self.messages > MAX_MESSAGES {
            return Err(malformed("too many messages"));
        }
        if self.nesting > MAX_NESTING { Err(too_deep()) } else { Ok(()) }
    }

    /// Makes the field present or absent as in JSON.
    fn settle(&mut self, field: &Field, object: &mut Map<String, Value>) -> Result<()> {
        match (field.presence, object.get(field.name)) {
            (Presence::IfSet, Some(value)) if is_zero(value) => {
                object.remove(field.name);
            }
            (Presence::Always, None) => {
                let zero = self.zero(field.ty)?;
                object.insert(field.name.into(), zero);
            }
            (Presence::OrNull, None) => {
                object.insert(field.name.into(), Value::Null);
            }
            _ => {}
        }
        Ok(())
    }

    /// The value on the wire. What the field had so far is replaced, except where protobuf adds to it.
    fn value(&mut self, ty: Type, wire: Wire<'_>, earlier: Option<Value>) -> Result<Value> {
        Ok(match (ty, wire) {
            (Type::Bool, Wire::Varint(number)) => Value::Bool(number != 0),
            // Negative numbers are extended to 64 bits on the wire.
            (Type::Int32, Wire::Varint(number)) => Value::from(number as i32),
            (Type::Int64, Wire::Varint(number)) => Value::from(number as i64),
            (Type::Double, Wire::Fixed64(bits)) => scalars::double(f64::from_bits(bits))?,
            (Type::Text, Wire::Bytes(bytes)) => Value::from(scalars::text(bytes)?),
            (Type::Bytes, Wire::Bytes(bytes)) => Value::from(STANDARD.encode(bytes)),
            (Type::Json, Wire::Bytes([])) => Value::Null,
            (Type::Json, Wire::Bytes(bytes)) => serde_json::from_slice(bytes).map_err(malformed)?,
            (Type::Time, Wire::Bytes(bytes)) => scalars::time(bytes)?,
            (Type::MicroTime, Wire::Bytes(bytes)) => scalars::micro_time(bytes)?,
            (Type::Message(table), Wire::Bytes(bytes)) => {
                let mut object = into_object(earlier);
                self.message(table, bytes, &mut object)?;
                Value::Object(object)
            }
            (Type::Transparent(table), Wire::Bytes(bytes)) => {
                let mut object = Map::new();
                self.message(table, bytes, &mut object)?;
                table.0.iter().find_map(|field| object.remove(field.name)).unwrap_or_default()
            }
            (Type::List(element), wire) => {
                let mut list = if let Some(Value::Array(list)) = earlier { list } else { Vec::new() };
                list.push(self.value(*element, wire, None)?);
                Value::Array(list)
            }
            (Type::Map(of), Wire::Bytes(bytes)) => {
                let mut map = into_object(earlier);
                let (key, value) = self.entry(*of, bytes)?;
                map.insert(key, value);
                Value::Object(map)
            }
            _ => return Err(malformed("a field is encoded as another type")),
        })
    }

    /// An entry of a map: a message of its own, in which either part may be left out.
    fn entry(&mut self, of: Type, bytes: &[u8]) -> Result<(String, Value)> {
        let (mut key, mut value) = ("", None);
        for field in Fields::of(bytes) {
            match field? {
                (1, Wire::Bytes(bytes)) => key = scalars::text(bytes)?,
                (1, _) => return Err(malformed("the key of a map is not a string")),
                (2, wire) => value = Some(self.value(of, wire, value)?),
                _ => {}
            }
        }
        let value = if let Some(value) = value { value } else { self.zero(of)? };
        Ok((key.into(), value))
    }

    /// What a field is that the wire does not have.
    fn zero(&mut self, ty: Type) -> Result<Value> {
        let wire = match ty {
            Type::List(_) | Type::Map(_) => return Ok(Value::Null),
            Type::Bool | Type::Int32 | Type::Int64 => Wire::Varint(0),
            Type::Double => Wire::Fixed64(0),
            Type::Text | Type::Bytes | Type::Json | Type::Time | Type::MicroTime => Wire::Bytes(&[]),
            Type::Message(_) | Type::Transparent(_) => Wire::Bytes(&[]),
        };
        self.value(ty, wire, None)
    }
}

fn into_object(value: Option<Value>) -> Map<String, Value> {
    if let Some(Value::Object(object)) = value { object } else { Map::new() }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
    }
}

fn too_deep() -> StatusError {
    malformed("it is nested too deeply")
}

fn nests_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(list) => levels > 0 && list.iter().all(|value| nests_within(value, levels - 1)),
        Value::Object(object) => levels > 0 && object.values().all(|value| nests_within(value, levels - 1)),
        _ => true,
    }
}
