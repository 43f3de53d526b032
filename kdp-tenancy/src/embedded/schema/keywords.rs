//! What each keyword of a CRD's schema may be, besides the structural rules.

use serde_json::{Map, Value};

use super::path::Path;
use super::read::{flag, list, object, text, texts};
use super::validation_rules;
use crate::embedded::status::{FieldError, FieldErrorKind};

/// Adds the faults of the keywords in `schema`, the schema of a whole resource.
pub(super) fn check(schema: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    if schema.get("nullable") == Some(&Value::Bool(true)) {
        errors.push(FieldError::forbidden(path.field("nullable").to_string(), "nullable cannot be true at the root"));
    }
    check_node(schema, Context { is_root: true, ..Context::default() }, path, errors);
}

/// What holds at a node because of where it is.
#[derive(Clone, Copy, Default)]
struct Context<'a> {
    is_root: bool,
    /// Below `apiVersion`, `kind` or `metadata` of a resource.
    inside_meta: bool,
    /// Why defaults must not be set here.
    no_defaults: Option<&'a str>,
}

fn check_node(schema: &Map<String, Value>, context: Context<'_>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let before = errors.len();
    check_types(schema, path, errors);
    if errors.len() > before {
        // Keywords of the wrong type would only lead to faults about what they are not.
        return;
    }
    check_support(schema, context, path, errors);
    check_map_type(schema, path, errors);
    check_list_type(schema, path, errors);
    validation_rules::check(schema, path, errors);

    let inner = Context { is_root: false, ..context };
    if let Some(shape) = object(schema, "additionalProperties") {
        let no_defaults = if context.inside_meta {
            Some("inside additionalProperties applying to object metadata")
        } else {
            context.no_defaults
        };
        check_node(shape, Context { no_defaults, ..inner }, path.field("additionalProperties"), errors);
    }
    let is_resource = context.is_root || flag(schema, "x-kubernetes-embedded-resource");
    for (name, property) in object(schema, "properties").into_iter().flatten() {
        let Some(property) = property.as_object() else { continue };
        let mut inner = inner;
        let is_meta = is_resource && matches!(name.as_str(), "metadata" | "kind" | "apiVersion");
        inner.inside_meta |= is_meta;
        let reason = format!("in top-level {name}");
        if is_meta && context.is_root {
            inner.no_defaults = Some(&reason);
        }
        let properties = path.field("properties");
        check_node(property, inner, properties.key(name), errors);
    }
    if let Some(items) = object(schema, "items") {
        check_node(items, inner, path.field("items"), errors);
    }
    if let Some(not) = object(schema, "not") {
        check_node(not, inner, path.field("not"), errors);
    }
    for keyword in ["allOf", "oneOf", "anyOf"] {
        for (index, branch) in list(schema, keyword).enumerate() {
            if let Some(branch) = branch.as_object() {
                let keyword_path = path.field(keyword);
                check_node(branch, inner, keyword_path.index(index), errors);
            }
        }
    }
}

/// JSON type a keyword must have.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Number,
    Count,
    List,
    Texts,
    Schema,
    Schemas,
    SchemaMap,
    SchemaOrFlag,
}

const KINDS: &[(&str, Kind)] = &[
    ("type", Kind::Text),
    ("format", Kind::Text),
    ("title", Kind::Text),
    ("description", Kind::Text),
    ("pattern", Kind::Text),
    ("nullable", Kind::Flag),
    ("exclusiveMaximum", Kind::Flag),
    ("exclusiveMinimum", Kind::Flag),
    ("uniqueItems", Kind::Flag),
    ("maximum", Kind::Number),
    ("minimum", Kind::Number),
    ("multipleOf", Kind::Number),
    ("maxLength", Kind::Count),
    ("minLength", Kind::Count),
    ("maxItems", Kind::Count),
    ("minItems", Kind::Count),
    ("maxProperties", Kind::Count),
    ("minProperties", Kind::Count),
    ("enum", Kind::List),
    ("required", Kind::Texts),
    ("items", Kind::Schema),
    ("not", Kind::Schema),
    ("allOf", Kind::Schemas),
    ("anyOf", Kind::Schemas),
    ("oneOf", Kind::Schemas),
    ("properties", Kind::SchemaMap),
    ("additionalProperties", Kind::SchemaOrFlag),
    ("x-kubernetes-preserve-unknown-fields", Kind::Flag),
    ("x-kubernetes-embedded-resource", Kind::Flag),
    ("x-kubernetes-int-or-string", Kind::Flag),
    ("x-kubernetes-list-type", Kind::Text),
    ("x-kubernetes-map-type", Kind::Text),
    ("x-kubernetes-list-map-keys", Kind::Texts),
    ("x-kubernetes-validations", Kind::List),
];

