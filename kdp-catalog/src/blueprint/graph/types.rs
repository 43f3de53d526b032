//! What is known of a value before there is one.

use std::{borrow::Cow, sync::LazyLock};

use serde_json::{Map, Value, json};

/// The type of a value, as far as schemas tell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type<'s> {
    /// Of no value: the elements of an empty list.
    Nothing,
    /// Of any value.
    Any,
    Null,
    Bool,
    Int,
    Double,
    String,
    List(Box<Self>),
    Map(Box<Self>),
    /// An object with fields.
    Object(&'s Value),
    /// A value that may not be there.
    Optional(Box<Self>),
}

/// Which fields every object of a cluster has in its `metadata`.
pub(super) static OBJECT_META: LazyLock<Value> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": text});
    let open = json!({"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({"type": "object", "properties": {
        "name": text, "generateName": text, "namespace": text, "selfLink": text, "uid": text, "resourceVersion": text,
        "generation": {"type": "integer"}, "creationTimestamp": text, "deletionTimestamp": text,
        "deletionGracePeriodSeconds": {"type": "integer"}, "labels": texts, "annotations": texts,
        "finalizers": {"type": "array", "items": text}, "ownerReferences": open, "managedFields": open,
    }})
});

/// What a schema says of one field.
pub(super) enum Field<'s> {
    Known(&'s Value),
    /// It may be there and be anything.
    Open,
    Missing,
}

/// Looks a field up in the schema of an object.
pub(super) fn field_of<'s>(schema: &'s Value, name: &str) -> Field<'s> {
    let schema = resolved(schema);
    if let Some(known) = schema.get("properties").and_then(|properties| properties.get(name)) {
        return Field::Known(known);
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(true)) => return Field::Open,
        Some(values @ Value::Object(_)) => return Field::Known(values),
        _ => {}
    }
    if is_open(schema) || schema.get("properties").is_none() { Field::Open } else { Field::Missing }
}

/// The schema of a kind with what all kinds have, on which it may be silent.
pub(super) fn complete(mut schema: Value) -> Value {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for name in ["apiVersion", "kind"] {
            properties.entry(name).or_insert_with(|| json!({"type": "string"}));
        }
        let says_something = |metadata: &Value| resolved(metadata).get("properties").is_some();
        if !properties.get("metadata").is_some_and(says_something) {
            properties.insert("metadata".into(), OBJECT_META.clone());
        }
    }
    schema
}

/// The schema that says something, when it is wrapped as OpenAPI documents do to add a description.
pub(super) fn resolved(schema: &Value) -> &Value {
    match schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) if schema.get("type").is_none() && schema.get("properties").is_none() => only,
        _ => schema,
    }
}

fn is_open(schema: &Value) -> bool {
    let is_set = |key: &str| schema.get(key) == Some(&Value::Bool(true));
    is_set("x-kubernetes-preserve-unknown-fields")
        || is_set("x-kubernetes-embedded-resource")
        || schema.get("$ref").is_some()
}

