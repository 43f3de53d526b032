//! Follows an order until it is what was ordered.

use std::{future::ready, pin::pin, time::Duration};

use futures::{Stream, StreamExt};
use kdp_core::{Error, ErrorKind};
use kube::{
    api::DynamicObject,
    runtime::{WatchStreamExt, watcher, watcher::watch_object},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{OrderPhase, OrderRef, OrderStatus};

/// One step of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum Progress {
    /// Something about it changed, or this is the first that is seen of it.
    Changed {
        /// How it is doing now.
        status: OrderStatus,
        /// Which conditions changed.
        changes: Vec<ConditionChange>,
    },
    /// It does not exist, or no longer.
    Gone,
}

/// A condition that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ConditionChange {
    /// Aspect, such as `Ready`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Status before; `None` when it was not observed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Status now; `None` when it is no longer observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why, as one word.
    pub reason: String,
    /// Why, as a sentence.
    pub message: String,
}

/// The steps of an order as they happen, beginning with how it is doing now.
///
/// Changes that an order's user does not see, such as of its annotations, are left out. The stream
/// does not end by itself; connections that break are made anew. Dropping it stops watching.
///
/// # Errors
/// `NotFound` when the workspace does not serve the kind. In the stream, as its last item: that the
/// caller may not watch it, or no longer can because the kind is gone.
pub async fn progress(
    client: &kube::Client,
    order: &OrderRef,
) -> Result<impl Stream<Item = Result<Progress, Error>> + Send + use<>, Error> {
    let objects = watch_object(order.served(client).await?, &order.name).default_backoff();
    Ok(steps(objects, order.clone()))
}

/// Waits until `order` is ready, and hands each step on the way to `on_progress`.
///
/// A failing order is waited for as well, since it may get better. Cancel-safe.
///
/// # Errors
/// `Unavailable` when it is not ready within `timeout`, saying why not; `NotFound` when it does not
/// exist or is deleted meanwhile; otherwise as [`progress`].
pub async fn wait_ready(
    client: &kube::Client,
    order: &OrderRef,
    timeout: Duration,
    mut on_progress: impl FnMut(&Progress),
) -> Result<OrderStatus, Error> {
    let mut last = None;
    let wait = async {
        let mut steps = pin!(progress(client, order).await?);
        while let Some(step) = steps.next().await {
            let step = step?;
            on_progress(&step);
            match step {
                Progress::Gone => return Err(Error::new(ErrorKind::NotFound, "wait for", order, "it does not exist")),
                Progress::Changed { status, .. } if status.phase == OrderPhase::Ready => return Ok(status),
                Progress::Changed { status, .. } => last = Some(status.message),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "wait for", order, "the watch on it ended"))
    };
    match tokio::time::timeout(timeout, wait).await {
        Ok(result) => result,
        Err(_) => {
            let why = last.as_deref().unwrap_or("nothing was heard of it");
            Err(Error::new(ErrorKind::Unavailable, "wait for", order, format!("not ready after {timeout:?}: {why}")))
        }
    }
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    status: Option<OrderStatus>,
    is_gone: bool,
    has_failed: bool,
}

fn steps(
    objects: impl Stream<Item = watcher::Result<Option<DynamicObject>>> + Send,
    order: OrderRef,
) -> impl Stream<Item = Result<Progress, Error>> + Send {
    objects
        .scan(Seen::default(), move |seen, object| {
            if seen.has_failed {
                return ready(None);
            }
            let step = match object {
                Ok(Some(object)) => OrderStatus::of_object(&order, &object).map(|status| seen.step(Some(status))),
                Ok(None) => Ok(seen.step(None)),
                Err(error) => match lasting(&error) {
                    Some(kind) => Err(Error::new(kind, "watch", &order, "it cannot be watched").with_source(error)),
                    None => {
                        tracing::debug!(%order, %error, "watch.retried");
                        Ok(None)
                    }
                },
            };
            seen.has_failed = step.is_err();
            ready(Some(step.transpose()))
        })
        .filter_map(ready)
}

impl Seen {
    /// The step to `now`; `None` when a user sees no difference.
    fn step(&mut self, now: Option<OrderStatus>) -> Option<Progress> {
        let Some(now) = now else {
            let is_news = !std::mem::replace(&mut self.is_gone, true);
            self.status = None;
            return is_news.then_some(Progress::Gone);
        };
        self.is_gone = false;
        if self.status.as_ref() == Some(&now) {
            return None;
        }
        let changes = changes(self.status.as_ref(), &now);
        self.status = Some(now.clone());
        Some(Progress::Changed { status: now, changes })
    }
}

fn changes(before: Option<&OrderStatus>, now: &OrderStatus) -> Vec<ConditionChange> {
    let old = before.map_or(&[][..], |before| &before.conditions);
    let changed = now.conditions.iter().filter(|condition| !old.contains(condition)).map(|condition| ConditionChange {
        type_: condition.type_.clone(),
        from: old.iter().find(|old| old.type_ == condition.type_).map(|old| old.status.clone()),
        to: Some(condition.status.clone()),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
    });
    let is_left = |old: &&crate::ConditionSummary| now.conditions.iter().all(|condition| condition.type_ != old.type_);
    let left = old.iter().filter(is_left).map(|old| ConditionChange {
        type_: old.type_.clone(),
        from: Some(old.status.clone()),
        to: None,
        reason: String::new(),
        message: String::new(),
    });
    changed.chain(left).collect()
}

/// What kind of error it is, when trying again does not help.
fn lasting(error: &watcher::Error) -> Option<ErrorKind> {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))
    | watcher::Error::WatchFailed(kube::Error::Api(status))
    | watcher::Error::WatchError(status)) = error
    else {
        return None;
    };
    match status.code {
        401 | 403 => Some(ErrorKind::Forbidden),
        404 => Some(ErrorKind::NotFound),
        405 => Some(ErrorKind::Unsupported),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
