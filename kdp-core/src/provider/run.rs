//! One run of an operation: for whom, under which lease, until when, and who is told of its progress.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

/// A fencing number: a process that was paused and lost its turn holds a smaller one than its
/// successor, and its late writes are refused.
///
/// It belongs to the process that drives a provider, not to one order: a provider may remember the
/// highest one it has seen for all its orders together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lease(pub u64);

/// What an operation gets besides its arguments.
///
/// A provider that makes its thing in one step needs nothing of it but the [`lease`](Self::lease).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Run {
    /// The lease it works under.
    pub lease: Lease,
    /// Who works under it, for locks that people look at.
    pub holder: String,
    /// Who is told how it goes.
    pub progress: Progress,
    /// Cancelled when the operation should come to an end soon, because its time is over or the
    /// process stops: an engine is to be interrupted gracefully now. The future of an operation
    /// that goes on regardless is dropped a moment later.
    pub stop: CancellationToken,
    /// When [`stop`](Self::stop) is cancelled at the latest; none when there is no limit.
    pub deadline: Option<Instant>,
}

impl Run {
    /// A run under this lease that nobody watches and nothing limits.
    #[must_use]
    pub fn new(lease: Lease) -> Self {
        Self {
            lease,
            holder: String::new(),
            progress: Progress::default(),
            stop: CancellationToken::new(),
            deadline: None,
        }
    }

    /// The same with the name of who works.
    #[must_use]
    pub fn with_holder(mut self, holder: impl Into<String>) -> Self {
        self.holder = holder.into();
        self
    }

    /// The same with somebody who is told how it goes.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The same with an end: `stop` is cancelled at `deadline` at the latest.
    #[must_use]
    pub fn until(mut self, stop: CancellationToken, deadline: Option<Instant>) -> Self {
        (self.stop, self.deadline) = (stop, deadline);
        self
    }
}

impl From<Lease> for Run {
    fn from(lease: Lease) -> Self {
        Self::new(lease)
    }
}

/// Who is told how an operation goes; nobody by default.
///
/// Telling never waits and never fails: when nobody keeps up, steps are lost. What must not be lost
/// belongs into the observation.
#[derive(Clone, Default)]
pub struct Progress(Option<mpsc::Sender<Step>>);

impl Progress {
    /// Tells whoever holds the receiver, which keeps up to `capacity` steps (at least one) that
    /// were not yet heard.
    #[must_use]
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Step>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (Self(Some(sender)), receiver)
    }

    /// Tells one step.
    pub fn tell(&self, step: Step) {
        if let Some(sender) = &self.0 {
            // Lost when the receiver does not keep up or is gone, as documented.
            drop(sender.try_send(step));
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Progress(heard)" } else { "Progress(unheard)" })
    }
}

/// How it goes with one thing that an operation works on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// The thing, such as `aws_db_instance.main`.
    pub subject: String,
    /// How it goes.
    pub state: StepState,
    /// What a person should know; nothing sensitive.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl Step {
    /// A step without a message.
    pub fn new(state: StepState, subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), state, message: String::new() }
    }

    /// The same with what a person should know.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            StepState::Started => "started",
            StepState::Running => "still going on",
            StepState::Done => "done",
            StepState::Failed => "failed",
        };
        write!(f, "{}: {state}", self.subject)?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ", {}", self.message) }
    }
}

/// How it goes with the thing of a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StepState {
    /// Work on it has begun.
    Started,
    /// Work on it goes on.
    Running,
    /// Work on it is done.
    Done,
    /// Work on it has failed.
    Failed,
}

/// An operation of a [`Provider`](super::Provider).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Operation {
    /// [`plan`](super::Provider::plan).
    Plan,
    /// [`apply`](super::Provider::apply).
    Apply,
    /// [`observe`](super::Provider::observe).
    Observe,
    /// [`delete`](super::Provider::delete).
    Delete,
    /// [`import`](super::Provider::import).
    Import,
    /// [`act`](super::Provider::act).
    Act,
}

impl Operation {
    /// The operation as a verb.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Observe => "observe",
            Self::Delete => "delete",
            Self::Import => "import",
            Self::Act => "act",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The memory an operation needs while it runs, in whole MiB and at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Weight(u32);

impl Weight {
    /// An operation that costs no more than a request: 1 MiB.
    pub const LIGHT: Self = Self(1);

    /// This many MiB.
    #[must_use]
    pub const fn mib(mib: u32) -> Self {
        if mib == 0 { Self::LIGHT } else { Self(mib) }
    }

    /// In MiB.
    #[must_use]
    pub const fn as_mib(self) -> u32 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::LIGHT
    }
}
