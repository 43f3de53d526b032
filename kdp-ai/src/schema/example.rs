//! Writes an example manifest that fulfils its schema.

use serde_json::{Map, Value, json};

use super::{check::fulfils, pattern::text_matching, types};
use crate::KindRef;

/// Which fields that are not required an example shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Optional {
    /// Those whose value is known to be meant: a default or an example of the provider.
    WithKnownValue,
    /// None.
    Omitted,
}

/// A manifest of the kind, from the JSON Schema of its manifests.
///
/// Every required field is there, and the optional ones that the provider gave a default or an
/// example for. It fulfils the schema wherever one can be found by trying the branches of unions;
/// rules in CEL are not solved.
pub(crate) fn of_manifest(schema: &Value, kind: &KindRef, is_namespaced: bool) -> Value {
    let with = |optional| manifest(schema, kind, is_namespaced, optional);
    let full = with(Optional::WithKnownValue);
    if fulfils(&full, schema) { full } else { with(Optional::Omitted) }
}

fn manifest(schema: &Value, kind: &KindRef, is_namespaced: bool, optional: Optional) -> Value {
    let mut metadata = json!({"name": format!("my-{}", kind.kind.to_lowercase())});
    if is_namespaced {
        metadata["namespace"] = json!("default");
    }
    let mut manifest = value(&without(schema, "metadata"), optional);
    manifest["apiVersion"] = json!(kind.api_version);
    manifest["kind"] = json!(kind.kind);
    manifest["metadata"] = metadata;
    // A spec is what an order is about, required or not.
    if let Some(spec) = schema.pointer("/properties/spec")
        && manifest.get("spec").is_none()
    {
        manifest["spec"] = value(spec, optional);
    }
    manifest
}

/// The schema that does not require `property`.
fn without(schema: &Value, property: &str) -> Value {
    let mut schema = schema.clone();
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != property);
    }
    schema
}

/// A value that fulfils `schema`.
fn value(schema: &Value, optional: Optional) -> Value {
    let mut whole = schema.clone();
    if let Some(Value::Array(parts)) = whole.as_object_mut().and_then(|whole| whole.remove("allOf")) {
        parts.iter().for_each(|part| combine(&mut whole, part));
    }
    for union in ["oneOf", "anyOf"] {
        let Some(Value::Array(branches)) = whole.as_object_mut().and_then(|whole| whole.remove(union)) else {
            continue;
        };
        let tried = branches.iter().map(|branch| {
            let mut narrowed = whole.clone();
            combine(&mut narrowed, branch);
            value(&narrowed, optional)
        });
        if let Some(found) = tried.into_iter().find(|candidate| fulfils(candidate, schema)) {
            return found;
        }
    }
    known_value(&whole).unwrap_or_else(|| made_up(&whole, optional))
}

/// Adds the demands of `more` to `schema`.
fn combine(schema: &mut Value, more: &Value) {
    let (Some(schema), Some(more)) = (schema.as_object_mut(), more.as_object()) else { return };
    for (keyword, argument) in more {
        match (keyword.as_str(), schema.get_mut(keyword), argument) {
            ("properties", Some(Value::Object(old)), Value::Object(new)) => {
                for (name, property) in new {
                    combine(old.entry(name.as_str()).or_insert_with(|| json!({})), property);
                }
            }
            ("required", Some(Value::Array(old)), Value::Array(new)) => {
                let added: Vec<_> = new.iter().filter(|name| !old.contains(name)).cloned().collect();
                old.extend(added);
            }
            _ => drop(schema.insert(keyword.clone(), argument.clone())),
        }
    }
}

/// The value the provider named for this field, when there is one.
fn known_value(schema: &Value) -> Option<Value> {
    let first = |keyword: &str| schema.get(keyword).and_then(Value::as_array).and_then(|values| values.first());
    let named = [schema.get("const"), first("examples"), schema.get("default")];
    let allowed = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter(|value| !value.is_null());
    named.into_iter().flatten().chain(allowed).find(|value| fulfils(value, schema)).cloned()
}

fn made_up(schema: &Value, optional: Optional) -> Value {
    let types = types(schema);
    let has = |keyword: &str| schema.get(keyword).is_some();
    match types.first().copied() {
        Some("integer") if types.contains(&"string") && has("pattern") => text(schema),
        Some("integer") => json!(number(schema).ceil() as i64),
        Some("number") => json!(number(schema)),
        Some("boolean") => json!(false),
        Some("string") => text(schema),
        Some("array") => array(schema, optional),
        _ => object(schema, optional),
    }
}

