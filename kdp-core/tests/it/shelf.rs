//! A provider over an engine that is as dumb as they come: it makes a thing each time it is asked,
//! chooses the names itself, and may take its time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use kdp_core::{
    Error, ErrorKind, Provider,
    provider::{
        Action, ActionCall, ActionOutcome, Change, ChangeAction, Lease, Observation, Operation, Order, OrderId, Output,
        Phase, Plan, PlanHash, Run, Step, StepState, Teardown, Weight,
    },
};
use serde_json::Value;

pub(crate) const PASSWORD: &str = "correct-horse";
const SOON: Duration = Duration::from_millis(20);

/// What exists, and how the engine behaves.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// By the engine's own name.
    pub(crate) things: BTreeMap<u64, Thing>,
    /// How many were ever made.
    pub(crate) made: u64,
    /// Things made for an order that had one.
    pub(crate) doubles: u64,
    highest: Lease,
    /// Nothing can be reached.
    pub(crate) cut_off: bool,
    /// Nothing that is made becomes ready.
    pub(crate) never_ready: bool,
    /// How long the engine takes to begin to make what it is asked for; it goes on when nobody waits.
    pub(crate) delay: Duration,
    /// Every apply ends like this.
    pub(crate) refusal: Option<(ErrorKind, &'static str)>,
    /// Operations that never end by themselves.
    pub(crate) hanging: Option<Operation>,
    /// Operations under way, by workspace or namespace, and the most there ever were in all.
    pub(crate) most_at_once: usize,
    at_once: usize,
    pub(crate) weight: u32,
    pub(crate) plans: usize,
    pub(crate) deletes: usize,
    pub(crate) acted: Vec<String>,
    pub(crate) was_told_to_stop: bool,
    /// All teardown records are of this order.
    pub(crate) answers_for: Option<OrderId>,
    /// When to look again; soon.
    pub(crate) next_look: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct Thing {
    pub(crate) order: String,
    pub(crate) size: u64,
    pub(crate) colour: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf(Arc<Mutex<World>>);

impl Shelf {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// How many things were made for an order that had one, and how many in all.
    pub(crate) fn doubles_and_made(&self) -> (u64, u64) {
        let world = self.world();
        (world.doubles, world.made)
    }

    /// How many things were made for an order that had one, and how many there are.
    pub(crate) fn doubles_and_things(&self) -> (u64, usize) {
        let world = self.world();
        (world.doubles, world.things.len())
    }

    /// The things of one order.
    pub(crate) fn of(&self, uid: &str) -> Vec<Thing> {
        self.world().things.values().filter(|thing| thing.order == uid).cloned().collect()
    }

    fn enter(&self, id: &OrderId, lease: Lease) -> Result<(), Error> {
        let mut world = self.world();
        if world.cut_off {
            return Err(Error::new(ErrorKind::Unavailable, "reach", id, "the engine does not answer"));
        }
        if lease < world.highest {
            return Err(Error::new(ErrorKind::Stale, "change", id, "an older lease"));
        }
        world.highest = lease;
        Ok(())
    }

    /// Asks the engine for a thing, which comes even when nobody waits for it.
    async fn make(&self, id: &OrderId, lease: Lease, size: u64, colour: String) -> Result<(), Error> {
        let (shelf, id) = (self.clone(), id.clone());
        let delay = self.world().delay;
        let made = tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            shelf.enter(&id, lease)?;
            let mut world = shelf.world();
            if world.things.values().any(|thing| thing.order == id.uid) {
                world.doubles += 1;
            }
            let name = world.made;
            world.made += 1;
            world.things.insert(name, Thing { order: id.uid, size, colour });
            Ok(())
        });
        made.await.unwrap()
    }

    async fn pause(&self, operation: Operation, run: Option<&Run>) {
        {
            let mut world = self.world();
            world.at_once += 1;
            world.most_at_once = world.most_at_once.max(world.at_once);
        }
        let guard = AtOnce(self);
        if self.world().hanging == Some(operation) {
            if let Some(run) = run {
                run.stop.cancelled().await;
                self.world().was_told_to_stop = true;
            }
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        drop(guard);
    }

    fn look(&self, id: &OrderId) -> Observation {
        let world = self.world();
        if world.cut_off {
            return Observation::new(Phase::Unknown).with_message("the engine does not answer").with_next_look(SOON);
        }
        let Some(thing) = world.things.values().find(|thing| thing.order == id.uid) else {
            return Observation::new(Phase::Gone);
        };
        let phase = if world.never_ready { Phase::Progressing } else { Phase::Ready };
        Observation::new(phase)
            .with_output("password", Output::sensitive(PASSWORD))
            .with_output("size", Output::plain(thing.size.to_string()))
            .with_next_look(world.next_look.unwrap_or(SOON))
            .with_teardown(teardown(world.answers_for.as_ref().unwrap_or(id)))
    }
}

struct AtOnce<'a>(&'a Shelf);

