//! Looks after the instances of published blueprints.

mod children;
mod offer;
mod queue;
mod reconcile;
mod status;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{BoxStream, FuturesUnordered, select_all},
};
use kdp_core::{
    Component, ComponentContext, ControlPlaneExt, Error, Identity, SharedControlPlane, WorkspacePath,
    api::{CLUSTER_ANNOTATION, apis::APIExport},
    reconcile::{Chain, backoff},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, PartialObjectMeta},
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use self::{
    offer::Offer,
    queue::{Key, Queue},
    reconcile::Instances,
};
use super::{
    INSTANCE, OFFERS,
    controller::install_blueprint_crds,
    revision::{BlueprintRevision, UsedKind},
};
use crate::passes::changes_of;

/// Changes that come together are one.
const GATHER: Duration = Duration::from_millis(50);
/// Instances of one blueprint that are looked after at the same time.
const AT_ONCE: usize = 8;

/// Looks after the instances of a provider's blueprints, in all workspaces that have bound them.
///
/// Workspaces are reached through the virtual workspace of the blueprint's APIExport and no other way: what a
/// consumer has not bound, or not accepted when it bound, is out of reach. Which children there are is read from the
/// workspace itself: a child carries the UID of its instance in the label [`INSTANCE`] and in an
/// owner reference, and nothing without both is ever changed or deleted. The status tells of children, and is never
/// asked. So there is nothing to be lost when the component ends, at any moment.
///
/// Children are watched by their label, one watch for each kind of a blueprint and only their metadata. What a watch
/// cannot tell is found by looking: an instance that is not ready is looked at again after a pause that grows from
/// 100 ms to a minute, with jitter, one that is ready every minute or so.
#[derive(Clone, Debug)]
pub struct BlueprintInstances {
    workspace: WorkspacePath,
}

impl BlueprintInstances {
    /// Looks after the instances of the blueprints in this provider's workspace.
    #[must_use]
    pub fn new(workspace: WorkspacePath) -> Self {
        Self { workspace }
    }
}

/// An export that is served.
struct Served {
    offers: watch::Sender<Arc<Offer>>,
    stop: CancellationToken,
}

#[async_trait]
impl Component for BlueprintInstances {
    fn name(&self) -> &str {
        "blueprint-instances"
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        let client = context.control_plane().system_client(&self.workspace)?;
        install_blueprint_crds(&client).await?;
        let mut changes = select_all([changes_of::<BlueprintRevision>(&client), changes_of::<APIExport>(&client)]);
        let mut served = BTreeMap::<String, Served>::new();
        let mut serving = FuturesUnordered::<BoxFuture<'static, ()>>::new();
        let mut failures = 0;
        context.ready();
        let mut due = Instant::now();
        loop {
            tokio::select! {
                () = context.shutdown().cancelled() => break,
                Some(()) = serving.next(), if !serving.is_empty() => {}
                Some(()) = changes.next() => due = due.min(Instant::now() + GATHER),
                () = tokio::time::sleep_until(due) => {
                    due = match offers(&client).await {
                        Ok(offers) => {
                            failures = 0;
                            let control_plane = context.control_plane();
                            serve_all((control_plane, &client), context.shutdown(), offers, &mut served, &mut serving);
                            Instant::now() + Duration::from_secs(60)
                        }
                        Err(error) => {
                            tracing::warn!(workspace = %self.workspace, %error, "blueprint.offers");
                            failures += 1;
                            Instant::now() + backoff(failures)
                        }
                    };
                }
            }
        }
        // What is under way is finished; each write has a deadline of the client.
        while serving.next().await.is_some() {}
        Ok(())
    }
}

/// What is published in a provider's workspace.
async fn offers(client: &Client) -> Result<Vec<Offer>, Error> {
    let all = ListParams::default();
    let failed = |error| Error::from_kube("list", "what is published", error);
    let exports = Api::<APIExport>::all(client.clone()).list(&all).await.map_err(failed)?;
    let revisions = Api::<BlueprintRevision>::all(client.clone()).list(&all).await.map_err(failed)?;
    let own = exports.iter().filter(|export| export.annotations().contains_key(OFFERS));
    Ok(own.filter_map(|export| Offer::of(export, &revisions.items)).collect())
}