fn object(schema: &Value, optional: Optional) -> Value {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let nothing = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
    let mut fields = Map::new();
    for (name, property) in properties {
        let is_shown = required.contains(&name.as_str())
            || optional == Optional::WithKnownValue
                && (property.get("default").is_some() || property.get("examples").is_some());
        if is_shown {
            fields.insert(name.clone(), value(property, optional));
        }
    }
    let least = schema.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
    for (name, property) in properties {
        if fields.len() as u64 >= least {
            break;
        }
        fields.entry(name.as_str()).or_insert_with(|| value(property, optional));
    }
    if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
        for index in 0.. {
            if fields.len() as u64 >= least {
                break;
            }
            fields.insert(format!("key{index}"), value(values, optional));
        }
    }
    fields.into()
}

fn array(schema: &Value, optional: Optional) -> Value {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let length = limit("minItems").unwrap_or(1).min(limit("maxItems").unwrap_or(u64::MAX));
    let nothing = json!({});
    let items = schema.get("items").unwrap_or(&nothing);
    let item = value(items, optional);
    (0..length).map(|index| varied(&item, items, index)).collect()
}

/// The `index`th variation of a list's item, since items are often to differ.
fn varied(item: &Value, schema: &Value, index: u64) -> Value {
    if index == 0 {
        return item.clone();
    }
    let allowed = schema.get("enum").and_then(Value::as_array);
    let candidate = match (allowed, item) {
        (Some(allowed), _) => usize::try_from(index).ok().and_then(|index| allowed.get(index)).cloned(),
        (None, Value::String(text)) => Some(json!(format!("{text}{index}"))),
        (None, Value::Number(number)) => {
            number.as_i64().zip(i64::try_from(index).ok()).map(|(n, index)| json!(n + index))
        }
        (None, Value::Object(fields)) => {
            let mut fields = fields.clone();
            for (name, field) in &mut fields {
                let property = schema.get("properties").and_then(|properties| properties.get(name));
                *field = varied(field, property.unwrap_or(&Value::Bool(true)), index);
            }
            Some(fields.into())
        }
        _ => None,
    };
    candidate.filter(|candidate| fulfils(candidate, schema)).unwrap_or_else(|| item.clone())
}

fn number(schema: &Value) -> f64 {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let step = limit("multipleOf").filter(|step| *step > 0.0);
    let least = limit("minimum").or_else(|| limit("exclusiveMinimum").map(|limit| limit + step.unwrap_or(1.0)));
    let most = limit("maximum").or_else(|| limit("exclusiveMaximum").map(|limit| limit - step.unwrap_or(1.0)));
    let near_one = 1.0_f64.min(most.unwrap_or(1.0)).max(least.unwrap_or(f64::MIN));
    step.map_or(near_one, |step| (near_one / step).ceil() * step)
}

fn text(schema: &Value) -> Value {
    let limit =
        |keyword: &str| schema.get(keyword).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    let (min, max) = (limit("minLength").unwrap_or(0), limit("maxLength").unwrap_or(usize::MAX));
    let matching = schema.get("pattern").and_then(Value::as_str).and_then(|pattern| text_matching(pattern, min, max));
    let text = matching.unwrap_or_else(|| {
        let word = of_format(schema.get("format").and_then(Value::as_str).unwrap_or_default());
        word.chars().cycle().take(word.len().max(min).min(max)).collect()
    });
    json!(text)
}

fn of_format(format: &str) -> &'static str {
    match format {
        "date" => "2030-01-01",
        "date-time" | "datetime" => "2030-01-01T00:00:00Z",
        "duration" => "1h",
        "email" => "user@example.com",
        "uri" | "url" => "https://example.com",
        "hostname" => "example.com",
        "ipv4" | "ip" => "10.0.0.1",
        "ipv6" => "fd00::1",
        "cidr" => "10.0.0.0/24",
        "mac" => "00:00:5e:00:53:01",
        "uuid" | "uuid4" => "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
        "byte" => "ZXhhbXBsZQ==",
        "quantity" => "1Gi",
        _ => "example",
    }
}
