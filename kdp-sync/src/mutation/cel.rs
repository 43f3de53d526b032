//! Rewrites by CEL.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use kube_cel::cel::{
    Context, Program, Value as Cel,
    objects::{Key, Map as CelMap},
};
use serde_json::Value;

const VARIABLES: [&str; 3] = ["value", "self", "other"];

/// An expression over the value that is rewritten, its object, and the object on the other side.
#[derive(Clone)]
pub(super) struct Expression(Arc<Program>);

impl Expression {
    /// # Errors
    /// When the text is no expression, or uses a variable that is not given.
    pub(super) fn compile(expression: &str) -> Result<Self, String> {
        // The first line says what is wrong; those after it draw the expression.
        let first_line = |message: String| message.lines().next().unwrap_or_default().to_owned();
        let program = Program::compile(expression).map_err(|e| first_line(e.to_string()))?;
        match program.references().variables().into_iter().find(|name| !VARIABLES.contains(name)) {
            Some(unknown) => Err(format!("there is no {unknown} here, only value, self and other")),
            None => Ok(Self(Arc::new(program))),
        }
    }

    /// Whether no variable is used.
    pub(super) fn is_independent(&self) -> bool {
        self.0.references().variables().is_empty()
    }

    /// # Errors
    /// When the expression fails on these objects, or gives what JSON cannot hold.
    pub(super) fn evaluate(&self, value: Option<&Value>, object: &Value, other: &Value) -> Result<Value, String> {
        let mut context = Context::default();
        // What gjson finds has floats only; objects keep what they have.
        context.add_variable_from_value("value", to_cel(value.unwrap_or(&Value::Null), Numbers::Floats));
        context.add_variable_from_value("self", to_cel(object, Numbers::AsTheyAre));
        context.add_variable_from_value("other", to_cel(other, Numbers::AsTheyAre));
        to_json(&self.0.execute(&context).map_err(|e| e.to_string())?)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Numbers {
    Floats,
    AsTheyAre,
}

fn to_cel(value: &Value, numbers: Numbers) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(truth) => Cel::Bool(*truth),
        Value::Number(number) => match number.as_i64().filter(|_| numbers == Numbers::AsTheyAre) {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(|item| to_cel(item, numbers)).collect())),
        Value::Object(fields) => {
            let key = |key: &String| Key::String(Arc::new(key.clone()));
            let pairs = fields.iter().map(|(name, value)| (key(name), to_cel(value, numbers)));
            Cel::Map(CelMap { map: Arc::new(pairs.collect()) })
        }
    }
}

fn to_json(value: &Cel) -> Result<Value, String> {
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(truth) => (*truth).into(),
        Cel::Int(number) => (*number).into(),
        Cel::UInt(number) => (*number).into(),
        Cel::Float(number) if !number.is_finite() => return Err(format!("the expression gives {number}")),
        Cel::Float(number) => (*number).into(),
        Cel::String(text) => text.as_str().into(),
        Cel::Bytes(bytes) => BASE64_STANDARD.encode(bytes.as_slice()).into(),
        Cel::List(items) => items.iter().map(to_json).collect::<Result<_, _>>()?,
        Cel::Map(map) => {
            let pairs = map.map.iter().map(|(key, value)| Ok((key.to_string(), to_json(value)?)));
            Value::Object(pairs.collect::<Result<_, String>>()?)
        }
        other => return Err(format!("the expression gives a {:?}, which JSON cannot hold", other.type_of())),
    })
}
