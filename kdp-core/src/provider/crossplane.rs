#![doc = include_str!("../../docs/crossplane.md")]

use std::fmt;

use async_trait::async_trait;
use kube::Client;

mod act;
mod cause;
mod cluster;
mod connection;
mod desired;
mod diff;
mod draft;
mod import;
mod look;
mod offering;
mod options;
mod preview;
mod record;
mod remove;
mod render;
mod secret;
mod state;
mod target;
mod walk;

#[cfg(test)]
mod tests;

pub use self::{
    connection::{Connection, SecretSource},
    offering::{ClaimNames, Offering, PrinterColumn, Scope, discover},
    options::{CrossplaneOptions, GarbageCollection, Namespaces, Pin, WalkLimits},
    render::Renderer,
    target::{Shape, Target},
};

use self::{
    cluster::{Cluster, Look},
    draft::is_leaving,
};
use super::{
    Action, ActionCall, ActionOutcome, Observation, Operation, Order, OrderId, Plan, PlanHash, Provider, Run, Teardown,
    Weight, fence::Fence,
};
use crate::{Error, ErrorKind};

/// What Crossplane's own program takes while it renders.
const RENDERING: Weight = Weight::mib(256);
/// How often Crossplane may write the object between reading and applying it.
const TRIES: usize = 5;

/// Crossplane makes what is ordered: a composite resource, or a claim, for each order.
///
/// See the [module documentation](self).
pub struct CrossplaneProvider {
    cluster: Cluster,
    fence: Fence,
    home: String,
    options: CrossplaneOptions,
}

impl CrossplaneProvider {
    /// A provider on the cluster of this client.
    ///
    /// `home` is a namespace that exists there and that no tenant has a right in: the provider keeps
    /// a Lease in it, and plans what will be in namespaces that are not there yet.
    pub fn new(client: Client, home: impl Into<String>, options: CrossplaneOptions) -> Self {
        let home = home.into();
        let fence = Fence::new(client.clone(), &home, format!("kdp-{}", options.name));
        Self { cluster: Cluster::new(client), fence, home, options }
    }

    /// The kind that orders become.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.options.target
    }
}

#[async_trait]
impl Provider for CrossplaneProvider {
    fn name(&self) -> &str {
        &self.options.name
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        Ok(self.draft(order, run).await?.plan)
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        let id = &order.id;
        self.fence.enter(id, run).await?;
        let mut refused = None;
        for _ in 0..TRIES {
            let mut draft = self.draft(order, run).await?;
            draft.plan.check(plan, id)?;
            if matches!(&draft.located.look, Look::There(object) if is_leaving(object)) {
                return self.remove(id, order.sealed.as_ref(), run).await;
            }
            match self.write(&draft, id, run).await {
                Ok(object) => {
                    draft.located.look = Look::There(object);
                    return self.report(id, draft.located).await;
                }
                // Crossplane writes the object as well; only what it says of the order is compared again.
                Err(error) if error.kind() == ErrorKind::Stale => {
                    self.fence.check(id, run).await?;
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| Error::new(ErrorKind::Stale, "apply", id, "it keeps changing meanwhile")))
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        let located = self.locate(order, sealed).await?;
        self.report(order, located).await
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.fence.enter(&sealed.id, run).await?;
        self.remove(&sealed.id, Some(sealed), run).await
    }

    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        self.fence.enter(&order.id, run).await?;
        let located = self.take_over(&order.id, existing, run).await?;
        self.report(&order.id, located).await
    }

    fn actions(&self) -> Vec<Action> {
        act::actions()
    }

    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        self.carry_out(&order.id, order.sealed.as_ref(), call, run).await
    }

    fn weight(&self, operation: Operation) -> Weight {
        match operation {
            Operation::Plan | Operation::Apply if self.options.renderer.is_some() => RENDERING,
            _ => Weight::LIGHT,
        }
    }
}

impl fmt::Debug for CrossplaneProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrossplaneProvider")
            .field("name", &self.options.name)
            .field("kind", &self.options.target.name())
            .finish_non_exhaustive()
    }
}
