//! Carries out the engine's decisions for one published resource.
//!
//! What is known of both sides is in memory, in [`cache`]s that follow watches; [`engine`](crate::engine)
//! decides on it, [`remote`] writes, [`dependents`] remembers which order asked about what, and
//! [`queue`] says which order is next.

mod breaker;
mod cache;
mod caches;
mod dependents;
mod endpoints;
mod failures;
mod imports;
mod merge;
mod news;
mod pass;
mod problems;
mod queue;
mod remote;
mod retry;
mod sent;
mod slots;
mod store;
mod tell;
mod waits;
mod world;

pub(crate) use caches::Caches;
pub(crate) use endpoints::{Address, Endpoints};
pub(crate) use remote::{MANAGER, Remote, in_time};
pub(crate) use slots::Slots;

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use self::{
    cache::{Change, Listener, Scope},
    dependents::Dependents,
    failures::Failures,
    imports::Imports,
    news::News,
    pass::Outcome,
    problems::WithoutStatus,
    queue::{Ended, Queue},
    slots::Slot,
    waits::Waits,
    world::Known,
};
use crate::{
    engine::{ObjectKey, OrderKey, Place, Plan, order_of, order_of_state},
    metrics::{PassOutcome, ResourceMetrics},
    object::ResourceType,
    sharding::{Ownership, Workspaces},
};

/// How long orders under way may take when a sync is stopped.
const DRAIN_DEADLINE: Duration = Duration::from_secs(20);

/// The running sync of one published resource. Dropping it stops it without waiting.
pub(crate) struct RunningSync {
    name: String,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// What the tasks of a sync share.
pub(crate) struct Shared {
    /// Of the published resource.
    name: String,
    plan: Plan,
    known: Known,
    dependents: Dependents,
    failures: Failures,
    imports: Imports,
    without_status: WithoutStatus,
    waits: Waits,
    queue: Queue,
    news: News,
    remote: Remote,
    ownership: Ownership,
    metrics: ResourceMetrics,
}

impl RunningSync {
    /// Starts the sync of the published resource `name`, which shares `slots` with other syncs. Orders
    /// in workspaces of other replicas are left to those.
    pub(crate) fn start(
        name: &str,
        plan: Plan,
        remote: Remote,
        caches: &Caches,
        slots: Slots,
        ownership: Ownership,
        metrics: ResourceMetrics,
    ) -> Self {
        let known = Known::new(&plan, caches);
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            plan,
            known,
            dependents: Dependents::default(),
            failures: Failures::default(),
            imports: Imports::default(),
            without_status: WithoutStatus::default(),
            waits: Waits::new(),
            queue: Queue::new(slots.share()),
            news: News::default(),
            remote,
            ownership,
            metrics,
        });
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let orders = tasks.clone();
        for _ in 0..tell::WRITERS {
            tasks.spawn(tell::write(shared.clone(), shutdown.clone()));
        }
        tasks.spawn(run(shared, slots, orders, shutdown.clone()));
        let _stop_on_drop = shutdown.clone().drop_guard();
        Self { name: name.to_owned(), tasks, shutdown, _stop_on_drop }
    }

    /// Stops the sync and waits until the orders under way have reached a consistent step.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        if tokio::time::timeout(DRAIN_DEADLINE, self.tasks.wait()).await.is_err() {
            tracing::error!(resource = self.name, abandoned = self.tasks.len(), "sync.abandoned");
        }
    }
}

impl fmt::Debug for RunningSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningSync").field("name", &self.name).finish_non_exhaustive()
    }
}

async fn run(shared: Arc<Shared>, slots: Slots, tasks: TaskTracker, shutdown: CancellationToken) {
    // Heard from now on; the queue keeps what is heard before the work begins.
    let weak: Weak<Shared> = Arc::downgrade(&shared);
    let listener: Arc<Listener> = Arc::new(move |scope, change| {
        if let Some(shared) = weak.upgrade() {
            shared.heard(scope, change);
        }
    });
    shared.known.subscribe(&listener);
    let mut gains = shared.ownership.gains();
    let mut losses = shared.ownership.losses();
    tokio::select! {
        () = shared.known.synced() => {}
        () = shutdown.cancelled() => return,
    }
    for (key, copy) in shared.known.copies() {
        shared.imports.heard(&key, Some(&copy), |path| shared.known.cluster_at(path));
    }
    let past = shared.known.past_orders(&shared.plan);
    for order in shared.known.orders().into_iter().chain(shared.imports.orders()).chain(past) {
        shared.push(order);
    }
    loop {
        let next = async {
            shared.remote.reachable().await;
            shared.queue.ready().await;
            slots.acquire().await
        };
        let slot = tokio::select! {
            slot = next => slot,
            // Nothing was queued for these as long as they were another replica's.
            gained = gains.next() => {
                let orders = shared.known.orders().into_iter().chain(shared.known.orders_of_copies());
                let orders = orders.chain(shared.imports.orders()).chain(shared.known.past_orders(&shared.plan));
                orders.filter(|order| gained.contains(&order.cluster)).for_each(|order| shared.push(order));
                continue;
            }
            lost = losses.next() => {
                shared.leave(&lost);
                continue;
            }
            () = shutdown.cancelled() => return,
        };
        if let Some(order) = shared.queue.take() {
            tasks.spawn(work_on(shared.clone(), order, slot, shutdown.clone()));
        }
    }
}

