//! What is there, as far as the evidence goes.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::Teardown;
use crate::condition::Condition;

/// What is there, as far as the evidence goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Observation {
    /// The state in one word.
    pub phase: Phase,
    /// Why, for people: who says so, what it is, and what happens next. Nothing sensitive.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Further aspects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What the consumer gets, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Output>,
    /// Where the real thing can be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointRef>,
    /// The generation of the order that the evidence is about. With an older one than the order's,
    /// even `Ready` means no more than that what was ordered earlier is ready. None when the
    /// provider's evidence is never older than its last apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// What removing it needs; complete whenever anything exists.
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
            endpoints: Vec::new(),
            generation: None,
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

    /// The same with one more aspect.
    #[must_use]
    pub fn with_condition(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The same with one more output.
    #[must_use]
    pub fn with_output(mut self, name: impl Into<String>, output: Output) -> Self {
        self.outputs.insert(name.into(), output);
        self
    }

    /// The same with one more place where it can be reached.
    #[must_use]
    pub fn with_endpoint(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.endpoints.push(EndpointRef { name: name.into(), address: address.into() });
        self
    }

    /// The same; the evidence is about this generation of the order.
    #[must_use]
    pub fn with_generation(mut self, generation: i64) -> Self {
        self.generation = Some(generation);
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

    /// Whether the real thing is usable as ordered in this generation.
    #[must_use]
    pub fn is_ready_for(&self, generation: i64) -> bool {
        self.phase == Phase::Ready && self.generation.is_none_or(|seen| seen >= generation)
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
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The value.
    pub value: String,
    /// Whether it must stay out of logs, events, statuses and transcripts.
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

/// A place where the real thing can be reached; it holds no credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRef {
    /// What is there, such as `primary` or `metrics`.
    pub name: String,
    /// A URL, or a host and port.
    pub address: String,
}
