//! Several agents serve the orders of one export.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    plan::tests::plan,
    sides::{Agent, Sides},
};
use crate::{engine::*, object, wire};

/// An agent for the orders with this label, with copies, credentials and state of its own.
fn agent(name: &str) -> Plan {
    let mut plan = plan(&json!({
        "filter": {"resource": {"matchLabels": {"agent": name}}},
        "naming": {"name": format!("{name}-{{{{ .Object.metadata.name }}}}")},
        "related": [{
            "identifier": "credentials", "origin": "service", "kind": "Secret", "cleanup": true,
            "object": {"template": {"template": format!("{name}-credentials")}},
        }],
    }))
    .unwrap();
    plan.agent = name.into();
    plan.state_namespace = format!("{name}-state");
    plan
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Order(&'static str),
    Delete,
    Provide,
    Hear(usize),
    Pass(usize, usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => prop_oneof![Just("a"), Just("b"), Just("nobody")].prop_map(Step::Order),
        1 => Just(Step::Delete),
        1 => Just(Step::Provide),
        2 => (0..2usize).prop_map(Step::Hear),
        4 => (0..2usize, prop_oneof![Just(usize::MAX), 0..6usize]).prop_map(|(at, writes)| Step::Pass(at, writes)),
    ]
}

fn step(step: Step, sides: &mut Sides, agents: &mut [Agent; 2]) {
    let order = agents[0].order_object();
    match step {
        Step::Order(agent) => sides.put(&order, json!({"metadata": {"labels": {"agent": agent}}, "spec": {"size": 1}})),
        Step::Delete => sides.delete(&order),
        Step::Provide => {
            let copies: Vec<_> = copies(sides).collect();
            for copy in copies {
                let name = format!("{}-credentials", copy.name.split('-').next().unwrap());
                let types = std::sync::Arc::new(object::ResourceType::secrets());
                sides.put(&ObjectKey { name, types, ..copy }, json!({"data": {"a": "b"}}));
            }
        }
        Step::Hear(at) => agents[at].hear(sides),
        Step::Pass(at, writes) => {
            agents[at].pass(sides, writes);
        }
    }
}

fn copies(sides: &Sides) -> impl Iterator<Item = ObjectKey> {
    let is_copy = |key: &ObjectKey| key.place == Place::Service && key.types.kind == "Thing";
    sides.keys().filter(is_copy).collect::<Vec<_>>().into_iter()
}

fn converge(sides: &mut Sides, agents: &mut [Agent; 2]) {
    for _ in 0..50 {
        let mut is_busy = false;
        for agent in agents.iter_mut() {
            agent.hear(sides);
            is_busy |= agent.pass(sides, usize::MAX).is_busy;
        }
        if !is_busy {
            return;
        }
    }
    panic!("they never settle: {sides:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn an_order_that_goes_from_one_agent_to_another_is_deleted_cleanly_by_both(
        steps in prop::collection::vec(any_step(), 1..40)
    ) {
        let mut sides = Sides::new();
        let mut agents = ["a", "b"].map(|name| Agent::new(agent(name).with_own_finalizer()));
        for one in steps {
            step(one, &mut sides, &mut agents);
        }
        step(Step::Delete, &mut sides, &mut agents);
        converge(&mut sides, &mut agents);
        let originals = sides.keys().filter(|key| key.place == Place::Service && key.types.kind == "Secret");
        let is_state = |key: &ObjectKey| key.name.starts_with(STATE_PREFIX);
        prop_assert_eq!(originals.filter(is_state).count(), 0, "{:?}", sides);
        prop_assert!(sides.keys().all(|key| key.place == Place::Service && key.types.kind == "Secret"), "{:?}", sides);
    }
}

fn settled(order: Value, plans: [Plan; 2]) -> (Sides, [Agent; 2]) {
    let mut sides = Sides::new();
    let mut agents = plans.map(Agent::new);
    sides.put(&agents[0].order_object(), order);
    converge(&mut sides, &mut agents);
    (sides, agents)
}

fn ordered_from(agent: &str) -> Value {
    json!({"metadata": {"labels": {"agent": agent}}, "spec": {"size": 1}})
}

#[test]
fn an_agent_with_the_shared_finalizer_leaves_the_end_of_anothers_order_alone() {
    let (mut sides, mut agents) = settled(ordered_from("a"), [agent("a"), agent("b")]);
    let order = agents[0].order_object();
    assert_eq!(copies(&sides).count(), 1);
    sides.delete(&order);
    let [a, b] = &mut agents;
    b.hear(&sides);
    assert!(!b.pass(&mut sides, usize::MAX).is_busy);
    assert!(sides.get(&order).is_some() && copies(&sides).count() == 1);
    a.hear(&sides);
    a.pass(&mut sides, usize::MAX);
    assert!(sides.get(&order).is_none() && copies(&sides).count() == 0);
}

#[test]
fn an_agent_neither_adopts_nor_repairs_anothers_copy() {
    // Both would place their copies under the same name.
    let alike = |name: &str| {
        let mut plan = plan(&json!({})).unwrap().with_own_finalizer();
        plan.agent = name.into();
        plan.state_namespace = format!("{name}-state");
        plan.with_own_finalizer()
    };
    let mut sides = Sides::new();
    let (mut a, mut b) = (Agent::new(alike("a")), Agent::new(alike("b")));
    let order = a.order_object();
    sides.put(&order, json!({"spec": {"size": 1}}));
    a.hear(&sides);
    a.pass(&mut sides, usize::MAX);
    let copy = copies(&sides).next().unwrap();
    let before = sides.get(&copy);
    b.hear(&sides);
    assert!(b.pass(&mut sides, usize::MAX).is_busy, "it says that it cannot serve the order");
    assert_eq!(sides.get(&copy), before);
    sides.delete(&order);
    converge(&mut sides, &mut [a, b]);
    assert_eq!((sides.get(&order), copies(&sides).count()), (None, 0));
}

#[test]
fn an_agent_that_gets_a_finalizer_of_its_own_gives_up_the_shared_one() {
    let (mut sides, [a, b]) = settled(ordered_from("a"), [agent("a"), agent("b")]);
    let order = a.order_object();
    drop(a);
    let mut agents = [Agent::new(agent("a").with_own_finalizer()), b];
    converge(&mut sides, &mut agents);
    assert_eq!(object::finalizers(&sides.get(&order).unwrap()), ["a.sync.kdp.k8c.io/cleanup"]);
    sides.delete(&order);
    converge(&mut sides, &mut agents);
    assert_eq!((sides.get(&order), copies(&sides).count()), (None, 0));
}

#[test]
fn an_order_whose_end_began_before_an_agent_had_its_own_finalizer_still_ends() {
    let (mut sides, [a, b]) = settled(ordered_from("a"), [agent("a"), agent("b")]);
    let order = a.order_object();
    sides.delete(&order);
    let mut agents = [Agent::new(agent("a").with_own_finalizer()), b];
    converge(&mut sides, &mut agents);
    assert_eq!((sides.get(&order), copies(&sides).count()), (None, 0));
    assert!(!sides.keys().any(|key| key.name.starts_with(STATE_PREFIX)));
}

#[test]
fn a_renamed_agent_knows_its_copies_by_its_state() {
    let mut plan = agent("a");
    let (mut sides, _) = settled(ordered_from("a"), [plan.clone(), agent("b")]);
    plan.agent = "renamed".into();
    let mut renamed = Agent::new(plan);
    renamed.hear(&sides);
    renamed.pass(&mut sides, usize::MAX);
    let copy = sides.get(&copies(&sides).next().unwrap()).unwrap();
    assert_eq!(object::label(&copy, wire::AGENT_NAME), Some("renamed"));
}
