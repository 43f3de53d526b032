//! Whether a schema takes something away from those who use the one before.

use serde_json::Value;

use crate::blueprint::Fault;

/// What an object that is valid by `before` may have that `after` does not take.
pub(super) fn changes(before: &Value, after: &Value, at: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    compare(before, after, at, &mut faults);
    faults
}

fn compare(before: &Value, after: &Value, at: &str, faults: &mut Vec<Fault>) {
    let breaks = |message: String| Fault::new(at, format!("this breaks what is published: {message}"));
    if after.get("type").is_none() && is_open(after) {
        return;
    }
    if before.get("type") != after.get("type") {
        let name = |schema: &Value| schema.get("type").and_then(Value::as_str).unwrap_or("anything").to_owned();
        return faults.push(breaks(format!("the type was {} and is {}", name(before), name(after))));
    }
    if let Some(allowed) = after.get("enum").and_then(Value::as_array) {
        match before.get("enum").and_then(Value::as_array) {
            Some(known) if known.iter().all(|value| allowed.contains(value)) => {}
            _ => faults.push(breaks("values are no longer allowed".into())),
        }
    }
    for (bound, is_lower) in [
        ("minimum", true),
        ("minLength", true),
        ("minItems", true),
        ("minProperties", true),
        ("maximum", false),
        ("maxLength", false),
        ("maxItems", false),
        ("maxProperties", false),
    ] {
        let Some(new) = after.get(bound).and_then(Value::as_f64) else { continue };
        let old = before.get(bound).and_then(Value::as_f64);
        if old.is_none_or(|old| if is_lower { new > old } else { new < old }) {
            faults.push(breaks(format!("{bound} is narrower")));
        }
    }
    for rule in ["pattern", "format", "x-kubernetes-validations", "uniqueItems"] {
        if after.get(rule).is_some_and(|new| !new.is_null() && before.get(rule) != Some(new)) {
            faults.push(breaks(format!("{rule} is new or another")));
        }
    }
    if is_open(before) && !is_open(after) {
        faults.push(breaks("it took any field".into()));
    }
    for inner in ["items", "additionalProperties"] {
        match (before.get(inner), after.get(inner)) {
            (Some(old), Some(new)) => compare(old, new, &format!("{at}[]"), faults),
            (Some(_), None) if !is_open(after) => faults.push(breaks(format!("there are no more {inner}"))),
            _ => {}
        }
    }
    fields(before, after, at, faults);
}

fn fields(before: &Value, after: &Value, at: &str, faults: &mut Vec<Fault>) {
    let empty = serde_json::Map::new();
    let of = |schema: &'_ Value| schema.get("properties").and_then(Value::as_object).cloned();
    let (old, new) = (of(before).unwrap_or_else(|| empty.clone()), of(after).unwrap_or(empty));
    for (name, field) in &old {
        let path = format!("{at}.{name}");
        match new.get(name) {
            Some(known) => compare(field, known, &path, faults),
            None if is_open(after) => {}
            None => faults.push(Fault::new(path, "this breaks what is published: the field is gone")),
        }
    }
    let required = |schema: &Value| schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let known = required(before);
    for name in required(after).iter().filter(|name| !known.contains(name)) {
        let name = name.as_str().unwrap_or_default();
        // What has a default is there before it is asked for.
        if new.get(name).is_none_or(|field| field.get("default").is_none()) {
            let path = format!("{at}.{name}");
            faults.push(Fault::new(path, "this breaks what is published: the field was not required"));
        }
    }
}

fn is_open(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests;
