//! Whether a transaction is made, against the state its caller can see.

use super::{Change, Entry, Transaction};

/// What is to become of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// These changes are made; they are some, and each has an effect.
    Change(Vec<Change>),
    /// The conditions hold, and there is nothing to change.
    Nothing,
    /// A condition does not hold; what each conditioned key holds.
    Refuse(Vec<Option<Entry>>),
}

/// Decides about a transaction; `current` says what a key holds now.
pub(super) fn decide(transaction: Transaction, current: impl Fn(&str) -> Option<Entry>) -> Decision {
    let found: Vec<_> = transaction.conditions.iter().map(|(key, _)| current(key)).collect();
    let holds = |((_, wanted), entry): (&(_, Option<_>), &Option<Entry>)| *wanted == entry.as_ref().map(|e| e.modified);
    if !transaction.conditions.iter().zip(&found).all(holds) {
        return Decision::Refuse(found);
    }
    let mut changes = transaction.changes;
    changes.retain(|change| match change {
        Change::Put(..) => true,
        Change::Delete(key) => current(key).is_some(),
    });
    if changes.is_empty() { Decision::Nothing } else { Decision::Change(changes) }
}
