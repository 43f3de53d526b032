//! What a copy may have been made from.
//!
//! The difference between that and the source is what the tenant changed, and only that is written,
//! so it must never be wrong. A write and the note of it cannot be one step: an agent may stop
//! between them, or not get the answer. So every new content is noted before it is written, and
//! what was noted before is kept until the write is known to have been done.

use serde_json::Value;

use super::{copy, remember::remembered, state::Edit};

/// With more writes of unknown outcome than this, nothing is known of the copy any more.
const MOST_ATTEMPTS: usize = 8;

/// Contents of the source, any of which the copy may have been made from.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// Key in the state.
    key: String,
    last: Option<Value>,
    /// Those that were to be written since, with an outcome that is not known.
    attempts: Vec<Value>,
}

impl History {
    pub(super) fn new(key: String, last: Option<Value>, attempts: Vec<Value>) -> Self {
        Self { key, last, attempts }
    }

    /// All of them; none when it is not known what the copy was made from.
    pub(super) fn bases(&self) -> Option<Vec<&Value>> {
        let last = self.last.as_ref().filter(|_| self.attempts.len() < MOST_ATTEMPTS)?;
        Some([last].into_iter().chain(&self.attempts).collect())
    }

    /// What is to be noted before a copy is made.
    pub(super) fn before_create(&self, source: &Value) -> Option<Edit> {
        match self.last {
            None => Some(Edit::object(&self.key, Some(&remembered(source)))),
            Some(_) => self.before_update(source),
        }
    }

    /// What is to be noted before an existing copy is changed.
    pub(super) fn before_update(&self, source: &Value) -> Option<Edit> {
        if self.bases()?.iter().any(|base| copy::same_content(base, source)) {
            return None;
        }
        let source = remembered(source);
        let attempts: Vec<_> = self.attempts.iter().chain([&source]).collect();
        Some(Edit::attempts(&self.key, &attempts))
    }

    /// What is to be noted before somebody else's object becomes the copy, as if it had been made
    /// from `source`.
    pub(super) fn before_link(&self, source: &Value) -> [Edit; 2] {
        [Edit::object(&self.key, Some(&remembered(source))), Edit::attempts(&self.key, &[])]
    }

    /// What is to be noted once the copy is known to be up to date.
    pub(super) fn after(&self, source: &Value) -> Vec<Edit> {
        let is_last = self.last.as_ref().is_some_and(|last| copy::same_content(last, source));
        if is_last && self.attempts.is_empty() {
            return Vec::new();
        }
        self.before_link(source).into()
    }
}
