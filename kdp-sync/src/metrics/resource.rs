//! What is counted of one PublishedResource.

use std::{fmt, sync::Arc, time::Duration};

use kdp_core::ErrorKind;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};

use super::{Families, Labels, gauge};
use crate::api::Side;

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassOutcome {
    /// There is no such order.
    Gone,
    /// Nothing to do until something changes.
    Settled,
    /// To be tried again.
    Failed,
}

/// What was done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Patch,
    Replace,
    ReplaceStatus,
    Delete,
}

const SIDES: [Side; 2] = [Side::Kcp, Side::Service];
const OUTCOMES: [PassOutcome; 3] = [PassOutcome::Gone, PassOutcome::Settled, PassOutcome::Failed];
const VERBS: [Verb; 5] = [Verb::Create, Verb::Patch, Verb::Replace, Verb::ReplaceStatus, Verb::Delete];
const KINDS: [ErrorKind; 7] = [
    ErrorKind::Invalid,
    ErrorKind::NotFound,
    ErrorKind::Stale,
    ErrorKind::Forbidden,
    ErrorKind::Unsupported,
    ErrorKind::Unavailable,
    ErrorKind::Internal,
];

/// The series of one PublishedResource. To count is one atomic operation; cloning it is cheap.
#[derive(Clone)]
pub(crate) struct ResourceMetrics(Arc<Series>);

struct Series {
    name: String,
    orders: Gauge,
    copies: Gauge,
    queue: Gauge,
    drifted: Gauge,
    conflicts: Counter,
    lag: Histogram,
    passes: Vec<(PassOutcome, Counter)>,
    errors: Vec<(ErrorKind, Counter)>,
    writes: Vec<((Side, Verb), Counter)>,
}

impl ResourceMetrics {
    pub(super) fn new(name: &str, families: &Families) -> Self {
        let own = vec![resource(name)];
        let passes = OUTCOMES.map(|outcome| {
            (outcome, families.passes.get_or_create_owned(&labels(name, [("outcome", outcome_name(outcome))])))
        });
        let errors =
            KINDS.map(|kind| (kind, families.errors.get_or_create_owned(&labels(name, [("kind", kind_name(kind))]))));
        let writes = writes().map(|(side, verb)| {
            let labels = labels(name, [("side", side.name()), ("verb", verb_name(verb))]);
            ((side, verb), families.writes.get_or_create_owned(&labels))
        });
        Self(Arc::new(Series {
            name: name.to_owned(),
            orders: families.orders.get_or_create_owned(&own),
            copies: families.copies.get_or_create_owned(&own),
            queue: families.queue.get_or_create_owned(&own),
            drifted: families.drifted.get_or_create_owned(&own),
            conflicts: families.conflicts.get_or_create_owned(&own),
            lag: families.lag.get_or_create_owned(&own),
            passes: passes.into(),
            errors: errors.into(),
            writes: writes.collect(),
        }))
    }

    /// Takes the series away; counting goes on unseen for whoever still does.
    pub(super) fn remove_from(&self, families: &Families) {
        let name = &self.0.name;
        let own = vec![resource(name)];
        for family in [&families.orders, &families.copies, &families.queue, &families.drifted] {
            family.remove(&own);
        }
        families.conflicts.remove(&own);
        families.lag.remove(&own);
        for outcome in OUTCOMES {
            families.passes.remove(&labels(name, [("outcome", outcome_name(outcome))]));
        }
        for kind in KINDS {
            families.errors.remove(&labels(name, [("kind", kind_name(kind))]));
        }
        for (side, verb) in writes() {
            families.writes.remove(&labels(name, [("side", side.name()), ("verb", verb_name(verb))]));
        }
    }

    /// Name of the PublishedResource.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// How many orders are known.
    pub(crate) fn set_orders(&self, count: usize) {
        self.0.orders.set(gauge(count));
    }

    /// How many copies are known on the service cluster.
    pub(crate) fn set_copies(&self, count: usize) {
        self.0.copies.set(gauge(count));
    }

    /// How many orders wait for their turn.
    pub(crate) fn set_queue_depth(&self, count: usize) {
        self.0.queue.set(gauge(count));
    }

    /// How many copies were found to differ from their orders.
    pub(crate) fn set_drifted(&self, count: usize) {
        self.0.drifted.set(gauge(count));
    }

    /// A pass over an order ended.
    pub(crate) fn passed(&self, outcome: PassOutcome) {
        count(&self.0.passes, &outcome);
    }

    /// Something went wrong in a pass.
    pub(crate) fn failed(&self, kind: ErrorKind) {
        // A kind that is not in the list is one that this version does not know how to name.
        if !count(&self.0.errors, &kind) {
            count(&self.0.errors, &ErrorKind::Internal);
        }
    }

    /// An API server accepted a write.
    pub(crate) fn wrote(&self, side: Side, verb: Verb) {
        count(&self.0.writes, &(side, verb));
    }

    /// The name of a copy is taken by an object that is not its.
    pub(crate) fn conflicted(&self) {
        self.0.conflicts.inc();
    }

    /// An order is settled, so long after its change was heard of.
    pub(crate) fn settled_after(&self, lag: Duration) {
        self.0.lag.observe(lag.as_secs_f64());
    }
}

impl fmt::Debug for ResourceMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResourceMetrics").field(&self.0.name).finish()
    }
}

/// Counts one; whether there is such a series.
fn count<K: PartialEq>(series: &[(K, Counter)], key: &K) -> bool {
    let found = series.iter().find(|(known, _)| known == key);
    found.map(|(_, counter)| counter.inc()).is_some()
}

fn writes() -> impl Iterator<Item = (Side, Verb)> {
    SIDES.into_iter().flat_map(|side| VERBS.map(|verb| (side, verb)))
}

fn resource(name: &str) -> (&'static str, String) {
    ("resource", name.to_owned())
}

fn labels<const N: usize>(name: &str, more: [(&'static str, &'static str); N]) -> Labels {
    let more = more.map(|(label, value)| (label, value.to_owned()));
    [resource(name)].into_iter().chain(more).collect()
}

fn outcome_name(outcome: PassOutcome) -> &'static str {
    match outcome {
        PassOutcome::Gone => "gone",
        PassOutcome::Settled => "settled",
        PassOutcome::Failed => "failed",
    }
}

fn verb_name(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Patch => "patch",
        Verb::Replace => "replace",
        Verb::ReplaceStatus => "replace_status",
        Verb::Delete => "delete",
    }
}

fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "invalid",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Stale => "stale",
        ErrorKind::Forbidden => "forbidden",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Unavailable => "unavailable",
        _ => "internal",
    }
}