async fn work_on(shared: Arc<Shared>, order: OrderKey, slot: Slot, shutdown: CancellationToken) {
    let outcome = match shared.ownership.begin(&order.cluster) {
        Some(turn) => slot.lend(turn.within(shared.pass(&order, &shutdown))).await,
        None => None,
    };
    shared.settle(&order, outcome.unwrap_or(Outcome::CutOff));
}

impl Shared {
    fn heard(&self, scope: &Scope, change: &Change<'_>) {
        let mut orders = self.dependents.of(change);
        if scope == self.known.orders_scope() {
            orders.extend(order_key_of(change.key));
        } else if scope == self.known.copies_scope() {
            orders.extend([change.before, change.after].into_iter().flatten().filter_map(|copy| order_of(copy)));
            let after = change.after.map(AsRef::as_ref);
            orders.extend(self.imports.heard(change.key, after, |path| self.known.cluster_at(path)));
        } else if scope == self.known.states_scope() && change.by.is_none() {
            let order = change.after.and_then(|state| order_of_state(&self.plan, state));
            orders.extend(order.filter(|order| self.known.order(&self.plan.order_object(order)).is_none()));
        } else if *scope.types == ResourceType::logical_clusters() {
            orders.extend(self.imports.workspaces_changed(|path| self.known.cluster_at(path)));
        }
        for order in orders {
            // Its pass goes on and sees what it wrote.
            if change.by.is_none_or(|by| !std::ptr::eq(by.sync, self) || *by.order != order) {
                self.push(order);
            }
        }
    }

    fn push(&self, order: OrderKey) {
        if self.ownership.is_mine(&order.cluster) {
            self.queue.push(order);
        }
    }

    fn settle(&self, order: &OrderKey, outcome: Outcome) {
        if matches!(outcome, Outcome::Gone | Outcome::CutOff) {
            self.forget(order);
        }
        if matches!(outcome, Outcome::CutOff) {
            self.waits.doubt(order);
        }
        let (outcome, ended) = match outcome {
            Outcome::Gone => (PassOutcome::Gone, Ended::Settled),
            // The replica that has the workspace now goes on from wherever it was cut off.
            Outcome::Settled | Outcome::CutOff => (PassOutcome::Settled, Ended::Settled),
            Outcome::Failed(delay) => (PassOutcome::Failed, Ended::Failed(delay)),
            Outcome::Unfinished => (PassOutcome::Settled, Ended::Unfinished),
            Outcome::Waiting(rest) => (PassOutcome::Settled, Ended::Waiting(rest)),
        };
        self.metrics.passed(outcome);
        if let Some(heard) = self.queue.done(order, ended) {
            self.metrics.settled_after(heard.elapsed());
        }
        self.metrics.set_queue_depth(self.queue.depth());
        let (orders, copies) = self.known.counts();
        self.metrics.set_orders(orders);
        self.metrics.set_copies(copies);
    }
}

impl Shared {
    /// Forgets what is remembered of orders that are another replica's now. Should they come back,
    /// all of them are worked on again.
    fn leave(&self, lost: &Workspaces) {
        let remembered = self.dependents.orders().into_iter().chain(self.failures.orders());
        let is_lost = |order: &OrderKey| lost.contains(&order.cluster) && !self.ownership.is_mine(&order.cluster);
        remembered.chain(self.without_status.orders()).filter(is_lost).for_each(|order| self.forget(&order));
    }

    fn forget(&self, order: &OrderKey) {
        self.dependents.forget(order).iter().for_each(|key| self.known.release(key));
        self.failures.forget(order);
        self.without_status.forget(order);
        self.waits.forget(order);
    }
}

impl Drop for Shared {
    /// The caches may be shared with other syncs.
    fn drop(&mut self) {
        self.dependents.objects().iter().for_each(|key| self.known.release(key));
    }
}

fn order_key_of(key: &ObjectKey) -> Option<OrderKey> {
    match &key.place {
        Place::Service => None,
        Place::Workspace(cluster) => {
            Some(OrderKey { cluster: cluster.clone(), namespace: key.namespace.clone(), name: key.name.clone() })
        }
    }
}

#[cfg(test)]
mod tests;
