//! The compiled form of a schema: one node for each sub-schema.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::format::Format;
use super::pattern;
use super::read::{flag, list, object, text, texts};
use super::rules::Rules;

/// One sub-schema, ready for use.
///
/// Keywords that are absent or of the wrong type take no part; the structural check reports the
/// latter before a schema of a stranger is compiled.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) type_: Type,
    pub(super) nullable: bool,
    pub(super) preserve_unknown: bool,
    pub(super) embedded_resource: bool,
    pub(super) atomic_map: bool,
    pub(super) properties: BTreeMap<String, Self>,
    pub(super) additional: Additional,
    pub(super) items: Option<Box<Self>>,
    pub(super) list: ListType,
    pub(super) default: Option<Value>,
    pub(super) checks: Option<Box<Checks>>,
    pub(super) rules: Option<Box<Rules>>,
    pub(super) below: Below,
}

/// JSON type a node asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Type {
    #[default]
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

impl Type {
    fn from_name(name: &str) -> Self {
        match name {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => Self::Any,
        }
    }

    /// The type as messages name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::IntOrString => "integer,string",
        }
    }
}

/// `additionalProperties`.
#[derive(Debug, Default)]
pub(super) enum Additional {
    /// Not given.
    #[default]
    Unset,
    /// `true`: entries of any shape.
    Any,
    /// `false`: no entries beyond the properties.
    None,
    /// Entries of this shape.
    Schema(Box<Node>),
}

impl Additional {
    pub(super) fn schema(&self) -> Option<&Node> {
        if let Self::Schema(node) = self { Some(node) } else { None }
    }
}

/// `x-kubernetes-list-type`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum ListType {
    #[default]
    Atomic,
    Set,
    /// With the key fields.
    Map(Vec<String>),
}

/// What occurs at a node or anywhere below it, so that walks skip subtrees without work for them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Below {
    pub(super) rules: bool,
    pub(super) unique_lists: bool,
    pub(super) embedded_resources: bool,
}

impl Below {
    fn join(&mut self, other: Self) {
        self.rules |= other.rules;
        self.unique_lists |= other.unique_lists;
        self.embedded_resources |= other.embedded_resources;
    }
}

/// Value validations of a node.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) enum_: Vec<Value>,
    pub(super) format: Option<Format>,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_maximum: bool,
    pub(super) minimum: Option<f64>,
    pub(super) exclusive_minimum: bool,
    pub(super) multiple_of: Option<f64>,
    pub(super) max_length: Option<u64>,
    pub(super) min_length: Option<u64>,
    pub(super) pattern: Option<Pattern>,
    pub(super) max_items: Option<u64>,
    pub(super) min_items: Option<u64>,
    pub(super) unique_items: bool,
    pub(super) max_properties: Option<u64>,
    pub(super) min_properties: Option<u64>,
    pub(super) required: Vec<String>,
    pub(super) all_of: Vec<Node>,
    pub(super) any_of: Vec<Node>,
    pub(super) one_of: Vec<Node>,
    pub(super) not: Option<Node>,
}

/// A regular expression with its text as given.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) source: String,
    pub(super) regex: Regex,
}

impl Node {
    /// The shape of what no schema describes.
    pub(super) const fn unknown() -> Self {
        Self {
            type_: Type::Any,
            nullable: true,
            preserve_unknown: true,
            embedded_resource: false,
            atomic_map: false,
            properties: BTreeMap::new(),
            additional: Additional::Unset,
            items: None,
            list: ListType::Atomic,
            default: None,
            checks: None,
            rules: None,
            below: Below { rules: false, unique_lists: false, embedded_resources: false },
        }
    }

