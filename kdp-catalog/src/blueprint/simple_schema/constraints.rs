//! Markers as keywords of a schema, and whether they make sense there.

use serde_json::{Map, Value, json};

use super::markers::Marker;

/// What the markers of a field say beyond its schema.
#[derive(Debug, Default)]
pub(super) struct Constraints {
    pub(super) is_required: bool,
    /// Heading of the column that shows the field.
    pub(super) column: Option<String>,
    pub(super) faults: Vec<String>,
}

/// Writes markers into the schema of the field they belong to.
pub(super) fn apply(markers: &[Marker<'_>], schema: &mut Value) -> Constraints {
    let mut constraints = Constraints::default();
    let mut default = None;
    for marker in markers {
        let outcome = match marker.key {
            "required" => truth(&marker.value).map(|truth| constraints.is_required = truth),
            "default" => typed(&marker.value, schema).map(|value| default = Some(value)),
            "printColumn" => {
                constraints.column = Some(marker.value.clone());
                Ok(())
            }
            _ => constrain(marker, schema),
        };
        constraints.faults.extend(outcome.err().map(|message| format!("{}: {message}", marker.key)));
    }
    if let Some(limits) = contradiction(schema) {
        constraints.faults.push(limits);
    }
    // Last, for the default must satisfy all others whatever their order.
    if let Some(value) = default {
        match unfit(schema, &value) {
            None => schema["default"] = value,
            Some(message) => constraints.faults.push(format!("default: {message}")),
        }
    }
    constraints
}

fn constrain(marker: &Marker<'_>, schema: &mut Value) -> Result<(), String> {
    let Marker { key, value } = marker;
    match *key {
        "description" => schema["description"] = value.as_str().into(),
        "enum" => schema["enum"] = options(value, schema)?,
        "minimum" | "maximum" => {
            only_for(schema, &["integer", "number"])?;
            schema[*key] = typed(value, schema)?;
        }
        "minLength" | "maxLength" => {
            only_for(schema, &["string"])?;
            schema[*key] = count(value)?.into();
        }
        "minItems" | "maxItems" => {
            only_for(schema, &["array"])?;
            schema[*key] = count(value)?.into();
        }
        "pattern" => {
            only_for(schema, &["string"])?;
            regex::Regex::new(value).map_err(|_| format!("{value:?} is no regular expression"))?;
            schema["pattern"] = value.as_str().into();
        }
        "uniqueItems" => {
            only_for(schema, &["array"])?;
            if truth(value)? {
                // A structural schema may not say `uniqueItems: true`; a set of simple values means the same.
                only_for(&schema["items"], &["string", "integer", "number", "boolean"])
                    .map_err(|_| "only items of a simple type can be told apart".to_owned())?;
                schema["x-kubernetes-list-type"] = "set".into();
            }
        }
        "immutable" => {
            if truth(value)? {
                let rule = json!({"rule": "self == oldSelf", "message": "the field is immutable"});
                schema["x-kubernetes-validations"] = json!([rule]);
            }
        }
        _ => return Err("there is no such marker".into()),
    }
    Ok(())
}

fn only_for(schema: &Value, types: &[&str]) -> Result<(), String> {
    let of = schema["type"].as_str().unwrap_or_default();
    if types.contains(&of) {
        Ok(())
    } else {
        Err(format!("this is for {}, not for {}", types.join(" and "), article(of)))
    }
}

fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

fn count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{text:?} is no count"))
}

/// A value as the schema's type has it: text as it is, all else as JSON.
fn typed(text: &str, schema: &Value) -> Result<Value, String> {
    let of = schema["type"].as_str().unwrap_or_default();
    if of == "string" {
        return Ok(text.into());
    }
    let value: Value = serde_json::from_str(text).map_err(|_| format!("{text:?} is not {}", article(of)))?;
    if has_type(of, &value) { Ok(value) } else { Err(format!("{text:?} is not {}", article(of))) }
}

fn options(text: &str, schema: &Value) -> Result<Value, String> {
    only_for(schema, &["string", "integer", "number"])?;
    let options = text.split(',').map(|option| typed(option.trim(), schema)).collect::<Result<Vec<_>, _>>()?;
    if options.iter().any(|option| option == "") {
        return Err("an option is empty".into());
    }
    match (1..options.len()).find(|&at| options[..at].contains(&options[at])) {
        Some(at) => Err(format!("{} is there twice", options[at])),
        None => Ok(options.into()),
    }
}

fn has_type(of: &str, value: &Value) -> bool {
    match of {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn article(of: &str) -> String {
    match of {
        "" => "this".into(),
        "integer" | "object" | "array" => format!("an {of}"),
        _ => format!("a {of}"),
    }
}

/// Limits that leave no value.
fn contradiction(schema: &Value) -> Option<String> {
    [("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems")].into_iter().find_map(
        |(low, high)| {
            let (least, most) = (schema[low].as_f64()?, schema[high].as_f64()?);
            (least > most).then(|| format!("{low} is more than {high}"))
        },
    )
}

/// Why a value does not satisfy a schema.
fn unfit(schema: &Value, value: &Value) -> Option<String> {
    let of = schema["type"].as_str().unwrap_or_default();
    if !has_type(of, value) {
        return Some(format!("{value} is not {}", article(of)));
    }
    if schema["enum"].as_array().is_some_and(|options| !options.contains(value)) {
        return Some(format!("{value} is not among {}", schema["enum"]));
    }
    let broken = |low: &str, high: &str, size: f64| {
        let limit = |key: &str| schema[key].as_f64();
        (limit(low).is_some_and(|least| size < least) || limit(high).is_some_and(|most| size > most))
            .then(|| format!("{value} is beyond {low} or {high}"))
    };
    #[expect(clippy::cast_precision_loss, reason = "lengths that a float cannot count do not fit in a definition")]
    let inexact = |size: usize| size as f64;
    match value {
        Value::Number(number) => broken("minimum", "maximum", number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => broken("minLength", "maxLength", inexact(text.chars().count())).or_else(|| {
            let pattern = regex::Regex::new(schema["pattern"].as_str()?).ok()?;
            (!pattern.is_match(text)).then(|| format!("{value} does not match the pattern"))
        }),
        Value::Array(items) => broken("minItems", "maxItems", inexact(items.len()))
            .or_else(|| items.iter().find_map(|item| unfit(&schema["items"], item))),
        Value::Object(fields) => unfit_fields(schema, fields),
        Value::Null | Value::Bool(_) => None,
    }
}

fn unfit_fields(schema: &Value, fields: &Map<String, Value>) -> Option<String> {
    let is_open = schema["x-kubernetes-preserve-unknown-fields"] == true;
    // A default must be complete: those of its fields are filled in later.
    let mut required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(name) = required.find(|name| !fields.contains_key(*name)) {
        return Some(format!("it lacks {name}"));
    }
    fields.iter().find_map(|(name, value)| {
        match schema["properties"].get(name).or_else(|| schema.get("additionalProperties")) {
            Some(schema) => unfit(schema, value),
            None if is_open => None,
            None => Some(format!("there is no field {name:?}")),
        }
    })
}
