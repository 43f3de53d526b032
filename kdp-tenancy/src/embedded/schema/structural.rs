//! The rules of a structural schema: what the type of every value is must be told apart from what
//! is asked of it, so that pruning and defaulting know each field without evaluating anything.

use serde_json::{Map, Value, json};

use super::path::Path;
use super::pattern;
use super::read::{flag, list, object, text};
use crate::embedded::status::FieldError;

/// Adds what keeps `schema` from being structural.
pub(super) fn check(schema: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    if pattern::are_too_many(schema) {
        let detail = "the patterns of the schema are too many or too large together";
        errors.push(FieldError::forbidden(path.to_string(), detail));
        return;
    }
    check_node(schema, Level::Root, path, errors);
    check_complete(schema, Some(schema), path, path, errors);
}

/// What a sub-schema describes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

fn check_node(schema: &Map<String, Value>, level: Level, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let type_ = text(schema, "type");
    let is_embedded = flag(schema, "x-kubernetes-embedded-resource");
    let preserves = flag(schema, "x-kubernetes-preserve-unknown-fields");
    let is_int_or_string = flag(schema, "x-kubernetes-int-or-string");
    let additional = schema.get("additionalProperties");

    if type_ == "array" && !schema.contains_key("items") {
        errors.push(FieldError::required(path.field("items").to_string(), "must be specified"));
    }
    if let Some(items) = object(schema, "items") {
        check_node(items, Level::Item, path.field("items"), errors);
    }
    for (name, property) in properties(schema) {
        check_node(property, Level::Field, path.field("properties").key(name), errors);
    }
    if additional.is_some() {
        let path = path.field("additionalProperties");
        if level == Level::Root {
            errors.push(FieldError::forbidden(path.to_string(), "must not be used at the root"));
        }
        if is_embedded {
            let detail = "must not be used if x-kubernetes-embedded-resource is set";
            errors.push(FieldError::forbidden(path.to_string(), detail));
        }
        if let Some(shape) = object(schema, "additionalProperties") {
            check_node(shape, Level::Field, path, errors);
        }
    }
    if is_int_or_string {
        for (name, set) in
            [("x-kubernetes-preserve-unknown-fields", preserves), ("x-kubernetes-embedded-resource", is_embedded)]
        {
            if set {
                let detail = "must be false if x-kubernetes-int-or-string is true";
                errors.push(FieldError::invalid(path.field(name).to_string(), true, detail));
            }
        }
    }
    check_validations(schema, int_or_string_branches(schema), path, errors);

    let type_path = path.field("type").to_string();
    if is_embedded && type_ != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(match type_ {
            "" => FieldError::required(type_path, detail),
            other => FieldError::invalid(type_path, other, detail),
        });
    } else if type_.is_empty() && !is_int_or_string && !preserves {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(FieldError::required(type_path, detail));
    } else if level == Level::Root && type_ != "object" && !type_.is_empty() {
        errors.push(FieldError::invalid(type_path, type_, "must be object at the root"));
    }
    check_resource_fields(schema, level, is_embedded, path, errors);
    if is_embedded && !preserves && properties(schema).next().is_none() {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without \
                      x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(path.field("properties").to_string(), detail));
    }
}

/// Of a resource's own fields a schema may say little: they are the same for all kinds.
fn check_resource_fields(
    schema: &Map<String, Value>,
    level: Level,
    is_embedded: bool,
    path: Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    if level != Level::Root && !is_embedded {
        return;
    }
    let path = path.field("properties");
    for (name, property) in properties(schema) {
        let path = path.key(name);
        let wanted = match name {
            "kind" | "apiVersion" => "string",
            "metadata" => "object",
            _ => continue,
        };
        let type_ = text(property, "type");
        if type_ != wanted {
            errors.push(FieldError::invalid(path.field("type").to_string(), type_, format!("must be {wanted}")));
        }
        if name == "metadata" && level == Level::Root {
            let names_only = properties(property).all(|(name, _)| matches!(name, "name" | "generateName"));
            let plain = property.keys().all(|key| matches!(key.as_str(), "type" | "properties" | "default"));
            if !names_only || !plain {
                let detail = "must not specify anything other than name and generateName, but metadata is implicitly \
                              specified";
                errors.push(FieldError::forbidden(path.to_string(), detail));
            }
        }
    }
}

/// Branches that hold the one way to write int-or-string, in which types are allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exempt {
    None,
    AnyOf,
    FirstAllOf,
}

fn int_or_string_branches(schema: &Map<String, Value>) -> Exempt {
    let pattern = json!([{ "type": "integer" }, { "type": "string" }]);
    let first = schema.get("allOf").and_then(|all_of| all_of.get(0)).and_then(|first| first.get("anyOf"));
    if schema.get("anyOf") == Some(&pattern) {
        Exempt::AnyOf
    } else if first == Some(&pattern) {
        Exempt::FirstAllOf
    } else {
        Exempt::None
    }
}

