//! The provider of everything that is in the catalog.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use jiff::Timestamp;
use kdp_core::{
    Error, ErrorKind, Provider,
    condition::Condition,
    provider::{
        Action, ActionCall, ActionOutcome, Observation, Operation, Order, OrderId, Output, Phase, Plan, PlanHash, Run,
        Teardown, Weight,
    },
};

use super::{
    ledger::Ledger,
    providers::Providers,
    sealed::Assignment,
    surroundings::{Around, Surroundings},
};
use crate::{
    offering::GroupKind,
    resolution::{Explanation, OrderFacts, Refusal, Request, Resolution, Selection, Shelf, Usage},
};

/// Output of an order that has a release: its version. A runner that copies it into the status
/// ([`with_status_output`](kdp_core::runner::RunnerOptions::with_status_output)) lets upgrades see it.
pub const RELEASE_OUTPUT: &str = "release";

/// Condition of an order whose release should not be used any more: why, and until when it can be.
pub const RELEASE_CURRENT: &str = "ReleaseCurrent";

/// Makes the orders of one kind as the catalog says: resolves each, and has the provider make it that its offering
/// binds.
///
/// What is resolved is sealed with what the provider seals. So an order stays with its provider and its service
/// cluster, and is observed and removed without the catalog: also when its offering is gone by then.
#[derive(Clone)]
pub struct CatalogProvider {
    inner: Arc<Inner>,
}

struct Inner {
    kind: GroupKind,
    shelf: RwLock<Arc<Shelf>>,
    providers: Box<dyn Providers>,
    surroundings: Box<dyn Surroundings>,
    ledger: Ledger,
}

/// An order as one of the bound providers sees it.
struct Routed {
    provider: Arc<dyn Provider>,
    order: Order,
    assignment: Assignment,
}

