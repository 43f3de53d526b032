#![doc = include_str!("../../docs/readiness.md")]

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::Phase;

mod builtin;
mod general;
mod kinds;
mod operators;
mod platforms;
mod view;
mod workloads;

pub use self::{
    kinds::Kinds,
    view::{Seen, Truth, View},
};

/// How long an object may have no status, or none with a condition that its rule looks for, before
/// that is held against what looks after it.
pub const GRACE: Duration = Duration::from_secs(30);

/// What an object says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The state in one word; never [`Phase::Gone`], since there is an object.
    pub phase: Phase,
    /// Why, as the object itself says it, such as `Failed: no such image`. It is about one object and
    /// does not name it. It is the text of whoever wrote the status, so redact what may be in it.
    pub message: String,
}

impl Verdict {
    /// A verdict with its reason.
    pub fn new(phase: Phase, message: impl Into<String>) -> Self {
        Self { phase, message: message.into() }
    }

    /// Usable as its spec says.
    #[must_use]
    pub fn ready() -> Self {
        Self::new(Phase::Ready, "")
    }

    /// On its way.
    pub fn progressing(message: impl Into<String>) -> Self {
        Self::new(Phase::Progressing, message)
    }

    /// The last try failed.
    pub fn failing(message: impl Into<String>) -> Self {
        Self::new(Phase::Failing, message)
    }

    /// Left alone on request.
    pub fn paused(message: impl Into<String>) -> Self {
        Self::new(Phase::Paused, message)
    }
}

/// What is known about an object beyond what it says.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Facts {
    /// The time it is.
    pub now: Timestamp,
    /// See [`GRACE`].
    pub grace: Duration,
    /// Whether objects of its kind have a status, as discovery tells it: a kind without one has
    /// nothing to wait for.
    pub has_status: Option<bool>,
}

impl Facts {
    /// With nothing known but the time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { now, grace: GRACE, has_status: None }
    }

    /// The same with another grace.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The same; objects of its kind have a status, or have none.
    #[must_use]
    pub fn with_has_status(mut self, has_status: Option<bool>) -> Self {
        self.has_status = has_status;
        self
    }
}

/// Judges objects of some kinds; without an opinion the next rule is asked.
pub type Rule = dyn Fn(&View<'_>) -> Option<Verdict> + Send + Sync;

/// A rule of a table, with the group and kind it is for.
type Entry = (&'static str, &'static str, fn(&View<'_>) -> Option<Verdict>);

/// Rules in the order they are asked in: the first one with an opinion decides.
///
/// Two things come before all of them, since no rule could know better: an object that is being
/// deleted is [`Deleting`](Phase::Deleting), and one whose status is about an older generation of it
/// is [`Progressing`](Phase::Progressing).
#[derive(Clone)]
pub struct Rules(Vec<(Kinds, Arc<Rule>)>);

impl Rules {
    /// The rules for the kinds of Kubernetes and of widely used operators, and after them those for any
    /// kind that keeps to the conventions.
    #[must_use]
    pub fn builtin() -> Self {
        let mut rules = Self(Vec::new());
        // Who is left alone on request is neither failing nor on its way, whatever else it says.
        rules.extend(workloads::PAUSED);
        rules.extend(operators::PAUSED);
        rules.extend(platforms::PAUSED);
        rules.extend(general::ABNORMAL);
        rules.extend(workloads::RULES);
        rules.extend(builtin::RULES);
        rules.extend(operators::RULES);
        rules.extend(platforms::RULES);
        rules.extend(general::RULES);
        rules
    }

    /// The same with a rule that is asked before all others.
    #[must_use]
    pub fn with_first<F>(mut self, kinds: Kinds, rule: F) -> Self
    where
        F: Fn(&View<'_>) -> Option<Verdict> + Send + Sync + 'static,
    {
        self.0.insert(0, (kinds, Arc::new(rule)));
        self
    }

    /// What the object says of itself.
    #[must_use]
    pub fn judge(&self, object: &Value, facts: &Facts) -> Verdict {
        let view = View::new(object, *facts);
        if view.is_being_deleted() {
            return general::deleting(&view);
        }
        if let Some(verdict) = general::stale(&view) {
            return verdict;
        }
        let (group, kind) = (view.group(), view.kind());
        let asked = self.0.iter().filter(|(kinds, _)| kinds.contain(group, kind));
        let opinion = asked.filter_map(|(_, rule)| rule(&view)).next();
        opinion.unwrap_or_else(|| general::without_a_rule(&view))
    }

    fn extend(&mut self, table: &'static [Entry]) {
        for (group, kind, rule) in table {
            self.0.push((Kinds::new(*group, *kind), Arc::new(rule)));
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::builtin()
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(kinds, _)| kinds)).finish()
    }
}

#[cfg(test)]
mod tests;
