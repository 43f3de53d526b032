//! The suite accepts a provider that keeps its promises, and notices each one that is broken.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::{
    ErrorKind,
    provider::{
        ActionCall, ActionOutcome, Change, ChangeAction, Lease, Order, OrderId, Output, Phase, Plan, PlanHash, Run,
        Teardown,
    },
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
    MakesTwice,
    AnswersGoneWithoutRecord,
    TellsTheSeed,
    RemovesUnplanned,
    NeverRemovesParts,
    TakesWhatIsAnothers,
    DoesAnyAction,
}

#[derive(Debug, Default)]
struct World {
    things: HashMap<String, Thing>,
    /// Made, and known to nobody.
    strays: usize,
    /// Which order has what existed, by its name.
    imported: HashMap<String, String>,
    deleted: Vec<String>,
    highest: Lease,
    cut_off: bool,
}

#[derive(Clone, Debug)]
struct Thing {
    size: u64,
    plan: PlanHash,
    password: String,
    parts: BTreeSet<String>,
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

    fn wish(&self, order: &Order) -> Result<(u64, BTreeSet<String>), Error> {
        let size = order.spec["size"].as_u64().unwrap_or_default();
        if size == 0 && self.fault != Fault::AcceptsAnything {
            return Err(Error::new(ErrorKind::Invalid, "plan", &order.id, "size: must be positive"));
        }
        let parts = order.spec["parts"].as_array().into_iter().flatten();
        Ok((size, parts.filter_map(|part| part.as_str().map(str::to_owned)).collect()))
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
        if self.fault == Fault::ForgetsTeardown {
            observation
        } else {
            observation.with_teardown(teardown(id, &thing.parts))
        }
    }
}

fn teardown(id: &OrderId, parts: &BTreeSet<String>) -> Teardown {
    let record = parts.iter().fold(Teardown::new(id), |record, part| record.with_item("part", part));
    record.with_item("thing", &id.uid)
}

#[async_trait]
impl Provider for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }

    async fn plan(&self, order: &Order, _: &Run) -> Result<Plan, Error> {
        let (size, parts) = self.wish(order)?;
        let mut world = self.world.lock().unwrap();
        let mut changes = match world.things.get(&self.key(&order.id)) {
            None => vec![Change::new(ChangeAction::Create, "thing")],
            Some(thing) if thing.size != size => vec![Change::new(ChangeAction::Update, "thing")],
            Some(thing) => {
                let new = parts.difference(&thing.parts).map(|part| (ChangeAction::Create, part));
                let old = thing.parts.difference(&parts).map(|part| (ChangeAction::Delete, part));
                let old = old.filter(|_| self.fault != Fault::NeverRemovesParts);
                new.chain(old).map(|(action, part)| Change::new(action, part)).collect()
            }
        };
        if self.fault == Fault::RemovesUnplanned {
            changes.iter_mut().for_each(|change| change.action = ChangeAction::Update);
        }
        if self.fault == Fault::TellsTheSeed {
            changes.iter_mut().for_each(|change| change.detail = order.spec["seed"].to_string());
        }
        let plan = Plan::new(order, changes, teardown(&order.id, &parts));
        if self.fault == Fault::PlanMakesIt {
            let thing = Thing { size, plan: plan.hash(), password: "a password".into(), parts };
            world.things.insert(self.key(&order.id), thing);
        }
        Ok(plan)
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        self.enter(&order.id, run.lease)?;
        let (size, mut parts) = self.wish(order)?;
        let before = self.world.lock().unwrap().things.get(&self.key(&order.id)).cloned();
        let begun = before.as_ref().is_some_and(|thing| thing.plan == *plan);
        if !begun && self.fault != Fault::AcceptsAnyPlan && self.plan(order, run).await?.hash() != *plan {
            return Err(Error::new(ErrorKind::Stale, "apply", &order.id, "the plan is no longer current"));
        }
        if self.fault == Fault::MakesTwice && before.is_none() {
            self.world.lock().unwrap().strays += 1;
            tokio::task::yield_now().await;
            self.world.lock().unwrap().strays -= 1;
        }
        tokio::task::yield_now().await;
        if self.fault == Fault::NeverRemovesParts {
            parts.extend(before.iter().flat_map(|thing| thing.parts.clone()));
        }
        let password = before.map_or_else(|| format!("{:x}", rand::random::<u128>()), |thing| thing.password);
        let thing = Thing { size, plan: plan.clone(), password, parts };
        self.world.lock().unwrap().things.insert(self.key(&order.id), thing);
        Ok(self.look(&order.id))
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        if self.fault == Fault::AnswersGoneWithoutRecord && sealed.is_none() {
            return Ok(Observation::new(Phase::Gone));
        }
        Ok(self.look(order))
    }

    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        self.enter(&order.id, run.lease)?;
        let mut world = self.world.lock().unwrap();
        let key = self.key(&order.id);
        if let Some(thing) = world.things.remove(existing) {
            world.imported.insert(existing.into(), key.clone());
            world.things.insert(key, thing);
        } else if world.imported.get(existing) != Some(&key) && self.fault != Fault::TakesWhatIsAnothers {
            return Err(Error::new(ErrorKind::Forbidden, "import", &order.id, "it is another order's, or not there"));
        }
        drop(world);
        Ok(self.look(&order.id))
    }

    async fn act(&self, order: &Order, call: &ActionCall, _: &Run) -> Result<ActionOutcome, Error> {
        if self.fault == Fault::DoesAnyAction {
            return Ok(ActionOutcome::new("done"));
        }
        Err(Error::new(ErrorKind::Unsupported, "act on", &order.id, format!("no action {:?}", call.name)))
    }

    async fn delete(&self, teardown: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.enter(&teardown.id, run.lease)?;
        let key = self.key(&teardown.id);
        let mut world = self.world.lock().unwrap();
        if self.fault == Fault::DeletesOnce && run.lease < Lease(100) && world.deleted.contains(&key) {
            return Err(Error::new(ErrorKind::NotFound, "delete", &teardown.id, "it is gone"));
        }
        world.things.remove(&key);
        world.deleted.push(key);
        Ok(Observation::new(Phase::Gone))
    }
}