fn check_types(schema: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    for (keyword, kind) in KINDS {
        let Some(value) = schema.get(*keyword) else { continue };
        let all = |fits: fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(fits));
        let (fits, wanted) = match kind {
            Kind::Text => (value.is_string(), "a string"),
            Kind::Flag => (value.is_boolean(), "a boolean"),
            Kind::Number => (value.is_number(), "a number"),
            Kind::Count => (value.is_i64(), "an integer"),
            Kind::List => (value.is_array(), "an array"),
            Kind::Texts => (all(Value::is_string), "an array of strings"),
            // Kubernetes has words of its own for a list of item schemas.
            Kind::Schema => (value.is_object() || *keyword == "items" && value.is_array(), "a schema object"),
            Kind::Schemas => (all(Value::is_object), "an array of schema objects"),
            Kind::SchemaMap => (
                value.as_object().is_some_and(|schemas| schemas.values().all(Value::is_object)),
                "a map of schema objects",
            ),
            Kind::SchemaOrFlag => (value.is_object() || value.is_boolean(), "a schema object or a boolean"),
        };
        if !fits && !value.is_null() {
            let detail = format!("must be {wanted}");
            errors.push(FieldError::invalid(path.field(keyword).to_string(), value.clone(), detail));
        }
    }
}

fn check_support(schema: &Map<String, Value>, context: Context<'_>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];
    const UNSUPPORTED: &[&str] =
        &["id", "$schema", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];
    let mut forbid = |keyword: &str, detail: String| {
        errors.push(FieldError::forbidden(path.field(keyword).to_string(), detail));
    };
    for keyword in UNSUPPORTED {
        if schema.contains_key(*keyword) {
            forbid(keyword, format!("{keyword} is not supported"));
        }
    }
    if schema.get("default").is_some_and(|default| !default.is_null())
        && let Some(reason) = context.no_defaults
    {
        forbid("default", format!("must not be set {reason}"));
    }
    if schema.get("items").is_some_and(Value::is_array) {
        forbid("items", "items must be a schema object and not an array".into());
    }
    if flag(schema, "uniqueItems") {
        let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        forbid("uniqueItems", detail.into());
    }
    if context.inside_meta && flag(schema, "x-kubernetes-embedded-resource") {
        forbid("x-kubernetes-embedded-resource", "must not be used inside of resource meta".into());
    }
    let has_properties = object(schema, "properties").is_some_and(|properties| !properties.is_empty());
    let restricts = !matches!(schema.get("additionalProperties"), None | Some(Value::Null | Value::Bool(true)));
    if has_properties && restricts {
        forbid("additionalProperties", "additionalProperties and properties are mutual exclusive".into());
    }
    match text(schema, "type") {
        "null" => forbid("type", "type cannot be set to null, use nullable as an alternative".into()),
        other if !other.is_empty() && !TYPES.contains(&other) => {
            errors.push(not_supported(path.field("type"), other, TYPES));
        }
        _ => {}
    }
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
        let field = path.field("x-kubernetes-preserve-unknown-fields").to_string();
        errors.push(FieldError::invalid(field, false, "must be true or undefined"));
    }
}

fn check_map_type(schema: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let map_type = text(schema, "x-kubernetes-map-type");
    if map_type.is_empty() {
        return;
    }
    require_type(schema, "object", "must be object if x-kubernetes-map-type is specified", path, errors);
    if !["atomic", "granular"].contains(&map_type) {
        errors.push(not_supported(path.field("x-kubernetes-map-type"), map_type, &["atomic", "granular"]));
    }
}

