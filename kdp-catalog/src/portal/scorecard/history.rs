//! Scores over time.

use std::{cmp::Ordering, num::NonZeroUsize};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Score;

/// The last scores of one subject by one scorecard, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct ScorecardHistory {
    keep: NonZeroUsize,
    scores: Vec<DatedScore>,
}

/// What is kept of a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DatedScore {
    /// When it was.
    pub at: Timestamp,
    /// The level that was reached, if any.
    pub level: Option<String>,
    /// How many levels were reached.
    pub rank: usize,
    /// How many rules held.
    pub passed: usize,
    /// How many rules there were.
    pub total: usize,
}

/// Where scores go: the last one that is kept against the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Trend {
    /// There are less than two scores.
    Unknown,
    /// More levels, or as many and a greater share of the rules.
    Rising,
    /// The same.
    Steady,
    /// Less.
    Falling,
}

/// The form in which a history is stored, which somebody may have edited.
#[derive(Deserialize)]
struct Stored {
    keep: NonZeroUsize,
    scores: Vec<DatedScore>,
}

impl From<Stored> for ScorecardHistory {
    fn from(Stored { keep, scores }: Stored) -> Self {
        let mut history = Self::new(keep);
        scores.into_iter().for_each(|score| history.insert(score));
        history
    }
}

impl ScorecardHistory {
    /// An empty history of the last `keep` scores.
    #[must_use]
    pub fn new(keep: NonZeroUsize) -> Self {
        Self { keep, scores: Vec::new() }
    }

    /// Adds what `score` says at the time `at`, and forgets the oldest when there are too many.
    ///
    /// Scores may come in any order; another of the same time replaces the one there is.
    pub fn append(&mut self, at: Timestamp, score: &Score) {
        let Score { level, rank, passed, total, .. } = score;
        self.insert(DatedScore { at, level: level.clone(), rank: *rank, passed: *passed, total: *total });
    }

    /// The scores, the oldest first.
    #[must_use]
    pub fn scores(&self) -> &[DatedScore] {
        &self.scores
    }

    /// The last score.
    #[must_use]
    pub fn last(&self) -> Option<&DatedScore> {
        self.scores.last()
    }

    /// Where the scores go.
    #[must_use]
    pub fn trend(&self) -> Trend {
        match self.scores.as_slice() {
            [] | [_] => Trend::Unknown,
            [first, .., last] => match last.height(first) {
                Ordering::Greater => Trend::Rising,
                Ordering::Equal => Trend::Steady,
                Ordering::Less => Trend::Falling,
            },
        }
    }

    fn insert(&mut self, score: DatedScore) {
        match self.scores.binary_search_by_key(&score.at, |known| known.at) {
            Ok(same) => self.scores[same] = score,
            Err(place) => self.scores.insert(place, score),
        }
        let surplus = self.scores.len().saturating_sub(self.keep.get());
        self.scores.drain(..surplus);
    }
}

impl DatedScore {
    /// How this score compares to another: by levels, then by the share of rules that hold.
    fn height(&self, other: &Self) -> Ordering {
        // Rules may have come and gone in between; where there is none, all hold.
        let share = |score: &Self, of: &Self| match score.total {
            0 => of.total.max(1) as u128,
            _ => score.passed as u128 * of.total.max(1) as u128,
        };
        self.rank.cmp(&other.rank).then_with(|| share(self, other).cmp(&share(other, self)))
    }
}
