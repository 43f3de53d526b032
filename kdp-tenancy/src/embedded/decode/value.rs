//! The visitor that builds a value and notes duplicate keys.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::embedded::schema::path::Path;

/// Kubernetes reports no more than this many faults of strict decoding.
const MAX_FAULTS: usize = 100;

/// Floating-point numbers up to here are exact integers.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Duplicate keys met so far.
#[derive(Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    fn duplicate(&mut self, path: Path<'_>) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(format!("duplicate field {:?}", path.dotted()));
        }
    }

    pub(super) fn into_messages(self) -> Vec<String> {
        self.0
    }
}

/// Deserializes the value at `path`.
pub(super) struct ValueSeed<'a> {
    pub(super) path: Path<'a>,
    pub(super) faults: &'a mut Faults,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| (value as f64).into(), Value::from))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // What Kubernetes writes for 1.0 is 1, so that is what it reads the next time; keeping
        // 1.0 would make an update of nothing look like a change.
        if value.fract() == 0.0 && value.abs() <= MAX_EXACT {
            return Ok((value as i64).into());
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("JSON has no NaN or infinity"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Self { path, faults } = self;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(ValueSeed { path: path.index(list.len()), faults })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let Self { path, faults } = self;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<Key>()? {
            let key = key.0;
            if map.contains_key(&key) {
                faults.duplicate(path.field(&key));
            }
            let value = entries.next_value_seed(ValueSeed { path: path.field(&key), faults })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// A key of an object; in YAML also a number or a boolean, written as text.
struct Key(String);

impl<'de> serde::Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, value: &str) -> Result<Key, E> {
        Ok(Key(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Key, E> {
        Ok(Key(value))
    }
}
