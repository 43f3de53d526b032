//! Keeping secrets out of what people and agents read.

use std::fmt;

use serde_json::Value;

use super::{Observation, Output};

/// What stands where a secret stood.
pub const REDACTED: &str = "(sensitive)";

/// Shorter secrets occur in ordinary words by chance, and are guessed anyway.
const SHORTEST: usize = 6;

/// Takes known secrets out of texts that come from an engine, such as its error messages.
///
/// It is the second line of defence: whoever makes a text leaves secrets out in the first place.
#[derive(Clone, Default)]
pub struct Redactor(Vec<String>);

impl Redactor {
    /// Knows no secret.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, knowing one more; what is shorter than six bytes is not taken for a secret.
    #[must_use]
    pub fn with(mut self, secret: impl Into<String>) -> Self {
        let secret = secret.into();
        if secret.len() >= SHORTEST && !self.0.contains(&secret) {
            self.0.push(secret);
            // The longest first: of a URI with a password in it, nothing is to stay.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
        self
    }

    /// The same, knowing the sensitive outputs of an observation.
    #[must_use]
    pub fn with_outputs_of(self, observation: &Observation) -> Self {
        let sensitive = |output: &&Output| output.sensitive;
        observation.outputs.values().filter(sensitive).fold(self, |known, output| known.with(&output.value))
    }

    /// The text without the secrets.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.0.len())
    }
}

/// The value without what the mask marks: `true` marks all below it, and lists and objects mark
/// their parts. This is the shape of `before_sensitive` and `after_sensitive` in a Terraform plan.
///
/// ```
/// use kdp_core::provider::redact_masked;
/// use serde_json::json;
///
/// let user = json!({"name": "app", "password": "hunter2", "tags": ["a", "b"]});
/// let mask = json!({"password": true, "tags": [false, true]});
/// let shown = json!({"name": "app", "password": "(sensitive)", "tags": ["a", "(sensitive)"]});
/// assert_eq!(redact_masked(user, &mask), shown);
/// ```
#[must_use]
pub fn redact_masked(value: Value, mask: &Value) -> Value {
    match (value, mask) {
        (_, Value::Bool(true)) => Value::String(REDACTED.into()),
        (Value::Object(fields), Value::Object(masks)) => {
            let redacted = fields.into_iter().map(|(name, field)| match masks.get(&name) {
                Some(mask) => (name, redact_masked(field, mask)),
                None => (name, field),
            });
            Value::Object(redacted.collect())
        }
        (Value::Array(items), Value::Array(masks)) => {
            let none = Value::Bool(false);
            let mask_of = |index: usize| masks.get(index).unwrap_or(&none);
            Value::Array(items.into_iter().enumerate().map(|(i, item)| redact_masked(item, mask_of(i))).collect())
        }
        (value, _) => value,
    }
}

#[cfg(test)]
mod tests;
