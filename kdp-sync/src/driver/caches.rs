//! The caches of an agent: one for each kind and side, whoever needs it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
};

use futures::StreamExt;
use kdp_core::reconcile::{Chain, backoff};
use kube::{Api, Client, runtime::watcher};
use parking_lot::Mutex;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    cache::{Cache, Scope},
    endpoints::{Address, Endpoints},
    merge::Merge,
    sent::Sent,
};
use crate::{
    api::Side,
    health::WatchHealth,
    telemetry::Telemetry,
    watch::{Failed, watch},
};

/// Makes caches, and shares each among those who need it at the same time.
pub(crate) struct Caches {
    service: Client,
    /// The workspaces that bind the export.
    workspaces: Endpoints,
    telemetry: Telemetry,
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
    pub(crate) fn new(service: Client, workspaces: Endpoints, telemetry: Telemetry) -> Self {
        Self { service, workspaces, telemetry, tasks: TaskTracker::new(), open: Mutex::default() }
    }

    pub(super) fn get(&self, scope: &Scope) -> Arc<Followed> {
        let mut open = self.open.lock();
        open.retain(|_, followed| followed.strong_count() > 0);
        if let Some(followed) = open.get(scope).and_then(Weak::upgrade) {
            return followed;
        }
        let cache = Arc::new(Cache::new(scope.clone()));
        let shutdown = CancellationToken::new();
        match scope.side {
            Side::Service => {
                let (client, filled) = (self.service.clone(), cache.clone());
                let namespace = scope.part.as_ref().map(|part| part.namespace.as_str());
                let health = self.telemetry.watch(scope.side, &scope.types, namespace);
                let follow = follow(client, scope.clone(), health, shutdown.clone(), move |event| filled.apply(event));
                self.tasks.spawn(follow);
            }
            Side::Kcp => {
                let (endpoints, telemetry, tasks) =
                    (self.workspaces.clone(), self.telemetry.clone(), self.tasks.clone());
                self.tasks.spawn(follow_all(endpoints, cache.clone(), telemetry, tasks, shutdown.clone()));
            }
        }
        let followed = Arc::new(Followed { cache, _stop_on_drop: shutdown.drop_guard() });
        open.insert(scope.clone(), Arc::downgrade(&followed));
        followed
    }

    /// Waits until every watch has ended; they do when nobody needs their caches.
    pub(crate) async fn closed(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl fmt::Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caches").field("open", &self.open.lock().len()).finish_non_exhaustive()
    }
}

fn api(client: Client, scope: &Scope) -> Api<Sent> {
    let resource = scope.types.api_resource();
    match &scope.part {
        Some(part) => Api::namespaced_with(client, &part.namespace, &resource),
        None => Api::all_with(client, &resource),
    }
}

/// Fills a cache from all addresses of the export, each with a watch of its own.
async fn follow_all(
    endpoints: Endpoints,
    cache: Arc<Cache>,
    telemetry: Telemetry,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) {
    let merge = Arc::new(Mutex::new(Merge::new(cache.clone(), endpoints.clone())));
    let mut addresses = endpoints.follow();
    let mut watches: HashMap<Address, DropGuard> = HashMap::new();
    let mut failures = 0;
    while !shutdown.is_cancelled() {
        let current = addresses.borrow_and_update().clone();
        watches.retain(|address, _| current.contains(address));
        merge.lock().follow(current.clone());
        let mut is_missing = false;
        for address in current {
            if watches.contains_key(&address) {
                continue;
            }
            let client = match endpoints.all_workspaces(&address) {
                Ok(client) => client,
                Err(error) => {
                    tracing::warn!(?address, error = %Chain(&error), "endpoint.failed");
                    is_missing = true;
                    continue;
                }
            };
            let ended = shutdown.child_token();
            let (merge, from) = (merge.clone(), address.clone());
            let hear = move |event| merge.lock().hear(&from, event);
            let scope = cache.scope();
            let health = telemetry.watch(scope.side, &scope.types, address.host());
            tasks.spawn(follow(client, scope.clone(), health, ended.clone(), hear));
            watches.insert(address, ended.drop_guard());
        }
        failures = if is_missing { failures + 1 } else { 0 };
        let retry = async {
            match failures {
                0 => std::future::pending().await,
                failures => tokio::time::sleep(backoff(failures)).await,
            }
        };
        tokio::select! {
            // The sender lives as long as the endpoints.
            _ = addresses.changed() => {}
            () = retry => {}
            () = shutdown.cancelled() => {}
        }
    }
}

async fn follow(
    client: Client,
    scope: Scope,
    health: WatchHealth,
    shutdown: CancellationToken,
    hear: impl Fn(watcher::Event<Sent>),
) {
    let label_selector = scope.part.as_ref().map(|part| part.label_selector.clone());
    let config = watcher::Config { label_selector, ..watcher::Config::default() };
    let mut events = watch(&client, |client| api(client, &scope), config);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = shutdown.cancelled() => return,
        };
        match event {
            Some(Ok(event)) => {
                let is_part_of_list = matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
                hear(event);
                if !is_part_of_list {
                    health.is_in_sync();
                }
            }
            Some(Err(Failed { error, failures, pause })) => {
                health.failed(&error, failures, pause);
                tracing::warn!(side = ?scope.side, kind = %scope.types.kind, %error, ?pause, "watch.failed");
            }
            // A watch never ends by itself.
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;
