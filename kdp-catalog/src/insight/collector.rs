//! Watches orders, keeps a journal of them, and answers how they fare.

mod facts;
mod handle;
mod saving;

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use jiff::Timestamp;
use kdp_core::{
    Component, ComponentContext, Error,
    reconcile::{Chain, backoff},
};
use kube::{
    ResourceExt,
    api::DynamicObject,
    runtime::{WatchStreamExt, watcher},
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

pub use self::handle::Insight;
use self::saving::Saving;
use super::{
    journal::{Event, JournalOptions},
    record::Sighting,
    report::Report,
    source::OrderSource,
    store::{InsightHome, Store},
};

/// How often days that are too old are forgotten.
const FORGET: Duration = Duration::from_secs(3600);

/// How a collector works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InsightOptions {
    /// How much its journal keeps.
    pub journal: JournalOptions,
    /// How long news may wait until it is kept. 5 s unless said otherwise.
    pub save_after: Duration,
    /// How often it looks who has bound what. A minute unless said otherwise.
    pub look_every: Duration,
    /// How long one look may take, or one time of keeping what is news. 10 s unless said otherwise.
    pub patience: Duration,
}

impl Default for InsightOptions {
    fn default() -> Self {
        Self {
            journal: JournalOptions::default(),
            save_after: Duration::from_secs(5),
            look_every: Duration::from_secs(60),
            patience: Duration::from_secs(10),
        }
    }
}

impl InsightOptions {
    /// The same with a journal that keeps so much.
    #[must_use]
    pub fn with_journal(mut self, journal: JournalOptions) -> Self {
        self.journal = journal;
        self
    }

    /// The same; news is kept after so long.
    #[must_use]
    pub fn with_save_after(mut self, save_after: Duration) -> Self {
        self.save_after = save_after;
        self
    }

    /// The same; who has bound what is looked up so often, but not more often than each 10 ms.
    #[must_use]
    pub fn with_look_every(mut self, look_every: Duration) -> Self {
        self.look_every = look_every.max(Duration::from_millis(10));
        self
    }
}

/// Watches orders, keeps a journal of them, and answers how they fare.
///
/// It is ready when it has seen all orders once. What it knows is kept after a short while, and at the end. When it
/// is killed in between, it finds out from the orders what can be told from their timestamps, and says of how much it
/// cannot. Of several collectors of one name, the one that began last keeps its journal; the others still answer.
#[derive(Debug)]
pub struct InsightCollector {
    name: String,
    sources: Vec<OrderSource>,
    home: InsightHome,
    options: InsightOptions,
    has_platform_view: bool,
    insight: Insight,
}

type Seen = (usize, Result<watcher::Event<DynamicObject>, watcher::Error>);

