//! Carries out upgrade plans.

mod decision;
mod orders;

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, future::try_join_all};
use jiff::Timestamp;
use kdp_core::{
    Component, ComponentContext, ControlPlaneExt, Endpoint, Error, ErrorKind, WorkspacePath,
    api::install_crd,
    reconcile::{Chain, backoff},
};
use kube::{
    Api, Client, CustomResourceExt, ResourceExt,
    api::{ApiResource, ListParams, Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;

pub use self::decision::DECIDE;
use self::{decision::Decision, orders::Orders};
use crate::{
    Offering,
    controller::FIELD_MANAGER,
    lifecycle::{
        Channel,
        waves::{Action, Plan, UpgradePlan, UpgradeRun, step},
    },
};

/// Changes that come together are one.
const GATHER: Duration = Duration::from_millis(100);
/// Plans are looked at again at least this often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
const WRITES_AT_ONCE: usize = 16;

/// Carries out the UpgradePlans of one service, by leading its orders to another release as
/// [`waves`](crate::lifecycle::waves) decides.
///
/// An order is upgraded by its annotation [`RELEASE`](crate::resolution::RELEASE), and is there once its status says
/// so in the field [`RELEASE_OUTPUT`](crate::provision::RELEASE_OUTPUT): orders of which the status says nothing are
/// left alone. What a run has noted is the status of its plan, written before anything is done. The annotation
/// [`DECIDE`] on a plan goes on with a run that has halted, or brings back what it has changed.
pub struct UpgradeController {
    service: String,
    workspace: WorkspacePath,
    kind: ApiResource,
    endpoint: Endpoint,
}

impl UpgradeController {
    /// A controller for the plans of `service` in the provider's workspace, and the orders of this kind at
    /// `endpoint`.
    pub fn new(service: impl Into<String>, workspace: WorkspacePath, kind: ApiResource, endpoint: Endpoint) -> Self {
        Self { service: service.into(), workspace, kind, endpoint }
    }
}

#[async_trait]
impl Component for UpgradeController {
    fn name(&self) -> &str {
        "upgrade-controller"
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        let client = context.control_plane().system_client(&self.workspace)?;
        install_crd(&client, &UpgradePlan::crd(), FIELD_MANAGER).await?;
        let mut orders = Orders::new(context.control_plane().clone(), self.endpoint, self.kind);
        let all = orders.all()?;
        let mut changes = watcher(all, watcher::Config::default()).default_backoff().boxed();
        let plans: Api<UpgradePlan> = Api::all(client.clone());
        let mut plan_changes = watcher(plans, watcher::Config::default()).default_backoff().boxed();
        let driver = Driver { service: self.service, client };
        let mut failures = 0;
        let mut next = Duration::ZERO;
        context.ready();
        loop {
            let due = tokio::time::sleep(next.max(GATHER));
            tokio::pin!(due);
            let mut is_news = false;
            loop {
                tokio::select! {
                    () = context.shutdown().cancelled() => return Ok(()),
                    () = &mut due => break,
                    Some(change) = changes.next() => match change {
                        Ok(event) => is_news |= orders.hear(event),
                        Err(error) => tracing::warn!(error = %Chain(&error), "upgrade.watch"),
                    },
                    Some(change) = plan_changes.next() => is_news |= change.is_ok(),
                }
                if is_news && due.deadline() > tokio::time::Instant::now() + GATHER {
                    due.as_mut().reset(tokio::time::Instant::now() + GATHER);
                }
            }
            // Before all orders were heard of, those that are missing would count as gone.
            if !orders.is_complete() {
                next = GATHER;
                continue;
            }
            next = match driver.work(&orders).await {
                Ok(next) => {
                    failures = 0;
                    next
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(service = %driver.service, %error, "upgrade.step");
                    backoff(failures)
                }
            };
        }
    }
}

impl std::fmt::Debug for UpgradeController {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpgradeController").field("service", &self.service).finish_non_exhaustive()
    }
}

/// Takes steps.
struct Driver {
    service: String,
    client: Client,
}

impl Driver {
    /// Takes one step of every plan, and says after how long to take the next.
    async fn work(&self, orders: &Orders) -> Result<Duration, Error> {
        let failed = |error| Error::from_kube("list", "the upgrade plans", error);
        let plans = Api::<UpgradePlan>::all(self.client.clone()).list(&ListParams::default()).await.map_err(failed)?;
        let mut next = LOOK_AGAIN;
        let mut channels = None;
        for plan in plans.items.iter().filter(|plan| plan.spec.service == self.service) {
            if plan.metadata.deletion_timestamp.is_some() {
                continue;
            }
            if channels.is_none() {
                channels = Some(self.channels().await?);
            }
            match self.advance(plan, channels.as_deref().unwrap_or_default(), orders).await {
                Ok(after) => next = next.min(after),
                // One plan that is wrong is in no other's way.
                Err(error) if error.kind() == ErrorKind::Invalid => {
                    tracing::warn!(plan = %plan.name_any(), %error, "upgrade.plan");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(next)
    }

    async fn advance(&self, object: &UpgradePlan, channels: &[Channel], orders: &Orders) -> Result<Duration, Error> {
        let name = object.name_any();
        let invalid = |error: crate::lifecycle::LifecycleError| {
            Error::new(ErrorKind::Invalid, "upgrade", &name, error.to_string())
        };
        let plan = Plan::parse(&name, &object.spec, channels).map_err(invalid)?;
        let now = Timestamp::now();
        let stored = object.status.as_ref();
        let run = stored.filter(|run| run.to == *plan.to()).cloned().unwrap_or_else(|| UpgradeRun::begin(&plan, now));
        if let Some(decision) = Decision::of(object).map_err(invalid)? {
            let decided = decision.take(&plan, &run, now);
            if let Ok(decided) = &decided {
                self.store(object, decided).await?;
            }
            self.forget_decision(object).await?;
            return decided.map(|_| Duration::ZERO).map_err(invalid);
        }
        let fleet = orders.fleet();
        let next = step(&plan, &fleet, &run, now).map_err(invalid)?;
        if stored != Some(&next.run) {
            self.store(object, &next.run).await?;
        }
        for actions in next.actions.chunks(WRITES_AT_ONCE) {
            let mut writes = Vec::new();
            for action in actions {
                match action {
                    Action::Upgrade { id, to, .. } | Action::RollBack { id, to, .. } => {
                        writes.push(orders.lead(id, to))
                    }
                    Action::Hold { .. } => {}
                }
            }
            try_join_all(writes).await?;
        }
        let until = next.next_look.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        Ok(until.unwrap_or(LOOK_AGAIN))
    }

    async fn store(&self, object: &UpgradePlan, run: &UpgradeRun) -> Result<(), Error> {
        // A merge would keep what a run does not have any more.
        let mut stored = object.clone();
        stored.status = Some(run.clone());
        let name = object.name_any();
        let replaced = self.plans(object).replace_status(&name, &kube::api::PostParams::default(), &stored).await;
        replaced.map(drop).map_err(|error| Error::from_kube("store the run of", &name, error))
    }

    async fn forget_decision(&self, object: &UpgradePlan) -> Result<(), Error> {
        let name = object.name_any();
        let patch = Patch::Merge(json!({"metadata": {"annotations": {DECIDE: null}}}));
        let patched = self.plans(object).patch(&name, &PatchParams::default(), &patch).await;
        patched.map(drop).map_err(|error| Error::from_kube("take the decision on", &name, error))
    }

    fn plans(&self, object: &UpgradePlan) -> Api<UpgradePlan> {
        Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default())
    }

    /// The channels of the service's offerings.
    async fn channels(&self) -> Result<Vec<Channel>, Error> {
        let failed = |error| Error::from_kube("list", "the offerings", error);
        let offerings = Api::<Offering>::all(self.client.clone()).list(&ListParams::default()).await.map_err(failed)?;
        let own = offerings.items.into_iter().filter(|offering| offering.spec.service == self.service);
        let by_name: BTreeMap<_, _> =
            own.flat_map(|offering| offering.spec.channels).map(|channel| (channel.name.clone(), channel)).collect();
        Ok(by_name.into_values().collect())
    }
}
