//! How a runner works: limits, deadlines and policies.

use std::{sync::Arc, time::Duration};

use super::Approver;
use crate::provider::{Operation, Weight};

/// How a [`Runner`](super::Runner) works. The defaults suit providers that call an API.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunnerOptions {
    /// Orders that are worked on at a time; 32.
    pub concurrency: usize,
    /// Of these, orders of one workspace, or of one namespace in a cluster without workspaces; 8.
    pub concurrency_per_workspace: usize,
    /// Memory for all operations under way, of which each takes its [`Weight`]; 2 GiB. An operation
    /// that weighs more runs alone.
    pub memory: Weight,
    /// Of this, for the operations of one workspace, or of one namespace in a cluster without workspaces;
    /// 1 GiB. One operation of each may always run, whatever it weighs.
    pub memory_per_workspace: Weight,
    /// How long things may take.
    pub deadlines: Deadlines,
    /// Which plans wait for somebody's approval; none.
    pub approval: Approval,
    /// Who approves; whoever may annotate the order, unless the platform does.
    pub approver: Option<Arc<dyn Approver>>,
    /// What is done when another runner of the same name works already; it is taken over from.
    pub takeover: Takeover,
    /// How often real things are compared with what was ordered, with jitter; every 10 minutes.
    pub drift_interval: Duration,
    /// What becomes of a real thing that is no longer as ordered; it is repaired.
    pub drift: DriftPolicy,
    /// What becomes of a creation that was not ready in time; it is removed.
    pub failed_creations: FailedCreations,
    /// How often a creation is begun before a person has to look at it; 3 times.
    pub creation_attempts: u32,
    /// How long after a creation was cut short it may still take effect: until then, that there is
    /// nothing is not believed. None by default, because providers make nothing twice; needed for an
    /// engine that chooses names by itself and shows its things late.
    pub settle: Duration,
    /// Whether an order may name an existing thing that becomes its own; not by default. Whoever can
    /// write orders can then take whatever the provider lets go.
    pub imports: Imports,
    /// When a ready order is looked at again unless the provider says; after 30 seconds.
    pub next_look: Duration,
    /// How long operations may go on when the runner is told to stop; 15 seconds. Those that are
    /// left are told to stop, and dropped after [`Deadlines::grace`].
    pub drain: Duration,
    /// What is added to the name of an order to name the Secret with its outputs; `-credentials`.
    pub secret_suffix: String,
    /// Plain outputs that are also fields of the order's status; none.
    pub status_outputs: Vec<String>,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        Self {
            concurrency: 32,
            concurrency_per_workspace: 8,
            memory: Weight::mib(2048),
            memory_per_workspace: Weight::mib(1024),
            deadlines: Deadlines::default(),
            approval: Approval::Never,
            approver: None,
            takeover: Takeover::AtOnce,
            drift_interval: Duration::from_mins(10),
            drift: DriftPolicy::Repair,
            failed_creations: FailedCreations::Remove,
            creation_attempts: 3,
            settle: Duration::ZERO,
            imports: Imports::Refused,
            next_look: Duration::from_secs(30),
            drain: Duration::from_secs(15),
            secret_suffix: "-credentials".into(),
            status_outputs: Vec::new(),
        }
    }
}

impl RunnerOptions {
    /// With other limits on how many orders are worked on, in all and for one workspace; at least one each.
    #[must_use]
    pub fn with_concurrency(mut self, all: usize, per_workspace: usize) -> Self {
        (self.concurrency, self.concurrency_per_workspace) = (all.max(1), per_workspace.max(1));
        self
    }

    /// With another amount of memory for operations.
    #[must_use]
    pub fn with_memory(mut self, memory: Weight) -> Self {
        self.memory = memory;
        self
    }

    /// With another amount of it for the operations of one workspace.
    #[must_use]
    pub fn with_memory_per_workspace(mut self, memory: Weight) -> Self {
        self.memory_per_workspace = memory;
        self
    }

    /// With other deadlines.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// With plans that wait for approval.
    #[must_use]
    pub fn with_approval(mut self, approval: Approval) -> Self {
        self.approval = approval;
        self
    }

    /// With somebody who approves on the platform's side; nothing in an order approves anything then.
    #[must_use]
    pub fn with_approver(mut self, approver: impl Approver) -> Self {
        self.approver = Some(Arc::new(approver));
        self
    }

    /// With another way to begin when another runner of the same name works already.
    #[must_use]
    pub fn with_takeover(mut self, takeover: Takeover) -> Self {
        self.takeover = takeover;
        self
    }

