//! A provider that makes things in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use kdp_core::{
    Error, ErrorKind, Provider,
    provider::{
        Change, ChangeAction, Lease, Observation, Order, OrderId, Output, Phase, Plan, PlanHash, Run, Teardown,
    },
};
use serde_json::Value;

pub(crate) const REFUSES: &str = "it is too fragile for this image";
const SOON: Duration = Duration::from_millis(20);

/// What exists, by the UID of its order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Things(Arc<Mutex<World>>);

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) things: BTreeMap<String, Value>,
    pub(crate) cut_off: bool,
    /// Things of a colour that cannot be made of an image, and what is said then.
    pub(crate) refuses: Option<(&'static str, &'static str, &'static str)>,
    highest: Lease,
}

impl Things {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn enter(&self, id: &OrderId, lease: Lease) -> Result<MutexGuard<'_, World>, Error> {
        let mut world = self.reach(id)?;
        if lease < world.highest {
            return Err(Error::new(ErrorKind::Stale, "change", id, "an older lease"));
        }
        world.highest = lease;
        Ok(world)
    }

    fn reach(&self, id: &OrderId) -> Result<MutexGuard<'_, World>, Error> {
        let world = self.world();
        if world.cut_off {
            return Err(Error::new(ErrorKind::Unavailable, "reach", id, "nothing answers"));
        }
        Ok(world)
    }

    fn look(&self, id: &OrderId) -> Observation {
        match self.reach(id).map(|world| world.things.get(&id.uid).cloned()) {
            Err(error) => Observation::new(Phase::Unknown).with_message(error.message()).with_next_look(SOON),
            Ok(None) => Observation::new(Phase::Gone),
            Ok(Some(thing)) => Observation::new(Phase::Ready)
                .with_output("password", Output::sensitive(format!("password of {}", id.uid)))
                .with_output("size", Output::plain(thing["size"].to_string()))
                .with_teardown(teardown(id))
                .with_next_look(SOON),
        }
    }
}

fn teardown(id: &OrderId) -> Teardown {
    Teardown::new(id).with_item("thing", &id.uid)
}

#[async_trait]
impl Provider for Things {
    fn name(&self) -> &str {
        "things"
    }

    async fn plan(&self, order: &Order, _: &Run) -> Result<Plan, Error> {
        if order.spec["size"].as_u64().unwrap_or_default() == 0 {
            return Err(Error::new(ErrorKind::Invalid, "plan", &order.id, "size: must be positive"));
        }
        if let Some((message, colour, image)) = self.world().refuses
            && order.spec["colour"] == colour
            && order.spec["image"] == image
        {
            return Err(Error::new(ErrorKind::Invalid, "plan", &order.id, message));
        }
        let changes = match self.reach(&order.id)?.things.get(&order.id.uid) {
            None => vec![Change::new(ChangeAction::Create, "thing")],
            Some(thing) if *thing != order.spec => vec![Change::new(ChangeAction::Update, "thing")],
            Some(_) => Vec::new(),
        };
        Ok(Plan::new(order, changes, teardown(&order.id)))
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        drop(self.enter(&order.id, run.lease)?);
        self.plan(order, run).await?.check(plan, &order.id)?;
        self.enter(&order.id, run.lease)?.things.insert(order.id.uid.clone(), order.spec.clone());
        Ok(self.look(&order.id))
    }

    async fn observe(&self, order: &OrderId, _: Option<&Teardown>) -> Result<Observation, Error> {
        Ok(self.look(order))
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.enter(&sealed.id, run.lease)?.things.remove(&sealed.id.uid);
        Ok(self.look(&sealed.id))
    }
}
