//! The variables a module declares.

use std::collections::BTreeMap;

use hcl::{Body, Expression};
use serde_json::{Map, Value, json};

use super::types::{Type, name_of};

/// A variable of a module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variable {
    pub(super) of: Type,
    pub(super) description: Option<String>,
    /// What is taken when nothing is given; null when that has to be computed.
    pub(super) default: Option<Value>,
    pub(super) is_nullable: bool,
    pub(super) is_sensitive: bool,
    /// In neither plans nor states, so that it is given with every run.
    pub(super) is_ephemeral: bool,
}

/// The variables of a module, by name.
pub(super) type Variables = BTreeMap<String, Variable>;

/// The variables that a file declares, and whether it wants to keep its state with a service of its own.
///
/// The file is in the language itself, or in JSON when its name ends so.
pub(super) fn read(name: &str, text: &str) -> Result<(Variables, bool), String> {
    if name.ends_with(".json") {
        let file: Value = serde_json::from_str(text).map_err(|e| format!("{name}: {e}"))?;
        return Ok((variables_of_json(&file), has_cloud_in_json(&file)));
    }
    let body: Body = hcl::parse(text).map_err(|e| format!("{name}: {e}"))?;
    let declared = body.blocks().filter(|block| block.identifier() == "variable");
    let variables = declared.filter_map(|block| {
        let name = block.labels().first()?.as_str().to_owned();
        Some((name, Variable::of(&block.body)))
    });
    let settings = body.blocks().filter(|block| block.identifier() == "terraform");
    let has_cloud = settings.flat_map(|block| block.body.blocks()).any(|block| block.identifier() == "cloud");
    Ok((variables.collect(), has_cloud))
}

/// JSON Schema of the values of these variables.
pub(super) fn schema<'a>(variables: impl IntoIterator<Item = (&'a String, &'a Variable)>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, variable) in variables {
        properties.insert(name.clone(), variable.schema());
        if variable.default.is_none() {
            required.push(name.clone());
        }
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

impl Variable {
    fn of(body: &Body) -> Self {
        let attribute = |name: &str| body.attributes().find(|a| a.key() == name).map(|a| a.expr());
        let text = |name: &str| match attribute(name) {
            Some(Expression::String(text)) => Some(text.clone()),
            _ => None,
        };
        let flag = |name: &str, default| match attribute(name) {
            Some(Expression::Bool(flag)) => *flag,
            _ => default,
        };
        Self {
            of: attribute("type").map_or(Type::Any, Type::of),
            description: text("description"),
            default: attribute("default").map(|default| constant(default).unwrap_or_default()),
            is_nullable: flag("nullable", true),
            is_sensitive: flag("sensitive", false),
            is_ephemeral: flag("ephemeral", false),
        }
    }

    fn of_json(body: &Value) -> Self {
        let flag = |name: &str, default| body[name].as_bool().unwrap_or(default);
        Self {
            of: body["type"].as_str().map_or(Type::Any, |text| Type::of(&Expression::String(text.into()))),
            description: body["description"].as_str().map(Into::into),
            default: body.get("default").cloned(),
            is_nullable: flag("nullable", true),
            is_sensitive: flag("sensitive", false),
            is_ephemeral: flag("ephemeral", false),
        }
    }

    fn schema(&self) -> Value {
        let mut schema = self.of.schema();
        if let Some(description) = &self.description {
            schema["description"] = json!(description);
        }
        match &self.default {
            None | Some(Value::Null) => {}
            Some(default) => schema["default"] = default.clone(),
        }
        if self.is_sensitive {
            schema["format"] = json!("password");
        }
        schema
    }

    /// Adds what is wrong with the value given for it.
    pub(super) fn check(&self, name: &str, value: Option<&Value>, faults: &mut Vec<String>) {
        match value {
            None if self.default.is_none() => faults.push(format!("{name}: is required")),
            Some(Value::Null) if !self.is_nullable && self.default.is_none() => {
                faults.push(format!("{name}: must not be null"));
            }
            None | Some(Value::Null) => {}
            Some(value) => self.of.check(name, value, faults),
        }
    }
}

/// The value of an expression; none when it has to be computed.
fn constant(expression: &Expression) -> Option<Value> {
    Some(match expression {
        Expression::Null => Value::Null,
        Expression::Bool(value) => json!(value),
        Expression::String(text) => json!(text),
        Expression::Number(number) => serde_json::to_value(number).ok()?,
        Expression::Array(items) => Value::Array(items.iter().map(constant).collect::<Option<_>>()?),
        Expression::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| Some((name_of(key)?, constant(value)?)));
            Value::Object(fields.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// What is one thing or a list of things in the JSON form of the language.
fn each<'a>(value: &'a Value) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        value => Box::new(std::iter::once(value)),
    }
}

fn variables_of_json(file: &Value) -> Variables {
    let declared = each(&file["variable"]).filter_map(Value::as_object).flatten();
    declared.filter_map(|(name, body)| Some((name.clone(), Variable::of_json(each(body).next()?)))).collect()
}

fn has_cloud_in_json(file: &Value) -> bool {
    each(&file["terraform"]).any(|settings| settings.get("cloud").is_some())
}

#[cfg(test)]
mod tests;