fn check_validations(schema: &Map<String, Value>, exempt: Exempt, path: Path<'_>, errors: &mut Vec<FieldError>) {
    for (keyword, index, branch) in branches(schema) {
        if keyword == "anyOf" && exempt == Exempt::AnyOf {
            continue;
        }
        let exempt = if keyword == "allOf" && index == Some(0) && exempt == Exempt::FirstAllOf {
            Exempt::AnyOf
        } else {
            Exempt::None
        };
        let keyword_path = path.field(keyword);
        let path = index.map_or(keyword_path, |index| keyword_path.index(index));
        check_nested(branch, exempt, path, errors);
    }
    if let Some(source) = schema.get("pattern").and_then(Value::as_str)
        && let Err(error) = pattern::compile(source)
    {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(FieldError::invalid(path.field("pattern").to_string(), source, detail));
    }
}

/// A schema below `allOf`, `anyOf`, `oneOf` or `not` asks, it does not describe.
fn check_nested(schema: &Map<String, Value>, exempt: Exempt, path: Path<'_>, errors: &mut Vec<FieldError>) {
    const FORBIDDEN: &[(&str, &str)] = &[
        ("type", "must be empty to be structural"),
        ("additionalProperties", "must be undefined to be structural"),
        ("default", "must be undefined to be structural"),
        ("title", "must be empty to be structural"),
        ("description", "must be empty to be structural"),
        ("nullable", "must be false to be structural"),
        ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
        ("x-kubernetes-embedded-resource", "must be false to be structural"),
        ("x-kubernetes-int-or-string", "must be false to be structural"),
        ("x-kubernetes-list-map-keys", "must be empty to be structural"),
        ("x-kubernetes-list-type", "must be undefined to be structural"),
        ("x-kubernetes-map-type", "must be undefined to be structural"),
        ("x-kubernetes-validations", "must be empty to be structural"),
    ];
    check_validations(schema, exempt, path, errors);
    if let Some(items) = object(schema, "items") {
        check_nested(items, Exempt::None, path.field("items"), errors);
    }
    for (name, property) in properties(schema) {
        let path = path.field("properties");
        let path = path.key(name);
        check_nested(property, Exempt::None, path, errors);
        if name == "metadata" {
            errors.push(FieldError::forbidden(path.to_string(), "must not be specified in a nested context"));
        }
    }
    for (keyword, detail) in FORBIDDEN {
        let unset = [Value::Null, Value::Bool(false), json!(""), json!([])];
        if schema.get(*keyword).is_some_and(|value| !unset.contains(value)) {
            errors.push(FieldError::forbidden(path.field(keyword).to_string(), *detail));
        }
    }
}

/// Every value that a validation asks something of must be described: `described` is the
/// description, `schema` the validations.
///
/// As in Kubernetes this is asked only of validations at the root; definitions that would fail
/// further down are in use.
fn check_complete(
    schema: &Map<String, Value>,
    described: Option<&Map<String, Value>>,
    described_path: Path<'_>,
    path: Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let Some(described) = described else {
        let detail = format!("because it is defined in {path}");
        errors.push(FieldError::required(described_path.to_string(), detail));
        return;
    };
    for (keyword, index, branch) in branches(schema) {
        let keyword_path = path.field(keyword);
        let path = index.map_or(keyword_path, |index| keyword_path.index(index));
        check_complete_branch(branch, described, described_path, path, errors);
    }
}

fn check_complete_branch(
    branch: &Map<String, Value>,
    described: &Map<String, Value>,
    described_path: Path<'_>,
    path: Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    check_complete(branch, Some(described), described_path, path, errors);
    if let Some(items) = object(branch, "items") {
        let (items_path, path) = (described_path.field("items"), path.field("items"));
        match object(described, "items") {
            Some(described) => check_complete_branch(items, described, items_path, path, errors),
            None => check_complete(items, None, items_path, path, errors),
        }
    }
    for (name, property) in properties(branch) {
        let (described_path, path) = (described_path.field("properties"), path.field("properties"));
        let (described_path, path) = (described_path.key(name), path.key(name));
        match properties(described).find(|(known, _)| *known == name) {
            Some((_, described)) => check_complete_branch(property, described, described_path, path, errors),
            None => check_complete(property, None, described_path, path, errors),
        }
    }
}

/// The branches of a schema, with keyword and, where it holds a list, index.
fn branches(schema: &Map<String, Value>) -> impl Iterator<Item = (&'static str, Option<usize>, &Map<String, Value>)> {
    let lists = ["anyOf", "allOf", "oneOf"].into_iter().flat_map(|keyword| {
        list(schema, keyword)
            .enumerate()
            .filter_map(move |(index, branch)| Some((keyword, Some(index), branch.as_object()?)))
    });
    lists.chain(object(schema, "not").map(|not| ("not", None, not)))
}

fn properties(schema: &Map<String, Value>) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
    let properties = object(schema, "properties").into_iter().flatten();
    properties.filter_map(|(name, property)| Some((name.as_str(), property.as_object()?)))
}
