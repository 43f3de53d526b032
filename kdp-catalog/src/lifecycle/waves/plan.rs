//! The plan of an upgrade: as it is written in an object, and as it is understood.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString};
use kube::{CustomResource, core::Selector};
use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::run::UpgradeRun;
use crate::lifecycle::{
    Channel, LifecycleError, MaintenanceSpec, Requirement, RequirementSpec, Windows, error::parse_duration,
    parse_version,
};

/// Leads the instances of a service from some releases to another one, group by group.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "catalog.kdp.k8c.io",
    version = "v1alpha1",
    kind = "UpgradePlan",
    namespaced,
    status = "UpgradeRun",
    category = "kdp",
    printcolumn = r#"{"name":"Service","type":"string","jsonPath":".spec.service"}"#,
    printcolumn = r#"{"name":"To","type":"string","jsonPath":".spec.to"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct UpgradePlanSpec {
    /// Name of the service whose instances are meant.
    pub service: String,
    /// Where an instance must be to be upgraded; all others are left alone.
    pub from: RequirementSpec,
    /// The release that they are brought to; instances that are newer are left alone.
    pub to: String,
    /// Who goes first, second and so on; without groups all go as one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupSpec>,
    /// How many may be on the way at once, as a number or as a percentage of all; one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<IntOrString>,
    /// How many may fail before the run halts, as a number or as a percentage of all; none if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<IntOrString>,
    /// When upgrades may begin. Those that have begun are finished, and ways back begin at any time.
    #[serde(default)]
    pub maintenance: MaintenanceSpec,
    /// How long one instance may take until it counts as failed.
    #[serde(default = "one_hour")]
    pub deadline: String,
    /// After how long an action of which nothing is seen is given again.
    #[serde(default = "one_minute")]
    pub retry_after: String,
    /// Nothing new begins while this is set, not even a way back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Who is brought back by itself when something fails.
    #[serde(default)]
    pub roll_back: RollBackPolicy,
}

/// Some of the instances.
///
/// Each instance is in the first group that takes it. A group with neither percent nor count takes
/// all that its selector selects and that are left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupSpec {
    /// Name, such as `canary`.
    pub name: String,
    /// Labels of those that can be in it; all can if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// So many percent of those that can be in it, at least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// So many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// How many of this group may be on the way at once, in addition to the plan's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<IntOrString>,
    /// How many of this group may fail before the run halts, in addition to the plan's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<IntOrString>,
    /// How long the group must have stayed healthy before the next one begins.
    #[serde(default = "nothing")]
    pub soak: String,
}

/// Who is brought back by itself when something fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum RollBackPolicy {
    /// Nobody.
    #[default]
    Never,
    /// Each instance that failed, at once.
    Failed,
    /// When the run halts, all of the group because of which it does.
    Group,
    /// When the run halts, all that were changed.
    All,
}

fn one_hour() -> String {
    "1h".into()
}

fn one_minute() -> String {
    "1m".into()
}

fn nothing() -> String {
    "0s".into()
}

/// A number or a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Count(u32),
    /// So many percent.
    Percent(u32),
}

impl Amount {
    fn parse(object: &str, field: &str, value: &IntOrString) -> Result<Self, LifecycleError> {
        let invalid = |text: &str| {
            LifecycleError::invalid(object, field, format!("{text:?} is neither a number nor a percentage up to 100%"))
        };
        match value {
            IntOrString::Int(number) => {
                u32::try_from(*number).map(Self::Count).map_err(|_| invalid(&number.to_string()))
            }
            IntOrString::String(text) => {
                let number = |text: &str| text.parse::<u32>().ok();
                match text.strip_suffix('%') {
                    Some(percent) => number(percent).filter(|it| *it <= 100).map(Self::Percent),
                    None => number(text).map(Self::Count),
                }
                .ok_or_else(|| invalid(text))
            }
        }
    }

    fn at_least_one(self, object: &str, field: &str) -> Result<Self, LifecycleError> {
        match self {
            Self::Count(0) | Self::Percent(0) => Err(LifecycleError::invalid(object, field, "is zero; use paused")),
            some => Ok(some),
        }
    }

    /// How many of `all`; parts are left out.
    pub(super) fn rounded_down(self, all: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::Percent(percent) => all * percent as usize / 100,
        }
    }

    /// How many of `all`; parts count as one.
    pub(super) fn rounded_up(self, all: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::Percent(percent) => (all * percent as usize).div_ceil(100),
        }
    }
}

/// A plan that is understood.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) name: String,
    pub(super) from: Requirement,
    pub(super) channels: Vec<Channel>,
    pub(super) to: Version,
    pub(super) groups: Vec<Group>,
    pub(super) max_concurrent: Amount,
    pub(super) max_failures: Amount,
    pub(super) windows: Windows,
    pub(super) deadline: SignedDuration,
    pub(super) retry_after: SignedDuration,
    pub(super) paused: bool,
    pub(super) roll_back: RollBackPolicy,
}

