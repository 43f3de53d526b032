//! The suite accepts a provider that keeps its promises, and notices each one that is broken.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::{
    ErrorKind,
    provider::{Change, ChangeAction, InventoryItem, Lease, Order, OrderId, Output, Phase, Plan, PlanHash, Teardown},
};

/// A promise that a [`Shelf`] breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    PlanMakesIt,
    AcceptsAnything,
    AcceptsAnyPlan,
    ForgetsTeardown,
    AnswersGoneWhenCutOff,
    TellsThePassword,
    IgnoresLeases,
    KnowsOnlyNames,
    DeletesOnce,
    ForgetsWhenRestarted,
    NewPasswordEachTime,
}

#[derive(Debug, Default)]
struct World {
    things: HashMap<String, Thing>,
    deleted: Vec<String>,
    highest: Lease,
    cut_off: bool,
}

#[derive(Clone, Debug)]
struct Thing {
    size: u64,
    plan: PlanHash,
    password: String,
}

/// A provider whose real things are entries of a map.
#[derive(Debug)]
struct Shelf {
    fault: Fault,
    world: Arc<Mutex<World>>,
}

impl Shelf {
    fn key(&self, id: &OrderId) -> String {
        if self.fault == Fault::KnowsOnlyNames { id.name.clone() } else { id.uid.clone() }
    }

    fn wish(&self, order: &Order) -> Result<u64, Error> {
        let size = order.spec["size"].as_u64().unwrap_or_default();
        if size == 0 && self.fault != Fault::AcceptsAnything {
            return Err(Error::new(ErrorKind::Invalid, "plan", &order.id, "size: must be positive"));
        }
        Ok(size)
    }

    fn enter(&self, id: &OrderId, lease: Lease) -> Result<(), Error> {
        let mut world = self.world.lock().unwrap();
        if world.cut_off {
            return Err(Error::new(ErrorKind::Unavailable, "change", id, "cut off"));
        }
        if lease < world.highest && self.fault != Fault::IgnoresLeases {
            return Err(Error::new(ErrorKind::Stale, "change", id, "an older lease"));
        }
        world.highest = world.highest.max(lease);
        Ok(())
    }

    fn look(&self, id: &OrderId) -> Observation {
        let world = self.world.lock().unwrap();
        if world.cut_off && self.fault != Fault::AnswersGoneWhenCutOff {
            return Observation::new(Phase::Unknown);
        }
        let Some(thing) = world.things.get(&self.key(id)).filter(|_| !world.cut_off) else {
            return Observation::new(Phase::Gone);
        };
        let fresh = format!("{:x}", rand::random::<u128>());
        let password = if self.fault == Fault::NewPasswordEachTime { fresh } else { thing.password.clone() };
        let told = self.fault == Fault::TellsThePassword;
        let output = if told { Output::plain(password) } else { Output::sensitive(password) };
        let observation = Observation::new(Phase::Ready).with_output("password", output);
        if self.fault == Fault::ForgetsTeardown { observation } else { observation.with_teardown(teardown(id)) }
    }
}

fn teardown(id: &OrderId) -> Teardown {
    Teardown { id: id.clone(), inventory: vec![InventoryItem { kind: "thing".into(), id: id.uid.clone() }] }
}

