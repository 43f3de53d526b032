//! What a copy was made from.
//!
//! The difference between that and the source is what the tenant changed, and only that is written,
//! so it must never be wrong. What is remembered and the copy are two objects, and agents may stop
//! between the write of one and of the other, or work at the same time. So every content has a
//! number: it is noted with its number first, on top of what was read, and the copy carries the
//! number of what it was made from, written together with it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{copy, remember::remembered, state::Edit};

/// Of more contents that may still be written than this, the oldest are forgotten. A copy that is
/// made from one of those nevertheless is made anew from its source.
const MOST_ATTEMPTS: usize = 8;

/// A content of the source, and the revision of copies that are made from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Noted {
    pub(super) number: u64,
    pub(super) content: Value,
}

/// Contents of the source, any of which the copy may have been made from.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// Key in the state.
    key: String,
    last: Option<Noted>,
    /// Those that were to be written since, with an outcome that is not known.
    attempts: Vec<Noted>,
    /// The highest number given to any content for the order; none if that is at most zero.
    highest: Option<u64>,
}

/// A write of a copy.
pub(super) struct Step {
    /// The copy's revision from then on.
    pub(super) number: u64,
    /// What is to be noted before.
    pub(super) note: Vec<Edit>,
}

impl History {
    pub(super) fn new(key: String, last: Option<Noted>, attempts: Vec<Noted>, highest: Option<u64>) -> Self {
        Self { key, last, attempts, highest }
    }

    /// What a copy with this revision was made from; none if that is not known.
    pub(super) fn base(&self, revision: u64) -> Option<&Value> {
        let noted = self.attempts.iter().chain(&self.last).find(|noted| noted.number == revision)?;
        Some(&noted.content)
    }

    pub(super) fn before_create(&self, source: &Value) -> Step {
        if self.newest().is_some() {
            return self.before_write(source, 0);
        }
        // What the existing agent notes of its copies has no number, and neither has the first
        // that is noted here.
        let number = self.highest.map_or(0, |highest| highest + 1);
        Step { number, note: self.noted(source, number, &[]) }
    }

    /// For a copy that has this revision.
    pub(super) fn before_update(&self, source: &Value, revision: u64) -> Step {
        if self.base(revision).is_some_and(|base| copy::same_content(base, source)) {
            return Step { number: revision, note: Vec::new() };
        }
        self.before_write(source, revision)
    }

    fn before_write(&self, source: &Value, revision: u64) -> Step {
        // Only the newest may be written again: another agent may have forgotten the others.
        if let Some(newest) = self.newest()
            && newest.number >= revision
            && copy::same_content(&newest.content, source)
        {
            return Step { number: newest.number, note: Vec::new() };
        }
        let number = self.next(revision);
        let attempt = Noted { number, content: remembered(source) };
        let mut attempts: Vec<_> = self.attempts.iter().filter(|noted| noted.number >= revision).collect();
        attempts.drain(..attempts.len().saturating_sub(MOST_ATTEMPTS - 1));
        attempts.push(&attempt);
        let last = self.last.as_ref().map_or(0, |last| last.number);
        Step { number, note: vec![Edit::history(&self.key, last, &attempts), Edit::highest(number)] }
    }

    /// Before somebody else's object, which may have a revision, becomes the copy, as if it had
    /// been made from `source`.
    pub(super) fn before_link(&self, source: &Value, revision: u64) -> Step {
        if let Some(last) = &self.last
            && self.attempts.is_empty()
            && last.number > revision
            && copy::same_content(&last.content, source)
        {
            return Step { number: last.number, note: Vec::new() };
        }
        let number = self.next(revision);
        Step { number, note: self.noted(source, number, &[]) }
    }

    /// What is to be noted once the copy with this revision is known to be up to date.
    pub(super) fn after(&self, source: &Value, revision: u64) -> Vec<Edit> {
        if self.last.as_ref().is_some_and(|last| last.number > revision) {
            // It is known that the copy has changed since, but not yet how.
            return Vec::new();
        }
        let attempts: Vec<_> = self.attempts.iter().filter(|noted| noted.number > revision).collect();
        let is_last = |last: &Noted| last.number == revision && copy::same_content(&last.content, source);
        if self.last.as_ref().is_some_and(is_last) && attempts.len() == self.attempts.len() {
            return Vec::new();
        }
        self.noted(source, revision, &attempts)
    }

    fn noted(&self, source: &Value, number: u64, attempts: &[&Noted]) -> Vec<Edit> {
        let mut edits =
            vec![Edit::object(&self.key, Some(&remembered(source))), Edit::history(&self.key, number, attempts)];
        if number > self.highest.unwrap_or(0) {
            edits.push(Edit::highest(number));
        }
        edits
    }

    fn newest(&self) -> Option<&Noted> {
        self.attempts.iter().chain(&self.last).max_by_key(|noted| noted.number)
    }

    fn next(&self, revision: u64) -> u64 {
        self.highest.unwrap_or(0).max(revision) + 1
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(size: u64) -> Value {
        json!({"spec": {"size": size}})
    }

    fn history(last: u64, attempts: &[u64]) -> History {
        let noted = |number: u64| Noted { number, content: content(number) };
        History::new("key".into(), Some(noted(last)), attempts.iter().copied().map(noted).collect(), Some(9))
    }

    #[track_caller]
    fn check(Step { number, note }: Step, expected: u64, is_noted: bool) {
        assert_eq!((number, !note.is_empty()), (expected, is_noted));
    }

    #[test]
    fn the_first_copy_has_no_number_unless_there_was_another_order_of_its_name() {
        check(History::new("key".into(), None, Vec::new(), None).before_create(&content(1)), 0, true);
        check(History::new("key".into(), None, Vec::new(), Some(0)).before_create(&content(1)), 1, true);
    }

    #[test]
    fn a_new_content_gets_a_number_that_nothing_had() {
        check(history(3, &[]).before_update(&content(4), 3), 10, true);
        check(history(3, &[]).before_update(&content(4), 20), 21, true);
    }

    #[test]
    fn only_the_newest_content_is_written_again_under_its_number() {
        check(history(3, &[4, 5]).before_update(&content(5), 3), 5, false);
        check(history(3, &[4, 5]).before_update(&content(4), 3), 10, true);
        check(history(3, &[4, 5]).before_create(&content(5)), 5, false);
    }

    #[test]
    fn a_copy_that_is_up_to_date_keeps_its_number() {
        check(history(3, &[4]).before_update(&content(3), 3), 3, false);
    }

    #[test]
    fn what_is_known_to_be_later_is_not_forgotten_for_what_was_heard_late() {
        assert!(history(3, &[]).after(&content(2), 2).is_empty());
        assert!(history(3, &[4]).after(&content(3), 3).is_empty(), "number 4 may still arrive");
        assert!(!history(3, &[4]).after(&content(4), 4).is_empty());
    }
}
