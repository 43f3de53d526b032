//! What a workload needs, as orders, and what it is given of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{
    ScoreFault, ScoreFaults, Workload,
    cycle::cycle,
    order::{order, order_name},
    scope::{Scope, escaped},
};
use crate::{
    GroupKind,
    resolution::{EnvironmentFacts, Shelf, WorkspaceFacts},
};

/// Label of orders: the workload that needs it.
pub const WORKLOAD: &str = "score.dev/workload";

/// Where a workload is to run.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// All offerings.
    pub shelf: &'a Shelf,
    /// The workspace it is in.
    pub workspace: &'a WorkspaceFacts,
    /// The environment it is for; none when there is none.
    pub environment: Option<&'a EnvironmentFacts>,
    /// Namespace of the orders.
    pub namespace: &'a str,
    /// Kinds that can be ordered in the workspace, with their `apiVersion`.
    pub kinds: &'a BTreeMap<GroupKind, String>,
    /// When it is asked.
    pub now: Timestamp,
}

/// What is known of the outputs of orders, by the names of the orders.
pub type Outputs = BTreeMap<String, KnownOutputs>;
/// The outputs of an order that is ready, by their names.
pub type KnownOutputs = BTreeMap<String, Known>;

/// An output of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Known {
    /// This text.
    Plain(String),
    /// What a Secret has under a key.
    Secret {
        /// Name of the Secret.
        name: String,
        /// The key.
        key: String,
    },
}

/// All orders of a workload and what its containers get.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkloadPlan {
    /// What it needs, in order of the names.
    pub needs: BTreeMap<String, Need>,
    /// The environment variables of each container, as of Kubernetes; none while it waits.
    pub containers: BTreeMap<String, Option<Vec<EnvVar>>>,
}

/// Something that is needed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Need {
    /// Name of the order.
    pub order: String,
    /// Kind of the order.
    pub kind: GroupKind,
    /// The order as a manifest; none while it waits for what others give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Value>,
    /// The needs it waits for.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub waits_for: BTreeSet<String>,
    /// Other workloads need it as well.
    pub shared: bool,
}

/// An environment variable of a container, as of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value, in which `$(NAME)` stands for a variable before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<Value>,
}

impl WorkloadPlan {
    /// What is to be ordered now for a workload, and what its containers get of what is there.
    ///
    /// A need whose parameters refer to outputs of another one waits for that one. Sensitive outputs are never part
    /// of a value: containers get them from their Secrets.
    ///
    /// # Errors
    /// All that is wrong: types that nothing is offered for, references to nothing, needs that wait for each other.
    pub fn new(workload: &Workload, setting: &Setting<'_>, outputs: &Outputs) -> Result<Self, ScoreFaults> {
        let mut faults = Vec::new();
        let mut needs = BTreeMap::new();
        let names: BTreeMap<_, _> = workload
            .resources
            .iter()
            .map(|(name, resource)| (name.as_str(), order_name(workload, name, resource)))
            .collect();
        let scope = Scope { workload, orders: &names, outputs };
        for (name, resource) in &workload.resources {
            let path = format!("/resources/{}", escaped(name));
            let mut waits_for = BTreeSet::new();
            let params = scope.render(
                &Value::Object(resource.params.clone()),
                &format!("{path}/params"),
                &mut waits_for,
                &mut faults,
            );
            let Some(params) = params else { continue };
            match order(workload, name, resource, &names[name.as_str()], &params, setting) {
                Ok((kind, manifest)) => {
                    let manifest = waits_for.is_empty().then_some(manifest);
                    let shared = resource.id.is_some();
                    let order = names[name.as_str()].clone();
                    needs.insert(name.clone(), Need { order, kind, manifest, waits_for, shared });
                }
                Err(message) => faults.push(ScoreFault::new(path, message)),
            }
        }
        if let Some(cycle) = cycle(workload) {
            faults.push(ScoreFault::new("/resources", format!("they wait for each other: {}", cycle.join(" → "))));
        }
        let mut containers = BTreeMap::new();
        for (name, container) in &workload.containers {
            containers.insert(name.clone(), scope.variables(name, container, &mut faults));
        }
        if faults.is_empty() { Ok(Self { needs, containers }) } else { Err(ScoreFaults(faults)) }
    }

    /// Whether everything that is needed is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.needs.values().all(|need| need.manifest.is_some()) && self.containers.values().all(Option::is_some)
    }
}

#[cfg(test)]
mod tests;
