//! The seam to whatever makes the real thing.

use std::{collections::BTreeMap, fmt, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Error, condition::Condition};

pub mod conformance;

/// Makes, looks after and removes the real thing behind an order.
///
/// Every operation is level-triggered and idempotent: it may be stopped at any instant and called
/// again, with the same arguments, and converges on the same result. A provider keeps no state of
/// its own that the real thing and its [`Teardown`] record do not hold.
///
/// Implementations prove themselves with [`conformance`].
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// A short name, such as `sqlite`.
    fn name(&self) -> &str;

    /// What [`apply`](Self::apply) would do now; changes nothing.
    ///
    /// # Errors
    /// `Invalid` when the order can never be made, naming the field; `Unavailable` when the
    /// evidence could not be gathered.
    async fn plan(&self, order: &Order) -> Result<Plan, Error>;

    /// Carries out the plan with this hash. Returns as soon as waiting is all that is left.
    ///
    /// A plan is current from [`plan`](Self::plan) until another one is begun for the same order,
    /// so a call that was cut short can be repeated with the same arguments. Dropping the future
    /// loses nothing; work under way may still be finished in the background, during which other
    /// operations on the order answer `Unavailable` or wait.
    ///
    /// # Errors
    /// `Stale` when the plan is no longer current, or the lease is older than one already seen;
    /// `Invalid` as for [`plan`](Self::plan); `Unavailable` when what makes the thing cannot be
    /// reached.
    async fn apply(&self, order: &Order, plan: &PlanHash, lease: Lease) -> Result<Observation, Error>;

    /// What is there now; changes nothing.
    ///
    /// # Errors
    /// `Invalid` when the order's identity is none this provider could have given anything to.
    /// Evidence that is missing is no error: it is [`Phase::Unknown`].
    async fn observe(&self, order: &OrderId) -> Result<Observation, Error>;

    /// Removes everything the teardown record names, in its order; needs nothing else of the order.
    /// Repeated until the observation is [`Phase::Gone`]. What was never made, or is gone already,
    /// is `Gone`; what cannot be reached is an error or [`Phase::Unknown`].
    ///
    /// # Errors
    /// `Stale` when the lease is older than one already seen; `Invalid` when the record is none of
    /// this provider's; `Unavailable` when what is to be removed cannot be reached.
    async fn delete(&self, teardown: &Teardown, lease: Lease) -> Result<Observation, Error>;
}

/// Which order, wherever it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderId {
    /// UID of the ordering object; a new object of the same name is another order.
    pub uid: String,
    /// Namespace of the ordering object; empty when it has none.
    pub namespace: String,
    /// Name of the ordering object.
    pub name: String,
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// What was ordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Which order.
    pub id: OrderId,
    /// `metadata.generation` of the ordering object.
    pub generation: i64,
    /// The `spec` of the ordering object, validated and defaulted.
    pub spec: Value,
}

/// A fencing number: a process that was paused and lost its turn holds a smaller one than its
/// successor, and its late writes are refused.
///
/// It belongs to the process that drives a provider, not to one order: a provider may remember the
/// highest one it has seen for all its orders together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lease(pub u64);

/// What applying an order would change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Identifies the plan; equal for equal changes.
    pub hash: PlanHash,
    /// The changes; none when the real thing is as ordered.
    pub changes: Vec<Change>,
    /// Removes all that applying this plan can make. Whoever applies it seals this first, so that
    /// nothing is left behind should the process end in between.
    pub teardown: Teardown,
}

impl Plan {
    /// The plan of these changes against this state of the real thing.
    #[must_use]
    pub fn new(order: &Order, changes: Vec<Change>, teardown: Teardown) -> Self {
        let mut hash = Sha256::new();
        for part in [serde_json::to_vec(order), serde_json::to_vec(&changes)] {
            hash.update(part.unwrap_or_default());
            hash.update([0]);
        }
        let hash = PlanHash(format!("{:x}", hash.finalize()));
        Self { hash, changes, teardown }
    }
}

