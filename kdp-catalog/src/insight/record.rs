//! What is known of one order that lives: where it stands, and what has happened to it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use kdp_core::provider::Phase;
use serde::{Deserialize, Serialize};

use super::{
    snapshot::Snapshot,
    tally::{Place, Tally},
};
use crate::offering::GroupKind;

/// What is seen so much later than it happened is dated by the order's own timestamps, which are exact to a second.
const LATE: SignedDuration = SignedDuration::from_secs(5);

/// How a snapshot was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sighting {
    /// It was told when it happened: what was not known before is new.
    Live,
    /// It was in a list. What has happened since the last look happened at some time before.
    Listed,
}

/// What is known of one order that lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) place: Place,
    pub(super) kind: GroupKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    pub(super) version_since: Timestamp,
    pub(super) created: Timestamp,
    /// When it last was not as it had been.
    seen: Timestamp,
    generation: i64,
    pub(super) first_ready: FirstReady,
    /// The change that is not ready yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<Change>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    /// Since when it is in trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trouble: Option<Timestamp>,
    pub(super) is_ready: bool,
    pub(super) is_drifted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deleting: Option<Timestamp>,
    /// What has happened to it, by days.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) days: BTreeMap<Date, Tally>,
}

/// When an order was ready for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum FirstReady {
    /// Not yet.
    Awaited,
    /// Then.
    At(Timestamp),
    /// Perhaps before it was first seen.
    Untold,
}

/// A generation after the first that is not ready yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    seen: Timestamp,
    /// Whether it was seen when it was made.
    is_dated: bool,
    has_failed: bool,
}

impl Record {
    /// What can be told of an order that is seen for the first time.
    pub(super) fn new(snapshot: &Snapshot, sighting: Sighting, at: Timestamp) -> Self {
        let mut record = Self {
            place: snapshot.place.clone(),
            kind: snapshot.kind.clone(),
            plan: snapshot.plan.clone(),
            version: snapshot.version.clone(),
            version_since: snapshot.created,
            created: snapshot.created,
            // What its status tells of any time of its life counts.
            seen: snapshot.created,
            generation: snapshot.generation,
            first_ready: FirstReady::Awaited,
            change: None,
            phase: None,
            trouble: None,
            is_ready: false,
            is_drifted: false,
            deleting: None,
            days: BTreeMap::new(),
        };
        record.on(snapshot.created).created += 1;
        // The request to delete counts as a generation as well.
        let passed = snapshot.generation - 1 - i64::from(snapshot.deleted.is_some());
        record.on(snapshot.created).untold_changes += u64::try_from(passed).unwrap_or_default();
        if sighting == Sighting::Listed {
            record.rebuild(snapshot);
        }
        record.follow(snapshot, at);
        record.seen = at;
        record
    }

    /// Takes in how the order stands now; answers whether that is news.
    pub(super) fn fold(&mut self, snapshot: &Snapshot, sighting: Sighting, at: Timestamp) -> bool {
        if at < self.seen || snapshot.generation < self.generation {
            return false;
        }
        let before = self.clone();
        if self.place != snapshot.place {
            self.place = snapshot.place.clone();
        }
        if self.plan != snapshot.plan {
            self.plan.clone_from(&snapshot.plan);
        }
        if self.version != snapshot.version {
            self.version.clone_from(&snapshot.version);
            self.version_since = at;
        }
        if snapshot.generation > self.generation {
            self.changed(snapshot, sighting, at);
        }
        self.follow(snapshot, at);
        let is_news = *self != before;
        if is_news {
            self.seen = at;
        }
        is_news
    }

    /// Ends the record: the order is gone.
    pub(super) fn close(&mut self, at: Timestamp) {
        self.abandon();
        let tally = self.on(at);
        tally.deleted += 1;
        if let Some(asked) = self.deleting {
            self.on(at).teardown.add_between(asked, at);
        }
    }

    /// What happened that day, in UTC.
    fn on(&mut self, at: Timestamp) -> &mut Tally {
        self.days.entry(day(at)).or_default()
    }