    /// With another interval and policy about real things that are no longer as ordered.
    #[must_use]
    pub fn with_drift(mut self, every: Duration, policy: DriftPolicy) -> Self {
        (self.drift_interval, self.drift) = (every, policy);
        self
    }

    /// With another policy about creations that failed, begun up to `attempts` times.
    #[must_use]
    pub fn with_failed_creations(mut self, policy: FailedCreations, attempts: u32) -> Self {
        (self.failed_creations, self.creation_attempts) = (policy, attempts.max(1));
        self
    }

    /// With a time during which a creation that was cut short may still take effect.
    #[must_use]
    pub fn with_settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// With orders that may name an existing thing.
    #[must_use]
    pub fn with_imports(mut self, imports: Imports) -> Self {
        self.imports = imports;
        self
    }

    /// With another time after which ready orders are looked at again.
    #[must_use]
    pub fn with_next_look(mut self, after: Duration) -> Self {
        self.next_look = after;
        self
    }

    /// With another time for operations to end when the runner is told to stop.
    #[must_use]
    pub fn with_drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// With another suffix for the names of Secrets.
    #[must_use]
    pub fn with_secret_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.secret_suffix = suffix.into();
        self
    }

    /// With one more plain output that is a field of the order's status.
    #[must_use]
    pub fn with_status_output(mut self, name: impl Into<String>) -> Self {
        self.status_outputs.push(name.into());
        self
    }
}

/// How long things may take before they count as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlines {
    /// One plan; 5 minutes.
    pub plan: Duration,
    /// One apply, import or action; 30 minutes.
    pub apply: Duration,
    /// One observation; 1 minute.
    pub observe: Duration,
    /// One delete; 30 minutes.
    pub delete: Duration,
    /// From the first apply for a generation of an order until it is ready; 1 hour.
    pub order: Duration,
    /// From when an operation is told to stop until it is dropped; 10 seconds.
    pub grace: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            plan: Duration::from_mins(5),
            apply: Duration::from_mins(30),
            observe: Duration::from_mins(1),
            delete: Duration::from_mins(30),
            order: Duration::from_hours(1),
            grace: Duration::from_secs(10),
        }
    }
}

impl Deadlines {
    /// With another deadline for whole orders.
    #[must_use]
    pub fn with_order(mut self, order: Duration) -> Self {
        self.order = order;
        self
    }

    /// With another deadline for each single operation.
    #[must_use]
    pub fn with_operations(mut self, each: Duration) -> Self {
        (self.plan, self.apply, self.observe, self.delete) = (each, each, each, each);
        self
    }

    /// With another time between being told to stop and being dropped.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    pub(super) fn of(&self, operation: Operation) -> Duration {
        match operation {
            Operation::Plan => self.plan,
            Operation::Apply | Operation::Import | Operation::Act => self.apply,
            Operation::Observe => self.observe,
            Operation::Delete => self.delete,
        }
    }
}

/// Which plans wait until somebody approves them by their hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Approval {
    /// None.
    #[default]
    Never,
    /// Those by which something that is there is lost.
    Destructive,
    /// All that change something.
    Changes,
}

/// What becomes of a real thing that is no longer as ordered although the order did not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DriftPolicy {
    /// It is reported, and repaired when somebody approves the plan.
    Report,
    /// It is repaired; destructive repairs wait for approval where such plans do.
    #[default]
    Repair,
}

/// What becomes of a creation that was not ready before its deadline, the first time the order was made.
///
/// Nobody has used such a thing yet, and it may be half made. An order that was ready once is never
/// removed because it fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailedCreations {
    /// It is removed, and begun anew.
    #[default]
    Remove,
    /// It is left as it is until somebody has inspected it and asks for another try.
    Hold,
}

/// Whether an order may name an existing thing that becomes its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Imports {
    /// It may not.
    #[default]
    Refused,
    /// It may name whatever the provider does not know to be another order's.
    Allowed,
    /// It may name what somebody has approved that it takes over. Without an
    /// [`Approver`] that is the orderer himself.
    Approved,
}

/// What a runner does that starts while another one of its name works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Takeover {
    /// It takes over at once, such as in a rolling update.
    #[default]
    AtOnce,
    /// It stands by until the other one has stopped, or has not shown that it works for this long;
    /// 15 seconds are a good value, and less than 10 too short for one that is busy.
    AfterSilence(Duration),
}
