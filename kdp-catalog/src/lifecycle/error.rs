//! The error of this module: which object, which field, and what is wrong with it.

use std::fmt;

use jiff::SignedDuration;
use semver::Version;

/// Objects that are named in one error; the others are counted.
const NAMED: usize = 20;

/// A decision cannot be made, and nothing may be changed because of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LifecycleError {
    /// A field of an object cannot be understood.
    #[error("{object}: {field}: {reason}")]
    Invalid {
        /// The object, as people find it again.
        object: String,
        /// Path of the field in the object.
        field: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// A channel is named that the object does not have.
    #[error("{object}: {field}: there is no channel {channel:?}")]
    UnknownChannel {
        /// The object that was asked.
        object: String,
        /// Path of the field that names the channel.
        field: String,
        /// The name.
        channel: String,
    },
    /// Nothing that is offered meets a requirement.
    #[error("{object}: {field}: no release that can be ordered meets {requirement}")]
    NoRelease {
        /// The object that offers the releases.
        object: String,
        /// Path of the field that holds the requirement.
        field: String,
        /// The requirement as text.
        requirement: String,
    },
    /// A release cannot be ordered any more.
    #[error("{object}: {field}: {version} cannot be ordered: {reason}")]
    NotOrderable {
        /// The object that offers the release.
        object: String,
        /// Path of the field that names the release.
        field: String,
        /// The release.
        version: Version,
        /// Why it cannot be ordered.
        reason: String,
    },
    /// A release cannot be retired while instances live at it.
    #[error("{object}: {version} cannot be retired: {users}")]
    InUse {
        /// The object that offers the release.
        object: String,
        /// The release.
        version: Version,
        /// Who lives at it.
        users: Users,
    },
    /// A run belongs to another plan, or to an earlier target of the same plan.
    #[error("{object}: status: the run leads {run}; begin a new one")]
    OtherRun {
        /// The plan that was to be followed.
        object: String,
        /// Whose run it is and where it leads.
        run: String,
    },
    /// A decision does not fit the phase a run is in.
    #[error("{object}: status.phase: a run that is {phase} cannot {verb}")]
    WrongPhase {
        /// Name of the plan.
        object: String,
        /// The phase.
        phase: String,
        /// What was asked for.
        verb: &'static str,
    },
}

impl LifecycleError {
    pub(crate) fn invalid(object: &str, field: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::Invalid { object: object.into(), field: field.into(), reason: reason.to_string() }
    }
}

/// Up to 20 names in alphabetical order, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// The first names.
    pub named: Vec<String>,
    /// How many are not named.
    pub more: usize,
}

impl Users {
    /// The first of `names`, whatever their order.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut named: Vec<&str> = names.into_iter().collect();
        named.sort_unstable();
        named.dedup();
        let more = named.len().saturating_sub(NAMED);
        Self { named: named.into_iter().take(NAMED).map(String::from).collect(), more }
    }
}

impl fmt::Display for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "still used by {}", self.named.join(", "))?;
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

/// Reads a length of time such as `90m`, `36h`, `30d`, `2w` or `PT4H`; a day has 24 hours.
pub(crate) fn parse_duration(object: &str, field: &str, text: &str) -> Result<SignedDuration, LifecycleError> {
    let invalid = |reason: String| LifecycleError::invalid(object, field, reason);
    let span: jiff::Span = text
        .trim()
        .parse()
        .map_err(|_| invalid(format!("{text:?} is not a length of time such as 90m, 36h or 30d")))?;
    let duration = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(|_| invalid(format!("{text:?} has months or years, which differ in length; use days or hours")))?;
    if duration.is_negative() {
        return Err(invalid(format!("{text:?} is negative")));
    }
    Ok(duration)
}
