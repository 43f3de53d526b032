//! What a candidate makes of a Lease: whether it may take it, what it writes, and how long it holds it.
//!
//! Times of this machine are durations since any fixed moment, measured by a clock that never jumps.
//! The times in a Lease are for people: nothing is decided by them.

use std::time::Duration;

use jiff::Timestamp;

use super::LeaseOptions;

/// What a Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Empty when nobody holds it.
    pub(crate) holder: String,
    /// How long it is left to its holder.
    pub(crate) duration: Duration,
    pub(crate) acquired: Option<Timestamp>,
    pub(crate) renewed: Option<Timestamp>,
    /// How often the holder changed.
    pub(crate) transitions: i32,
}

/// A Lease as the API server told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) record: Record,
    pub(crate) version: String,
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bid {
    Create(Record),
    /// Only in place of this version.
    Update(Record, String),
}

/// How long a Lease is held, if it is not renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    /// When nothing new is begun any more.
    pub(crate) begins_until: Duration,
    /// When what is under way is ended.
    pub(crate) works_until: Duration,
}

/// One candidate's view of one Lease.
#[derive(Debug)]
pub(crate) struct Election {
    identity: String,
    duration: Duration,
    begins_for: Duration,
    works_for: Duration,
    /// What was seen last, and when it was first seen to say so; `None` when there is no Lease.
    observed: Option<(Seen, Duration)>,
    term: Option<Term>,
}

impl Election {
    pub(crate) fn new(options: &LeaseOptions) -> Self {
        let LeaseOptions { identity, duration, renew_deadline, .. } = options;
        Self {
            identity: identity.clone(),
            duration: *duration,
            begins_for: *renew_deadline,
            works_for: (*renew_deadline + *duration) / 2,
            observed: None,
            term: None,
        }
    }

    /// Takes in what the API server answered at `now`.
    pub(crate) fn observe(&mut self, seen: Option<Seen>, now: Duration) {
        self.observed = seen.map(|seen| match self.observed.take() {
            // Only what its holder says keeps it alive, not who else touches the object.
            Some((known, since)) if known.record == seen.record => (seen, since),
            _ => (seen, now),
        });
        if !self.is_own() {
            self.term = None;
        }
    }

    /// Whether nobody else holds the Lease at `now`, as far as this candidate knows.
    pub(crate) fn is_free(&self, now: Duration) -> bool {
        self.observed.as_ref().is_none_or(|(Seen { record, .. }, since)| {
            record.holder.is_empty() || record.holder == self.identity || now >= *since + record.duration
        })
    }

    /// Who holds the Lease at `now`, as far as this candidate knows.
    pub(crate) fn holder(&self, now: Duration) -> Option<&str> {
        let (Seen { record, .. }, since) = self.observed.as_ref()?;
        (!record.holder.is_empty() && now < *since + record.duration).then_some(record.holder.as_str())
    }

    /// Whether the Lease has not changed for this long, as far as this candidate knows.
    pub(crate) fn is_silent_for(&self, time: Duration, now: Duration) -> bool {
        self.observed.as_ref().is_some_and(|(_, since)| now >= *since + time)
    }

    /// What to write to get or to keep the Lease; `None` while somebody else holds it.
    pub(crate) fn bid(&self, now: Duration, wall: Timestamp) -> Option<Bid> {
        if !self.is_free(now) {
            return None;
        }
        let mine = Record {
            holder: self.identity.clone(),
            duration: self.duration,
            acquired: Some(wall),
            renewed: Some(wall),
            transitions: 0,
        };
        let Some((Seen { record, version }, _)) = &self.observed else { return Some(Bid::Create(mine)) };
        let mine = if record.holder == self.identity {
            Record { acquired: record.acquired, transitions: record.transitions, ..mine }
        } else {
            Record { transitions: record.transitions.saturating_add(1), ..mine }
        };
        Some(Bid::Update(mine, version.clone()))
    }

    /// Takes in that the API server accepted a bid that was sent at `sent`, and answered at `now`.
    pub(crate) fn won(&mut self, seen: Seen, sent: Duration, now: Duration) {
        self.observed = Some((seen, now));
        // Others count from when they see it, which is never before it was sent.
        self.term = Some(Term { begins_until: sent + self.begins_for, works_until: sent + self.works_for });
    }

    /// How long this candidate may work; `None` when it may not.
    pub(crate) fn term(&self) -> Option<Term> {
        self.term
    }

    /// What to write to leave the Lease to others at once; `None` when it is not held.
    ///
    /// Whoever asks has stopped working, and so does not hold it from now on.
    pub(crate) fn resign(&mut self, wall: Timestamp) -> Option<Bid> {
        self.term = None;
        let (Seen { record, version }, _) = self.observed.as_ref().filter(|_| self.is_own())?;
        let left = Record {
            holder: String::new(),
            duration: Duration::from_secs(1),
            acquired: Some(wall),
            renewed: Some(wall),
            transitions: record.transitions,
        };
        Some(Bid::Update(left, version.clone()))
    }

    fn is_own(&self) -> bool {
        self.observed.as_ref().is_some_and(|(seen, _)| seen.record.holder == self.identity)
    }
}

#[cfg(test)]
mod tests;
