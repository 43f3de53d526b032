//! What is wrong with a definition, and where.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that is wrong, as written into `status.validationErrors`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Fault {
    /// The field, from the root of the resource graph, such as `resources[1].template.spec.replicas`.
    pub path: String,
    /// What is wrong with it, for people.
    pub message: String,
}

impl Fault {
    /// A fault of the field at `path`.
    pub fn new(path: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { path: path.to_string(), message: message.into() }
    }
}

/// Everything that is wrong; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Joined(.0))]
pub struct Faults(pub(super) Vec<Fault>);

impl Faults {
    /// The faults in the order of the definition.
    #[must_use]
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }

    /// The faults, to be kept.
    #[must_use]
    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }
}

struct Joined<'a>(&'a [Fault]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if position == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}