    /// When the order was first ready, as far as that can be told afterwards.
    fn rebuild(&mut self, snapshot: &Snapshot) {
        let ready = snapshot.is_ready().then(|| snapshot.since("Ready")).flatten();
        match ready {
            // A later generation may be what has become ready then.
            Some(ready) if snapshot.generation == 1 => {
                self.provisioned(ready);
                self.on(ready).rebuilt += 1;
            }
            // Nobody has looked at it: it was never ready.
            None if snapshot.conditions.is_empty() && snapshot.phase.is_none() => {}
            _ => {
                self.first_ready = FirstReady::Untold;
                self.on(snapshot.created).untold_provisions += 1;
            }
        }
    }

    /// The order asks for something else.
    fn changed(&mut self, snapshot: &Snapshot, sighting: Sighting, at: Timestamp) {
        let generations = u64::try_from(snapshot.generation - self.generation).unwrap_or_default();
        self.generation = snapshot.generation;
        if snapshot.deleted.is_some() {
            return;
        }
        self.on(at).untold_changes += generations.saturating_sub(1);
        // Until it is ready for the first time, what is changed is what is to be provisioned.
        if self.first_ready == FirstReady::Awaited {
            return;
        }
        self.abandon();
        self.on(at).changes += 1;
        self.change = Some(Change { seen: at, is_dated: sighting == Sighting::Live, has_failed: false });
    }

    fn abandon(&mut self) {
        if let Some(change) = self.change.take() {
            self.on(change.seen).superseded += 1;
        }
    }

    /// What the status says.
    fn follow(&mut self, snapshot: &Snapshot, at: Timestamp) {
        if self.deleting.is_none() && snapshot.deleted.is_some() {
            self.deleting = snapshot.deleted;
            self.abandon();
        }
        let is_ready = snapshot.is_ready();
        let is_over = self.trouble.is_some() && !snapshot.is_troubled();
        if is_ready && (!self.is_ready || self.change.is_some() || is_over) {
            self.ready(self.dated(snapshot.since("Ready"), at));
        }
        if snapshot.is_troubled() && self.deleting.is_none() {
            self.troubled(snapshot, self.dated(snapshot.since("Ready"), at));
        }
        let is_drifted = snapshot.is_drifted();
        if is_drifted && !self.is_drifted {
            self.on(self.dated(snapshot.since("Drifted"), at)).drifts += 1;
        }
        (self.phase, self.is_ready, self.is_drifted) = (snapshot.phase, is_ready, is_drifted);
    }

    /// When something happened that is seen at `at`, and of which the order says that it happened at `told`: then, if
    /// that is news and is heard of late.
    fn dated(&self, told: Option<Timestamp>, at: Timestamp) -> Timestamp {
        told.filter(|told| *told >= self.seen && at.duration_since(*told) > LATE).unwrap_or(at)
    }

    fn provisioned(&mut self, at: Timestamp) {
        self.first_ready = FirstReady::At(at);
        let created = self.created;
        self.on(at).provisioning.add_between(created, at);
    }

    fn ready(&mut self, at: Timestamp) {
        if self.first_ready == FirstReady::Awaited {
            self.provisioned(at);
        }
        if let Some(change) = self.change.take() {
            let tally = self.on(at);
            tally.deployments += 1;
            if change.is_dated {
                tally.lead_time.add_between(change.seen, at);
            } else {
                tally.untold_lead_times += 1;
            }
        }
        if let Some(since) = self.trouble.take() {
            self.on(at).restore.add_between(since, at);
        }
    }

    fn troubled(&mut self, snapshot: &Snapshot, at: Timestamp) {
        if self.trouble.is_some() {
            // From `Failing` to `Blocked` is the same try; from `Progressing` to `Failing` is another one.
            let was_troubled = matches!(self.phase, Some(Phase::Failing | Phase::Blocked | Phase::Degraded));
            if !was_troubled && snapshot.phase != self.phase {
                self.on(at).retries += 1;
            }
        } else {
            self.trouble = Some(at);
            if self.first_ready == FirstReady::Awaited {
                let created = self.created;
                self.on(created).failed_provisions += 1;
            } else if self.change.is_none() {
                self.on(at).incidents += 1;
            }
        }
        // The status may still be about what was ordered before.
        let is_of_change = snapshot.observed_generation.is_none_or(|seen| seen >= snapshot.generation);
        if let Some(change) = &mut self.change
            && is_of_change
            && !change.has_failed
        {
            change.has_failed = true;
            let seen = change.seen;
            self.on(seen).failed_changes += 1;
        }
    }
}

/// The day of a moment in UTC.
pub(super) fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}
