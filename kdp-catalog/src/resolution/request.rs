//! What a resolution is asked for: an order and everything around it that counts.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use semver::Version;
use serde_json::Value;

use super::{OFFERING, PLAN, RELEASE, Refusal, VERSION};
use crate::{
    EnvironmentSpec,
    lifecycle::{Requirement, RequirementSpec, parse_version},
    offering::GroupKind,
};

pub(super) type Labels = BTreeMap<String, String>;

/// An order and everything around it that counts for its resolution.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Kind of the order.
    pub kind: &'a GroupKind,
    /// Where it was ordered.
    pub workspace: &'a WorkspaceFacts,
    /// The environment it is in; none when it is in none.
    pub environment: Option<&'a EnvironmentFacts>,
    /// The order itself.
    pub order: &'a OrderFacts,
    /// What service clusters hold already.
    pub usage: &'a Usage,
    /// When it is asked.
    pub now: Timestamp,
}

/// What counts of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceFacts {
    /// Its path.
    pub path: String,
    /// Labels of the Workspace, which its owner cannot set.
    pub labels: Labels,
}

/// What counts of an environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvironmentFacts {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its spec.
    pub spec: EnvironmentSpec,
}

/// What counts of an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderFacts {
    /// UID of the ordering object.
    pub uid: String,
    /// Its labels.
    pub labels: Labels,
    /// Its `spec`.
    pub spec: Value,
    /// What it selects by name.
    pub selection: Selection,
    /// What it has already; none before the first time.
    pub current: Option<Current>,
}

/// What an order selects by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Name of an Offering.
    pub offering: Option<String>,
    /// Name of one of the offering's plans.
    pub plan: Option<String>,
    /// A release of the offering.
    pub version: Option<Requirement>,
    /// The release that an upgrade has brought it to, or back to.
    pub pinned: Option<Version>,
}

impl Selection {
    /// What the annotations of an order select.
    ///
    /// # Errors
    /// `Version` when a version is none.
    pub fn of(annotations: &BTreeMap<String, String>) -> Result<Self, Refusal> {
        let named = |name: &str| annotations.get(name).filter(|value| !value.is_empty());
        let requirement = |text: &String| {
            let spec = match text.strip_prefix("channel:") {
                Some(channel) => RequirementSpec::Channel(channel.trim().into()),
                None if parse_version("", "", text).is_ok() => RequirementSpec::Version(text.clone()),
                None => RequirementSpec::Range(text.clone()),
            };
            Requirement::parse("metadata.annotations", VERSION, &spec)
        };
        Ok(Self {
            offering: named(OFFERING).cloned(),
            plan: named(PLAN).cloned(),
            version: named(VERSION).map(requirement).transpose()?,
            pinned: named(RELEASE).map(|text| parse_version("metadata.annotations", RELEASE, text)).transpose()?,
        })
    }
}

/// What was resolved for an order before and is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// Name of the Offering.
    pub offering: String,
    /// Name of the provider.
    pub provider: String,
    /// The release, if the offering had any.
    pub version: Option<Version>,
    /// The service cluster, if there was a placement.
    pub cluster: Option<String>,
}

/// What service clusters hold, by their names.
#[derive(Clone, Debug, Default)]
pub struct Usage(HashMap<String, ClusterUsage>);

#[derive(Clone, Debug, Default)]
struct ClusterUsage {
    used: HashMap<String, u64>,
    /// Numbers of orders by workspace, label and value.
    labels: HashMap<String, HashMap<String, HashMap<String, u32>>>,
}

/// Counts orders in the capacity of a cluster.
pub const ORDERS: &str = "orders";

impl Usage {
    /// Counts an order that is placed on a cluster.
    pub fn add(&mut self, cluster: &str, workspace: &str, labels: &Labels, demand: &BTreeMap<String, u64>) {
        let usage = self.0.entry(cluster.to_owned()).or_default();
        for (unit, amount) in demand.iter().map(|(unit, amount)| (unit.as_str(), *amount)).chain([(ORDERS, 1)]) {
            let used = usage.used.entry(unit.to_owned()).or_default();
            *used = used.saturating_add(amount);
        }
        let own = usage.labels.entry(workspace.to_owned()).or_default();
        for (label, value) in labels {
            *own.entry(label.clone()).or_default().entry(value.clone()).or_default() += 1;
        }
    }

    /// No longer counts an order that was added with the same values.
    pub fn remove(&mut self, cluster: &str, workspace: &str, labels: &Labels, demand: &BTreeMap<String, u64>) {
        let Some(usage) = self.0.get_mut(cluster) else { return };
        for (unit, amount) in demand.iter().map(|(unit, amount)| (unit.as_str(), *amount)).chain([(ORDERS, 1)]) {
            if let Some(used) = usage.used.get_mut(unit) {
                *used = used.saturating_sub(amount);
            }
        }
        let Some(own) = usage.labels.get_mut(workspace) else { return };
        for (label, value) in labels {
            if let Some(count) = own.get_mut(label).and_then(|values| values.get_mut(value)) {
                *count = count.saturating_sub(1);
            }
        }
        for values in own.values_mut() {
            values.retain(|_, count| *count > 0);
        }
        own.retain(|_, values| !values.is_empty());
        if own.is_empty() {
            usage.labels.remove(workspace);
        }
    }

    /// How much the orders on a cluster take of it.
    #[must_use]
    pub fn used(&self, cluster: &str, unit: &str) -> u64 {
        self.0.get(cluster).and_then(|usage| usage.used.get(unit)).copied().unwrap_or_default()
    }

    /// How many orders of a workspace on a cluster have this label.
    #[must_use]
    pub fn labelled(&self, cluster: &str, workspace: &str, label: &str, value: &str) -> u32 {
        let own = self.0.get(cluster).and_then(|usage| usage.labels.get(workspace));
        own.and_then(|own| own.get(label)?.get(value)).copied().unwrap_or_default()
    }
}
