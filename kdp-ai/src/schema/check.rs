//! Checks a value against the subset of JSON Schema that kinds are described in.

use regex::Regex;
use serde_json::Value;

/// Whether `value` fulfils `schema`. Formats and rules in CEL are not looked at.
pub(crate) fn fulfils(value: &Value, schema: &Value) -> bool {
    faults(value, schema).is_empty()
}

/// What is wrong with `value`, one line for each fault.
pub(crate) fn faults(value: &Value, schema: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(value, schema, "", &mut faults);
    faults
}

fn check(value: &Value, schema: &Value, at: &str, faults: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else {
        if schema == &Value::Bool(false) {
            faults.push(format!("{at}: nothing is allowed here"));
        }
        return;
    };
    for (keyword, argument) in keywords {
        if !holds(keyword, argument, value, schema) {
            faults.push(format!("{at}: {keyword} {argument} does not hold of {value}"));
        }
    }
    match value {
        Value::Object(fields) => {
            let properties = schema.get("properties");
            for (name, field) in fields {
                let known = properties.and_then(|properties| properties.get(name));
                if let Some(schema) = known.or_else(|| schema.get("additionalProperties")) {
                    check(field, schema, &format!("{at}.{name}"), faults);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check(item, schema.get("items").unwrap_or(&Value::Bool(true)), &format!("{at}[{index}]"), faults);
            }
        }
        _ => {}
    }
}

/// Whether one keyword holds of the value itself; what is inside it is checked on its own.
fn holds(keyword: &str, argument: &Value, value: &Value, schema: &Value) -> bool {
    let number = || value.as_f64().zip(argument.as_f64());
    let limit = argument.as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let length = || value.as_str().map(|text| text.chars().count());
    let items = || value.as_array();
    let fields = || value.as_object();
    let branches = || argument.as_array().into_iter().flatten();
    match keyword {
        "const" => value == argument,
        "enum" => branches().any(|allowed| allowed == value),
        "type" => match argument {
            Value::Array(types) => types.iter().filter_map(Value::as_str).any(|type_| is_of_type(value, type_)),
            one => one.as_str().is_none_or(|type_| is_of_type(value, type_)),
        },
        "minimum" => number().is_none_or(|(value, limit)| value >= limit),
        "maximum" => number().is_none_or(|(value, limit)| value <= limit),
        "exclusiveMinimum" => number().is_none_or(|(value, limit)| value > limit),
        "exclusiveMaximum" => number().is_none_or(|(value, limit)| value < limit),
        "multipleOf" => number().is_none_or(|(value, step)| (value / step).fract().abs() < 1e-9),
        "minLength" => length().is_none_or(|length| length >= limit),
        "maxLength" => length().is_none_or(|length| length <= limit),
        // A pattern in a dialect that is not ours cannot be judged here; the server judges it.
        "pattern" => match (value.as_str(), argument.as_str().map(Regex::new)) {
            (Some(text), Some(Ok(pattern))) => pattern.is_match(text),
            _ => true,
        },
        "minItems" => items().is_none_or(|items| items.len() >= limit),
        "maxItems" => items().is_none_or(|items| items.len() <= limit),
        "uniqueItems" => {
            argument != &Value::Bool(true)
                || items().is_none_or(|items| items.iter().enumerate().all(|(i, item)| !items[..i].contains(item)))
        }
        "minProperties" => fields().is_none_or(|fields| fields.len() >= limit),
        "maxProperties" => fields().is_none_or(|fields| fields.len() <= limit),
        "required" => {
            fields().is_none_or(|fields| branches().filter_map(Value::as_str).all(|name| fields.contains_key(name)))
        }
        "additionalProperties" if argument == &Value::Bool(false) => fields().is_none_or(|fields| {
            let known = schema.get("properties").and_then(Value::as_object);
            fields.keys().all(|name| known.is_some_and(|known| known.contains_key(name)))
        }),
        "allOf" => branches().all(|branch| fulfils(value, branch)),
        "anyOf" => branches().any(|branch| fulfils(value, branch)),
        "oneOf" => branches().filter(|branch| fulfils(value, branch)).count() == 1,
        "not" => !fulfils(value, argument),
        _ => true,
    }
}

fn is_of_type(value: &Value, type_: &str) -> bool {
    match type_ {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
