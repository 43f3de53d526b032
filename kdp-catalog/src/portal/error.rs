//! What can go wrong on the way into a portal.

use std::path::PathBuf;

/// Why something cannot be shown in a portal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A part of a kind's name is none that Kubernetes allows.
    #[error("{value:?} is no {what} of a kind")]
    Kind {
        /// Which part: `group`, `version`, `kind` or `plural`.
        what: &'static str,
        /// What was given.
        value: String,
    },
    /// An address is not absolute, or not of HTTP.
    #[error("{url:?} is no address of the form https://host/path")]
    Url {
        /// What was given.
        url: String,
    },
    /// The place of the catalog file is not one Backstage understands.
    #[error("{location:?} is no location of the form url:https://host/path or file:/path")]
    Location {
        /// What was given.
        location: String,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An entity could not be written as YAML.
    #[error("cannot write {subject} as YAML: {reason}")]
    Yaml {
        /// The entity.
        subject: String,
        /// Why.
        reason: String,
    },
    /// A scorecard contradicts itself.
    #[error("scorecard {scorecard:?}: {reason}")]
    Scorecard {
        /// Its name.
        scorecard: String,
        /// What is wrong.
        reason: String,
    },
    /// An expression of a scorecard is none, or uses what is not there.
    #[error("scorecard {scorecard:?}, rule {rule:?}: {reason}")]
    Rule {
        /// Name of the scorecard.
        scorecard: String,
        /// Name of the rule; empty for what says whom the scorecard is for.
        rule: String,
        /// What is wrong.
        reason: String,
    },
}
