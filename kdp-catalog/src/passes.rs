//! Controllers that look at everything in a workspace again whenever something changes.

use std::{fmt::Debug, time::Duration};

use futures::{
    StreamExt,
    stream::{BoxStream, SelectAll},
};
use kdp_core::{ComponentContext, Error, reconcile::backoff};
use kube::{
    Api, Client, Resource,
    api::PartialObjectMeta,
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;

/// Changes that come together are one.
const GATHER: Duration = Duration::from_millis(50);

/// That something of a kind has changed.
pub(crate) fn changes_of<K>(client: &Client) -> BoxStream<'static, ()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let api = Api::<PartialObjectMeta<K>>::all(client.clone());
    let changes = watcher(api, watcher::Config::default()).default_backoff();
    // A watch that fails is opened again, and begins with all there is.
    changes.filter_map(|change| std::future::ready(change.ok().map(drop))).boxed()
}

/// Makes a pass at once and after changes until it is told to stop, and is ready after the first one that succeeds.
/// One that `failed` is told of is made again after a while.
pub(crate) async fn run<F>(
    context: &ComponentContext,
    mut changes: SelectAll<BoxStream<'static, ()>>,
    pass: impl Fn() -> F,
    failed: impl Fn(&Error),
) where
    F: Future<Output = Result<(), Error>>,
{
    let (mut failures, mut is_ready) = (0, false);
    loop {
        let wait = match pass().await {
            Ok(()) => {
                failures = 0;
                if !std::mem::replace(&mut is_ready, true) {
                    context.ready();
                }
                None
            }
            Err(error) => {
                failed(&error);
                failures += 1;
                Some(backoff(failures))
            }
        };
        let again = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => drop(changes.next().await),
            }
        };
        tokio::select! {
            () = context.shutdown().cancelled() => return,
            () = again => {}
        }
        let gather = tokio::time::sleep(GATHER);
        tokio::pin!(gather);
        loop {
            tokio::select! {
                () = context.shutdown().cancelled() => return,
                () = &mut gather => break,
                Some(()) = changes.next() => {}
            }
        }
    }
}