    /// Compiles `schema`.
    pub(super) fn compile(schema: &Value) -> Self {
        let empty = Map::new();
        let schema = schema.as_object().unwrap_or(&empty);
        // Builtin kinds say int-or-string as a format, CRDs by the extension.
        let int_or_string = flag(schema, "x-kubernetes-int-or-string") || text(schema, "format") == "int-or-string";
        let type_ = if int_or_string { Type::IntOrString } else { Type::from_name(text(schema, "type")) };
        let mut node = Self {
            type_,
            nullable: flag(schema, "nullable"),
            preserve_unknown: flag(schema, "x-kubernetes-preserve-unknown-fields"),
            embedded_resource: flag(schema, "x-kubernetes-embedded-resource"),
            atomic_map: text(schema, "x-kubernetes-map-type") == "atomic",
            properties: object(schema, "properties")
                .into_iter()
                .flatten()
                .map(|(name, property)| (name.clone(), Self::compile(property)))
                .collect(),
            additional: match schema.get("additionalProperties") {
                Some(Value::Bool(true)) => Additional::Any,
                Some(Value::Bool(false)) => Additional::None,
                Some(shape @ Value::Object(_)) => Additional::Schema(Box::new(Self::compile(shape))),
                _ => Additional::Unset,
            },
            items: schema.get("items").filter(|items| items.is_object()).map(|items| Box::new(Self::compile(items))),
            list: list_type(schema),
            // A default of null is no default: the Go type behind it cannot tell the two apart.
            default: schema.get("default").filter(|value| !value.is_null()).cloned(),
            checks: Checks::compile(schema, type_).map(Box::new),
            rules: Rules::compile(schema).map(Box::new),
            below: Below::default(),
        };
        node.below = node.look_below();
        node
    }

    fn look_below(&self) -> Below {
        let mut below = Below {
            rules: self.rules.is_some(),
            unique_lists: self.list != ListType::Atomic,
            embedded_resources: self.embedded_resource,
        };
        let children = self.properties.values().chain(self.additional.schema()).chain(self.items.as_deref());
        for child in children {
            below.join(child.below);
        }
        below
    }

    /// The schema of the field `name`: that of the property, else that of the map's entries.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or_else(|| self.additional.schema())
    }
}

impl Checks {
    fn compile(schema: &Map<String, Value>, type_: Type) -> Option<Self> {
        let number = |name: &str| schema.get(name).and_then(Value::as_f64);
        let count = |name: &str| schema.get(name).and_then(Value::as_u64);
        let nodes = |name: &str| list(schema, name).map(Node::compile).collect::<Vec<_>>();

        let checks = Self {
            enum_: list(schema, "enum").cloned().collect(),
            format: Format::for_type(text(schema, "format"), type_),
            maximum: number("maximum"),
            exclusive_maximum: flag(schema, "exclusiveMaximum"),
            minimum: number("minimum"),
            exclusive_minimum: flag(schema, "exclusiveMinimum"),
            multiple_of: number("multipleOf"),
            max_length: count("maxLength"),
            min_length: count("minLength"),
            pattern: Some(text(schema, "pattern")).filter(|source| !source.is_empty()).and_then(|source| {
                let regex = pattern::compile(source).ok()?;
                Some(Pattern { source: source.to_owned(), regex })
            }),
            max_items: count("maxItems"),
            min_items: count("minItems"),
            unique_items: flag(schema, "uniqueItems"),
            max_properties: count("maxProperties"),
            min_properties: count("minProperties"),
            required: texts(schema, "required").map(str::to_owned).collect(),
            all_of: nodes("allOf"),
            any_of: nodes("anyOf"),
            one_of: nodes("oneOf"),
            not: schema.get("not").map(Node::compile),
        };
        let any = KEYWORDS.iter().any(|keyword| schema.contains_key(*keyword));
        any.then_some(checks)
    }
}

/// The keywords that make [`Checks`].
const KEYWORDS: &[&str] = &[
    "enum",
    "format",
    "maximum",
    "minimum",
    "multipleOf",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "required",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
];

fn list_type(schema: &Map<String, Value>) -> ListType {
    match text(schema, "x-kubernetes-list-type") {
        "set" => ListType::Set,
        "map" => ListType::Map(texts(schema, "x-kubernetes-list-map-keys").map(str::to_owned).collect()),
        _ => ListType::Atomic,
    }
}
