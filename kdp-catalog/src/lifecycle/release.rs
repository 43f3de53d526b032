//! The life of a release: available, deprecated, retired, and what its users are told.

use jiff::{Timestamp, tz::TimeZone};
use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::error::{LifecycleError, Users};

/// Bytes of one warning; API servers cut longer ones themselves, in the middle of a date if need be.
const WARNING_BYTES: usize = 256;
/// Bytes of a kind, a version and a replacement in a warning; with them the dates always fit.
const NAME_BYTES: usize = 48;
/// The least space in which a part of the provider's message is worth showing.
const MESSAGE_BYTES: usize = 16;

/// One release of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// Whether it can be ordered.
    #[serde(flatten)]
    pub state: ReleaseState,
}

/// Whether a release can be ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum ReleaseState {
    /// It can.
    #[default]
    Available,
    /// It still can, but those who do are told not to.
    Deprecated(Deprecation),
    /// It cannot, and nobody is at it.
    Retired {
        /// Since when.
        since: Timestamp,
    },
}

/// Why a release should not be used any more, and until when it can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deprecation {
    /// Since when.
    pub since: Timestamp,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// When it is to be retired; from then on nothing new can be ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retire_at: Option<Timestamp>,
}

impl Release {
    /// A release that can be ordered.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self { version, state: ReleaseState::Available }
    }

    /// Checks that a new instance may be made of this release.
    ///
    /// # Errors
    /// `NotOrderable` when it is retired or its last day is over.
    pub fn orderable(&self, object: &str, field: &str, now: Timestamp) -> Result<(), LifecycleError> {
        let reason = match &self.state {
            ReleaseState::Retired { since } => format!("it is retired since {}", date(*since)),
            ReleaseState::Deprecated(Deprecation { retire_at: Some(end), .. }) if *end <= now => {
                format!("its last day was {}", date(*end))
            }
            ReleaseState::Available | ReleaseState::Deprecated(_) => return Ok(()),
        };
        let (object, field, version) = (object.into(), field.into(), self.version.clone());
        Err(LifecycleError::NotOrderable { object, field, version, reason })
    }

    /// The release as retired since `now`; one that is retired already stays as it is.
    ///
    /// `live` names all instances that are at this release, on the way to it, or that an upgrade may
    /// bring back to it, see [`super::waves::UpgradeRun::ways_back_to`]. An incomplete list must not
    /// be given: what is not listed loses its release.
    ///
    /// # Errors
    /// `InUse` while there are such instances.
    pub fn retire<'a>(
        &self,
        object: &str,
        live: impl IntoIterator<Item = &'a str>,
        now: Timestamp,
    ) -> Result<Self, LifecycleError> {
        if let ReleaseState::Retired { .. } = self.state {
            return Ok(self.clone());
        }
        let users = Users::of(live);
        if !users.named.is_empty() {
            return Err(LifecycleError::InUse { object: object.into(), version: self.version.clone(), users });
        }
        Ok(Self { version: self.version.clone(), state: ReleaseState::Retired { since: now } })
    }

    /// What those are told who use this release of `kind`; nothing while all is well.
    ///
    /// At most 256 bytes of printable ASCII without quotes and backslashes, so it can stand in a
    /// header as it is. Dates are in UTC.
    #[must_use]
    pub fn warning(&self, kind: &str) -> Option<String> {
        let name = |text: &str| cut(&plain(text), NAME_BYTES);
        let subject = format!("{} {}", name(kind), name(&self.version.to_string()));
        match &self.state {
            ReleaseState::Available => None,
            ReleaseState::Retired { since } => Some(format!("{subject} is retired since {}", date(*since))),
            ReleaseState::Deprecated(deprecation) => {
                let mut text = format!("{subject} is deprecated since {}", date(deprecation.since));
                if let Some(replacement) = deprecation.replacement.as_deref().map(name).filter(|it| !it.is_empty()) {
                    text = format!("{text}; use {replacement}");
                }
                if let Some(end) = deprecation.retire_at {
                    text = format!("{text}; it is retired on {}", date(end));
                }
                let message = plain(&deprecation.message);
                let space = WARNING_BYTES.saturating_sub(text.len() + 2);
                if !message.is_empty() && space >= MESSAGE_BYTES {
                    text = format!("{text}: {}", cut(&message, space));
                }
                Some(text)
            }
        }
    }

    /// The value of an HTTP `Warning` header that carries [`Self::warning`].
    #[must_use]
    pub fn warning_header(&self, kind: &str) -> Option<String> {
        self.warning(kind).map(|text| format!("299 - \"{text}\""))
    }
}

fn date(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).date().to_string()
}

/// The text in printable ASCII without quotes and backslashes, with single blanks.
fn plain(text: &str) -> String {
    let safe = |c: char| match c {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => c,
        _ if c.is_whitespace() || c.is_control() => ' ',
        _ => '?',
    };
    let safe: String = text.chars().map(safe).collect();
    safe.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most `bytes` bytes of an ASCII text; what was cut ends with three dots.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.into();
    }
    let kept = text.get(..bytes.saturating_sub(3)).unwrap_or_default();
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests;
