//! Which release an instance should be at: exact versions, ranges and channels.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use schemars::JsonSchema;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use super::{
    error::LifecycleError,
    release::{Release, ReleaseState},
};

/// Reads a version such as `1.4.2`, also with the customary `v` in front.
///
/// # Errors
/// `Invalid` when the text is not a semantic version.
pub fn parse_version(object: &str, field: &str, text: &str) -> Result<Version, LifecycleError> {
    let text = text.trim();
    Version::parse(text.strip_prefix('v').unwrap_or(text))
        .map_err(|error| LifecycleError::invalid(object, field, format!("{text:?} is not a semantic version: {error}")))
}

/// A named list of releases that the provider recommends, from the oldest to the one to be at.
///
/// The order is the provider's word, not that of the numbers: a release that was withdrawn is
/// taken off the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    /// Name, such as `stable` or `candidate`.
    pub name: String,
    /// The releases; the last one is the one to be at.
    #[serde(default)]
    pub releases: Vec<Version>,
    /// Whether those who follow the channel have asked for pre-releases.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pre_releases: bool,
}

/// What somebody asks for, as it is written in an object.
///
/// Serialized it is an object of one field: `{"version": "1.4.2"}`, `{"range": ">=1.4, <2"}` or
/// `{"channel": "stable"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum RequirementSpec {
    /// Exactly this version.
    Version(String),
    /// Any version of this range, in the notation of Cargo.
    Range(String),
    /// What this channel has.
    Channel(String),
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// Exactly this version, also when it is a pre-release.
    Exact(Version),
    /// Any version of this range; a pre-release only when the range names one of the same version.
    Range(VersionReq),
    /// What this channel has.
    Channel(String),
}

impl Requirement {
    /// Reads what stands in `field` of `object`.
    ///
    /// # Errors
    /// `Invalid` when a version or range is not one, or a channel has no name.
    pub fn parse(object: &str, field: &str, spec: &RequirementSpec) -> Result<Self, LifecycleError> {
        match spec {
            RequirementSpec::Version(text) => parse_version(object, &format!("{field}.version"), text).map(Self::Exact),
            RequirementSpec::Range(text) => VersionReq::parse(text).map(Self::Range).map_err(|error| {
                LifecycleError::invalid(object, format!("{field}.range"), format!("{text:?} is not a range: {error}"))
            }),
            RequirementSpec::Channel(name) if name.trim().is_empty() => {
                Err(LifecycleError::invalid(object, format!("{field}.channel"), "is empty"))
            }
            RequirementSpec::Channel(name) => Ok(Self::Channel(name.clone())),
        }
    }

    /// Whether an instance at `version` is one of those meant.
    ///
    /// An unknown channel has nobody in it.
    #[must_use]
    pub fn includes(&self, version: &Version, channels: &[Channel]) -> bool {
        match self {
            Self::Exact(exact) => exact == version,
            Self::Range(range) => range.matches(version),
            Self::Channel(name) => {
                channels.iter().any(|channel| channel.name == *name && channel.releases.contains(version))
            }
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(version) => write!(f, "version {version}"),
            Self::Range(range) => write!(f, "range {range}"),
            Self::Channel(name) => write!(f, "channel {name}"),
        }
    }
}

/// What is to be done with one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Choice {
    /// There is no release yet: begin with this one.
    Install(Version),
    /// It stays where it is.
    Keep(Version),
    /// It may go forward.
    Upgrade {
        /// Where it is.
        from: Version,
        /// Where it should be.
        to: Version,
    },
    /// What is asked for is older than what runs. It stays, until somebody asks for the way back.
    HeldBack {
        /// Where it is and stays.
        current: Version,
        /// What the requirement leads to.
        wanted: Version,
    },
}

impl Choice {
    /// The release the instance should be at.
    #[must_use]
    pub fn version(&self) -> &Version {
        match self {
            Self::Install(version) | Self::Keep(version) => version,
            Self::Upgrade { to, .. } => to,
            Self::HeldBack { current, .. } => current,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Current,
    Deprecated,
}

/// The releases of one service that can be chosen at one time, and its channels.
#[derive(Clone, Debug)]
pub struct Offer {
    object: String,
    releases: BTreeMap<Version, Standing>,
    channels: Vec<Channel>,
}

impl Offer {
    /// What `object` offers at `now`: everything that is not retired and not past its last day.
    #[must_use]
    pub fn new(object: &str, releases: &[Release], channels: &[Channel], now: Timestamp) -> Self {
        let standing = |release: &Release| match &release.state {
            ReleaseState::Available => Some(Standing::Current),
            ReleaseState::Deprecated(_) if release.orderable(object, "releases", now).is_ok() => {
                Some(Standing::Deprecated)
            }
            ReleaseState::Deprecated(_) | ReleaseState::Retired { .. } => None,
        };
        let releases =
            releases.iter().filter_map(|release| Some((release.version.clone(), standing(release)?))).collect();
        Self { object: object.into(), releases, channels: channels.to_vec() }
    }

    /// The release that an instance at `current` should be at; `None` is an instance to be made.
    ///
    /// Deprecated releases are chosen only when nothing else meets the requirement, and nothing
    /// older than `current` is ever chosen.
    ///
    /// # Errors
    /// `UnknownChannel`, and `NoRelease` when nothing that can be ordered meets the requirement and
    /// `current` does not either. `field` is the place of the requirement, for the message.
    pub fn choose(
        &self,
        field: &str,
        requirement: &Requirement,
        current: Option<&Version>,
    ) -> Result<Choice, LifecycleError> {
        let wanted = self.best(field, requirement)?;
        match (wanted, current) {
            (Some(wanted), None) => Ok(Choice::Install(wanted)),
            (Some(wanted), Some(current)) if wanted > *current => {
                Ok(Choice::Upgrade { from: current.clone(), to: wanted })
            }
            (Some(wanted), Some(current)) if wanted == *current => Ok(Choice::Keep(wanted)),
            // Whoever meets the requirement already is not led back by a deprecation or a recall.
            (_, Some(current)) if requirement.includes(current, &self.channels) => Ok(Choice::Keep(current.clone())),
            (Some(wanted), Some(current)) => Ok(Choice::HeldBack { current: current.clone(), wanted }),
            (None, _) => Err(LifecycleError::NoRelease {
                object: self.object.clone(),
                field: field.into(),
                requirement: requirement.to_string(),
            }),
        }
    }

    fn best(&self, field: &str, requirement: &Requirement) -> Result<Option<Version>, LifecycleError> {
        match requirement {
            Requirement::Exact(version) => Ok(self.releases.contains_key(version).then(|| version.clone())),
            Requirement::Range(range) => {
                let fitting = || self.releases.iter().rev().filter(|(version, _)| range.matches(version));
                let best = fitting().find(|(_, standing)| **standing == Standing::Current).or_else(|| fitting().next());
                Ok(best.map(|(version, _)| version.clone()))
            }
            Requirement::Channel(name) => {
                let channel = self.channels.iter().find(|channel| channel.name == *name).ok_or_else(|| {
                    LifecycleError::UnknownChannel {
                        object: self.object.clone(),
                        field: field.into(),
                        channel: name.clone(),
                    }
                })?;
                let asked = |version: &Version| channel.pre_releases || version.pre.is_empty();
                let fitting = || {
                    let listed = channel.releases.iter().rev().filter(|version| asked(version));
                    listed.filter_map(|version| Some((version, self.releases.get(version)?)))
                };
                let best = fitting().find(|(_, standing)| **standing == Standing::Current).or_else(|| fitting().next());
                Ok(best.map(|(version, _)| version.clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
