//! The test stand of one case: a provider, an order of its own, and the way to ready and to gone.

use std::time::{Duration, Instant};

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
    let id = OrderId { uid: new_uid(), namespace: "conformance".into(), name: "order".into() };
    let mut stand = Stand { fixture, orders: fixture.orders(), provider, id, sealed: Vec::new() };
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
    sealed: Vec<Teardown>,
}

impl<F: Fixture> Stand<'_, F> {
    /// The order of this case as first placed.
    pub(super) fn valid(&self) -> Order {
        Order { id: self.id.clone(), generation: 1, spec: self.orders.valid.clone() }
    }

    /// The order of this case as changed later.
    pub(super) fn changed(&self) -> Order {
        Order { id: self.id.clone(), generation: 2, spec: self.orders.changed.clone() }
    }

    /// Plans the order and seals the teardown record, as everybody who applies plans must.
    pub(super) async fn plan(&mut self, order: &Order) -> Outcome<Plan> {
        let started = Instant::now();
        loop {
            match self.provider.plan(order).await {
                Ok(plan) => {
                    self.sealed.push(plan.teardown.clone());
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
            match self.provider.apply(order, &plan.hash, lease).await {
                Ok(observation) if observation.phase == Phase::Ready => return Ok(observation),
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
            match self.provider.delete(teardown, lease).await {
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
        self.provider.observe(&self.id).await.map_err(|e| describe("observe", &e))
    }

    /// Replaces the provider by another one over the same place, and returns the old one.
    pub(super) async fn restart(&mut self) -> Outcome<F::Provider> {
        let next = self.fixture.reopen(&self.provider).await.map_err(|e| describe("reopen the provider", &e))?;
        Ok(std::mem::replace(&mut self.provider, next))
    }

    async fn sweep(&self) -> Outcome {
        for teardown in &self.sealed {
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
