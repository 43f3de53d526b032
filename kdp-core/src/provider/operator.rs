#![doc = include_str!("../../docs/operator.md")]

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use kube::Client;
use tokio::sync::OnceCell;

use super::{
    Action, ActionCall, ActionOutcome, Observation, Order, OrderId, Phase, Plan, PlanHash, Provider, Run, Teardown,
    fence::Fence,
};
use crate::{Error, ErrorKind};

mod carry_out;
mod cluster;
mod diff;
mod draft;
mod identity;
mod inventory;
mod look;
mod managed;
mod offering;
mod outputs;
mod pause;
mod remove;
mod settings;
mod state;
mod take_over;
mod template;

pub use self::settings::{
    Locator, ObjectTemplate, Offering, OutputRule, OutputsFrom, PauseAnnotation, Placement, ReadinessExpressions,
    Source, Visibility,
};
use self::{cluster::Cluster, look::LONGEST_LOOK, offering::Compiled};

/// Has the operators of a cluster make what is ordered.
///
/// Every operation may be dropped at any await and repeated.
pub struct OperatorProvider {
    name: String,
    offering: Arc<Compiled>,
    cluster: Cluster,
    fence: Fence,
    cluster_uid: OnceCell<String>,
}

impl OperatorProvider {
    /// A provider of this name, of lower-case letters, digits and `-`, that makes what `offering` says in
    /// the cluster that `client` talks to.
    ///
    /// `home` is a namespace of that cluster that exists and that only the platform can write to. A Lease
    /// there, named for the provider, keeps out whoever is late, so the name never changes and no other
    /// provider has it.
    ///
    /// # Errors
    /// `Invalid` when the offering is wrong, with the names of all fields that are.
    pub fn new(
        name: impl Into<String>,
        client: Client,
        home: impl Into<String>,
        offering: &Offering,
    ) -> Result<Self, Error> {
        let name = name.into();
        let offering = Compiled::compile(offering)
            .map_err(|faults| Error::new(ErrorKind::Invalid, "describe the offering of", &name, faults.join("; ")))?;
        let cluster = Cluster::new(client);
        let fence = Fence::new(cluster.client().clone(), home, format!("{}-{name}", identity::MANAGER));
        Ok(Self { name, offering: Arc::new(offering), cluster, fence, cluster_uid: OnceCell::new() })
    }

    /// Which cluster this is, asked once: a client does not change where it connects to.
    async fn cluster_uid(&self, id: &OrderId) -> Result<&str, Error> {
        self.cluster_uid.get_or_try_init(|| self.fence.cluster_uid(id)).await.map(String::as_str)
    }
}

impl fmt::Debug for OperatorProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorProvider").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for OperatorProvider {
    fn name(&self) -> &str {
        &self.name
    }

    async fn plan(&self, order: &Order, _: &Run) -> Result<Plan, Error> {
        Ok(self.draft(order).await?.plan)
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        Ok(self.carry_out(order, plan, run).await?.observation)
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        match self.sight(order, sealed).await {
            Ok(sight) => Ok(sight.observation),
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                Ok(Observation::new(Phase::Unknown).with_message(error.message()).with_next_look(LONGEST_LOOK))
            }
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.tear_down(sealed, run).await
    }

    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        Ok(self.take_over(order, existing, run).await?.observation)
    }

    fn actions(&self) -> Vec<Action> {
        self.pausing()
    }

    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        self.pause(order, call, run).await
    }
}
