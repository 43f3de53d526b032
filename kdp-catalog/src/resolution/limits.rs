//! What an offering allows.

use jsonschema::Validator;
use serde_json::Value;

use super::{
    answer::LimitFault,
    layers::{Field, origin_of},
};

/// Faults that are named at once.
const MOST: usize = 20;

/// A JSON Schema, ready to be used.
#[derive(Clone, Debug)]
pub(super) struct Limits(std::sync::Arc<Validator>);

impl Limits {
    /// # Errors
    /// What is wrong with the schema.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        let compiled = jsonschema::draft202012::options().build(schema);
        compiled.map(|validator| Self(validator.into())).map_err(|error| error.to_string())
    }

    pub(super) fn check(&self, parameters: &Value, fields: &[Field]) -> Vec<LimitFault> {
        if self.0.is_valid(parameters) {
            return Vec::new();
        }
        let fault = |error: jsonschema::ValidationError<'_>| {
            let path = error.instance_path().to_string();
            LimitFault { origin: origin_of(fields, &path).cloned(), message: error.to_string(), path }
        };
        self.0.iter_errors(parameters).take(MOST).map(fault).collect()
    }
}