impl InsightCollector {
    /// A collector whose journal is kept in `home` in ConfigMaps whose names begin with `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, home: InsightHome) -> Self {
        let options = InsightOptions::default();
        let insight = Insight::new(options.journal);
        Self { name: name.into(), sources: Vec::new(), home, options, has_platform_view: false, insight }
    }

    /// The same with one more kind of orders. A kind belongs to one service.
    #[must_use]
    pub fn with_source(mut self, source: OrderSource) -> Self {
        self.sources.push(source);
        self
    }

    /// The same with these options, before anybody has asked for [`insight`](Self::insight).
    #[must_use]
    pub fn with_options(mut self, options: InsightOptions) -> Self {
        self.options = options;
        self.insight = Insight::new(options.journal);
        self
    }

    /// The same for a platform that looks into all its workspaces: since when they are there, what they are called,
    /// and what they have bound. Without this, only who has bound an export that is watched is looked up there.
    #[must_use]
    pub fn with_platform_view(mut self) -> Self {
        self.has_platform_view = true;
        self
    }

    /// Answers while the collector runs, and afterwards what it knew last.
    #[must_use]
    pub fn insight(&self) -> Insight {
        self.insight.clone()
    }

    /// How orders fare now; see [`Insight::snapshot`].
    #[must_use]
    pub fn snapshot(&self) -> Report {
        self.insight.snapshot()
    }

    /// Everything that is seen from now on, beginning with all that there is.
    fn watch(&self, context: &ComponentContext) -> Result<BoxStream<'static, Seen>, Error> {
        let watch = |(index, source): (usize, &OrderSource)| {
            let orders = source.orders(context.control_plane())?;
            let events = watcher(orders, watcher::Config::default()).default_backoff();
            Ok(events.map(move |event| (index, event)).boxed())
        };
        let watches: Result<Vec<_>, Error> = self.sources.iter().enumerate().map(watch).collect();
        Ok(futures::stream::select_all(watches?).boxed())
    }

    /// Takes in one event. `listed` are the orders of its source in the list that is being read.
    fn take(&self, index: usize, event: watcher::Event<DynamicObject>, listed: &mut BTreeSet<String>) {
        let source = &self.sources[index];
        let seen = |object: &DynamicObject, sighting| match source.snapshot(object) {
            Ok(snapshot) => self.insight.fold(&Event::Seen(Box::new(snapshot), sighting), Timestamp::now()),
            Err(error) => tracing::warn!(service = %source.service, error = %Chain(&error), "insight.unreadable"),
        };
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(object) => {
                listed.extend(object.uid());
                seen(&object, Sighting::Listed);
            }
            watcher::Event::InitDone => {
                let uids = std::mem::take(listed);
                let event = Event::Listed { service: source.service.clone(), kind: source.group_kind(), uids };
                self.insight.fold(&event, Timestamp::now());
            }
            watcher::Event::Apply(object) => seen(&object, Sighting::Live),
            watcher::Event::Delete(object) => {
                // Its last state may tell when the deletion was asked for.
                seen(&object, Sighting::Live);
                if let Some(uid) = object.uid() {
                    self.insight.fold(&Event::Gone(uid), Timestamp::now());
                }
            }
        }
    }

    /// Brings back what was kept; tries until it is known what that is.
    async fn resume(&self, store: Store, context: &ComponentContext) -> Option<Saving> {
        let mut saving = Saving::new(store, self.options.save_after, self.options.patience);
        let mut failures = 0;
        loop {
            let loading = async {
                match timeout(self.options.patience, saving.load(&self.insight)).await {
                    Ok(Ok(())) => true,
                    Ok(Err(error)) => {
                        tracing::warn!(collector = %self.name, error = %Chain(&error), "insight.resume");
                        false
                    }
                    Err(_) => {
                        tracing::warn!(collector = %self.name, error = "no answer", "insight.resume");
                        false
                    }
                }
            };
            tokio::select! {
                () = context.shutdown().cancelled() => return None,
                is_loaded = loading => if is_loaded { return Some(saving) },
            }
            failures += 1;
            tokio::select! {
                () = context.shutdown().cancelled() => return None,
                () = sleep(backoff(failures)) => {}
            }
        }
    }

    async fn look(&self, context: &ComponentContext) {
        let control_plane = context.control_plane();
        let look = timeout(self.options.patience, facts::look(control_plane, &self.sources, self.has_platform_view));
        let looked = tokio::select! {
            () = context.shutdown().cancelled() => return,
            looked = look => looked,
        };
        match looked {
            Ok(Ok(found)) => self.insight.found(found),
            Ok(Err(error)) => tracing::warn!(collector = %self.name, error = %Chain(&error), "insight.look"),
            Err(_) => tracing::warn!(collector = %self.name, error = "no answer", "insight.look"),
        }
    }
}

#[async_trait]
impl Component for InsightCollector {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        let Some(mut saving) = self.resume(Store::new(&self.home, &self.name), &context).await else { return Ok(()) };
        let mut events = self.watch(&context)?;
        let mut listed = vec![BTreeSet::new(); self.sources.len()];
        let mut missing: BTreeSet<usize> = (0..self.sources.len()).collect();
        let mut look = interval(self.options.look_every);
        let mut forget = interval(FORGET);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if missing.is_empty() {
            context.ready();
        }
        loop {
            let due = saving.due(&self.insight);
            tokio::select! {
                () = context.shutdown().cancelled() => break,
                Some((index, event)) = events.next() => match event {
                    Ok(event) => {
                        let is_list = matches!(event, watcher::Event::InitDone);
                        self.take(index, event, &mut listed[index]);
                        if is_list && missing.remove(&index) && missing.is_empty() {
                            self.look(&context).await;
                            context.ready();
                        }
                    }
                    // The watch is opened again, and begins with all there is.
                    Err(error) => {
                        tracing::warn!(service = %self.sources[index].service, error = %Chain(&error), "insight.watch");
                    }
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    saving.save(&self.insight).await;
                }
                _ = look.tick() => self.look(&context).await,
                _ = forget.tick() => self.insight.forget(Timestamp::now()),
            }
        }
        saving.save(&self.insight).await;
        Ok(())
    }
}
