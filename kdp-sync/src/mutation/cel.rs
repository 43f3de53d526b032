//! Rewrites by CEL.

use kdp_core::cel::{self, Scope};
use serde_json::Value;

/// An expression over the value that is rewritten, its object, and the object on the other side.
#[derive(Clone)]
pub(super) struct Expression(cel::Expression);

impl Expression {
    /// # Errors
    /// When the text is no expression, or uses a variable that is not given.
    pub(super) fn compile(expression: &str) -> Result<Self, String> {
        cel::Expression::compile(expression, &["value", "self", "other"]).map(Self)
    }

    /// Whether no variable is used.
    pub(super) fn is_independent(&self) -> bool {
        self.0.variables().next().is_none()
    }

    /// # Errors
    /// When the expression fails on these objects, or gives what JSON cannot hold.
    pub(super) fn evaluate(&self, value: Option<&Value>, object: &Value, other: &Value) -> Result<Value, String> {
        // What gjson finds has floats only; objects keep what they have.
        let scope = Scope::new().with_floats("value", value.unwrap_or(&Value::Null));
        self.0.evaluate(&scope.with("self", object).with("other", other))
    }
}
