//! Watches that do not wear out an API server, whatever becomes of them.

use std::{fmt, sync::Arc, time::Duration};

use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use kdp_core::reconcile::backoff;
use kube::{
    Api, Client, Resource,
    client::Body,
    runtime::watcher::{self, Event, watcher},
};
use parking_lot::Mutex;
use rand::Rng;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

/// For how long a watch is asked for; it goes on where it ended.
const WATCH_SECONDS: std::ops::Range<u32> = 180..290;

/// A watch that stayed open for so long has done its work, though nothing has happened.
const LIVED: Duration = Duration::from_secs(10);

/// From the seventh failure in a row on, the pauses do not grow, and last up to 6.4 seconds: what
/// did not exist may come to be, and somebody waits for it.
const MOST_PATIENCE: u32 = 7;

const GONE: u16 = 410;

/// A watch that failed, and goes on after a pause.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: watcher::Error,
    /// How often in a row, also counting watches that ended at once.
    pub(crate) failures: u32,
    pub(crate) pause: Duration,
}

/// The objects that `api` makes of the client, as they are listed and watched. Never ends.
///
/// A watch that ends is opened again where it ended: at once if it lived or told of something, else
/// after a pause that grows with each time, whether or not an error was given. What is no longer kept
/// on the other side is listed again.
pub(crate) fn watch<K>(
    client: &Client,
    api: impl FnOnce(Client) -> Api<K>,
    config: watcher::Config,
) -> BoxStream<'static, Result<Event<K>, Failed>>
where
    K: Resource + Clone + fmt::Debug + DeserializeOwned + Send + 'static,
{
    // Watches that began together do not all end together.
    let config = config.timeout(rand::rng().random_range(WATCH_SECONDS));
    let pace = Arc::<Pace>::default();
    let api = api(paced(client.clone(), pace.clone()));
    let events = watcher(api.clone(), config.clone()).boxed();
    let watch = Watch { api, config, pace, events, pause: None };
    stream::unfold(watch, async |mut watch| Some((watch.next().await?, watch))).boxed()
}

struct Watch<K: 'static> {
    api: Api<K>,
    config: watcher::Config,
    pace: Arc<Pace>,
    events: BoxStream<'static, watcher::Result<Event<K>>>,
    /// Before the next attempt.
    pause: Option<Duration>,
}

impl<K: Resource + Clone + fmt::Debug + DeserializeOwned + Send + 'static> Watch<K> {
    async fn next(&mut self) -> Option<Result<Event<K>, Failed>> {
        if let Some(pause) = self.pause.take() {
            tokio::time::sleep(pause).await;
        }
        match self.events.try_next().await {
            Ok(event) => {
                let event = event?;
                // A list says nothing about the watch that follows it.
                if matches!(event, Event::Apply(_) | Event::Delete(_)) {
                    self.pace.told();
                }
                Some(Ok(event))
            }
            Err(error) => {
                if is_expired(&error) {
                    // The watcher would go on asking for the same version.
                    self.events = watcher(self.api.clone(), self.config.clone()).boxed();
                }
                let (failures, pause) = self.pace.failed();
                self.pause = Some(pause);
                Some(Err(Failed { error, failures, pause }))
            }
        }
    }
}

/// Whether a watch was refused because its version is no longer kept.
fn is_expired(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) | watcher::Error::WatchError(status) => {
            status.code == GONE || status.reason == "Expired"
        }
        _ => false,
    }
}

/// A client that waits before it opens a watch again whose predecessor was of no use: a watcher
/// does not tell that a watch has ended.
fn paced(client: Client, pace: Arc<Pace>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (client, pace) = (client.clone(), pace.clone());
        async move {
            if !is_watch(&request) {
                return client.send(request).await;
            }
            if let Some(pause) = pace.ended() {
                tracing::debug!(uri = %request.uri(), ?pause, "watch.ended_at_once");
                tokio::time::sleep(pause).await;
            }
            let answer = client.send(request).await?;
            if answer.status().is_success() {
                pace.opened();
            }
            Ok(answer)
        }
    });
    Client::new(service, namespace)
}

fn is_watch(request: &http::Request<Body>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"))
}

/// How often a watch was of no use, and what is known of the one that is open.
#[derive(Debug, Default)]
struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// When the watch that is open was opened.
    opened: Option<Instant>,
    has_told: bool,
}

impl Pace {
    fn opened(&self) {
        let mut state = self.0.lock();
        (state.opened, state.has_told) = (Some(Instant::now()), false);
    }

    fn told(&self) {
        self.0.lock().has_told = true;
    }

    /// How often it has failed now, and how long to wait.
    fn failed(&self) -> (u32, Duration) {
        let mut state = self.0.lock();
        state.close();
        state.failures += 1;
        (state.failures, pause_after(state.failures))
    }

    /// How long to wait before the next watch, if the last one ended without an error and was of no use.
    fn ended(&self) -> Option<Duration> {
        let mut state = self.0.lock();
        let was_useful = state.close()?;
        if was_useful {
            return None;
        }
        state.failures += 1;
        Some(pause_after(state.failures))
    }
}

fn pause_after(failures: u32) -> Duration {
    backoff(failures.min(MOST_PATIENCE))
}

impl State {
    /// Whether the watch that is open was of use; `None` when there is none.
    fn close(&mut self) -> Option<bool> {
        let was_useful = self.has_told || self.opened?.elapsed() >= LIVED;
        (self.opened, self.has_told) = (None, false);
        if was_useful {
            self.failures = 0;
        }
        Some(was_useful)
    }
}

#[cfg(test)]
mod tests;
