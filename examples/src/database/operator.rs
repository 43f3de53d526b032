//! The operator: drives a provider for every [`Database`] of a service cluster.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kdp_core::{
    Component, ComponentContext, Error, ErrorKind, Provider,
    api::install_crd,
    provider::{Observation, Order, OrderId, Phase},
    reconcile,
};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{Controller, controller::Action, watcher},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::spec::{Database, Engine, Offer, crd};

mod credentials;
mod epoch;
mod report;
mod seal;

use epoch::Epoch;

const NAME: &str = "database-operator";
/// Unless a provider wants to be asked sooner or later.
const NEXT_LOOK: Duration = Duration::from_secs(30);
/// Plans that became outdated before they were applied, until the reconcile counts as failed.
const PLANS: usize = 3;

/// Drives one provider for each engine, for every `Database` of a service cluster.
///
/// It installs the kind, in which only the engines of its providers can be ordered, and delivers
/// the outputs of a ready order in the Secret `<name>-credentials` next to it. What removing the
/// real thing needs is sealed in an annotation before anything is made, and a finalizer keeps the
/// object until that has been done.
///
/// Of two operators on one cluster the one that started last works; the other stops with `Stale`.
pub struct DatabaseOperator {
    client: Client,
    engines: Vec<(Offer, Arc<dyn Provider>)>,
}

impl DatabaseOperator {
    /// An operator that works on the cluster behind `client`, without providers yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, engines: Vec::new() }
    }

    /// The same with a provider that makes what `offer` says.
    #[must_use]
    pub fn with_provider(mut self, offer: Offer, provider: impl Provider) -> Self {
        self.engines.push((offer, Arc::new(provider)));
        self
    }

    /// What can be ordered.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        self.engines.iter().map(|(offer, _)| offer.clone()).collect()
    }
}

impl fmt::Debug for DatabaseOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseOperator").field("engines", &self.engines).finish_non_exhaustive()
    }
}

#[async_trait]
impl Component for DatabaseOperator {
    fn name(&self) -> &str {
        NAME
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        install_crd(&self.client, &crd(&self.offers()), NAME).await?;
        let epoch = Epoch::begin(self.client.clone()).await?;
        let databases = Api::<Database>::all(self.client.clone());
        let controller = Controller::new(databases, watcher::Config::default())
            .owns(Api::<Secret>::all(self.client.clone()), watcher::Config::default());
        let stop = context.shutdown().child_token();
        let superseded = Arc::new(AtomicBool::new(false));
        let worker = Arc::new(Worker {
            client: self.client,
            engines: self.engines,
            epoch,
            stop: stop.clone(),
            superseded: superseded.clone(),
        });
        context.ready();
        reconcile::run(controller, stop, move |database: Arc<Database>| {
            let worker = worker.clone();
            async move { worker.reconcile(&database).await }
        })
        .await;
        if superseded.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Stale, "run", NAME, "another operator has taken over this cluster"));
        }
        Ok(())
    }
}

/// What every reconcile uses.
struct Worker {
    client: Client,
    engines: Vec<(Offer, Arc<dyn Provider>)>,
    epoch: Epoch,
    /// Ends this operator.
    stop: CancellationToken,
    /// Whether that is because another one has taken over.
    superseded: Arc<AtomicBool>,
}

impl Worker {
    async fn reconcile(&self, database: &Database) -> Result<Action, Error> {
        if database.metadata.deletion_timestamp.is_some() {
            self.release(database).await
        } else {
            self.provide(database).await
        }
    }