impl Drop for AtOnce<'_> {
    fn drop(&mut self) {
        self.0.world().at_once -= 1;
    }
}

fn teardown(id: &OrderId) -> Teardown {
    Teardown::new(id).with_item("thing", &id.uid)
}

fn wish(order: &Order) -> Result<(u64, String), Error> {
    let size = order.spec["size"].as_u64().unwrap_or_default();
    if size == 0 {
        return Err(Error::new(ErrorKind::Invalid, "plan", &order.id, "size: must be positive"));
    }
    Ok((size, order.spec["colour"].as_str().unwrap_or("red").to_owned()))
}

#[async_trait]
impl Provider for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        self.world().plans += 1;
        let (size, colour) = wish(order)?;
        self.pause(Operation::Plan, Some(run)).await;
        let world = self.world();
        if world.cut_off {
            return Err(Error::new(ErrorKind::Unavailable, "plan", &order.id, "the engine does not answer"));
        }
        let changes = match world.things.values().find(|thing| thing.order == order.id.uid) {
            None => vec![Change::new(ChangeAction::Create, "thing")],
            Some(thing) if thing.colour != colour => vec![Change::new(ChangeAction::Replace, "thing")],
            Some(thing) if thing.size != size => vec![Change::new(ChangeAction::Update, "thing")],
            Some(_) => Vec::new(),
        };
        let teardown = teardown(world.answers_for.as_ref().unwrap_or(&order.id));
        Ok(Plan::new(order, changes, teardown).with_basis("shelf", 1))
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        assert!(order.sealed.is_some(), "it is sealed before anything is made");
        self.enter(&order.id, run.lease)?;
        self.plan(order, run).await?.check(plan, &order.id)?;
        if let Some((kind, message)) = self.world().refusal {
            return Err(Error::new(kind, "apply", &order.id, message));
        }
        let (size, colour) = wish(order)?;
        run.progress.tell(Step::new(StepState::Started, "thing"));
        self.pause(Operation::Apply, Some(run)).await;
        let name = self.world().things.iter().find(|(_, thing)| thing.order == order.id.uid).map(|(name, _)| *name);
        match name {
            None => self.make(&order.id, run.lease, size, colour).await?,
            Some(name) => {
                self.enter(&order.id, run.lease)?;
                let thing = Thing { order: order.id.uid.clone(), size, colour };
                self.world().things.insert(name, thing);
            }
        }
        run.progress.tell(Step::new(StepState::Done, "thing").with_message("made it"));
        self.pause(Operation::Apply, Some(run)).await;
        Ok(self.look(&order.id))
    }

    async fn observe(&self, order: &OrderId, _: Option<&Teardown>) -> Result<Observation, Error> {
        self.pause(Operation::Observe, None).await;
        Ok(self.look(order))
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.enter(&sealed.id, run.lease)?;
        self.pause(Operation::Delete, Some(run)).await;
        let mut world = self.world();
        world.deletes += 1;
        world.things.retain(|_, thing| thing.order != sealed.id.uid);
        drop(world);
        Ok(self.look(&sealed.id))
    }

    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        self.enter(&order.id, run.lease)?;
        let mut world = self.world();
        let thing = existing.parse().ok().and_then(|name: u64| world.things.get_mut(&name));
        let Some(thing) = thing else {
            return Err(Error::new(ErrorKind::NotFound, "import", &order.id, "there is no such thing"));
        };
        if !thing.order.is_empty() && thing.order != order.id.uid {
            return Err(Error::new(ErrorKind::Forbidden, "import", &order.id, "it is another order's"));
        }
        thing.order.clone_from(&order.id.uid);
        drop(world);
        Ok(self.look(&order.id))
    }

    fn actions(&self) -> Vec<Action> {
        let scratch = Action::new("scratch", "Takes its polish away.").destructive();
        vec![Action::new("polish", "Makes it shine."), scratch]
    }

    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        self.enter(&order.id, run.lease)?;
        if self.actions().iter().all(|action| action.name != call.name) {
            return Err(Error::new(ErrorKind::Unsupported, "act on", &order.id, "there is no such action"));
        }
        self.world().acted.push(call.id.clone());
        let told = format!("it shines, and its password is {PASSWORD}");
        let token = Output::sensitive("a-secret-token");
        Ok(ActionOutcome::new(told)
            .with_output("token", token)
            .with_output("shine", Output::plain(Value::from(9).to_string())))
    }

    fn weight(&self, _: Operation) -> Weight {
        Weight::mib(self.world().weight)
    }
}
