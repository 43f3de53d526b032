//! What an instance tells of itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kdp_core::condition::{Condition, set_condition};
use kube::api::DynamicObject;
use serde_json::{Map, Value, json};

use super::{super::revision::BlueprintRevisionSpec, children::Trouble, reconcile::words};
use crate::blueprint::{InventoryEntry, Plan};

const GRAPH_RESOLVED: &str = "GraphResolved";
const RESOURCES_READY: &str = "ResourcesReady";
const READY: &str = "Ready";

/// What was found and done in one look.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Why the instance does not have the revision it should have.
    pub(super) fault: Option<String>,
    pub(super) troubles: Vec<Trouble>,
    /// All children there are.
    pub(super) children: BTreeMap<(String, String, String, String), InventoryEntry>,
    pub(super) has_deleted: bool,
    /// Whether the instance is being deleted.
    pub(super) is_going: bool,
}

impl Report {
    pub(super) fn is_ready(&self, plan: &Plan) -> bool {
        plan.is_ready && plan.remove.is_empty() && self.troubles.is_empty()
    }
}

/// The status of an instance. Without a plan, what was told of the graph before is kept.
pub(super) fn status(before: &DynamicObject, plan: Option<(&BlueprintRevisionSpec, &Plan)>, report: &Report) -> Value {
    let old = before.data["status"].as_object().cloned().unwrap_or_default();
    let generation = before.metadata.generation;
    let mut conditions: Vec<Condition> =
        old.get("conditions").cloned().and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default();
    let (mut fields, is_ready, waiting) = match plan {
        Some((revision, plan)) => {
            let mut fields = plan.status.as_object().cloned().unwrap_or_default();
            let revision = json!({"version": revision.version, "hash": revision.hash});
            fields.insert("revision".into(), revision);
            (fields, report.is_ready(plan), waiting(plan, report))
        }
        None => (old, false, waiting(&Plan::default(), report)),
    };
    let is_ready = is_ready && !report.is_going;
    let ready = match (&report.fault, waiting.first()) {
        _ if report.is_going => Condition::fails(READY, "Deleting", "children are being deleted"),
        (Some(fault), _) if plan.is_none() => Condition::fails(READY, "NoRevision", fault),
        _ if is_ready => Condition::holds(READY),
        (_, Some(first)) => Condition::fails(READY, "Waiting", first["message"].as_str().unwrap_or_default()),
        (_, None) => Condition::fails(READY, "Waiting", "children that are no longer wanted are being deleted"),
    };
    let resources = match report.troubles.first() {
        Some(first) => Condition::fails(RESOURCES_READY, first.reason, words(&report.troubles)),
        None => Condition { type_: RESOURCES_READY.into(), ..ready.clone() },
    };
    let resolved = match &report.fault {
        Some(fault) => Condition::fails(GRAPH_RESOLVED, "NoRevision", fault),
        None => Condition::holds(GRAPH_RESOLVED),
    };
    for mut condition in [resolved, resources, ready] {
        condition.observed_generation = generation;
        set_condition(&mut conditions, condition, Timestamp::now());
    }
    let references: Vec<Value> = report.children.values().map(reference).collect();
    fields.insert("ready".into(), json!(is_ready));
    fields.insert("waitingOn".into(), waiting.into());
    fields.insert("childRefs".into(), references.into());
    fields.insert("conditions".into(), json!(conditions));
    if let Some(generation) = generation {
        fields.insert("observedGeneration".into(), json!(generation));
    }
    Value::Object(fields)
}

fn waiting(plan: &Plan, report: &Report) -> Vec<Value> {
    let troubles = report.troubles.iter().map(|trouble| json!({"id": trouble.id, "message": trouble.message}));
    let open = plan.waiting.iter().filter(|waiting| !report.troubles.iter().any(|trouble| trouble.id == waiting.id));
    troubles.chain(open.map(|waiting| json!({"id": waiting.id, "message": waiting.reason.to_string()}))).collect()
}

fn reference(entry: &InventoryEntry) -> Value {
    let mut fields = Map::new();
    for (name, value) in
        [("id", &entry.id), ("apiVersion", &entry.api_version), ("kind", &entry.kind), ("name", &entry.name)]
    {
        fields.insert(name.into(), json!(value));
    }
    if let Some(namespace) = &entry.namespace {
        fields.insert("namespace".into(), json!(namespace));
    }
    Value::Object(fields)
}