const SEED: &str = "a-secret-seed";
const PASSWORD: &str = "the password of what exists";

struct Shelves(Fault);

impl Fixture for Shelves {
    type Provider = Shelf;

    fn orders(&self) -> Orders {
        let [valid, changed, impossible] = [1, 2, 0].map(|size| json!({"size": size, "seed": SEED}));
        Orders::new(valid, changed, impossible, "size")
            .with_sensitive_output("password")
            .with_secret_input(SEED)
            .with_larger(json!({"size": 1, "seed": SEED, "parts": ["a", "b"]}))
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

    async fn existing(&self, shelf: &Shelf) -> Option<String> {
        let thing = Thing { size: 1, plan: PlanHash(String::new()), password: PASSWORD.into(), parts: BTreeSet::new() };
        shelf.world.lock().unwrap().things.insert("existing".into(), thing);
        Some("existing".into())
    }

    async fn count(&self, shelf: &Shelf) -> Option<usize> {
        let world = shelf.world.lock().unwrap();
        Some(world.things.len() + world.strays)
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
        (Fault::MakesTwice, "an_apply_dropped_at_any_await_makes_nothing_twice"),
        (Fault::AnswersGoneWithoutRecord, "a_lost_record_never_makes_anything_look_gone"),
        (Fault::TellsTheSeed, "a_plan_tells_no_secret"),
        (Fault::RemovesUnplanned, "what_is_no_longer_wanted_is_planned_and_removed"),
        (Fault::NeverRemovesParts, "what_is_no_longer_wanted_is_planned_and_removed"),
        (Fault::TakesWhatIsAnothers, "what_exists_is_taken_over_by_one_order_only"),
        (Fault::DoesAnyAction, "an_action_that_does_not_exist_is_unsupported"),
    ] {
        let violations = run(&Shelves(fault)).await;
        assert!(violations.iter().any(|violation| violation.case == case), "{fault:?} broke only {violations:?}");
    }
}
