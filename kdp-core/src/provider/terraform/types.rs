//! The type constraints of variables, as JSON Schema and as a check.

use hcl::{
    Expression,
    expr::{FuncCall, ObjectKey},
};
use serde_json::{Map, Value, json};

/// A type constraint as the language has them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// Whatever the module makes of it.
    Any,
    String,
    Number,
    Bool,
    List(Box<Self>),
    Set(Box<Self>),
    Map(Box<Self>),
    Tuple(Vec<Self>),
    Object(Vec<Attribute>),
}

/// An attribute of an object type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attribute {
    name: String,
    of: Type,
    is_optional: bool,
}

impl Type {
    /// The type an expression such as `list(object({ name = string }))` stands for.
    ///
    /// What the language gets in a later version is [`Type::Any`]: the engine checks it anyway.
    pub(super) fn of(expression: &Expression) -> Self {
        match expression {
            Expression::Variable(name) => match name.as_str() {
                "string" => Self::String,
                "number" => Self::Number,
                "bool" => Self::Bool,
                "list" => Self::List(Box::new(Self::Any)),
                "map" => Self::Map(Box::new(Self::Any)),
                _ => Self::Any,
            },
            Expression::FuncCall(call) => Self::of_call(call),
            // Old modules, and those written in JSON, have types in quotes.
            Expression::String(text) => text.parse().map_or(Self::Any, |inner: Expression| {
                if matches!(inner, Expression::String(_)) { Self::Any } else { Self::of(&inner) }
            }),
            _ => Self::Any,
        }
    }

    fn of_call(call: &FuncCall) -> Self {
        let first = || Box::new(call.args.first().map_or(Self::Any, Self::of));
        match (call.name.name.as_str(), call.args.first()) {
            ("list", _) => Self::List(first()),
            ("set", _) => Self::Set(first()),
            ("map", _) => Self::Map(first()),
            ("tuple", Some(Expression::Array(items))) => Self::Tuple(items.iter().map(Self::of).collect()),
            ("object", Some(Expression::Object(fields))) => {
                Self::Object(fields.iter().filter_map(|(key, of)| Some(Attribute::of(name_of(key)?, of))).collect())
            }
            _ => Self::Any,
        }
    }

    /// JSON Schema of the values of this type, as far as an OpenAPI v3 schema of Kubernetes can say it.
    pub(super) fn schema(&self) -> Value {
        match self {
            Self::Any => json!({"x-kubernetes-preserve-unknown-fields": true}),
            Self::String => json!({"type": "string"}),
            Self::Number => json!({"type": "number"}),
            Self::Bool => json!({"type": "boolean"}),
            Self::List(of) | Self::Set(of) => json!({"type": "array", "items": of.schema()}),
            Self::Map(of) => json!({"type": "object", "additionalProperties": of.schema()}),
            // A structural schema has one schema for all items.
            Self::Tuple(of) => json!({
                "type": "array", "minItems": of.len(), "maxItems": of.len(),
                "items": Self::Any.schema(),
            }),
            Self::Object(attributes) => {
                let properties: Map<_, _> = attributes.iter().map(|a| (a.name.clone(), a.of.schema())).collect();
                let required: Vec<_> = attributes.iter().filter(|a| !a.is_optional).map(|a| &a.name).collect();
                let mut schema = json!({"type": "object", "properties": properties});
                if !required.is_empty() {
                    schema["required"] = json!(required);
                }
                schema
            }
        }
    }

    /// Adds what is wrong with the value, each fault with the path of the field.
    pub(super) fn check(&self, path: &str, value: &Value, faults: &mut Vec<String>) {
        let mut fault = |wanted: &str| faults.push(format!("{path}: must be {wanted}"));
        match (self, value) {
            (Self::Any, _)
            | (Self::String, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Bool, Value::Bool(_)) => {}
            (Self::String, _) => fault("a string"),
            (Self::Number, _) => fault("a number"),
            (Self::Bool, _) => fault("true or false"),
            (Self::List(of) | Self::Set(of), Value::Array(items)) => {
                items.iter().enumerate().for_each(|(i, item)| of.check(&format!("{path}[{i}]"), item, faults));
            }
            (Self::Tuple(of), Value::Array(items)) if of.len() == items.len() => {
                let pairs = of.iter().zip(items).enumerate();
                pairs.for_each(|(i, (of, item))| of.check(&format!("{path}[{i}]"), item, faults));
            }
            (Self::Tuple(of), _) => fault(&format!("a list of {} items", of.len())),
            (Self::List(_) | Self::Set(_), _) => fault("a list"),
            (Self::Map(of), Value::Object(fields)) => {
                fields.iter().for_each(|(name, field)| of.check(&format!("{path}.{name}"), field, faults));
            }
            (Self::Object(attributes), Value::Object(fields)) => {
                for Attribute { name, of, is_optional } in attributes {
                    match fields.get(name) {
                        None | Some(Value::Null) if *is_optional => {}
                        None => faults.push(format!("{path}.{name}: is required")),
                        Some(field) => of.check(&format!("{path}.{name}"), field, faults),
                    }
                }
                let is_unknown = |name: &&String| attributes.iter().all(|attribute| attribute.name != **name);
                let unknown = fields.keys().filter(is_unknown);
                faults.extend(unknown.map(|name| format!("{path}.{name}: the module knows no such field")));
            }
            (Self::Map(_) | Self::Object(_), _) => fault("an object"),
        }
    }
}

impl Attribute {
    fn of(name: String, of: &Expression) -> Self {
        match of {
            Expression::FuncCall(call) if call.name.name.as_str() == "optional" => {
                Self { name, of: call.args.first().map_or(Type::Any, Type::of), is_optional: true }
            }
            of => Self { name, of: Type::of(of), is_optional: false },
        }
    }
}

/// The name that a key of an object is, unless it has to be computed.
pub(super) fn name_of(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Identifier(name) => Some(name.as_str().to_owned()),
        ObjectKey::Expression(Expression::String(name)) => Some(name.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
