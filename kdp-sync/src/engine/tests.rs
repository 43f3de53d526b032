//! Decisions, carried out on two sides in memory by an agent that stops after any write and hears
//! of changes late.

mod agents;
mod chaos;
mod claims;
mod failures;
mod imports;
mod policies;
mod retirement;
mod scenarios;
mod sides;
mod sim;

use proptest::prelude::*;
use serde_json::{Value, json};

use self::sides::{Agent, Sides};
use super::{plan::tests::plan, *};

const STEPS: usize = 100;

fn databases() -> Plan {
    plan(&json!({"related": [{
        "identifier": "credentials", "origin": "service", "kind": "Secret", "cleanup": true,
        "object": {"template": {"template": "{{ .Object.metadata.name }}-credentials"}},
    }]}))
    .unwrap()
}

/// What happens to an order from outside, and what its agent does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Order(u8),
    DeleteOrder,
    /// Somebody on the service cluster sets a field that the order does not have.
    ChangeCopy(u8),
    Report(u8),
    Provide(u8),
    Withdraw,
    /// The agent hears of everything.
    Hear,
    /// A pass that is cut off after so many writes; the next agent has heard of everything.
    Crash(u8),
    /// A pass that ends with a write that is done, but whose answer is lost.
    Lose(u8),
    Pass,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..5u8).prop_map(Step::Order),
        1 => Just(Step::DeleteOrder),
        1 => (0..5u8).prop_map(Step::ChangeCopy),
        1 => (0..5u8).prop_map(Step::Report),
        1 => (0..5u8).prop_map(Step::Provide),
        1 => Just(Step::Withdraw),
        3 => Just(Step::Hear),
        2 => (0..6u8).prop_map(Step::Crash),
        2 => (0..6u8).prop_map(Step::Lose),
        3 => Just(Step::Pass),
    ]
}

struct Scene {
    sides: Sides,
    agent: Agent,
    /// What was last set in the copy by somebody else.
    local: Option<u8>,
}

impl Scene {
    fn new() -> Self {
        Self { sides: Sides::new(), agent: Agent::new(databases()), local: None }
    }

    fn step(&mut self, step: Step) {
        let order = self.agent.order_object();
        match step {
            Step::Order(size) => match self.sides.get(&order) {
                None => {
                    self.sides.put(&order, json!({"spec": {"size": size}}));
                    self.local = None;
                }
                Some(_) => self.sides.change(&order, &json!({"spec": {"size": size}})),
            },
            Step::DeleteOrder => self.sides.delete(&order),
            Step::ChangeCopy(value) => {
                if let Some(copy) = self.copy() {
                    self.sides.change(&copy, &json!({"spec": {"local": value}}));
                    self.local = Some(value);
                }
            }
            Step::Report(value) => {
                if let Some(copy) = self.copy() {
                    self.sides.change(&copy, &json!({"status": {"seen": value}}));
                }
            }
            Step::Provide(value) => {
                if let Some(key) = self.original() {
                    self.sides.put(&key, json!({"data": {"password": value}}));
                }
            }
            Step::Withdraw => {
                if let Some(key) = self.original() {
                    self.sides.delete(&key);
                }
            }
            Step::Hear => self.agent.hear(&self.sides),
            Step::Crash(after) => {
                self.agent.pass(&mut self.sides, usize::from(after));
                self.agent.hear(&self.sides);
            }
            Step::Lose(after) => {
                if let Some(command) = self.agent.pass(&mut self.sides, usize::from(after)).cut_off {
                    self.sides.attempt(&command);
                }
            }
            Step::Pass => {
                self.agent.pass(&mut self.sides, usize::MAX);
            }
        }
    }

    fn copy(&self) -> Option<ObjectKey> {
        self.sides.keys().find(|key| key.place == Place::Service && key.types.kind == "Thing" && key.name != "foreign")
    }

    fn original(&self) -> Option<ObjectKey> {
        let copy = self.copy()?;
        let name = format!("{}-credentials", copy.name);
        Some(ObjectKey { types: std::sync::Arc::new(crate::object::ResourceType::secrets()), name, ..copy })
    }

