#![doc = include_str!("../docs/provider.md")]

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{Error, ErrorKind};

mod action;
pub mod conformance;
#[cfg(feature = "crossplane")]
pub mod crossplane;
#[cfg(any(feature = "operator", feature = "crossplane"))]
mod fence;
mod observation;
#[cfg(feature = "operator")]
pub mod operator;
mod order;
mod plan;
pub mod readiness;
mod redact;
mod run;
mod teardown;
#[cfg(feature = "terraform")]
pub mod terraform;

pub use self::{
    action::{Action, ActionCall, ActionOutcome},
    observation::{EndpointRef, Observation, Output, Phase},
    order::{Order, OrderId},
    plan::{Change, ChangeAction, Plan, PlanHash, Shown, ValueChange},
    redact::{REDACTED, Redactor, redact_masked},
    run::{Lease, Operation, Progress, Run, Step, StepState, Weight},
    teardown::{InventoryItem, Teardown},
};

/// Makes, looks after and removes the real thing behind an order.
///
/// Every operation is level-triggered and idempotent: it may be stopped at any instant, by dropping
/// its future or by the end of the process, and called again, and
/// converges on the same result. A provider keeps no state of its own that the real thing and
/// what was [sealed](Teardown) do not hold.
///
/// Errors say what may have happened. After `Invalid`, `NotFound`, `Forbidden` and `Unsupported` the
/// operation has made nothing, and is not tried again before the order changes. After `Stale` it
/// has not begun. After `Unavailable` and `Internal`, and when it was stopped, anything may have
/// happened: the next [`observe`](Self::observe) decides.
///
/// Implementations prove themselves with [`conformance`].
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// A short name, such as `sqlite`.
    fn name(&self) -> &str;

    /// What [`apply`](Self::apply) would do now; changes nothing.
    ///
    /// Equal orders and equal real things give equal plans. What [`Order::sealed`] names and is no
    /// longer wanted is in the plan as [`ChangeAction::Delete`], so that it is seen and approved.
    ///
    /// # Errors
    /// `Invalid` when the order can never be made, naming the field; `Unavailable` when the
    /// evidence could not be gathered.
    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error>;

    /// Carries out the plan with this hash. Returns as soon as waiting is all that is left.
    ///
    /// A plan is current until something that it was decided on changes. That may be what an earlier
    /// call with the same arguments has done: such a call is answered by what is there, or refused so
    /// that another plan is made. Dropping the future loses nothing; work under way may still be
    /// finished in the background, during which other operations on the order answer `Unavailable`
    /// or wait.
    ///
    /// What is no longer wanted is removed last, once what is wanted is there.
    ///
    /// # Errors
    /// `Stale` when the plan is no longer current, or the lease is older than one already seen;
    /// `Invalid` as for [`plan`](Self::plan); `Unavailable` when what makes the thing cannot be
    /// reached.
    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error>;

    /// What is there now; changes nothing.
    ///
    /// `sealed` is what was sealed last; none when nothing was, or when that was lost. Then a
    /// provider that finds its things by the identity of the order still answers fully, and one
    /// that cannot answers [`Phase::Unknown`].
    ///
    /// # Errors
    /// `Invalid` when the order's identity is none this provider could have given anything to.
    /// Evidence that is missing is no error: it is [`Phase::Unknown`].
    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error>;

    /// Removes everything the teardown record names, in its order; needs nothing else of the order.
    /// Repeated until the observation is [`Phase::Gone`]. What was never made, or is gone already,
    /// is `Gone`; what cannot be reached is an error or [`Phase::Unknown`].
    ///
    /// # Errors
    /// `Stale` when the lease is older than one already seen; `Invalid` when the record is none of
    /// this provider's; `Unavailable` when what is to be removed cannot be reached.
    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error>;

    /// Takes something that exists, which `existing` names in the provider's own terms, as what was
    /// ordered. From then on it is this order's, with the teardown record of the observation, and
    /// the next plan says how it differs from what was ordered. Changes nothing but whose it is.
    ///
    /// Which tenant may take what is for the platform to say, but what belongs to another order is
    /// never taken.
    ///
    /// # Errors
    /// `Unsupported` when this provider takes nothing, as it is by default; `NotFound` when there is
    /// no such thing; `Forbidden` when it is another order's; `Stale` when the lease is older than one already seen.
    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        let _ = (existing, run);
        let message = format!("{} does not take over what exists already", self.name());
        Err(Error::new(ErrorKind::Unsupported, "import", &order.id, message))
    }

    /// What can be done with what this provider has made; nothing by default.
    fn actions(&self) -> Vec<Action> {
        Vec::new()
    }

    /// Does one of the [`actions`](Self::actions), and returns when it is done. A call with the id of
    /// an earlier one goes on with it, or tells its outcome when it is done.
    ///
    /// # Errors
    /// `Unsupported` when there is no such action; `Invalid` when the parameters are wrong, naming the
    /// one; `NotFound` when there is nothing to do it with; `Stale` when the lease is older than one
    /// already seen; `Unavailable` when what does it cannot be reached.
    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        let _ = run;
        let message = format!("{} has no action {:?}", self.name(), call.name);
        Err(Error::new(ErrorKind::Unsupported, "act on", &order.id, message))
    }

    /// Whether it wants to [recall](Self::recall) all orders before it begins; it does not by default.
    fn counts_orders(&self) -> bool {
        false
    }

    /// Is told what was sealed for an order, for each before anything else is asked, if it
    /// [counts](Self::counts_orders) them. Nothing by default.
    fn recall(&self, sealed: &Teardown) {
        let _ = sealed;
    }

    /// How much memory an operation needs while it runs; that of a request by default.
    fn weight(&self, operation: Operation) -> Weight {
        let _ = operation;
        Weight::LIGHT
    }
}

#[deny(clippy::missing_trait_methods, reason = "a forgotten method would hide the provider's own")]
#[async_trait]
impl<P: Provider + ?Sized> Provider for Arc<P> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        (**self).plan(order, run).await
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        (**self).apply(order, plan, run).await
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        (**self).observe(order, sealed).await
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        (**self).delete(sealed, run).await
    }

    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        (**self).import(order, existing, run).await
    }

    fn actions(&self) -> Vec<Action> {
        (**self).actions()
    }

    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        (**self).act(order, call, run).await
    }

    fn counts_orders(&self) -> bool {
        (**self).counts_orders()
    }

    fn recall(&self, sealed: &Teardown) {
        (**self).recall(sealed);
    }

    fn weight(&self, operation: Operation) -> Weight {
        (**self).weight(operation)
    }
}
