#![doc = include_str!("../docs/runner.md")]

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::{Stream, StreamExt};
use kube::{
    ResourceExt,
    api::{ApiResource, DynamicObject},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use rand::Rng;
use tokio::{
    task::{Id, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Component, ComponentContext, Error, ErrorKind, Provider,
    reconcile::{Chain, backoff},
};

mod approval;
mod events;
mod home;
mod judge;
mod operations;
mod options;
mod orphans;
mod outputs;
mod pass;
mod queue;
mod reach;
mod record;
mod report;
mod slots;

pub use self::{
    approval::{Approvable, ApprovalRequest, Approver, HomeApprovals},
    home::Home,
    options::{Approval, Deadlines, DriftPolicy, FailedCreations, Imports, RunnerOptions, Takeover},
    orphans::Orphan,
    reach::Reach,
};
use self::{
    home::Fence,
    judge::bounded,
    operations::Operations,
    pass::Worker,
    queue::{Key, Queue},
    record::Records,
    slots::Slots,
};

/// Keeps an order until all it has is removed.
pub const FINALIZER: &str = "orders.kdp.k8c.io/provider";
/// Annotation of an order: the hash of the plan that may be carried out, once. Without effect where the
/// platform [approves](Approver).
pub const APPROVE: &str = "orders.kdp.k8c.io/approve";
/// Annotation of an order that is to be left alone; `false` is as good as none.
pub const PAUSE: &str = "orders.kdp.k8c.io/pause";
/// Annotation of an order whose creation failed: the number of attempts after which somebody asks
/// for another one.
pub const RETRY: &str = "orders.kdp.k8c.io/retry";
/// Annotation of an order that takes over what exists: its name in the provider's own terms.
pub const IMPORT: &str = "orders.kdp.k8c.io/import";
/// Annotation of an order that asks for an action: an [`ActionCall`](crate::provider::ActionCall) as JSON.
pub const ACTION: &str = "orders.kdp.k8c.io/action";

/// How often a runner makes sure that no other has taken over, and shows that it works itself.
const CHECK_FENCE: Duration = Duration::from_secs(5);
/// How often it does so at least during the patience of one that stands by.
const RENEWALS: u32 = 3;
const SOONEST_RENEWAL: Duration = Duration::from_millis(100);

/// Drives a [`Provider`] for every order of a kind.
pub struct Runner {
    name: String,
    provider: Arc<dyn Provider>,
    kind: ApiResource,
    reach: Reach,
    home: Home,
    options: RunnerOptions,
}

impl Runner {
    /// A runner `name` that has `provider` make every object of `kind` within `reach`.
    ///
    /// The name is part of the names of what is kept in `home`, so it is lower-case letters, digits
    /// and `-`, and never changes. Of two runners of one name and home, the one that started last works.
    pub fn new(name: impl Into<String>, provider: impl Provider, kind: ApiResource, reach: Reach, home: Home) -> Self {
        let options = RunnerOptions::default();
        Self { name: name.into(), provider: Arc::new(provider), kind, reach, home, options }
    }

    /// The same with other options.
    #[must_use]
    pub fn with_options(mut self, options: RunnerOptions) -> Self {
        self.options = options;
        self
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("name", &self.name)
            .field("provider", &self.provider)
            .field("kind", &self.kind.kind)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Component for Runner {
    fn name(&self) -> &str {
        &self.name
    }

    /// # Errors
    /// `Stale` when another runner of its name has started.
    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        if let Takeover::AfterSilence(patience) = self.options.takeover {
            context.ready();
            tokio::select! {
                () = context.shutdown().cancelled() => return Ok(()),
                () = Fence::wait(&self.home, &self.name, bounded(patience)) => {}
            }
        }
        let fence = Fence::begin(&self.home, &self.name).await?;
        let orders = self.reach.through(context.control_plane().clone(), self.kind);
        let halt = CancellationToken::new();
        let operations = Operations {
            provider: self.provider.clone(),
            slots: Slots::new(self.options.memory, self.options.memory_per_workspace),
            deadlines: self.options.deadlines,
            lease: fence.lease(),
            holder: fence.holder().to_owned(),
            halt: halt.clone(),
        };
        let watched = orders.all()?;
        let records = Records::new(&self.home, &self.name, fence.lease());
        if self.provider.counts_orders() {
            let recall = |record: record::Record| {
                if let Some(sealed) = &record.sealed {
                    self.provider.recall(sealed);
                }
            };
            records.each(orphans::PAGE, recall).await?;
        }
        let worker = Worker {
            records,
            name: self.name,
            provider: self.provider,
            orders,
            fence,
            operations,
            superseded: CancellationToken::new(),
            memory: Mutex::default(),
            options: self.options,
        };
        context.ready();
        let events = watcher::watcher(watched, watcher::Config::default()).default_backoff();
        Shift::new(Arc::new(worker), halt).run(events, context.shutdown()).await
    }
}

/// The work of a runner from its start to its stop.
struct Shift {
    worker: Arc<Worker>,
    queue: Queue,
    orders: HashMap<Key, Arc<DynamicObject>>,
    /// What a list that is under way has told so far.
    listed: Option<HashSet<Key>>,
    passes: JoinSet<Option<Duration>>,
    keys: HashMap<Id, Key>,
    /// Ends operations that are under way.
    halt: CancellationToken,
}

impl Shift {
    fn new(worker: Arc<Worker>, halt: CancellationToken) -> Self {
        let queue = Queue::new(worker.options.concurrency, worker.options.concurrency_per_workspace);
        Self { worker, queue, orders: HashMap::new(), listed: None, passes: JoinSet::new(), keys: HashMap::new(), halt }
    }

    async fn run(
        mut self,
        events: impl Stream<Item = Result<Event<DynamicObject>, watcher::Error>>,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let mut events = std::pin::pin!(events);
        let worker = self.worker.clone();
        let mut fence = std::pin::pin!(async move {
            let mut ticks = interval(match worker.options.takeover {
                Takeover::AtOnce => CHECK_FENCE,
                Takeover::AfterSilence(patience) => (patience / RENEWALS).clamp(SOONEST_RENEWAL, CHECK_FENCE),
            });
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                worker.renew_fence().await;
            }
        });
        let superseded = self.worker.superseded.clone();
        loop {
            self.begin_passes();
            let due = self.queue.next_due();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = superseded.cancelled() => break,
                Some(ended) = self.passes.join_next_with_id() => self.end_pass(ended),
                event = events.next() => match event {
                    Some(Ok(event)) => self.hear(event),
                    Some(Err(error)) => tracing::warn!(runner = %self.worker.name, error = %Chain(&error), "watch.failed"),
                    None => return Err(Error::new(ErrorKind::Internal, "watch", &self.worker.name, "the watch ended")),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                () = &mut fence => {}
            }
        }
        self.drain().await;
        if superseded.is_cancelled() {
            let message = "another runner of its name has taken over";
            return Err(Error::new(ErrorKind::Stale, "run", &self.worker.name, message));
        }
        self.worker.release_fence().await;
        Ok(())
    }

    fn begin_passes(&mut self) {
        while let Some(key) = self.queue.begin(Instant::now()) {
            let Some(object) = self.orders.get(&key).cloned() else {
                self.queue.end(&key, None);
                continue;
            };
            let (worker, subject) = (self.worker.clone(), key.clone());
            let task = self.passes.spawn(async move { worker.work(&subject, &object).await });
            self.keys.insert(task.id(), key);
        }
    }

    fn end_pass(&mut self, ended: Result<(Id, Option<Duration>), tokio::task::JoinError>) {
        let (id, next) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(runner = %self.worker.name, %error, "pass.panicked");
                (error.id(), Some(backoff(u32::MAX)))
            }
        };
        let Some(key) = self.keys.remove(&id) else { return };
        self.queue.end(&key, next.map(|after| Instant::now() + after));
        if key.is_gone() && next.is_none() {
            self.orders.remove(&key);
        }
        if !self.orders.contains_key(&key) {
            self.forget(&key);
        }
    }

    fn hear(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.listed = Some(HashSet::new()),
            Event::InitApply(object) => {
                if let Some(key) = self.put(object)
                    && let Some(listed) = &mut self.listed
                {
                    listed.insert(key);
                }
            }
            Event::InitDone => {
                if let Some(listed) = self.listed.take() {
                    let is_left = |key: &&Key| !key.is_gone() && !listed.contains(key);
                    let gone: Vec<_> = self.orders.keys().filter(is_left).cloned().collect();
                    gone.iter().for_each(|key| self.forget(key));
                }
            }
            Event::Apply(object) => drop(self.put(object)),
            Event::Delete(object) => match self.worker.orders.key(&object) {
                Ok(key) => self.bury(key, object),
                Err(error) => tracing::warn!(error = %Chain(&error), "order.unknown"),
            },
        }
    }

    /// Notes an order as it is now, and has it worked on when something about it has changed that
    /// this runner does not write itself.
    fn put(&mut self, object: DynamicObject) -> Option<Key> {
        let key = match self.worker.orders.key(&object) {
            Ok(key) => key,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "order.unknown");
                return None;
            }
        };
        let before = self.orders.get(&key);
        let is_new = before.is_none();
        if before.is_none_or(|before| matters(before) != matters(&object)) {
            self.queue.push(key.clone(), Instant::now());
            // Comparing every order with what was ordered at once, whenever a runner starts, would be too much.
            let next_check = (is_new && self.listed.is_some()).then(|| {
                let interval = self.worker.options.drift_interval;
                Instant::now() + bounded(interval).mul_f64(rand::rng().random_range(0.0..=1.0))
            });
            self.worker.with_memory(&key, |memory| memory.next_check = next_check);
        }
        let object = report::trimmed(object, &self.worker.options.status_outputs);
        self.orders.insert(key.clone(), Arc::new(object));
        Some(key)
    }

    /// Forgets an order that is gone, once what was made for it is as well.
    ///
    /// Its tenant can have taken our finalizer away before. One that was not deleted by anybody although
    /// it had the finalizer is lost instead, and what was made for it stays.
    fn bury(&mut self, key: Key, object: DynamicObject) {
        self.forget(&key);
        // The last that is told of an object may be from before its last finalizer was taken away.
        let is_lost = object.metadata.deletion_timestamp.is_none() && is_held(&object);
        if let Some(uid) = object.metadata.uid.clone().filter(|_| !is_lost) {
            let key = key.after_it_is_gone(uid);
            self.queue.push(key.clone(), Instant::now());
            self.orders.insert(key, Arc::new(report::trimmed(object, &[])));
        }
    }

    fn forget(&mut self, key: &Key) {
        self.orders.remove(key);
        self.worker.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(key);
    }

    /// Lets passes end by themselves, then has operations end, then drops what is left.
    async fn drain(&mut self) {
        let wait = async |passes: &mut JoinSet<_>, limit| {
            timeout(limit, async { while passes.join_next().await.is_some() {} }).await.is_ok()
        };
        let is_superseded = self.worker.superseded.is_cancelled();
        let patience = if is_superseded { Duration::ZERO } else { self.worker.options.drain };
        if wait(&mut self.passes, patience).await {
            return;
        }
        self.halt.cancel();
        let grace = self.worker.options.deadlines.grace + Duration::from_secs(1);
        if !wait(&mut self.passes, grace).await {
            tracing::warn!(runner = %self.worker.name, passes = self.passes.len(), "drain.abandoned");
            self.passes.shutdown().await;
        }
    }
}

/// What of an order has it worked on when it changes.
fn matters(object: &DynamicObject) -> impl PartialEq + '_ {
    let annotations: Vec<_> = object.annotations().iter().filter(|(name, _)| is_ours(name)).collect();
    let metadata = &object.metadata;
    (&metadata.uid, metadata.generation, metadata.deletion_timestamp.is_some(), is_held(object), annotations)
}

/// Whether an annotation asks a runner or its provider for something.
fn is_ours(name: &str) -> bool {
    name.split_once('/').is_some_and(|(prefix, _)| prefix.ends_with(".kdp.k8c.io"))
}

fn is_held(object: &DynamicObject) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}
