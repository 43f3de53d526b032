//! Parameters from several sources, one on top of the other, and where each field comes from.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;
use serde_json::{Map, Value};

/// Where a value comes from; those further down are on top of those above.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Origin {
    /// The schema of the kind.
    Default,
    /// The Offering.
    Offering(String),
    /// A plan of the offering.
    Plan(String),
    /// A Release of the offering.
    Release(String),
    /// The Environment.
    Environment(String),
    /// The order.
    Order,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Offering(name) => write!(f, "offering {name}"),
            Self::Plan(name) => write!(f, "plan {name}"),
            Self::Release(version) => write!(f, "release {version}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Order => f.write_str("order"),
        }
    }
}

/// A field of the parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Field {
    /// Where it is, as a JSON pointer.
    pub path: String,
    /// Its value; lists are values as a whole.
    pub value: Value,
    /// Where the value comes from.
    pub origin: Origin,
    /// Other values it would have, the nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overridden: Vec<(Origin, Value)>,
}

/// The values of one source.
pub(super) type Layer<'a> = (Origin, &'a Value);

/// Puts the layers on top of each other, the last one on top.
///
/// Objects are merged field by field; everything else replaces what is below it. A null says nothing.
/// A value of the order that is the schema's default counts as the default: the API server fills
/// defaults in, and nobody can tell any more whether they were written.
pub(super) fn merge(layers: &[Layer<'_>]) -> (Value, Vec<Field>) {
    let mut fields = Vec::new();
    let layers: Vec<_> = layers.iter().map(|(origin, value)| (origin, *value)).collect();
    let merged = merge_at(&mut String::new(), &layers, &mut fields);
    (merged.unwrap_or_else(|| Value::Object(Map::new())), fields)
}

fn merge_at(path: &mut String, layers: &[(&Origin, &Value)], fields: &mut Vec<Field>) -> Option<Value> {
    let mut layers: Vec<_> = layers.iter().copied().filter(|(_, value)| !value.is_null()).collect();
    if let [(Origin::Default, default), .., (Origin::Order, ordered)] = layers[..]
        && !ordered.is_object()
        && default == ordered
    {
        layers.pop();
    }
    let (_, top) = layers.last()?;
    let objects = layers.iter().rev().take_while(|(_, value)| value.is_object()).count();
    let objects = &layers[layers.len() - objects..];
    let names: BTreeSet<&String> =
        objects.iter().filter_map(|(_, value)| value.as_object()).flat_map(Map::keys).collect();
    if names.is_empty() {
        let (origin, _) = layers.last()?;
        let below = layers[..layers.len() - 1].iter().rev();
        fields.push(Field {
            path: path.clone(),
            value: (*top).clone(),
            origin: (*origin).clone(),
            overridden: below.map(|(origin, value)| ((*origin).clone(), (*value).clone())).collect(),
        });
        return Some((*top).clone());
    }
    let mut merged = Map::new();
    for name in names {
        let length = path.len();
        path.push('/');
        path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        let inner: Vec<_> = objects.iter().filter_map(|(origin, value)| Some((*origin, value.get(name)?))).collect();
        if let Some(value) = merge_at(path, &inner, fields) {
            merged.insert(name.clone(), value);
        }
        path.truncate(length);
    }
    Some(Value::Object(merged))
}

/// The origin of the field that a path is of, or is in.
pub(super) fn origin_of<'a>(fields: &'a [Field], path: &str) -> Option<&'a Origin> {
    let is_at = |field: &&Field| {
        path.strip_prefix(field.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    fields.iter().find(is_at).map(|field| &field.origin)
}

/// The defaults that a schema states, without those that depend on an object being there.
#[must_use]
pub fn defaults_of(schema: &Value) -> Value {
    let fill = |mut value: Value| {
        if let (Some(object), Some(properties)) = (value.as_object_mut(), schema["properties"].as_object()) {
            for (name, property) in properties {
                if !object.contains_key(name) && property.get("default").is_some() {
                    object.insert(name.clone(), defaults_of(property));
                }
            }
        }
        value
    };
    match schema.get("default") {
        Some(default) => fill(default.clone()),
        None if schema["type"] == "object" => fill(Value::Object(Map::new())),
        None => Value::Null,
    }
}
