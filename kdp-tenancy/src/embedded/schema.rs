//! OpenAPI schemas of served kinds: validation, defaulting, pruning and rules in CEL.
//!
//! A [`Schema`] is compiled once, never changes, and is shared by everything that serves the kind.
//! All work on objects is a walk over schema and object together, without I/O.

pub(super) mod cel_regex;
pub(super) mod cel_value;
mod correlate;
mod defaults;
mod embedded;
pub(super) mod expression;
mod format;
mod keywords;
mod list_type;
mod node;
pub(crate) mod path;
mod pattern;
mod prune;
mod read;
mod rules;
mod structural;
mod validate;
mod validation_rules;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use self::keywords::not_supported;
use self::node::Node;
use self::path::Path;
use self::prune::Place;
use super::status::{FieldError, FieldErrorKind};

/// A compiled schema of a kind in one version.
#[derive(Debug)]
pub(crate) struct Schema {
    root: Node,
}

impl Schema {
    /// Compiles the schema of a CustomResourceDefinition or APIResourceSchema version.
    ///
    /// `path` is where the schema stands in its definition, such as
    /// `spec.versions[0].schema.openAPIV3Schema`; it starts the field of every fault.
    ///
    /// # Errors
    /// All faults found: keywords that are not supported or of the wrong type, what is not
    /// structural, defaults that do not fit, and rules that do not compile.
    pub(crate) fn structural(schema: &Value, path: &str) -> Result<Self, Vec<FieldError>> {
        let path = Path::root(path);
        let Some(fields) = schema.as_object() else {
            return Err(vec![FieldError::required(path.to_string(), "")]);
        };
        let mut errors = Vec::new();
        keywords::check(fields, path, &mut errors);
        structural::check(fields, path, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let compiled = Self::trusted(schema);
        check_defaults(&compiled.root, Place::Root, path, &mut errors);
        if errors.is_empty() {
            validation_rules::check_compiled(&compiled.root, schema, None, path, &mut errors);
        }
        if errors.is_empty() { Ok(compiled) } else { Err(errors) }
    }

    /// Compiles a schema this program made itself, with every `$ref` inlined; nothing is checked,
    /// and keywords of the wrong type take no part.
    #[must_use]
    pub(crate) fn trusted(schema: &Value) -> Self {
        Self { root: Node::compile(schema) }
    }

    /// Fills in defaults, and drops nulls where the schema allows none.
    pub(crate) fn apply_defaults(&self, object: &mut Value) {
        defaults::drop_nulls(&self.root, object);
        defaults::apply(&self.root, object);
    }

    /// Drops fields the schema does not know and returns their paths, such as `spec.list[0].bar`.
    ///
    /// Kept are `apiVersion`, `kind` and `metadata` of the object (whose own fields are the
    /// business of [`meta`](super::meta)) and of embedded resources, and what lies below
    /// `x-kubernetes-preserve-unknown-fields`. Metadata of embedded resources is pruned.
    pub(crate) fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut dropped = Vec::new();
        prune::prune(Some(&self.root), object, Place::Root, Path::root(""), &mut dropped);
        dropped
    }

    /// Checks a defaulted and pruned object; `old` is what an update replaces.
    ///
    /// On update, faults of values that the update leaves as they were are not reported, and rules
    /// about the change from old to new take part. Rules in CEL are evaluated only when no fault
    /// makes the object's shape doubtful.
    #[must_use]
    pub(crate) fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let root = Path::root("");
        let mut errors = Vec::new();
        validate::validate(&self.root, object, old, root, &mut errors);
        embedded::validate(&self.root, object, root, &mut errors);
        self.validate_lists(object, old, &mut errors);
        if self.root.below.rules {
            if errors.iter().any(|error| blocks_rules(error.kind)) {
                errors.push(FieldError::invalid("", Value::Null, RULES_SKIPPED));
            } else {
                rules::validate(&self.root, object, old, Place::Root, root, &mut errors);
            }
        }
        errors
    }

    /// An object that had duplicates before, when its lists were not yet sets or maps, may keep them.
    fn validate_lists(&self, object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
        let before = errors.len();
        list_type::validate(&self.root, object, Path::root(""), errors);
        if let Some(old) = old.filter(|_| errors.len() > before) {
            let mut old_errors = Vec::new();
            list_type::validate(&self.root, old, Path::root(""), &mut old_errors);
            if !old_errors.is_empty() {
                errors.truncate(before);
            }
        }
    }
}

const RULES_SKIPPED: &str = "some validation rules were not checked because the object was invalid; correct the existing \
                             errors to complete validation";

fn blocks_rules(kind: FieldErrorKind) -> bool {
    matches!(
        kind,
        FieldErrorKind::NotSupported
            | FieldErrorKind::Required
            | FieldErrorKind::TooLong
            | FieldErrorKind::TooMany
            | FieldErrorKind::TypeInvalid
    )
}

/// Adds the faults of the defaults at and below `node`: each must be valid and free of unknown
/// fields by itself, since nothing checks it again before it is stored.
fn check_defaults(node: &Node, place: Place, path: Path<'_>, errors: &mut Vec<FieldError>) {
    if let Some(default) = &node.default {
        // From here on map entries are data of the default, no longer keys of the schema.
        let text = path.field("default").to_string();
        let path = Path::root(&text);
        let mut pruned = default.clone();
        prune::prune(Some(node), &mut pruned, Place::Inside, Path::root(""), &mut Vec::new());
        if pruned != *default {
            errors.push(FieldError::invalid(path.to_string(), default.clone(), "must not have unknown fields"));
        }
        let before = errors.len();
        validate::validate(node, default, None, path, errors);
        embedded::validate(node, default, path, errors);
        list_type::validate(node, default, path, errors);
        if errors.len() == before {
            rules::validate(node, default, None, place, path, errors);
        }
    }
    if let Some(items) = node.items.as_deref() {
        check_defaults(items, Place::Inside, path.field("items"), errors);
    }
    let properties = path.field("properties");
    for (name, property) in &node.properties {
        check_defaults(property, Place::Inside, properties.key(name), errors);
    }
    if let Some(shape) = node.additional.schema() {
        check_defaults(shape, Place::Inside, path.field("additionalProperties"), errors);
    }
}
