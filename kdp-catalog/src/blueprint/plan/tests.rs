mod examples;
mod pruning;
mod random;

use serde_json::{Value, json};

use super::{InventoryEntry, Observed, Plan, Situation};
use crate::blueprint::Graph;

/// An instance with a spec.
fn instance(spec: &Value) -> Value {
    json!({
        "apiVersion": "example.com/v1alpha1",
        "kind": "Test",
        "metadata": {"name": "shop", "namespace": "team-a", "uid": "1"},
        "spec": spec,
    })
}

/// Plans, pretends that what is to be applied was applied, lets `then` write statuses, and so on until nothing changes.
struct Cluster<'g> {
    graph: &'g Graph,
    instance: Value,
    objects: Vec<(String, Value)>,
    foreign: Vec<(String, Value)>,
    inventory: Vec<InventoryEntry>,
}

impl<'g> Cluster<'g> {
    fn new(graph: &'g Graph, spec: &Value) -> Self {
        Self { graph, instance: instance(spec), objects: Vec::new(), foreign: Vec::new(), inventory: Vec::new() }
    }

    fn observed(&self) -> Observed {
        let seen = self.objects.iter().chain(&self.foreign);
        seen.fold(Observed::new(), |observed, (id, object)| observed.with(id.clone(), object.clone()))
    }

    fn plan(&self) -> Plan {
        self.graph.plan(&Situation::new(&self.instance, &self.observed()).with_inventory(&self.inventory))
    }

    /// One reconciliation.
    fn reconcile(&mut self) -> Plan {
        let plan = self.plan();
        self.inventory.clone_from(&plan.inventory);
        for desired in &plan.apply {
            let is_same = |(_, known): &&mut (String, Value)| same(known, &desired.object);
            match self.objects.iter_mut().find(is_same) {
                Some((id, known)) => {
                    id.clone_from(&desired.id);
                    let status = known.get("status").cloned();
                    known.clone_from(&desired.object);
                    known["metadata"]["namespace"] = "team-a".into();
                    if let Some(status) = status {
                        known["status"] = status;
                    }
                }
                None => {
                    let mut object = desired.object.clone();
                    object["metadata"]["namespace"] = "team-a".into();
                    self.objects.push((desired.id.clone(), object));
                }
            }
        }
        if let Some(wave) = plan.remove.first() {
            let is_gone = |entry: &InventoryEntry| wave.contains(entry);
            self.objects.retain(|(_, object)| !wave.iter().any(|entry| names(entry, object)));
            self.inventory.retain(|entry| !is_gone(entry));
        }
        plan
    }

    fn settle(&mut self) -> Plan {
        (0..20).for_each(|_| drop(self.reconcile()));
        self.plan()
    }

    /// Writes the status of all objects of a resource.
    fn status(&mut self, id: &str, status: &Value) {
        let of_resource = self.objects.iter_mut().chain(&mut self.foreign).filter(|(known, _)| known == id);
        of_resource.for_each(|(_, object)| object["status"] = status.clone());
    }

    fn names(&self) -> Vec<String> {
        self.objects
            .iter()
            .map(|(id, object)| format!("{id}/{}", object["metadata"]["name"].as_str().unwrap()))
            .collect()
    }
}

fn same(a: &Value, b: &Value) -> bool {
    a["apiVersion"] == b["apiVersion"] && a["kind"] == b["kind"] && a["metadata"]["name"] == b["metadata"]["name"]
}

fn names(entry: &InventoryEntry, object: &Value) -> bool {
    object["kind"] == entry.kind.as_str() && object["metadata"]["name"] == entry.name.as_str()
}

fn applied(plan: &Plan) -> Vec<&str> {
    plan.apply.iter().map(|desired| desired.object["metadata"]["name"].as_str().unwrap()).collect()
}

fn waiting(plan: &Plan) -> Vec<String> {
    plan.waiting.iter().map(ToString::to_string).collect()
}

fn removed(plan: &Plan) -> Vec<Vec<&str>> {
    plan.remove.iter().map(|wave| wave.iter().map(|entry| entry.name.as_str()).collect()).collect()
}
