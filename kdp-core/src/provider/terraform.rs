#![doc = include_str!("../../docs/terraform.md")]

use std::{collections::BTreeSet, fmt, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Observation, Operation, Order, OrderId, Phase, Plan, PlanHash, Provider, Run, Teardown, Weight};
use crate::{Error, ErrorKind};

mod binary;
mod carry_out;
mod draft;
mod engine;
mod inputs;
mod look;
mod module;
mod notes;
mod options;
mod place;
mod planned;
mod process;
mod repair;
mod settle;
pub mod state;
mod stored;
mod stream;
mod take_over;
mod tear_down;
mod types;
mod variables;

pub use self::{
    binary::Binary,
    module::Module,
    options::{Ambiguous, Given, Plugins, TerraformOptions},
};
use self::{engine::Engine, inputs::Inputs, state::StateServer};

/// How long an operation waits for another one on the same order.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_millis(50);

/// Has Terraform or OpenTofu make what is ordered, from one module.
///
/// Operations that write go on in the background when their future is dropped, and the next ones on the
/// same order wait for them; [`shutdown`](Self::shutdown) ends them.
#[derive(Clone)]
pub struct TerraformProvider {
    shop: Arc<Shop>,
}

/// All that the operations share.
struct Shop {
    name: String,
    module: Module,
    engine: Engine,
    states: StateServer,
    /// Which store of states it is.
    store: String,
    options: TerraformOptions,
    importing: tokio::sync::Mutex<()>,
    tasks: TaskTracker,
    /// Cancelled when all engines are to come to an end.
    halt: CancellationToken,
}

impl TerraformProvider {
    /// A provider of this name, such as `aws-bucket`, that makes what `module` says and works in `directory`,
    /// which is made if need be and is this provider's alone.
    ///
    /// An order's spec has a field for each variable of the module that the options do not give.
    ///
    /// # Errors
    /// `Invalid` when an option names a variable that the module does not have, `Unavailable` when the
    /// directory cannot be made or the store of states cannot be reached.
    pub async fn open(
        name: impl Into<String>,
        module: Module,
        binary: Binary,
        states: StateServer,
        directory: impl Into<PathBuf>,
        options: TerraformOptions,
    ) -> Result<Self, Error> {
        let name = name.into();
        let named = options.given.keys().chain(&options.sensitive);
        let missing: BTreeSet<_> = named.filter(|variable| !module.variables().contains_key(*variable)).collect();
        if !missing.is_empty() {
            let message = format!("the module has no variables {missing:?}, which the options name");
            return Err(Error::new(ErrorKind::Invalid, "open", name, message));
        }
        let store = states.identity().await?;
        let engine = Engine::open(binary, directory.into(), &options)
            .map_err(|e| Error::new(ErrorKind::Unavailable, "open", &name, e.to_string()).with_source(e))?;
        Ok(Self {
            shop: Arc::new(Shop {
                name,
                module,
                engine,
                states,
                store,
                options,
                importing: tokio::sync::Mutex::new(()),
                tasks: TaskTracker::new(),
                halt: CancellationToken::new(),
            }),
        })
    }

    /// JSON Schema of the spec of an order, as the schema of a custom resource has it.
    #[must_use]
    pub fn schema(&self) -> Value {
        let given = &self.shop.options.given;
        variables::schema(self.shop.module.variables().iter().filter(|(name, _)| !given.contains_key(*name)))
    }

    /// Goes on with an order that is held because nobody knows whether something was created: for whoever
    /// has looked.
    ///
    /// # Errors
    /// `Stale` when the lease is older than one already seen, `Unavailable` when somebody else works on the
    /// order or the store of states cannot be reached.
    pub async fn clear_doubt(&self, order: &OrderId, run: &Run) -> Result<(), Error> {
        self.shop.clear_doubt(order, run).await
    }

    /// Interrupts all engines, and waits for their end.
    pub async fn shutdown(&self) {
        self.shop.halt.cancel();
        self.shop.tasks.close();
        self.shop.tasks.wait().await;
    }

    /// Runs an operation that writes to its end, whatever becomes of whoever waits for it.
    async fn to_its_end(
        &self,
        id: &OrderId,
        operation: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) -> Result<(), Error> {
        if self.shop.halt.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "work on", id, "the provider was shut down"));
        }
        let ended = self.shop.tasks.spawn(operation).await;
        ended.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Internal, "work on", id, "the operation did not end").with_source(error))
        })
    }
}

impl fmt::Debug for TerraformProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerraformProvider")
            .field("name", &self.shop.name)
            .field("module", &self.shop.module)
            .field("options", &self.shop.options)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for TerraformProvider {
    fn name(&self) -> &str {
        &self.shop.name
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        let inputs = Inputs::of(order, &self.shop.module, &self.shop.options)?;
        Ok(self.shop.draft(order, &inputs, run).await?.plan)
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        let operation = self.shop.clone().carry_out(order.clone(), plan.clone(), run.clone());
        self.to_its_end(&order.id, operation).await?;
        self.shop.look(&order.id, order.sealed.as_ref()).await
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        self.shop.look(order, sealed).await
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.shop.check_record(sealed)?;
        let seen = self.shop.look(&sealed.id, Some(sealed)).await?;
        if seen.phase == Phase::Unknown {
            return Ok(seen);
        }
        self.to_its_end(&sealed.id, self.shop.clone().tear_down(sealed.id.clone(), run.clone())).await?;
        self.shop.look(&sealed.id, Some(sealed)).await
    }

    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        if !self.shop.options.imports {
            let message = "this platform does not take over what exists already";
            return Err(Error::new(ErrorKind::Unsupported, "import", &order.id, message));
        }
        let operation = self.shop.clone().take_over(order.clone(), existing.into(), run.clone());
        self.to_its_end(&order.id, operation).await?;
        self.shop.look(&order.id, order.sealed.as_ref()).await
    }

    fn weight(&self, operation: Operation) -> Weight {
        match operation {
            Operation::Observe => Weight::LIGHT,
            _ => self.shop.options.memory,
        }
    }
}
