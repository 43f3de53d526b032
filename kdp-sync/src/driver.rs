//! Carries out the engine's decisions for one published resource.
//!
//! What is known of both sides is in memory, in [`cache`]s that follow watches; [`engine`](crate::engine)
//! decides on it, [`remote`] writes, [`dependents`] remembers which order asked about what, and
//! [`queue`] says which order is next.

mod cache;
mod caches;
mod dependents;
mod endpoints;
mod failures;
mod merge;
mod pass;
mod queue;
mod remote;
mod world;

pub(crate) use caches::Caches;
pub(crate) use endpoints::{Address, Endpoints};
pub(crate) use remote::{MANAGER, Remote, in_time};

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::Semaphore;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use self::{
    cache::{Change, Listener, Scope},
    dependents::Dependents,
    failures::Failures,
    pass::Outcome,
    queue::Queue,
    world::Known,
};
use crate::{
    engine::{ObjectKey, OrderKey, Place, Plan, order_of},
    metrics::{PassOutcome, ResourceMetrics},
    sharding::Ownership,
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
    plan: Plan,
    known: Known,
    dependents: Dependents,
    failures: Failures,
    queue: Queue,
    remote: Remote,
    ownership: Ownership,
    metrics: ResourceMetrics,
}

impl RunningSync {
    /// Starts the sync of the published resource `name`. At most as many orders as `slots` has
    /// permits are worked on at once; other syncs may share them. Orders in workspaces of other
    /// replicas are left to those.
    pub(crate) fn start(
        name: &str,
        plan: Plan,
        remote: Remote,
        caches: &Caches,
        slots: Arc<Semaphore>,
        ownership: Ownership,
        metrics: ResourceMetrics,
    ) -> Self {
        let known = Known::new(&plan, caches);
        let shared = Arc::new(Shared {
            plan,
            known,
            dependents: Dependents::default(),
            failures: Failures::default(),
            queue: Queue::default(),
            remote,
            ownership,
            metrics,
        });
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let orders = tasks.clone();
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

async fn run(shared: Arc<Shared>, slots: Arc<Semaphore>, tasks: TaskTracker, shutdown: CancellationToken) {
    // Heard from now on; the queue keeps what is heard before the work begins.
    let weak: Weak<Shared> = Arc::downgrade(&shared);
    let listener: Arc<Listener> = Arc::new(move |scope, change| {
        if let Some(shared) = weak.upgrade() {
            shared.heard(scope, change);
        }
    });
    shared.known.subscribe(&listener);
    let mut gains = shared.ownership.gains();
    tokio::select! {
        () = shared.known.synced() => {}
        () = shutdown.cancelled() => return,
    }
    for order in shared.known.orders() {
        shared.push(order);
    }
    loop {
        let next = async {
            let order = shared.queue.next().await;
            // The semaphore is never closed.
            (order, slots.clone().acquire_owned().await.ok())
        };
        let (order, slot) = tokio::select! {
            next = next => next,
            // Nothing was queued for these as long as they were another replica's.
            gained = gains.next() => {
                let orders = shared.known.orders().into_iter().chain(shared.known.orders_of_copies());
                orders.filter(|order| gained.contains(&order.cluster)).for_each(|order| shared.push(order));
                continue;
            }
            () = shutdown.cancelled() => return,
        };
        let (shared, shutdown) = (shared.clone(), shutdown.clone());
        tasks.spawn(async move {
            let turn = shared.ownership.begin(&order.cluster);
            let outcome = match turn {
                Some(turn) => turn.within(shared.pass(&order, &shutdown)).await,
                None => None,
            };
            // The replica that has the workspace now goes on from wherever a pass was cut off.
            shared.settle(&order, outcome.unwrap_or(Outcome::Settled));
            drop(slot);
        });
    }
}

impl Shared {
    fn heard(&self, scope: &Scope, change: &Change<'_>) {
        let mut orders = self.dependents.of(change);
        if scope == self.known.orders_scope() {
            orders.extend(order_key_of(change.key));
        } else if scope == self.known.copies_scope() {
            orders.extend([change.before, change.after].into_iter().flatten().filter_map(|copy| order_of(copy)));
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
        self.metrics.passed(match outcome {
            Outcome::Gone => PassOutcome::Gone,
            Outcome::Settled => PassOutcome::Settled,
            Outcome::Failed(_) => PassOutcome::Failed,
        });
        match outcome {
            Outcome::Gone => {
                self.dependents.forget(order);
                self.queue.done(order, None);
            }
            Outcome::Settled => self.queue.done(order, None),
            Outcome::Failed(delay) => self.queue.done(order, Some(delay)),
        }
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
