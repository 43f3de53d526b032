//! CEL expressions about claims and users.

use std::{collections::HashMap, sync::Arc};

use kube_cel::{
    KubeCelExt,
    cel::{
        Context, Program, Value as CelValue,
        objects::{Key, Map as CelMap},
    },
};
use serde_json::Value;

use crate::embedded::schema::{
    cel_regex,
    cel_value::Largest,
    expression::{BUDGET, Outline},
};

/// The largest data a token of the accepted length can hold.
const LARGEST: Largest = Largest { collection: 6 * 1024, text: 12 * 1024 };

thread_local! {
    static LIBRARY: Context<'static> = {
        let mut library = Context::default();
        library.register_all();
        cel_regex::register(&mut library);
        library
    };
}

/// A compiled expression about one variable.
#[derive(Debug)]
pub(super) struct Expression {
    program: Program,
    /// How many steps it may take.
    pub(super) cost: u64,
}

impl Expression {
    /// # Errors
    /// Why the expression cannot be used.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let program = Program::compile(text).map_err(|error| format!("compilation failed: {error}"))?;
        let cost = Outline::of(program.expression()).cost(LARGEST);
        if cost > BUDGET {
            return Err("compilation failed: the expression may take too long".into());
        }
        Ok(Self { program, cost })
    }

    /// The result with `variable` being `value`.
    ///
    /// # Errors
    /// When it fails. The reason stays out, since it could repeat what the token holds.
    fn evaluate(&self, variable: &str, value: &Value) -> Result<CelValue, &'static str> {
        LIBRARY.with(|library| {
            let mut scope = library.new_inner_scope();
            scope.add_variable_from_value(variable, convert(value));
            self.program.execute(&scope).map_err(|_| "an expression about the token failed")
        })
    }

    /// Whether it is true.
    pub(super) fn holds(&self, variable: &str, value: &Value) -> Result<bool, &'static str> {
        match self.evaluate(variable, value)? {
            CelValue::Bool(holds) => Ok(holds),
            _ => Err("an expression about the token is neither true nor false"),
        }
    }

    /// The text it gives.
    pub(super) fn text(&self, claims: &Value) -> Result<String, &'static str> {
        text(&self.evaluate("claims", claims)?).ok_or("an expression about the token gives no text")
    }

    /// The texts it gives: one, or a list, or none.
    pub(super) fn texts(&self, claims: &Value) -> Result<Vec<String>, &'static str> {
        let failed = "an expression about the token gives no list of texts";
        let mut texts = match &self.evaluate("claims", claims)? {
            CelValue::Null => Vec::new(),
            CelValue::List(items) => items.iter().map(text).collect::<Option<_>>().ok_or(failed)?,
            one => vec![text(one).ok_or(failed)?],
        };
        texts.retain(|text| !text.is_empty());
        Ok(texts)
    }
}

fn text(value: &CelValue) -> Option<String> {
    match value {
        CelValue::String(text) => Some(text.to_string()),
        _ => None,
    }
}

fn convert(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => CelValue::Int(number),
            None => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(convert).collect())),
        Value::Object(fields) => {
            let map = fields.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), convert(value)));
            CelValue::Map(CelMap { map: Arc::new(map.collect::<HashMap<_, _>>()) })
        }
    }
}
