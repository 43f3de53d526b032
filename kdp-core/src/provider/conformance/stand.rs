//! The test stand of one case: a provider, an order of its own, and the way to ready and to gone.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Fixture, Orders, seen};
use crate::{
    Error, Retry,
    provider::{Lease, Observation, Order, OrderId, Phase, Plan, Provider, Teardown},
    reconcile::Chain,
};

/// The highest lease any case uses is below this one, so the sweep after a case is never stale.
const SWEEP: Lease = Lease(1_000);
const PAUSE: Duration = Duration::from_millis(20);

pub(super) type Outcome<T = ()> = Result<T, String>;

/// Runs one case on a fresh stand, then removes whatever it ordered.
pub(super) async fn with_stand<F: Fixture>(
    fixture: &F,
    case: impl AsyncFnOnce(&mut Stand<'_, F>) -> Outcome,
) -> Outcome {
    let provider = fixture.open().await.map_err(|e| describe("open the provider", &e))?;
    let id = OrderId::new(new_uid(), "conformance", "order");
    let mut stand = Stand { fixture, orders: fixture.orders(), provider, id, sealed: BTreeMap::new() };
    let outcome = case(&mut stand).await;
    let swept = stand.sweep().await;
    outcome.and(swept)
}

/// The provider of one case and what the case has ordered.
pub(super) struct Stand<'a, F: Fixture> {
    pub(super) fixture: &'a F,
    pub(super) orders: Orders,
    pub(super) provider: F::Provider,
    pub(super) id: OrderId,
    /// By UID.
    sealed: BTreeMap<String, Teardown>,
}

impl<F: Fixture> Stand<'_, F> {
    /// What is sealed for the order of this case.
    pub(super) fn sealed(&self) -> Outcome<Teardown> {
        self.sealed.get(&self.id.uid).cloned().ok_or_else(|| "nothing was sealed".into())
    }

    /// The order of this case as first placed.
    pub(super) fn valid(&self) -> Order {
        self.order(1, self.orders.valid.clone())
    }

    /// The order of this case as changed later.
    pub(super) fn changed(&self) -> Order {
        self.order(2, self.orders.changed.clone())
    }

    /// The order of this case, with what was sealed for it.
    pub(super) fn order(&self, generation: i64, spec: Value) -> Order {
        self.with_seal(&Order::new(self.id.clone(), generation, spec))
    }

    /// The order with what is sealed for it now.
    pub(super) fn with_seal(&self, order: &Order) -> Order {
        order.clone().with_sealed(self.sealed.get(&order.id.uid).cloned())
    }

    /// Seals a record on top of what was sealed for its order before.
    pub(super) fn seal(&mut self, teardown: Teardown) {
        let uid = teardown.id.uid.clone();
        let sealed = teardown.on_top_of(self.sealed.get(&uid));
        self.sealed.insert(uid, sealed);
    }

    /// Plans the order and seals the teardown record, as everybody who applies plans must.
    pub(super) async fn plan(&mut self, order: &Order) -> Outcome<Plan> {
        let started = Instant::now();
        loop {
            match self.provider.plan(&self.with_seal(order), &SWEEP.into()).await {
                Ok(plan) => {
                    self.seal(plan.teardown.clone());
                    return Ok(plan);
                }
                Err(error) => self.pause_or_give_up("plan", &error, started).await?,
            }
        }
    }

    /// Plans and applies until the order is ready.
    pub(super) async fn converge(&mut self, order: &Order, lease: Lease) -> Outcome<Observation> {
        let started = Instant::now();
        loop {
            let plan = self.plan(order).await?;
            match self.provider.apply(&self.with_seal(order), &plan.hash(), &lease.into()).await {
                Ok(observation) if observation.phase == Phase::Ready => {
                    if let (Some(sealed), Some(there)) = (self.sealed.get_mut(&order.id.uid), &observation.teardown) {
                        *sealed = sealed.settled(there);
                    }
                    return Ok(observation);
                }
                Ok(observation) if started.elapsed() < self.fixture.deadline() => {
                    tokio::time::sleep(observation.next_look.unwrap_or(PAUSE).min(PAUSE)).await;
                }
                Ok(observation) => return Err(format!("the order did not become ready: {}", seen(&observation))),
                Err(error) => self.pause_or_give_up("apply", &error, started).await?,
            }
        }
    }

    /// Deletes until the order is gone.
    pub(super) async fn vanish(&self, teardown: &Teardown, lease: Lease) -> Outcome<Observation> {
        let started = Instant::now();
        loop {
            match self.provider.delete(teardown, &lease.into()).await {
                Ok(observation) if observation.phase == Phase::Gone => return Ok(observation),
                Ok(observation) if started.elapsed() < self.fixture.deadline() => {
                    tokio::time::sleep(observation.next_look.unwrap_or(PAUSE).min(PAUSE)).await;
                }
                Ok(observation) => return Err(format!("the order did not vanish: {}", seen(&observation))),
                Err(error) => self.pause_or_give_up("delete", &error, started).await?,
            }
        }
    }

    /// Observes the order of this case.
    pub(super) async fn observe(&self) -> Outcome<Observation> {
        let sealed = self.sealed.get(&self.id.uid);
        self.provider.observe(&self.id, sealed).await.map_err(|e| describe("observe", &e))
    }

    /// Replaces the provider by another one over the same place, and returns the old one.
    pub(super) async fn restart(&mut self) -> Outcome<F::Provider> {
        let next = self.fixture.reopen(&self.provider).await.map_err(|e| describe("reopen the provider", &e))?;
        Ok(std::mem::replace(&mut self.provider, next))
    }

    async fn sweep(&self) -> Outcome {
        for teardown in self.sealed.values() {
            self.vanish(teardown, SWEEP).await?;
        }
        Ok(())
    }

    async fn pause_or_give_up(&self, op: &str, error: &Error, started: Instant) -> Outcome {
        if error.retry() == Retry::Never || started.elapsed() > self.fixture.deadline() {
            return Err(describe(op, error));
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// An error in a message, with its causes.
pub(super) fn describe(op: &str, error: &Error) -> String {
    format!("{op} answered {:?}: {}", error.kind(), Chain(error))
}

/// A UID nobody else has.
pub(super) fn new_uid() -> String {
    format!("{:032x}", rand::random::<u128>())
}
