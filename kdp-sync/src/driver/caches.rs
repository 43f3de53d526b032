//! The caches of an agent: one for each kind and side, whoever needs it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
};

use futures::TryStreamExt;
use kdp_core::reconcile::backoff;
use kube::{
    Api, Client,
    api::DynamicObject,
    runtime::watcher::{self, watcher},
};
use parking_lot::Mutex;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::cache::{Cache, Scope};
use crate::{
    api::Side,
    health::{Health, WatchHealth},
    metrics::Metrics,
};

/// Makes caches, and shares each among those who need it at the same time.
pub(crate) struct Caches {
    service: Client,
    /// All workspaces that bind the export.
    workspaces: Client,
    metrics: Metrics,
    health: Health,
    tasks: TaskTracker,
    open: Mutex<HashMap<Scope, Weak<Followed>>>,
}

/// A cache and the watch that feeds it, which ends when nobody needs it any more.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) cache: Arc<Cache>,
    _stop_on_drop: DropGuard,
}

impl Caches {
    pub(crate) fn new(service: Client, workspaces: Client, metrics: Metrics, health: Health) -> Self {
        Self { service, workspaces, metrics, health, tasks: TaskTracker::new(), open: Mutex::default() }
    }

    pub(super) fn get(&self, scope: &Scope) -> Arc<Followed> {
        let mut open = self.open.lock();
        open.retain(|_, followed| followed.strong_count() > 0);
        if let Some(followed) = open.get(scope).and_then(Weak::upgrade) {
            return followed;
        }
        let cache = Arc::new(Cache::new(scope.clone()));
        let shutdown = CancellationToken::new();
        let namespace = scope.part.as_ref().map(|part| part.namespace.as_str());
        let health = self.health.watch(scope.side, &scope.types, namespace);
        self.tasks.spawn(follow(self.api(scope), cache.clone(), self.metrics.clone(), health, shutdown.clone()));
        let followed = Arc::new(Followed { cache, _stop_on_drop: shutdown.drop_guard() });
        open.insert(scope.clone(), Arc::downgrade(&followed));
        followed
    }

    /// Waits until every watch has ended; they do when nobody needs their caches.
    pub(crate) async fn closed(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn api(&self, scope: &Scope) -> Api<DynamicObject> {
        let client = match scope.side {
            Side::Service => self.service.clone(),
            Side::Kcp => self.workspaces.clone(),
        };
        let resource = scope.types.api_resource();
        match &scope.part {
            Some(part) => Api::namespaced_with(client, &part.namespace, &resource),
            None => Api::all_with(client, &resource),
        }
    }
}

impl fmt::Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caches").field("open", &self.open.lock().len()).finish_non_exhaustive()
    }
}

async fn follow(
    api: Api<DynamicObject>,
    cache: Arc<Cache>,
    metrics: Metrics,
    health: WatchHealth,
    shutdown: CancellationToken,
) {
    let label_selector = cache.scope().part.as_ref().map(|part| part.label_selector.clone());
    let config = watcher::Config { label_selector, ..watcher::Config::default() };
    let mut events = std::pin::pin!(watcher(api, config));
    let mut failures = 0;
    loop {
        let event = tokio::select! {
            event = events.try_next() => event,
            () = shutdown.cancelled() => return,
        };
        match event {
            Ok(Some(event)) => {
                failures = 0;
                let is_part_of_list = matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
                cache.apply(event);
                if !is_part_of_list {
                    health.is_in_sync();
                }
            }
            // A watcher never ends by itself.
            Ok(None) => return,
            Err(error) => {
                failures += 1;
                let pause = backoff(failures);
                let scope = cache.scope();
                health.failed(&error, failures, pause);
                metrics.watch_restarted(scope.side, &scope.types);
                tracing::warn!(side = ?scope.side, kind = %scope.types.kind, %error, ?pause, "watch.failed");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shutdown.cancelled() => return,
                }
            }
        }
    }
}