    /// Makes the real thing as ordered, and reports.
    async fn provide(&self, database: &Database) -> Result<Action, Error> {
        let order = order(database)?;
        let outcome = match self.provider(database.spec.engine) {
            Ok(provider) => self.converge(database, &order, provider).await,
            Err(error) => Err(error),
        };
        let mut observation = match outcome {
            Ok(observation) => observation,
            Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported) => {
                Observation::new(Phase::Blocked).with_message(error.message())
            }
            Err(error) => {
                // Reported here, because the error alone reaches only the log.
                let failing = Observation::new(Phase::Failing).with_message(error.to_string());
                self.report(database, &failing).await?;
                return Err(error);
            }
        };
        if let Err(error) = credentials::deliver(&self.client, database, &observation).await {
            if error.kind() != ErrorKind::Invalid {
                return Err(error);
            }
            observation.phase = Phase::Blocked;
            observation.message = error.message().into();
        }
        self.report(database, &observation).await?;
        Ok(Action::requeue(observation.next_look.unwrap_or(NEXT_LOOK)))
    }

    /// Applies the current plan where there is something to change, and observes.
    async fn converge(
        &self,
        database: &Database,
        order: &Order,
        provider: &Arc<dyn Provider>,
    ) -> Result<Observation, Error> {
        for _ in 0..PLANS {
            let plan = provider.plan(order, &self.epoch.lease().into()).await?;
            seal::seal(&self.client, database, &plan.teardown).await?;
            if plan.changes.is_empty() {
                return provider.observe(&order.id, None).await;
            }
            tracing::info!(database = %order.id, changes = ?plan.changes, "database.apply");
            match provider.apply(order, &plan.hash(), &self.epoch.lease().into()).await {
                Err(error) if error.kind() == ErrorKind::Stale => self.check_epoch().await?,
                result => return result,
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "apply", &order.id, "its plans keep becoming outdated"))
    }

    /// Removes the real thing, then the credentials, then lets the object go.
    async fn release(&self, database: &Database) -> Result<Action, Error> {
        if !seal::is_sealed(database) {
            return Ok(Action::await_change());
        }
        let provider = self.provider(database.spec.engine)?;
        let id = order_id(database)?;
        let teardown = match seal::open(database) {
            Some(teardown) => Some(teardown),
            // Somebody took the annotation away; the provider knows as long as anything exists.
            None => provider.observe(&id, None).await?.teardown,
        };
        if let Some(teardown) = teardown {
            self.report(database, &Observation::new(Phase::Deleting)).await?;
            tracing::info!(database = %id, "database.delete");
            let observation = match provider.delete(&teardown, &self.epoch.lease().into()).await {
                Err(error) if error.kind() == ErrorKind::Stale => {
                    self.check_epoch().await?;
                    return Err(error);
                }
                result => result?,
            };
            if observation.phase != Phase::Gone {
                self.report(database, &observation).await?;
                return Ok(Action::requeue(observation.next_look.unwrap_or(NEXT_LOOK)));
            }
        }
        credentials::withdraw(&self.client, database).await?;
        seal::break_open(&self.client, database).await?;
        Ok(Action::await_change())
    }

    fn provider(&self, engine: Engine) -> Result<&Arc<dyn Provider>, Error> {
        let found = self.engines.iter().find(|(offer, _)| offer.engine == engine);
        found.map(|(_, provider)| provider).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "provide", engine, format!("{engine} is not offered on this machine"))
        })
    }

    /// Distinguishes a lease that is over from a plan that is outdated: after the former nothing
    /// that this process does would be accepted.
    async fn check_epoch(&self) -> Result<(), Error> {
        if self.epoch.is_over().await? {
            self.superseded.store(true, Ordering::Relaxed);
            self.stop.cancel();
            return Err(Error::new(ErrorKind::Stale, "drive", "provider", "another operator has taken over"));
        }
        Ok(())
    }

    async fn report(&self, database: &Database, observation: &Observation) -> Result<(), Error> {
        let status = report::status(database, observation, Timestamp::now());
        if database.status.as_ref() == Some(&status) {
            return Ok(());
        }
        tracing::info!(database = %database.name_any(), phase = %status.phase, "database.status");
        let api = Api::<Database>::namespaced(self.client.clone(), &database.namespace().unwrap_or_default());
        let patch = Patch::Merge(json!({"status": status}));
        match api.patch_status(&database.name_any(), &PatchParams::default(), &patch).await {
            // Gone in the meantime: there is nobody to report to.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(Error::from_kube("report on", database.name_any(), error)),
            Ok(_) => Ok(()),
        }
    }
}

fn order_id(database: &Database) -> Result<OrderId, Error> {
    let Some(uid) = database.uid() else {
        return Err(Error::new(ErrorKind::Internal, "read", database.name_any(), "the server gave it no UID"));
    };
    Ok(OrderId::new(uid, database.namespace().unwrap_or_default(), database.name_any()))
}

fn order(database: &Database) -> Result<Order, Error> {
    let spec = serde_json::to_value(&database.spec).map_err(|e| {
        Error::new(ErrorKind::Internal, "read", database.name_any(), "the spec cannot be written as JSON")
            .with_source(e)
    })?;
    Ok(Order::new(order_id(database)?, database.metadata.generation.unwrap_or_default(), spec))
}

#[cfg(test)]
mod tests;