/// The hash of a [`Plan`], in lower hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlanHash(pub String);

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One change of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What it does.
    pub action: ChangeAction,
    /// What it does it to, such as `database app`.
    pub subject: String,
    /// What a person should know, such as `storage 1Gi → 2Gi`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Change {
    /// A change without a detail.
    pub fn new(action: ChangeAction, subject: impl Into<String>) -> Self {
        Self { action, subject: subject.into(), detail: String::new() }
    }

    /// The same with what a person should know.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// What a [`Change`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChangeAction {
    /// Makes it.
    Create,
    /// Changes it where it is.
    Update,
    /// Removes it and makes it anew; what it held is lost.
    Replace,
    /// Removes it.
    Delete,
}

/// What is there, as far as the evidence goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The state in one word.
    pub phase: Phase,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Further aspects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What the consumer gets, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Output>,
    /// What removing it needs; sealed at apply, complete whenever anything exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teardown: Option<Teardown>,
    /// When to look again although nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_look: Option<Duration>,
}

impl Observation {
    /// An observation of nothing but a phase.
    #[must_use]
    pub fn new(phase: Phase) -> Self {
        Self {
            phase,
            message: String::new(),
            conditions: Vec::new(),
            outputs: BTreeMap::new(),
            teardown: None,
            next_look: None,
        }
    }

    /// The same with a message for people.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// The same with one more output.
    #[must_use]
    pub fn with_output(mut self, name: impl Into<String>, output: Output) -> Self {
        self.outputs.insert(name.into(), output);
        self
    }

    /// The same with the time after which to look again.
    #[must_use]
    pub fn with_next_look(mut self, after: Duration) -> Self {
        self.next_look = Some(after);
        self
    }

    /// The same with its teardown record.
    #[must_use]
    pub fn with_teardown(mut self, teardown: Teardown) -> Self {
        self.teardown = Some(teardown);
        self
    }
}

/// The state of the real thing in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Phase {
    /// On its way.
    Progressing,
    /// Usable as ordered.
    Ready,
    /// Usable, but not as ordered.
    Degraded,
    /// Left alone on request.
    Paused,
    /// The last try failed; it will be tried again.
    Failing,
    /// Waits for a person: an approval, a quota, an impossible order.
    Blocked,
    /// Being removed.
    Deleting,
    /// There is nothing, and that is certain.
    Gone,
    /// The evidence is missing; never to be read as [`Phase::Gone`].
    Unknown,
}

impl Phase {
    /// The phase as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Progressing => "Progressing",
            Self::Ready => "Ready",
            Self::Degraded => "Degraded",
            Self::Paused => "Paused",
            Self::Failing => "Failing",
            Self::Blocked => "Blocked",
            Self::Deleting => "Deleting",
            Self::Gone => "Gone",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something the consumer of an order gets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The value.
    pub value: String,
    /// Whether it must stay out of logs, events and transcripts.
    pub sensitive: bool,
}

impl Output {
    /// A value anybody may see.
    pub fn plain(value: impl Into<String>) -> Self {
        Self { value: value.into(), sensitive: false }
    }

    /// A value for the consumer alone.
    pub fn sensitive(value: impl Into<String>) -> Self {
        Self { value: value.into(), sensitive: true }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sensitive { f.write_str("Output(sensitive)") } else { write!(f, "Output({:?})", self.value) }
    }
}

/// All that removing the real thing needs, so that it works when the order is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Teardown {
    /// The order it was made for.
    pub id: OrderId,
    /// What exists, in the order it is to be removed.
    pub inventory: Vec<InventoryItem>,
}

/// One real thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryItem {
    /// What it is, such as `file` or `postgres-instance`.
    pub kind: String,
    /// Where it is, in the provider's own terms.
    pub id: String,
}