/// A group that is understood.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) name: String,
    pub(super) selector: Option<Selector>,
    pub(super) share: Share,
    pub(super) max_concurrent: Option<Amount>,
    pub(super) max_failures: Option<Amount>,
    pub(super) soak: SignedDuration,
}

/// How many of those that a group selects are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All that are left.
    Rest,
    /// So many.
    Amount(Amount),
}

impl Plan {
    /// Reads the plan called `name`; `channels` are those of its service.
    ///
    /// # Errors
    /// `Invalid` for the first field that cannot be understood, `UnknownChannel` when `from` names one.
    pub fn parse(name: &str, spec: &UpgradePlanSpec, channels: &[Channel]) -> Result<Self, LifecycleError> {
        let object = format!("UpgradePlan {name}");
        let object = object.as_str();
        let from = Requirement::parse(object, "spec.from", &spec.from)?;
        if let Requirement::Channel(channel) = &from
            && !channels.iter().any(|it| it.name == *channel)
        {
            let (object, field) = (object.into(), "spec.from.channel".into());
            return Err(LifecycleError::UnknownChannel { object, field, channel: channel.clone() });
        }
        let mut names = BTreeSet::new();
        let mut groups = Vec::new();
        for (i, group) in spec.groups.iter().enumerate() {
            let field = format!("spec.groups[{i}]");
            if group.name.trim().is_empty() || !names.insert(&group.name) {
                let reason = format!("{:?} is empty or used twice", group.name);
                return Err(LifecycleError::invalid(object, format!("{field}.name"), reason));
            }
            groups.push(Group::parse(object, &field, group)?);
        }
        if groups.is_empty() {
            groups.push(Group::parse(object, "spec.groups", &GroupSpec::everybody())?);
        }
        let amount = |field: &str, value: &Option<IntOrString>, default| {
            value.as_ref().map_or(Ok(Amount::Count(default)), |value| Amount::parse(object, field, value))
        };
        let retry_after = parse_duration(object, "spec.retryAfter", &spec.retry_after)?;
        if retry_after.is_zero() {
            return Err(LifecycleError::invalid(object, "spec.retryAfter", "is zero"));
        }
        Ok(Self {
            name: name.into(),
            from,
            channels: channels.to_vec(),
            to: parse_version(object, "spec.to", &spec.to)?,
            groups,
            max_concurrent: amount("spec.maxConcurrent", &spec.max_concurrent, 1)?
                .at_least_one(object, "spec.maxConcurrent")?,
            max_failures: amount("spec.maxFailures", &spec.max_failures, 0)?,
            windows: Windows::parse(object, "spec.maintenance", &spec.maintenance)?,
            deadline: parse_duration(object, "spec.deadline", &spec.deadline)?,
            retry_after,
            paused: spec.paused,
            roll_back: spec.roll_back,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The release it leads to.
    #[must_use]
    pub fn to(&self) -> &Version {
        &self.to
    }

    /// Whether an instance at `version` is to be upgraded; never one that is as new as the target.
    #[must_use]
    pub fn concerns(&self, version: &Version) -> bool {
        *version < self.to && self.from.includes(version, &self.channels)
    }

    pub(super) fn object(&self) -> String {
        format!("UpgradePlan {}", self.name)
    }

    pub(super) fn group_index(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.name == name)
    }
}

impl Group {
    fn parse(object: &str, field: &str, spec: &GroupSpec) -> Result<Self, LifecycleError> {
        let place = |name: &str| format!("{field}.{name}");
        let selector = spec.selector.clone().map(Selector::try_from).transpose();
        let selector = selector.map_err(|error| LifecycleError::invalid(object, place("selector"), error))?;
        let share = match (spec.percent, spec.count) {
            (None, None) => Share::Rest,
            (Some(percent @ 1..=100), None) => Share::Amount(Amount::Percent(percent)),
            (None, Some(count @ 1..)) => Share::Amount(Amount::Count(count)),
            (Some(_), Some(_)) => {
                return Err(LifecycleError::invalid(object, place("count"), "excludes percent"));
            }
            (Some(percent), None) => {
                return Err(LifecycleError::invalid(object, place("percent"), format!("{percent} is not in 1 to 100")));
            }
            (None, Some(_)) => return Err(LifecycleError::invalid(object, place("count"), "is zero")),
        };
        let amount = |name: &str, value: &Option<IntOrString>| {
            value.as_ref().map(|value| Amount::parse(object, &place(name), value)).transpose()
        };
        let max_concurrent = amount("maxConcurrent", &spec.max_concurrent)?;
        Ok(Self {
            name: spec.name.clone(),
            selector,
            share,
            max_concurrent: max_concurrent.map(|it| it.at_least_one(object, &place("maxConcurrent"))).transpose()?,
            max_failures: amount("maxFailures", &spec.max_failures)?,
            soak: parse_duration(object, &place("soak"), &spec.soak)?,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl GroupSpec {
    /// The only group of a plan that names none.
    fn everybody() -> Self {
        Self { name: "all".into(), soak: nothing(), ..Self::default() }
    }
}
