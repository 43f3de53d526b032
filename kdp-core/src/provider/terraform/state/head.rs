//! What is known of an order, and who may change it: rules without any input or output.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StateVersion;
use crate::{
    Error, ErrorKind,
    provider::{Lease, OrderId, Run},
};

/// All that is known of an order but the contents it refers to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) order: OrderId,
    /// The highest lease that was seen.
    pub(super) lease: Lease,
    pub(super) turn: Option<Turn>,
    /// The oldest first; the last one is the state.
    pub(super) versions: Vec<Version>,
    pub(super) notes: BTreeMap<String, Value>,
    pub(super) kept: BTreeMap<String, Content>,
    pub(super) removed: bool,
}

/// Who may write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) session: String,
    pub(super) holder: String,
    lease: Lease,
    pub(super) since: Timestamp,
    pub(super) expires: Timestamp,
}

/// A version and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    #[serde(flatten)]
    pub(super) about: StateVersion,
    pub(super) blob: String,
}

/// Bytes that are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) blob: String,
    pub(super) digest: String,
}

/// What a state says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Label {
    version: u64,
    pub(super) serial: u64,
    pub(super) lineage: String,
    #[serde(default)]
    resources: Vec<Value>,
}

/// How a state that is to be written relates to the one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Newer,
    Same,
    /// Of the same serial number, with other contents.
    Rival,
    Older,
    /// About other things.
    Foreign,
}

impl Head {
    pub(super) fn new(order: &OrderId) -> Self {
        Self {
            order: order.clone(),
            lease: Lease(0),
            turn: None,
            versions: Vec::new(),
            notes: BTreeMap::new(),
            kept: BTreeMap::new(),
            removed: false,
        }
    }

    /// Lets nobody in who holds an older lease than one that was seen.
    pub(super) fn check_lease(&self, op: &'static str, run: &Run) -> Result<(), Error> {
        if run.lease < self.lease {
            return Err(self.error(ErrorKind::Stale, op, "another process has taken over".into()));
        }
        Ok(())
    }

    /// Gives the turn to a session: at once when the one before has a lower lease or was not heard of for
    /// as long as it lasts.
    pub(super) fn begin(&mut self, session: &str, run: &Run, now: Timestamp, lasts: Duration) -> Result<(), Error> {
        self.check_lease("work on", run)?;
        self.check_free("work on", run, now)?;
        self.lease = run.lease;
        self.turn = Some(Turn {
            session: session.into(),
            holder: run.holder.clone(),
            lease: run.lease,
            since: now,
            expires: after(now, lasts),
        });
        Ok(())
    }

    /// Whether nobody of the same lease is at work.
    pub(super) fn check_free(&self, op: &'static str, run: &Run, now: Timestamp) -> Result<(), Error> {
        match self.live(now) {
            Some(turn) if turn.lease >= run.lease => {
                let who = if turn.holder.is_empty() { "somebody" } else { &turn.holder };
                let message = format!("{who} works on it since {}, until {} at least", turn.since, turn.expires);
                Err(self.error(ErrorKind::Unavailable, op, message))
            }
            _ => Ok(()),
        }
    }

    /// Remembers a lease without a turn.
    pub(super) fn see(&mut self, lease: Lease) {
        self.lease = self.lease.max(lease);
    }

    /// The turn, unless it has run out.
    pub(super) fn live(&self, now: Timestamp) -> Option<&Turn> {
        self.turn.as_ref().filter(|turn| turn.expires > now)
    }

    /// Refuses whoever does not have the turn any more. One that ran out and that nobody took is as good.
    pub(super) fn check_turn(&self, session: &str) -> Result<(), Error> {
        match &self.turn {
            Some(turn) if turn.session == session => Ok(()),
            _ => Err(self.error(ErrorKind::Stale, "write the state of", "another process has taken over".into())),
        }
    }

    pub(super) fn renew(&mut self, session: &str, now: Timestamp, lasts: Duration) -> Result<(), Error> {
        self.check_turn(session)?;
        if let Some(turn) = &mut self.turn {
            turn.expires = after(now, lasts);
        }
        Ok(())
    }

    pub(super) fn end(&mut self, session: &str) {
        self.turn.take_if(|turn| turn.session == session);
    }

    pub(super) fn latest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// How a state relates to the one that is there.
    pub(super) fn relation(&self, label: &Label, digest: &str) -> Relation {
        let Some(latest) = self.latest().map(|version| &version.about) else { return Relation::Newer };
        if latest.lineage != label.lineage {
            return Relation::Foreign;
        }
        match label.serial.cmp(&latest.serial) {
            std::cmp::Ordering::Greater => Relation::Newer,
            std::cmp::Ordering::Equal if latest.digest == digest => Relation::Same,
            std::cmp::Ordering::Equal => Relation::Rival,
            std::cmp::Ordering::Less => Relation::Older,
        }
    }

    /// Adds a version, and forgets the oldest ones.
    pub(super) fn push(&mut self, version: Version, most: usize) {
        self.versions.push(version);
        let surplus = self.versions.len().saturating_sub(most.max(1));
        self.versions.drain(..surplus);
        self.removed = false;
    }

    /// Forgets everything but that it is gone.
    pub(super) fn clear(&mut self) {
        self.versions.clear();
        self.notes.clear();
        self.kept.clear();
        self.turn = None;
        self.removed = true;
    }

    /// All contents it refers to.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &str> {
        let versions = self.versions.iter().map(|version| version.blob.as_str());
        versions.chain(self.kept.values().map(|content| content.blob.as_str()))
    }

    pub(super) fn error(&self, kind: ErrorKind, op: &'static str, message: String) -> Error {
        Error::new(kind, op, &self.order, message)
    }
}

impl Label {
    /// Reads what a state says of itself.
    pub(super) fn read(state: &[u8]) -> Result<Self, String> {
        let label: Self = serde_json::from_slice(state).map_err(|e| format!("it is no state: {e}"))?;
        match label.version {
            4 => Ok(label),
            other => Err(format!("it is a state of format {other}; only format 4 is known")),
        }
    }

    /// Whether nothing is left that the engine has to remove.
    pub(super) fn is_empty(&self) -> bool {
        let is_gone = |resource: &Value| resource["instances"].as_array().is_none_or(Vec::is_empty);
        self.resources.iter().all(|resource| resource["mode"] != "managed" || is_gone(resource))
    }
}

fn after(now: Timestamp, lasts: Duration) -> Timestamp {
    now.checked_add(lasts).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
