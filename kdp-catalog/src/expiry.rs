//! Removes orders whose time is over.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use kdp_core::{
    Component, ComponentContext, Endpoint, Error,
    api::CLUSTER_ANNOTATION,
    reconcile::{Chain, backoff},
};
use kube::{
    ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, PartialObjectMeta, Patch, PatchParams, Preconditions},
};
use serde_json::json;

use crate::{
    lifecycle::{Lifetime, Verdict},
    reach::Reach,
};

/// Annotation of an order: what its owner should know of its end. The controller writes it and takes it away.
pub const NOTICE: &str = "catalog.kdp.k8c.io/notice";

/// Orders that are read at a time.
const PAGE: u32 = 500;
const EVERY: Duration = Duration::from_secs(60);

/// Removes the orders of a kind whose time to live, date or lease is over, as their annotations say (see
/// [`Lifetime`]).
///
/// An order whose annotations cannot be read is left alone. Before its end, and when something is wrong, its
/// annotation [`NOTICE`] says so. An order that was changed since it was looked at, such as by a renewal of its lease,
/// is looked at again before it is removed.
#[derive(Debug)]
pub struct ExpiryController {
    kind: ApiResource,
    endpoint: Endpoint,
    every: Duration,
}

impl ExpiryController {
    /// A controller for the orders of this kind at `endpoint`, which looks at them every minute.
    #[must_use]
    pub fn new(kind: ApiResource, endpoint: Endpoint) -> Self {
        Self { kind, endpoint, every: EVERY }
    }

    /// The same with another time between two looks.
    #[must_use]
    pub fn with_interval(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }
}

#[async_trait]
impl Component for ExpiryController {
    fn name(&self) -> &str {
        "expiry-controller"
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        let reach = Reach { control_plane: context.control_plane().clone(), endpoint: self.endpoint, kind: self.kind };
        let mut failures = 0;
        context.ready();
        loop {
            let wait = match look_at_all(&reach).await {
                Ok(()) => {
                    failures = 0;
                    self.every
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(kind = %reach.kind.kind, error = %Chain(&error), "expiry.look");
                    backoff(failures)
                }
            };
            tokio::select! {
                () = context.shutdown().cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

async fn look_at_all(reach: &Reach) -> Result<(), Error> {
    let all = reach.all()?;
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let failed = |error| Error::from_kube("list", format!("the orders of {}", reach.kind.kind), error);
        let list = all.list_metadata(&page).await.map_err(failed)?;
        for order in &list.items {
            // One order that cannot be written is in no other's way.
            if let Err(error) = look_at(reach, order).await {
                tracing::warn!(order = %order.name_any(), error = %Chain(&error), "expiry.order");
            }
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(()),
        }
    }
}

async fn look_at(reach: &Reach, order: &PartialObjectMeta<DynamicObject>) -> Result<(), Error> {
    let (Some(created), None) = (order.creation_timestamp(), &order.metadata.deletion_timestamp) else { return Ok(()) };
    let name = order.name_any();
    let now = Timestamp::now();
    let verdict = Lifetime::of_annotations(&name, order.annotations(), created.0).map(|lifetime| lifetime.verdict(now));
    let notice = match verdict {
        Ok(Verdict::Keep { warn, .. }) => warn,
        Ok(Verdict::Held { due, .. }) => Some(format!("it is protected; without that it ends on {due}")),
        Ok(Verdict::Expire { since, reason }) => {
            let orders = reach.of(cluster(order), order.namespace().as_deref())?;
            let same = Preconditions { uid: order.uid(), resource_version: order.resource_version() };
            let params = DeleteParams::default().preconditions(same);
            tracing::info!(order = %name, %since, ?reason, "expiry.remove");
            return match orders.delete(&name, &params).await {
                Ok(_) => Ok(()),
                Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(()),
                Err(error) => Err(Error::from_kube("remove", &name, error)),
            };
        }
        Err(error) => Some(format!("it does not end by itself: {error}")),
    };
    if order.annotations().get(NOTICE) == notice.as_ref() {
        return Ok(());
    }
    let orders = reach.of(cluster(order), order.namespace().as_deref())?;
    let patch = Patch::Merge(json!({"metadata": {"uid": order.uid(), "annotations": {NOTICE: notice}}}));
    match orders.patch(&name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(()),
        Err(error) => Err(Error::from_kube("note the end of", &name, error)),
    }
}

fn cluster(order: &PartialObjectMeta<DynamicObject>) -> &str {
    order.annotations().get(CLUSTER_ANNOTATION).map_or("", String::as_str)
}
