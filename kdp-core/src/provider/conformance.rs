//! What every [`Provider`] must do, as cases that any implementation can run.
//!
//! A third party writes a [`Fixture`] for its provider and one test:
//!
//! ```no_run
//! # use kdp_core::provider::conformance::{self, Fixture};
//! # async fn test<F: Fixture>(fixture: F) {
//! assert_eq!(conformance::run(&fixture).await, []);
//! # }
//! ```
//!
//! Every case works on an order of its own in a place of its own, and removes what it ordered
//! whether it holds or not.

use std::{collections::BTreeSet, fmt, future::Future, time::Duration};

use serde_json::Value;

use super::{Observation, Provider};
use crate::Error;

mod cases;
mod late;
mod stand;

/// Everything the suite needs to know about one provider.
pub trait Fixture: Sync {
    /// The provider under test.
    type Provider: Provider;

    /// The orders to place.
    fn orders(&self) -> Orders;

    /// A provider with nothing made yet, in a place that no other provider of this fixture has.
    ///
    /// # Errors
    /// When the place cannot be made; the suite reports it.
    fn open(&self) -> impl Future<Output = Result<Self::Provider, Error>> + Send;

    /// Another provider over the same place, as a restarted process would open it. The first one
    /// may live on, like a process that was paused.
    ///
    /// # Errors
    /// When the place cannot be opened; the suite reports it.
    fn reopen(&self, provider: &Self::Provider) -> impl Future<Output = Result<Self::Provider, Error>> + Send;

    /// Puts the real things of `provider` out of its reach without removing them: pulls the
    /// network, unmounts the disk, revokes the right to look.
    fn cut_off(&self, provider: &Self::Provider) -> impl Future<Output = ()> + Send;

    /// Undoes [`Fixture::cut_off`].
    fn reconnect(&self, provider: &Self::Provider) -> impl Future<Output = ()> + Send;

    /// Makes something that nobody has ordered, as the valid order would have it, and returns what
    /// [`Provider::import`] takes it by; nothing for a provider that takes nothing over.
    fn existing(&self, provider: &Self::Provider) -> impl Future<Output = Option<String>> + Send {
        let _ = provider;
        async { None }
    }

    /// How many things there are in the place of `provider`, counted without asking it; nothing when
    /// that cannot be told. Without it, a thing that was made twice may go unnoticed.
    fn count(&self, provider: &Self::Provider) -> impl Future<Output = Option<usize>> + Send {
        let _ = provider;
        async { None }
    }

    /// How long one order may take to become ready, or to be gone; a minute unless overridden.
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// The orders a suite places with one provider.
#[derive(Clone, Debug)]
pub struct Orders {
    valid: Value,
    changed: Value,
    impossible: Value,
    impossible_field: String,
    sensitive: BTreeSet<String>,
    secret_input: Option<String>,
    larger: Option<Value>,
}

impl Orders {
    /// A `spec` that can be made; the same with a `changed` wish that can be fulfilled where it
    /// is; and an `impossible` one that is wrong in `impossible_field`.
    pub fn new(valid: Value, changed: Value, impossible: Value, impossible_field: impl Into<String>) -> Self {
        Self {
            valid,
            changed,
            impossible,
            impossible_field: impossible_field.into(),
            sensitive: BTreeSet::new(),
            secret_input: None,
            larger: None,
        }
    }

    /// The same; both specs that can be made contain this secret.
    #[must_use]
    pub fn with_secret_input(mut self, secret: impl Into<String>) -> Self {
        self.secret_input = Some(secret.into());
        self
    }

    /// The same with a `spec` that needs things in its inventory which the valid one does not.
    #[must_use]
    pub fn with_larger(mut self, larger: Value) -> Self {
        self.larger = Some(larger);
        self
    }

    /// The same; a ready order has the output `name`, and it is for its consumer alone.
    #[must_use]
    pub fn with_sensitive_output(mut self, name: impl Into<String>) -> Self {
        self.sensitive.insert(name.into());
        self
    }
}

/// A case that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Name of the case, which is the sentence it proves.
    pub case: &'static str,
    /// What happened instead.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.message)
    }
}

/// Runs every case, one after the other, and returns those that do not hold.
#[must_use = "the violations are the result"]
pub async fn run<F: Fixture>(fixture: &F) -> Vec<Violation> {
    let mut violations = Vec::new();
    macro_rules! check {
        ($($case:ident),+ $(,)?) => {$(
            if let Err(message) = stand::with_stand(fixture, async |stand| $case(stand).await).await {
                violations.push(Violation { case: stringify!($case), message });
            }
        )+};
    }
    use cases::*;
    use late::*;
    check!(
        a_plan_changes_nothing_and_has_a_stable_hash,
        an_impossible_order_is_invalid_and_names_the_field,
        nothing_is_there_before_apply,
        a_plan_that_is_not_current_is_refused,
        apply_is_idempotent_and_converges_to_ready,
        a_change_is_planned_and_carried_out,
        outputs_are_complete_and_marked_sensitive,
        the_teardown_record_exists_as_soon_as_anything_does,
        an_apply_cut_short_can_be_repeated_or_torn_down,
        a_restarted_process_finds_all_of_it,
        what_cannot_be_reached_is_never_gone,
        delete_needs_only_the_teardown_record_and_is_idempotent,
        an_older_lease_is_refused,
        another_order_of_the_same_name_starts_fresh,
        an_apply_dropped_at_any_await_makes_nothing_twice,
        a_lost_record_never_makes_anything_look_gone,
        a_plan_tells_no_secret,
        what_is_no_longer_wanted_is_planned_and_removed,
        what_exists_is_taken_over_by_one_order_only,
        an_action_that_does_not_exist_is_unsupported,
    );
    violations
}

/// Fails the case with a message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}
use ensure;

/// What an observation looks like in a message.
fn seen(observation: &Observation) -> String {
    format!("{} ({:?})", observation.phase, observation.message)
}

#[cfg(test)]
mod tests;
