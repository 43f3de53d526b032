//! What a resolution comes to, and why.

use std::{collections::BTreeMap, fmt};

use semver::Version;
use serde::Serialize;
use serde_json::Value;

use super::{
    layers::{Field, Origin},
    place::{ConsideredCluster, Placed},
};
use crate::{
    lifecycle::LifecycleError,
    offering::{Deadlines, GroupKind, ProviderBinding},
};

/// How an order is made.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Resolution {
    /// Name of the Offering.
    pub offering: String,
    /// Name of its plan; none when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Who makes it.
    pub provider: ProviderBinding,
    /// Where; none when the provider knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed: Option<Placed>,
    /// Which release; none when the offering has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// What those are told who use this release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The `spec` with all values.
    pub parameters: Value,
    /// Where each of the values comes from, in order of their paths.
    pub fields: Vec<Field>,
    /// What it takes of the service cluster.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub demand: BTreeMap<String, u64>,
    /// Labels of the order by which it is kept apart from others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub apart: BTreeMap<String, String>,
    /// How long operations may take.
    pub deadlines: Deadlines,
}

/// Why an order cannot be made. The text is for whoever ordered: it says nothing of other tenants, nor of offerings
/// that are not for them.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No offering of the kind fits the order.
    #[error("nothing is offered for {kind} in {place}; ask the owner of the service")]
    NothingOffered {
        /// What was ordered.
        kind: GroupKind,
        /// Where, as people say it.
        place: String,
    },
    /// The order names an offering that is not there, or is not for it.
    #[error("metadata.annotations: there is no offering {name:?} of {kind} for it{}", also(.others))]
    UnknownOffering {
        /// The name.
        name: String,
        /// What was ordered.
        kind: GroupKind,
        /// What it could name.
        others: Vec<String>,
    },
    /// The order names a plan that its offering does not have.
    #[error("metadata.annotations: the offering {offering} has no plan {name:?}{}", also(.others))]
    UnknownPlan {
        /// The offering.
        offering: String,
        /// The name.
        name: String,
        /// What it could name.
        others: Vec<String>,
    },
    /// The offering of an order that was made before is no longer there.
    #[error("its offering {0} is no longer there; what was made stays as it is")]
    OfferingGone(String),
    /// The order was made by one provider, and would now be made by another one.
    #[error("it was made by {from} and would now be made by {to}; order it anew and delete this one")]
    OtherProvider {
        /// The provider that made it.
        from: String,
        /// The provider that it would get.
        to: String,
    },
    /// The release of an order that was made before, or was upgraded to it, is no longer there.
    #[error("its release {0} is no longer there; what was made stays as it is")]
    ReleaseGone(Version),
    /// No release is what was asked for.
    #[error(transparent)]
    Version(Box<LifecycleError>),
    /// Values are outside of what the offering allows.
    #[error("spec: {}", faults(.0))]
    Limits(Vec<LimitFault>),
    /// No service cluster can take it.
    #[error("no service cluster can take it now; ask the owner of the service")]
    NoPlace {
        /// What was found of each, which is for the platform's eyes only.
        considered: Vec<ConsideredCluster>,
    },
}

impl From<LifecycleError> for Refusal {
    fn from(error: LifecycleError) -> Self {
        Self::Version(Box::new(error))
    }
}

/// A value outside of what an offering allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LimitFault {
    /// Where it is in the `spec`, as a JSON pointer.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
    /// Where the value comes from; none when it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// What was found of an offering.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConsideredOffering {
    /// Its name.
    pub offering: String,
    /// How many things it asks for.
    pub specificity: usize,
    /// Its priority.
    pub priority: i32,
    /// What it asks for that is not so; none when it fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misfit: Option<String>,
}

/// How an order was resolved, for the owner of the service. [`Display`](fmt::Display) writes it for people.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// What it came to.
    pub outcome: Result<Resolution, Refusal>,
    /// The offerings of the kind, the closest first, up to [`Explanation::MOST`].
    pub offerings: Vec<ConsideredOffering>,
    /// How many more there are.
    pub more: usize,
    /// The service clusters.
    pub clusters: Vec<ConsideredCluster>,
}

impl Explanation {
    /// How many offerings are listed.
    pub const MOST: usize = 50;
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(resolution) => write!(f, "{resolution}")?,
            Err(refusal) => writeln!(f, "refused: {refusal}")?,
        }
        writeln!(f, "\nofferings:")?;
        for ConsideredOffering { offering, specificity, priority, misfit } in &self.offerings {
            let found = misfit.as_deref().unwrap_or("fits");
            writeln!(f, "  {offering:<24} asks for {specificity}, priority {priority}: {found}")?;
        }
        if self.more > 0 {
            writeln!(f, "  and {} more", self.more)?;
        }
        if !self.clusters.is_empty() {
            writeln!(f, "\nservice clusters:")?;
        }
        for ConsideredCluster { cluster, outcome } in &self.clusters {
            match outcome {
                Ok(score) => writeln!(f, "  {cluster:<24} score {score:.1}")?,
                Err(reason) => writeln!(f, "  {cluster:<24} {reason}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offering {}", self.offering)?;
        if let Some(plan) = &self.plan {
            write!(f, ", plan {plan}")?;
        }
        if let Some(version) = &self.version {
            write!(f, ", release {version}")?;
        }
        write!(f, ", made by {}", self.provider.name)?;
        if let Some(placed) = &self.placed {
            write!(f, " on {}", placed.cluster)?;
        }
        writeln!(f, "\n\nparameters:")?;
        for Field { path, value, origin, overridden } in &self.fields {
            write!(f, "  {path:<32} {value}  from {origin}")?;
            for (origin, value) in overridden {
                write!(f, ", over {value} from {origin}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn also(others: &[String]) -> String {
    if others.is_empty() { String::new() } else { format!("; there is {}", others.join(", ")) }
}

fn faults(faults: &[LimitFault]) -> String {
    let say = |fault: &LimitFault| {
        let origin = fault.origin.as_ref().filter(|origin| **origin != Origin::Order);
        let origin = origin.map(|origin| format!(" (from {origin})")).unwrap_or_default();
        format!("{}: {}{origin}", if fault.path.is_empty() { "/" } else { &fault.path }, fault.message)
    };
    faults.iter().map(say).collect::<Vec<_>>().join("; ")
}