    fn delivered(&self) -> Option<Value> {
        let is_delivered = |key: &ObjectKey| key.place != Place::Service && key.types.kind == "Secret";
        self.sides.keys().find(is_delivered).and_then(|key| self.sides.get(&key))
    }

    /// Nothing more comes from outside, and everything is heard: this must end.
    fn converge(&mut self) {
        for _ in 0..STEPS {
            self.agent.hear(&self.sides);
            if !self.agent.pass(&mut self.sides, usize::MAX).is_busy {
                return;
            }
        }
        panic!("it never settles: {:?}", self.sides);
    }

    fn check(&self) {
        let order = self.sides.get(&self.agent.order_object());
        let Some(order) = order else {
            assert_eq!(self.copy(), None, "a copy without its order");
            assert_eq!(self.delivered(), None, "credentials without their order");
            assert!(!self.sides.keys().any(|key| key.name.starts_with(STATE_PREFIX)), "state without its order");
            return;
        };
        assert!(order["metadata"]["deletionTimestamp"].is_null(), "a deletion that never ends");
        let copy = self.sides.get(&self.copy().unwrap()).unwrap();
        assert_eq!(copy["spec"]["size"], order["spec"]["size"]);
        assert_eq!(copy["spec"]["local"].as_u64(), self.local.map(Into::into), "the service cluster's own change");
        assert_eq!(copy["status"], order["status"]);
        let original = self.sides.get(&self.original().unwrap());
        assert_eq!(
            self.delivered().map(|secret| secret["data"].clone()),
            original.map(|secret| secret["data"].clone())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_happens_both_sides_agree_in_the_end_and_nobody_elses_object_is_touched(
        steps in prop::collection::vec(any_step(), 1..40)
    ) {
        let mut scene = Scene::new();
        let foreign = scene.sides.add_foreign_objects();
        for step in steps {
            scene.step(step);
        }
        scene.converge();
        scene.check();
        for (key, object) in foreign {
            prop_assert_eq!(scene.sides.get(&key), Some(object));
        }
    }
}

#[test]
fn a_settled_order_needs_no_writes() {
    let mut scene = Scene::new();
    scene.step(Step::Order(1));
    scene.converge();
    let before = scene.sides.revision();
    scene.agent.hear(&scene.sides);
    assert!(!scene.agent.pass(&mut scene.sides, usize::MAX).is_busy);
    assert_eq!(scene.sides.revision(), before);
}

#[test]
fn an_order_that_stops_matching_the_filter_is_still_taken_down() {
    let mut scene = Scene::new();
    scene.agent = Agent::new(
        plan(&json!({"filter": {"resource": {"matchExpressions": [{"key": "off", "operator": "DoesNotExist"}]}}}))
            .unwrap(),
    );
    scene.step(Step::Order(1));
    scene.converge();
    assert!(scene.copy().is_some());
    let order = scene.agent.order_object();
    scene.sides.change(&order, &json!({"metadata": {"labels": {"off": "yes"}}}));
    scene.step(Step::DeleteOrder);
    scene.converge();
    assert_eq!((scene.sides.get(&order), scene.copy()), (None, None));
}

#[test]
fn the_order_says_how_its_copy_is_deleted() {
    for (policy, expected) in
        [("foreground", Propagation::Foreground), ("orphan", Propagation::Orphan), ("?", Propagation::Background)]
    {
        let mut scene = Scene::new();
        scene.step(Step::Order(1));
        scene.converge();
        let order = scene.agent.order_object();
        scene.sides.change(&order, &json!({"metadata": {"annotations": {crate::wire::DELETION_PROPAGATION: policy}}}));
        scene.converge();
        let copy = scene.sides.get(&scene.copy().unwrap()).unwrap();
        assert!(crate::object::annotation(&copy, crate::wire::DELETION_PROPAGATION).is_none());
        scene.step(Step::DeleteOrder);
        scene.converge();
        assert!(scene.sides.propagations().contains(&expected), "{policy}");
    }
}
