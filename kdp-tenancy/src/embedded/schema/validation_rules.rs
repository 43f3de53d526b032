//! The form of `x-kubernetes-validations`, and whether their expressions compile.

use serde_json::{Map, Value};

use super::keywords::not_supported;
use super::node::{ListType, Node};
use super::path::Path;
use super::read::list;
use crate::embedded::status::FieldError;

const REASONS: &[&str] = &["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// Adds the faults of the rules of `schema` that show without compiling them.
pub(super) fn check(schema: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    for (index, rule) in list(schema, "x-kubernetes-validations").enumerate() {
        let rules_path = path.field("x-kubernetes-validations");
        check_rule(schema, rule, rules_path.index(index), errors);
    }
}

fn check_rule(schema: &Map<String, Value>, rule: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let at = |name: &str| path.field(name).to_string();
    for name in ["rule", "message", "messageExpression", "reason", "fieldPath"] {
        if let Some(value) = rule.get(name).filter(|value| !value.is_string() && !value.is_null()) {
            errors.push(FieldError::invalid(at(name), value.clone(), "must be a string"));
            return;
        }
    }
    if let Some(value) = rule.get("optionalOldSelf").filter(|value| !value.is_boolean() && !value.is_null()) {
        errors.push(FieldError::invalid(at("optionalOldSelf"), value.clone(), "must be a boolean"));
    }
    let text = |name: &str| rule.get(name).and_then(Value::as_str);
    let has_newlines = |text: &str| text.trim().contains(['\n', '\r']);
    let expression = text("rule").unwrap_or_default();
    let message = text("message").unwrap_or_default();
    if expression.trim().is_empty() {
        errors.push(FieldError::required(at("rule"), "rule is not specified"));
    } else if !message.is_empty() && message.trim().is_empty() {
        errors.push(FieldError::invalid(at("message"), message, "must be non-empty if specified"));
    } else if has_newlines(message) {
        errors.push(FieldError::invalid(at("message"), message, "must not contain line breaks"));
    } else if has_newlines(expression) && message.trim().is_empty() {
        let detail = "message must be specified if rule contains line breaks";
        errors.push(FieldError::required(at("message"), detail));
    }
    if text("messageExpression").is_some_and(|text| !text.is_empty() && text.trim().is_empty()) {
        let detail = "messageExpression must be non-empty if specified";
        errors.push(FieldError::required(at("messageExpression"), detail));
    }
    if let Some(reason) = text("reason").filter(|reason| !REASONS.contains(reason)) {
        errors.push(not_supported(path.field("reason"), reason, REASONS));
    }
    if let Some(field_path) = text("fieldPath").filter(|field_path| !field_path.is_empty()) {
        if field_path.trim().is_empty() {
            errors.push(FieldError::invalid(at("fieldPath"), field_path, "must be non-empty if specified"));
        } else if !is_field_of(schema, field_path) {
            errors.push(FieldError::invalid(at("fieldPath"), field_path, "must be a valid path"));
        }
    }
}

/// Whether `path`, such as `.spec.names['a.b'].x`, leads to a field of `schema`.
fn is_field_of(schema: &Map<String, Value>, path: &str) -> bool {
    let mut schema = schema;
    let mut rest = path.trim();
    while !rest.is_empty() {
        let name;
        if let Some(quoted) = rest.strip_prefix("['") {
            let Some((inner, after)) = quoted.split_once("']") else { return false };
            (name, rest) = (inner, after);
        } else {
            let Some(after) = rest.strip_prefix('.') else { return false };
            let end = after.find(['.', '[']).unwrap_or(after.len());
            (name, rest) = after.split_at(end);
        }
        let property = schema.get("properties").and_then(|properties| properties.get(name));
        let Some(next) = property.or_else(|| schema.get("additionalProperties")).and_then(Value::as_object) else {
            return false;
        };
        schema = next;
    }
    true
}

/// Adds the faults of the compiled rules at and below `node`.
///
/// `uncorrelatable` is the path of the closest list or map above whose parts cannot be recognised
/// again after an update, so that there is no old value to speak of.
pub(super) fn check_compiled(
    node: &Node,
    schema: &Value,
    uncorrelatable: Option<&str>,
    path: Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    if !node.below.rules {
        return;
    }
    if let Some(rules) = &node.rules {
        let rules_path = path.field("x-kubernetes-validations");
        let given = |index: usize| &schema["x-kubernetes-validations"][index];
        for (index, part, detail) in rules.faults() {
            let rule_path = rules_path.index(index);
            errors.push(FieldError::invalid(rule_path.field(part).to_string(), given(index).clone(), detail));
        }
        for index in 0..rules.len() {
            let rule_path = rules_path.index(index);
            let optional = &given(index)["optionalOldSelf"];
            if !rules.is_transition(index) {
                if optional.is_boolean() {
                    let detail = "may not be set if oldSelf is not used in rule";
                    let field = rule_path.field("optionalOldSelf").to_string();
                    errors.push(FieldError::invalid(field, optional.clone(), detail));
                }
            } else if let Some(place) = uncorrelatable {
                let detail =
                    format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {place}");
                let field = rule_path.field("rule").to_string();
                errors.push(FieldError::invalid(field, given(index)["rule"].clone(), detail));
            }
        }
    }
    let here = path.to_string();
    let below = |is_correlatable: bool| if is_correlatable { uncorrelatable } else { uncorrelatable.or(Some(&here)) };
    let properties_path = path.field("properties");
    for (name, property) in &node.properties {
        let schema = &schema["properties"][name];
        check_compiled(property, schema, below(!node.atomic_map), properties_path.key(name), errors);
    }
    if let Some(shape) = node.additional.schema() {
        let path = path.field("additionalProperties");
        check_compiled(shape, &schema["additionalProperties"], uncorrelatable, path, errors);
    }
    if let Some(items) = node.items.as_deref() {
        let is_correlatable = matches!(node.list, ListType::Map(_));
        check_compiled(items, &schema["items"], below(is_correlatable), path.field("items"), errors);
    }
}
