//! What is wrong with a published resource, and in which field.

use std::fmt;

/// A fault in one field of a published resource; nothing is published until it is corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Path of the field, such as `spec.related[0].object.template`.
    pub field: String,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
}

impl Diagnostic {
    pub(crate) fn new(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { field: field.into(), message: message.to_string() }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for Diagnostic {}

/// Collects faults while a published resource is compiled, so that all are reported at once.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub(crate) fn push(&mut self, field: impl Into<String>, message: impl fmt::Display) {
        self.0.push(Diagnostic::new(field, message));
    }

    /// The value, or a note of what is wrong with it.
    pub(crate) fn check<T, E: fmt::Display>(&mut self, field: impl Into<String>, result: Result<T, E>) -> Option<T> {
        result.map_err(|e| self.push(field, e)).ok()
    }

    /// The value, unless anything was found wrong.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Diagnostic>> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self.0),
        }
    }
}