fn serve_all(
    (control_plane, provider): (&SharedControlPlane, &Client),
    shutdown: &CancellationToken,
    offers: Vec<Offer>,
    served: &mut BTreeMap<String, Served>,
    serving: &mut FuturesUnordered<BoxFuture<'static, ()>>,
) {
    served.retain(|name, known| {
        let stays = offers.iter().any(|offer| offer.export == *name);
        if !stays {
            known.stop.cancel();
        }
        stays
    });
    for offer in offers {
        if let Some(known) = served.get(&offer.export) {
            known.offers.send_if_modified(|old| {
                let is_news = **old != offer;
                if is_news {
                    *old = Arc::new(offer);
                }
                is_news
            });
            continue;
        }
        let name = offer.export.clone();
        let (sender, receiver) = watch::channel(Arc::new(offer));
        let stop = shutdown.child_token();
        serving.push(serve(control_plane.clone(), provider.clone(), receiver, stop.clone()).boxed());
        served.insert(name, Served { offers: sender, stop });
    }
}

/// Looks after all instances of one blueprint.
async fn serve(
    control_plane: SharedControlPlane,
    provider: Client,
    mut offers: watch::Receiver<Arc<Offer>>,
    stop: CancellationToken,
) {
    let mut queue = Queue::default();
    loop {
        let offer = offers.borrow_and_update().clone();
        let client = match control_plane.client(&offer.endpoint(None), &Identity::system_masters()) {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(export = %offer.export, %error, "blueprint.reach");
                return;
            }
        };
        let all = Api::<DynamicObject>::all_with(client.clone(), &offer.kind);
        let mut of_children = select_all(offer.made.iter().map(|kind| changes_of_children(&client, kind, &offer)));
        let mut changes = watcher(all, watcher::Config::default()).default_backoff().boxed();
        let instances = Instances::new(control_plane.clone(), provider.clone(), offer.clone());
        let mut running = FuturesUnordered::new();
        queue.all_are_due();
        let is_over = loop {
            while running.len() < AT_ONCE
                && let Some(key) = queue.next(Instant::now())
            {
                let instances = &instances;
                running.push(async move {
                    let result = instances.reconcile(&key).await;
                    (key, result)
                });
            }
            let due = queue.due().filter(|_| running.len() < AT_ONCE);
            let timer = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break true,
                changed = offers.changed() => break changed.is_err(),
                Some((key, result)) = running.next(), if !running.is_empty() => {
                    if let Err(error) = &result {
                        tracing::warn!(export = %offer.export, instance = %key, error = %Chain(error), "blueprint.instance");
                    }
                    queue.done(key, &result, Instant::now());
                }
                Some(change) = changes.next() => match change {
                    Ok(Event::Apply(object) | Event::InitApply(object)) => {
                        queue.hear(Key::of(&object), Instant::now());
                    }
                    Ok(Event::Delete(object)) => queue.forget(Key::of(&object)),
                    Ok(Event::Init | Event::InitDone) => {}
                    Err(error) => tracing::debug!(export = %offer.export, error = %Chain(&error), "blueprint.watch"),
                },
                Some(key) = of_children.next(), if !of_children.is_empty() => queue.hear(Some(key), Instant::now()),
                () = timer => {}
            }
        };
        // A write that was begun is not cut off.
        while let Some((key, result)) = running.next().await {
            queue.done(key, &result, Instant::now());
        }
        if is_over {
            return;
        }
    }
}

/// The instances whose children of one kind change, in all workspaces where the kind can be seen.
fn changes_of_children(client: &Client, kind: &UsedKind, offer: &Offer) -> BoxStream<'static, Key> {
    let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(client.clone(), &kind.resource());
    let (owner, is_namespaced) = (offer.kind.kind.clone(), offer.is_namespaced);
    let changes = watcher(api, watcher::Config::default().labels(INSTANCE)).default_backoff();
    let key = move |change: Result<Event<PartialObjectMeta<DynamicObject>>, watcher::Error>| {
        let (Event::Apply(child) | Event::InitApply(child) | Event::Delete(child)) = change.ok()? else { return None };
        let cluster = child.annotations().get(CLUSTER_ANNOTATION)?.parse().ok()?;
        let instance = child.owner_references().iter().find(|reference| reference.kind == owner)?;
        let namespace = child.namespace().filter(|_| is_namespaced);
        Some(Key { cluster, namespace, name: instance.name.clone() })
    };
    changes.filter_map(move |change| std::future::ready(key(change))).boxed()
}