#[async_trait]
impl Provider for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }

    async fn plan(&self, order: &Order) -> Result<Plan, Error> {
        let size = self.wish(order)?;
        let mut world = self.world.lock().unwrap();
        let changes = match world.things.get(&self.key(&order.id)) {
            None => vec![Change::new(ChangeAction::Create, "thing")],
            Some(thing) if thing.size != size => vec![Change::new(ChangeAction::Update, "thing")],
            Some(_) => Vec::new(),
        };
        let plan = Plan::new(order, changes, teardown(&order.id));
        if self.fault == Fault::PlanMakesIt {
            let thing = Thing { size, plan: plan.hash.clone(), password: "a password".into() };
            world.things.insert(self.key(&order.id), thing);
        }
        Ok(plan)
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, lease: Lease) -> Result<Observation, Error> {
        self.enter(&order.id, lease)?;
        let size = self.wish(order)?;
        let before = self.world.lock().unwrap().things.get(&self.key(&order.id)).cloned();
        let begun = before.as_ref().is_some_and(|thing| thing.plan == *plan);
        if !begun && self.fault != Fault::AcceptsAnyPlan && self.plan(order).await?.hash != *plan {
            return Err(Error::new(ErrorKind::Stale, "apply", &order.id, "the plan is no longer current"));
        }
        let password = before.map_or_else(|| format!("{:x}", rand::random::<u128>()), |thing| thing.password);
        let thing = Thing { size, plan: plan.clone(), password };
        self.world.lock().unwrap().things.insert(self.key(&order.id), thing);
        Ok(self.look(&order.id))
    }

    async fn observe(&self, order: &OrderId) -> Result<Observation, Error> {
        Ok(self.look(order))
    }

    async fn delete(&self, teardown: &Teardown, lease: Lease) -> Result<Observation, Error> {
        self.enter(&teardown.id, lease)?;
        let key = self.key(&teardown.id);
        let mut world = self.world.lock().unwrap();
        if self.fault == Fault::DeletesOnce && lease < Lease(100) && world.deleted.contains(&key) {
            return Err(Error::new(ErrorKind::NotFound, "delete", &teardown.id, "it is gone"));
        }
        world.things.remove(&key);
        world.deleted.push(key);
        Ok(Observation::new(Phase::Gone))
    }
}

struct Shelves(Fault);

impl Fixture for Shelves {
    type Provider = Shelf;

    fn orders(&self) -> Orders {
        let [valid, changed, impossible] = [1, 2, 0].map(|size| json!({"size": size}));
        Orders::new(valid, changed, impossible, "size").with_sensitive_output("password")
    }

    async fn open(&self) -> Result<Shelf, Error> {
        Ok(Shelf { fault: self.0, world: Arc::default() })
    }

    async fn reopen(&self, shelf: &Shelf) -> Result<Shelf, Error> {
        let forgets = self.0 == Fault::ForgetsWhenRestarted;
        Ok(Shelf { fault: self.0, world: if forgets { Arc::default() } else { shelf.world.clone() } })
    }

    async fn cut_off(&self, shelf: &Shelf) {
        shelf.world.lock().unwrap().cut_off = true;
    }

    async fn reconnect(&self, shelf: &Shelf) {
        shelf.world.lock().unwrap().cut_off = false;
    }

    fn deadline(&self) -> Duration {
        Duration::from_millis(50)
    }
}

#[tokio::test]
async fn a_provider_that_keeps_its_promises_passes() {
    assert_eq!(run(&Shelves(Fault::None)).await, []);
}

#[tokio::test]
async fn every_broken_promise_is_noticed_by_the_case_about_it() {
    for (fault, case) in [
        (Fault::PlanMakesIt, "a_plan_changes_nothing_and_has_a_stable_hash"),
        (Fault::AcceptsAnything, "an_impossible_order_is_invalid_and_names_the_field"),
        (Fault::AcceptsAnyPlan, "a_plan_that_is_not_current_is_refused"),
        (Fault::ForgetsTeardown, "the_teardown_record_exists_as_soon_as_anything_does"),
        (Fault::AnswersGoneWhenCutOff, "what_cannot_be_reached_is_never_gone"),
        (Fault::TellsThePassword, "outputs_are_complete_and_marked_sensitive"),
        (Fault::IgnoresLeases, "an_older_lease_is_refused"),
        (Fault::KnowsOnlyNames, "another_order_of_the_same_name_starts_fresh"),
        (Fault::DeletesOnce, "delete_needs_only_the_teardown_record_and_is_idempotent"),
        (Fault::ForgetsWhenRestarted, "a_restarted_process_finds_all_of_it"),
        (Fault::NewPasswordEachTime, "apply_is_idempotent_and_converges_to_ready"),
    ] {
        let violations = run(&Shelves(fault)).await;
        assert!(violations.iter().any(|violation| violation.case == case), "{fault:?} broke only {violations:?}");
    }
}