impl<'s> Type<'s> {
    /// The type of what satisfies a schema.
    pub(super) fn of(schema: &'s Value) -> Self {
        let schema = resolved(schema);
        if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true))
            || schema.get("format").and_then(Value::as_str) == Some("int-or-string")
        {
            return Self::Any;
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => Self::String,
            Some("integer") => Self::Int,
            Some("number") => Self::Double,
            Some("boolean") => Self::Bool,
            Some("array") => Self::List(Box::new(schema.get("items").map_or(Self::Any, Self::of))),
            Some("object") | None if schema.get("properties").is_some() => Self::Object(schema),
            Some("object") => match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => Self::Map(Box::new(Self::of(values))),
                _ => Self::Map(Box::new(Self::Any)),
            },
            _ => Self::Any,
        }
    }

    /// The type of one of its fields; none when it has no such field.
    pub(super) fn field(&self, name: &str) -> Option<Self> {
        match self {
            Self::Object(schema) => match field_of(schema, name) {
                Field::Known(field) => Some(Self::of(field)),
                Field::Open => Some(Self::Any),
                Field::Missing => None,
            },
            Self::Map(values) => Some(values.as_ref().clone()),
            Self::Optional(value) => Some(Self::optional(value.field(name).unwrap_or(Self::Any))),
            Self::Any | Self::Nothing | Self::Null => Some(Self::Any),
            Self::Bool | Self::Int | Self::Double | Self::String | Self::List(_) => None,
        }
    }

    /// The type of its elements, when it is a list, or of its keys; none when it has neither.
    pub(super) fn element(&self) -> Option<Self> {
        match self {
            Self::List(items) => Some(items.as_ref().clone()),
            Self::Map(_) | Self::Object(_) => Some(Self::String),
            Self::Any | Self::Nothing | Self::Null | Self::Optional(_) => Some(Self::Any),
            Self::Bool | Self::Int | Self::Double | Self::String => None,
        }
    }

    /// The same as something that may be missing.
    pub(super) fn optional(self) -> Self {
        match self {
            Self::Optional(_) => self,
            value => Self::Optional(Box::new(value)),
        }
    }

    /// The type of what is either of this type or of another.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, known) | (known, Self::Nothing) => known,
            (Self::List(mine), Self::List(others)) => Self::List(Box::new(mine.or(*others))),
            (Self::Map(mine), Self::Map(others)) => Self::Map(Box::new(mine.or(*others))),
            (mine, others) if mine == others => mine,
            _ => Self::Any,
        }
    }

    /// How people call it.
    pub(super) fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Nothing | Self::Any => "a value",
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Int => "an integer",
            Self::Double => "a number",
            Self::String => "a string",
            Self::List(items) if matches!(**items, Self::Any | Self::Nothing) => "a list",
            Self::List(items) => return format!("a list, each {}", items.name()).into(),
            Self::Map(_) | Self::Object(_) => "an object",
            Self::Optional(value) => return value.name(),
        })
    }

    /// Why a value of this type cannot stand where one of another type is wanted.
    pub(super) fn misfit(&self, wanted: &Type<'_>, depth: usize) -> Option<String> {
        const MAX_DEPTH: usize = 12;
        match (self, wanted) {
            (Self::Any | Self::Nothing | Self::Null, _)
            | (_, Type::Any | Type::Nothing | Type::Null | Type::Optional(_)) => None,
            _ if depth > MAX_DEPTH => None,
            (Self::Optional(value), wanted) => value.misfit(wanted, depth + 1),
            (Self::Bool, Type::Bool) | (Self::Int, Type::Int | Type::Double) | (Self::String, Type::String) => None,
            (Self::Double, Type::Double) => None,
            (Self::List(items), Type::List(wanted)) => {
                items.misfit(wanted, depth + 1).map(|why| format!("its elements: {why}"))
            }
            (Self::Map(values), Type::Map(wanted)) => {
                values.misfit(wanted, depth + 1).map(|why| format!("its values: {why}"))
            }
            (Self::Map(_), Type::Object(_)) => None,
            (Self::Object(mine), Type::Map(wanted)) => properties(mine).find_map(|(name, schema)| {
                Type::of(schema).misfit(wanted, depth + 1).map(|why| format!("its field {name}: {why}"))
            }),
            (Self::Object(mine), Type::Object(theirs)) if std::ptr::eq(*mine, *theirs) => None,
            (Self::Object(mine), Type::Object(theirs)) => {
                properties(mine).find_map(|(name, schema)| match field_of(theirs, name) {
                    Field::Known(wanted) => {
                        let why = Type::of(schema).misfit(&Type::of(wanted), depth + 1)?;
                        Some(format!("its field {name}: {why}"))
                    }
                    Field::Open => None,
                    Field::Missing => Some(format!("its field {name} is not wanted there")),
                })
            }
            _ => Some(format!("it is {}, but {} is wanted", self.name(), wanted.name())),
        }
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}
