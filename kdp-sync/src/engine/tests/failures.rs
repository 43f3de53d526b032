//! What cannot be read or written holds up nothing else.

use std::{cell::Cell, collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::{
    plan::tests::plan,
    sides::{Agent, Sides},
};
use crate::{engine::*, object};

/// Two kinds of credentials, of which the first one cannot be read.
fn two_related() -> Plan {
    let related = |identifier: &str| {
        json!({
            "identifier": identifier, "origin": "service", "kind": "Secret", "cleanup": true,
            "object": {"template": {"template": identifier}},
        })
    };
    plan(&json!({"related": [related("first"), related("second")]})).unwrap()
}

/// Both sides as they are, but for Secrets of one name.
struct Unreadable<'a> {
    sides: &'a Sides,
    asked: Cell<usize>,
}

impl World for Unreadable<'_> {
    fn answer(&self, query: &Query, _: Evidence) -> Option<Vec<Arc<Value>>> {
        match query {
            Query::Object(key) if key.name == "first" => {
                self.asked.set(self.asked.get() + 1);
                None
            }
            Query::Object(key) => Some(self.sides.get(key).map(Arc::new).into_iter().collect()),
            Query::Copies(_) => {
                let copies = self.sides.keys().filter(|key| key.place == Place::Service && key.types.kind == "Thing");
                Some(copies.map(|key| Arc::new(self.sides.get(&key).unwrap())).collect())
            }
            Query::List(_) => panic!("nothing is found by labels"),
        }
    }

    fn instance(&self) -> &str {
        "one"
    }

    fn is_in_doubt(&self, _: &OrderKey) -> bool {
        false
    }

    fn is_quiet(&self, _: &OrderKey, _: &str) -> bool {
        true
    }
}

struct Scene {
    sides: Sides,
    plan: Plan,
    order: OrderKey,
    failed: BTreeSet<Part>,
}

impl Scene {
    fn new() -> Self {
        let plan = two_related();
        let mut sides = Sides::new();
        let mut agent = Agent::new(plan.clone());
        sides.put(&agent.order_object(), json!({"spec": {"size": 1}}));
        agent.hear(&sides);
        agent.pass(&mut sides, usize::MAX);
        let copy = sides.keys().find(|key| key.place == Place::Service && key.types.kind == "Thing").unwrap();
        for name in ["first", "second"] {
            let types = Arc::new(object::ResourceType::secrets());
            sides.put(&ObjectKey { name: name.into(), types, ..copy.clone() }, json!({"data": {"a": name}}));
        }
        let order =
            OrderKey { cluster: "tenant".parse().unwrap(), namespace: Some("default".into()), name: "db".into() };
        Self { sides, plan, order, failed: BTreeSet::new() }
    }

    /// Works on the order as a driver does whose reads of the first Secret fail.
    fn pass(&mut self) {
        for _ in 0..30 {
            let world = Unreadable { sides: &self.sides, asked: Cell::default() };
            match decide(&self.plan, &self.order, &Facts::new(&world), &self.failed) {
                Next::Look(part, query) => {
                    assert!(matches!(query, Query::Object(key) if key.name == "first"));
                    assert_eq!(part, Part::Related(0));
                    self.failed.insert(part);
                }
                Next::Act(batch) => batch.commands.iter().for_each(|command| self.sides.attempt(command)),
                Next::Settled(problems) => return assert_eq!(problems, []),
            }
        }
        panic!("a pass that does not end");
    }

    fn has(&self, place: &Place, name: &str) -> bool {
        self.sides.keys().any(|key| key.place == *place && key.name == name)
    }

    fn delivered(&self, name: &str) -> bool {
        self.has(&Place::Workspace(self.order.cluster.clone()), name)
    }
}

#[test]
fn a_related_kind_that_cannot_be_read_does_not_hold_up_the_others() {
    let mut scene = Scene::new();
    scene.pass();
    assert_eq!(scene.failed, [Part::Related(0)].into());
    assert!(scene.delivered("second") && !scene.delivered("first"));
}

#[test]
fn a_related_object_that_cannot_be_removed_does_not_hold_up_the_copy_but_the_order() {
    let mut scene = Scene::new();
    let mut agent = Agent::new(scene.plan.clone());
    agent.hear(&scene.sides);
    agent.pass(&mut scene.sides, usize::MAX);
    assert!(scene.delivered("first") && scene.delivered("second"));
    let order = scene.plan.order_object(&scene.order);
    scene.sides.delete(&order);
    scene.pass();
    assert!(scene.delivered("first") && !scene.delivered("second"));
    assert!(!scene.sides.keys().any(|key| key.place == Place::Service && key.types.kind == "Thing"));
    assert!(scene.sides.get(&order).is_some(), "the order waits for what could not be removed");
    // It can be read again.
    agent.hear(&scene.sides);
    agent.pass(&mut scene.sides, usize::MAX);
    assert!(scene.sides.get(&order).is_none() && !scene.delivered("first"));
}

#[test]
fn what_nothing_is_known_of_holds_up_the_copy_that_tells_of_it() {
    let mut scene = Scene::new();
    let order = scene.plan.order_object(&scene.order);
    scene.sides.delete(&order);
    // No records, so only the copy tells what the existing agent may have delivered.
    scene.pass();
    let has_copy = scene.sides.keys().any(|key| key.place == Place::Service && key.types.kind == "Thing");
    assert!(has_copy && scene.sides.get(&order).is_some());
}

#[test]
fn more_than_a_secret_can_hold_is_refused_and_says_so() {
    let mut sides = Sides::new();
    let mut agent = Agent::new(plan(&json!({})).unwrap());
    let order = agent.order_object();
    let fields: serde_json::Map<String, Value> = (0..20_000).map(|at| (format!("{at:050}"), json!("x"))).collect();
    sides.put(&order, json!({"spec": fields}));
    agent.hear(&sides);
    for _ in 0..3 {
        agent.pass(&mut sides, usize::MAX);
    }
    assert!(!sides.keys().any(|key| key.place == Place::Service));
    // Long values are not what makes it large.
    sides.change(&order, &json!({"spec": null}));
    sides.change(&order, &json!({"spec": {"script": "x".repeat(1_200_000)}}));
    agent.hear(&sides);
    agent.pass(&mut sides, usize::MAX);
    assert!(sides.keys().any(|key| key.place == Place::Service && key.types.kind == "Thing"));
}