impl CatalogProvider {
    /// A provider of the orders of this kind. Nothing is offered before [`restock`](Self::restock).
    #[must_use]
    pub fn new(kind: GroupKind, providers: impl Providers, surroundings: impl Surroundings) -> Self {
        let inner = Inner {
            kind,
            shelf: RwLock::default(),
            providers: Box::new(providers),
            surroundings: Box::new(surroundings),
            ledger: Ledger::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// From now on orders are resolved with this shelf.
    pub fn restock(&self, shelf: Arc<Shelf>) {
        *self.inner.shelf.write().unwrap_or_else(PoisonError::into_inner) = shelf;
    }

    /// How an order is resolved now, and why: for the owner of the service.
    ///
    /// # Errors
    /// As [`Surroundings::around`], and when `sealed` is none of the catalog's.
    pub async fn explain(&self, order: &Order) -> Result<Explanation, Error> {
        let around = self.inner.surroundings.around(&order.id).await?;
        let current = Assignment::of_order(&order.id, order.sealed.as_ref())?;
        let facts = facts(order, &around, current.map(|(assignment, _)| assignment).as_ref())?;
        let usage = self.inner.ledger.open().usage.clone();
        Ok(self.inner.shelf().explain(&self.inner.request(&around, &facts, &usage)))
    }
}

impl Inner {
    fn shelf(&self) -> Arc<Shelf> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn request<'a>(&'a self, around: &'a Around, order: &'a OrderFacts, usage: &'a Usage) -> Request<'a> {
        Request {
            kind: &self.kind,
            workspace: &around.workspace,
            environment: around.environment.as_ref(),
            order,
            usage,
            now: Timestamp::now(),
        }
    }

    /// Resolves an order, keeps its place, and finds the provider.
    async fn route(&self, order: &Order) -> Result<Routed, Error> {
        let around = self.surroundings.around(&order.id).await?;
        let within = Assignment::of_order(&order.id, order.sealed.as_ref())?;
        let (before, own_record) = within.unzip();
        let facts = facts(order, &around, before.as_ref())?;
        let shelf = self.shelf();
        let (resolution, assignment) = {
            let mut books = self.ledger.open();
            // An order is not in its own way.
            if before.is_none() {
                books.forget(&order.id.uid);
            }
            let mut resolved = shelf.resolve(&self.request(&around, &facts, &books.usage));
            if matches!(resolved, Err(Refusal::NoPlace { .. })) && books.expire() {
                resolved = shelf.resolve(&self.request(&around, &facts, &books.usage));
            }
            let resolution = resolved.map_err(|refusal| refused(&order.id, &refusal))?;
            check_place(&order.id, before.as_ref(), &resolution)?;
            let assignment = Assignment::of(&resolution, &around.workspace.path);
            books.reserve(&order.id.uid, &assignment);
            if before.is_some() {
                books.begun(&order.id.uid);
            }
            (resolution, assignment)
        };
        let provider = self.provider(&assignment)?;
        let order = Order::new(order.id.clone(), order.generation, resolution.parameters).with_sealed(own_record);
        Ok(Routed { provider, order, assignment })
    }

    fn provider(&self, assignment: &Assignment) -> Result<Arc<dyn Provider>, Error> {
        self.providers.get(&assignment.provider, assignment.cluster.as_deref())
    }
}

fn facts(order: &Order, around: &Around, before: Option<&Assignment>) -> Result<OrderFacts, Error> {
    Ok(OrderFacts {
        uid: order.id.uid.clone(),
        labels: around.labels.clone(),
        spec: order.spec.clone(),
        selection: Selection::of(&around.annotations).map_err(|refusal| refused(&order.id, &refusal))?,
        current: before.map(Assignment::current),
    })
}

fn refused(id: &OrderId, refusal: &Refusal) -> Error {
    let kind = match refusal {
        // The owner of the service can change that, without the order.
        Refusal::NothingOffered { .. }
        | Refusal::UnknownOffering { .. }
        | Refusal::OfferingGone(_)
        | Refusal::ReleaseGone(_)
        | Refusal::NoPlace { .. } => ErrorKind::Unavailable,
        Refusal::UnknownPlan { .. } | Refusal::OtherProvider { .. } | Refusal::Version(_) | Refusal::Limits(_) => {
            ErrorKind::Invalid
        }
    };
    Error::new(kind, "resolve", id, refusal.to_string())
}

/// What exists is not moved: its data would be left behind.
fn check_place(id: &OrderId, before: Option<&Assignment>, resolution: &Resolution) -> Result<(), Error> {
    let Some(before) = before else { return Ok(()) };
    let cluster = resolution.placed.as_ref().map(|placed| &placed.cluster);
    let message = if before.provider.name != resolution.provider.name {
        "it was made by another provider; order it anew and delete this one"
    } else if before.cluster.is_some() && before.cluster.as_ref() != cluster {
        "its service cluster is given up; back it up, order it anew and delete this one"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Invalid, "resolve", id, message))
}

/// Puts the assignment around the record of the provider, and says which release it is, and whether it should not be
/// used any more.
fn seal(shelf: &Shelf, assignment: &Assignment, mut observation: Observation) -> Observation {
    let warning = assignment.version.as_ref().and_then(|version| shelf.warning(&assignment.offering, version));
    if let Some(warning) = warning.filter(|_| observation.teardown.is_some()) {
        let deprecated = Condition::fails(RELEASE_CURRENT, "Deprecated", warning);
        observation.conditions.push(Condition { severity: "Warning".into(), ..deprecated });
    }
    if let (Some(version), true) = (&assignment.version, observation.teardown.is_some()) {
        let version = Output::plain(version.to_string());
        observation.outputs.entry(RELEASE_OUTPUT.into()).or_insert(version);
    }
    observation.teardown = observation.teardown.map(|record| assignment.around(record));
    observation
}

#[deny(clippy::missing_trait_methods, reason = "a forgotten method would hide the bound provider's own")]
#[async_trait]
impl Provider for CatalogProvider {
    fn name(&self) -> &str {
        "catalog"
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        let routed = self.inner.route(order).await?;
        let mut plan = routed.provider.plan(&routed.order, run).await?;
        plan.teardown = routed.assignment.around(plan.teardown);
        Ok(plan)
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        if order.sealed.is_none() {
            let message = "nothing was sealed, so nobody knows where it was planned; plan it again";
            return Err(Error::new(ErrorKind::Stale, "apply", &order.id, message));
        }
        let routed = self.inner.route(order).await?;
        Ok(seal(&self.inner.shelf(), &routed.assignment, routed.provider.apply(&routed.order, plan, run).await?))
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        if let Some((assignment, own_record)) = Assignment::of_order(order, sealed)? {
            let provider = self.inner.provider(&assignment)?;
            return Ok(seal(&self.inner.shelf(), &assignment, provider.observe(order, Some(&own_record)).await?));
        }
        // Without a record nothing is known of the offering, but what is there must not be made again.
        let all = self.inner.providers.all();
        let mut is_gone = !all.is_empty();
        for provider in all {
            is_gone &= provider.observe(order, None).await?.phase == Phase::Gone;
        }
        if is_gone {
            return Ok(Observation::new(Phase::Gone));
        }
        let message = "nothing is remembered of how it was made; whoever runs the platform has to restore its record";
        Ok(Observation::new(Phase::Unknown).with_message(message))
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        let (assignment, own_record) = Assignment::within(sealed)?;
        let provider = self.inner.provider(&assignment)?;
        let observation = provider.delete(&own_record, run).await?;
        if observation.phase == Phase::Gone {
            self.inner.ledger.open().forget(&sealed.id.uid);
        }
        Ok(seal(&self.inner.shelf(), &assignment, observation))
    }

    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        let routed = self.inner.route(order).await?;
        let observation = routed.provider.import(&routed.order, existing, run).await?;
        self.inner.ledger.open().begun(&order.id.uid);
        Ok(seal(&self.inner.shelf(), &routed.assignment, observation))
    }

    fn actions(&self) -> Vec<Action> {
        let all = self.inner.providers.all().into_iter().flat_map(|provider| provider.actions());
        let by_name: BTreeMap<_, _> = all.map(|action| (action.name.clone(), action)).collect();
        by_name.into_values().collect()
    }

    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        let routed = self.inner.route(order).await?;
        routed.provider.act(&routed.order, call, run).await
    }

    fn counts_orders(&self) -> bool {
        true
    }

    fn recall(&self, sealed: &Teardown) {
        match Assignment::within(sealed) {
            Ok((assignment, _)) => {
                let mut books = self.inner.ledger.open();
                books.reserve(&sealed.id.uid, &assignment);
                books.begun(&sealed.id.uid);
            }
            Err(error) => tracing::warn!(%error, "catalog.recall"),
        }
    }

    fn weight(&self, operation: Operation) -> Weight {
        let all = self.inner.providers.all().into_iter().map(|provider| provider.weight(operation));
        all.max().unwrap_or(Weight::LIGHT)
    }
}

impl fmt::Debug for CatalogProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogProvider")
            .field("kind", &self.inner.kind)
            .field("providers", &self.inner.providers)
            .finish_non_exhaustive()
    }
}
