//! Runs a reconcile function over the objects of a `kube::runtime` controller.

use std::{
    collections::HashMap,
    error::Error as StdError,
    fmt,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, TryFuture};
use kube::{
    Resource,
    runtime::{
        Controller,
        controller::Action,
        reflector::{Lookup, ObjectRef},
    },
};
use rand::Rng;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Runs `reconcile` for every change `controller` sees, until `shutdown` is cancelled; then lets
/// the reconciles under way finish and returns.
///
/// A failing object is tried again after a delay that doubles from 100 ms to a minute, with
/// jitter, counted for each object by itself; a success forgets the count. Reconciles of one
/// object never overlap.
pub async fn run<K, F, Fut, E>(controller: Controller<K>, shutdown: CancellationToken, reconcile: F)
where
    K: Clone + Resource + Lookup + DeserializeOwned + fmt::Debug + Send + Sync + 'static,
    <K as Lookup>::DynamicType: Eq + Hash + Clone + fmt::Debug + Default + Unpin + Send + Sync,
    K: Resource<DynamicType = <K as Lookup>::DynamicType>,
    F: Fn(Arc<K>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Action, E>> + TryFuture<Ok = Action, Error = E> + Send + 'static,
    E: StdError + Send + 'static,
{
    let failures = Arc::new(Failures::default());
    let forget = failures.clone();
    let reconcile = Arc::new(reconcile);
    controller
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(
            move |object, _| {
                let key = key(&*object);
                let done = reconcile(object);
                let forget = forget.clone();
                async move {
                    let action = done.await?;
                    forget.clear(&key);
                    Ok(action)
                }
            },
            move |object, error: &E, _| {
                let delay = failures.next_delay(key(&*object));
                tracing::warn!(object = %key(&*object), error = %Chain(error), ?delay, "reconcile.failed");
                Action::requeue(delay)
            },
            Arc::new(()),
        )
        .for_each(|_| std::future::ready(()))
        .await;
}

fn key<K: Lookup>(object: &K) -> String
where
    K::DynamicType: Default,
{
    ObjectRef::from_obj(object).to_string()
}

/// Counts consecutive failures of each object.
#[derive(Debug, Default)]
struct Failures(Mutex<HashMap<String, u32>>);

impl Failures {
    fn next_delay(&self, key: String) -> Duration {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        *count += 1;
        backoff(*count)
    }

    fn clear(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// How long to wait after the `failures`th failure in a row: 100 ms, doubled each time up to a
/// minute, of which a random half is taken off.
#[must_use]
pub fn backoff(failures: u32) -> Duration {
    let full = FIRST_DELAY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_DELAY);
    full.mul_f64(rand::rng().random_range(0.5..=1.0))
}

/// Displays an error with all its causes.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a dyn StdError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_a_minute_and_never_vanishes() {
        for failures in 1..40 {
            let full = FIRST_DELAY.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST_DELAY);
            let delay = backoff(failures);
            assert!(delay <= full && delay >= full.mul_f64(0.49), "failure {failures}: {delay:?}");
        }
    }
}