fn check_list_type(schema: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    const TYPES: &[&str] = &["atomic", "set", "map"];
    let list_type = text(schema, "x-kubernetes-list-type");
    let keys: Vec<&str> = texts(schema, "x-kubernetes-list-map-keys").collect();
    let list_path = path.field("x-kubernetes-list-type");
    if !keys.is_empty() && list_type != "map" {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        errors.push(match list_type {
            "" => FieldError::required(list_path.to_string(), detail),
            other => FieldError::invalid(list_path.to_string(), other, detail),
        });
    }
    if list_type.is_empty() {
        return;
    }
    require_type(schema, "array", "must be array if x-kubernetes-list-type is specified", path, errors);
    if !TYPES.contains(&list_type) {
        errors.push(not_supported(list_path, list_type, TYPES));
    }
    let items = object(schema, "items");
    let items_path = path.field("items");
    if let Some(items) = items
        && matches!(list_type, "set" | "map")
        && flag(items, "nullable")
    {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.push(FieldError::forbidden(items_path.field("nullable").to_string(), detail));
    }
    match (list_type, items) {
        ("set", Some(items)) if text(schema, "type") == "array" => check_set_items(items, items_path, errors),
        ("map", _) => check_map_keys(&keys, items, path, errors),
        _ => {}
    }
}

/// Items of a set are compared as wholes, so nobody may own a part of one.
fn check_set_items(items: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let keyword = match text(items, "type") {
        "array" if !matches!(text(items, "x-kubernetes-list-type"), "" | "atomic") => "x-kubernetes-list-type",
        "object" if text(items, "x-kubernetes-map-type") != "atomic" => "x-kubernetes-map-type",
        _ => return,
    };
    let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let value = items.get(keyword).cloned().unwrap_or_default();
    errors.push(FieldError::invalid(path.field(keyword).to_string(), value, detail));
}

fn check_map_keys(keys: &[&str], items: Option<&Map<String, Value>>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let keys_path = path.field("x-kubernetes-list-map-keys").to_string();
    let items_path = path.field("items");
    if keys.is_empty() {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        errors.push(FieldError::required(keys_path.clone(), detail));
    }
    let Some(items) = items else {
        let detail = "must have a schema if x-kubernetes-list-type is map";
        errors.push(FieldError::required(items_path.to_string(), detail));
        return;
    };
    if text(items, "type") != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(FieldError::invalid(items_path.field("type").to_string(), text(items, "type"), detail));
        return;
    }
    for (index, key) in keys.iter().enumerate() {
        if keys[..index].contains(key) {
            errors.push(FieldError::invalid(keys_path.clone(), keys.to_vec(), "must not contain duplicate entries"));
        }
        let properties_path = items_path.field("properties");
        let key_path = properties_path.key(key);
        let Some(property) = object(items, "properties").and_then(|properties| object(properties, key)) else {
            let detail = "entries must all be names of item properties";
            errors.push(FieldError::invalid(keys_path.clone(), keys.to_vec(), detail));
            continue;
        };
        if matches!(text(property, "type"), "array" | "object") {
            let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            errors.push(FieldError::invalid(key_path.field("type").to_string(), text(property, "type"), detail));
        }
        let has_default = property.get("default").is_some_and(|default| !default.is_null());
        if !has_default && !texts(items, "required").any(|required| required == *key) {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required \
                          property";
            errors.push(FieldError::required(key_path.field("default").to_string(), detail));
        }
        if flag(property, "nullable") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(FieldError::forbidden(key_path.field("nullable").to_string(), detail));
        }
    }
}

fn require_type(schema: &Map<String, Value>, wanted: &str, detail: &str, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let type_path = path.field("type").to_string();
    match text(schema, "type") {
        type_ if type_ == wanted => {}
        "" => errors.push(FieldError::required(type_path, detail)),
        other => errors.push(FieldError::invalid(type_path, other, detail)),
    }
}

/// `value` is none of `supported`.
pub(crate) fn not_supported(path: Path<'_>, value: &str, supported: &[&str]) -> FieldError {
    let list: Vec<_> = supported.iter().map(|word| format!("{word:?}")).collect();
    let detail = format!("supported values: {}", list.join(", "));
    FieldError::new(path.to_string(), FieldErrorKind::NotSupported, value.into(), detail)
}
