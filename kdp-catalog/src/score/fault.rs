//! What is wrong with a workload specification.

use std::fmt;

use serde::Serialize;

/// Something that is wrong with a workload specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScoreFault {
    /// Where it is, as a JSON pointer.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// All that is wrong with a workload specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ScoreFaults(pub Vec<ScoreFault>);

impl ScoreFault {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl From<ScoreFault> for ScoreFaults {
    fn from(fault: ScoreFault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for ScoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.path.is_empty() { "/" } else { &self.path }, self.message)
    }
}

impl fmt::Display for ScoreFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}
