//! What applying an order would change.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Order, OrderId, Teardown};
use crate::{Error, ErrorKind};

/// What applying an order would change, and what that was decided on.
///
/// A plan is made to be shown to people and agents, so nothing sensitive is in it: see
/// [`ValueChange::sensitive`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Plan {
    /// Digest of the order's identity and spec, in lower hex.
    pub inputs: String,
    /// What else the plan was decided on, by name: the serial of the engine's state, the versions
    /// of the engine and of the provider.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub basis: BTreeMap<String, String>,
    /// The changes; none when the real thing is as ordered.
    pub changes: Vec<Change>,
    /// Removes all that applying this plan can make. Whoever applies it seals this first, so that
    /// nothing is left behind should the process end in between.
    pub teardown: Teardown,
}

impl Plan {
    /// The plan of these changes; `teardown` removes all that they make.
    #[must_use]
    pub fn new(order: &Order, changes: Vec<Change>, teardown: Teardown) -> Self {
        let mut inputs = Sha256::new();
        absorb(&mut inputs, &order.id.uid);
        absorb(&mut inputs, &order.spec);
        Self { inputs: hex(inputs), basis: BTreeMap::new(), changes, teardown }
    }

    /// The same, decided on one more fact, such as `("terraform", "1.11.4")` or `("serial", 7)`.
    ///
    /// When the fact changes, so does the hash, and what was approved is no longer current.
    #[must_use]
    pub fn with_basis(mut self, name: impl Into<String>, fact: impl fmt::Display) -> Self {
        self.basis.insert(name.into(), fact.to_string());
        self
    }

    /// Identifies the plan: equal for equal inputs, basis and changes, in every process.
    ///
    /// It does not depend on the generation of the order, on how it was sealed, or on what the
    /// teardown record holds.
    #[must_use]
    pub fn hash(&self) -> PlanHash {
        let mut hash = Sha256::new();
        absorb(&mut hash, &self.inputs);
        absorb(&mut hash, &self.basis);
        absorb(&mut hash, &self.changes);
        PlanHash(hex(hash))
    }

    /// Refuses a hash that is not this plan's: for [`apply`](super::Provider::apply), with the plan
    /// as it would be now.
    ///
    /// # Errors
    /// `Stale` when the hash is another one.
    pub fn check(&self, hash: &PlanHash, id: &OrderId) -> Result<(), Error> {
        if self.hash() == *hash {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Stale, "apply", id, "the plan is no longer current"))
    }

    /// Whether carrying it out loses something that is there.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        self.changes.iter().any(|change| change.action.is_destructive())
    }

    /// How much it changes, such as `1 to create, 2 to update`.
    #[must_use]
    pub fn summary(&self) -> String {
        let parts: Vec<_> = ChangeAction::ALL
            .into_iter()
            .map(|action| (action, self.changes.iter().filter(|change| change.action == action).count()))
            .filter(|(_, count)| *count > 0)
            .map(|(action, count)| format!("{count} to {action}"))
            .collect();
        if parts.is_empty() { "nothing to change".into() } else { parts.join(", ") }
    }
}

/// Adds a part of what is hashed, with its length, so that no two sequences of parts run together.
fn absorb(hash: &mut Sha256, part: &impl Serialize) {
    // Without a value of another kind in it, JSON with text keys can always be written.
    let text = serde_json::to_vec(part).expect("plans are made of text, numbers and JSON");
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

fn hex(hash: Sha256) -> String {
    format!("{:x}", hash.finalize())
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
#[non_exhaustive]
pub struct Change {
    /// What it does.
    pub action: ChangeAction,
    /// What it does it to, such as `database app`.
    pub subject: String,
    /// What a person should know, such as `storage 1Gi → 2Gi`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The single values that change, where the engine tells them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueChange>,
}

impl Change {
    /// A change without a detail.
    pub fn new(action: ChangeAction, subject: impl Into<String>) -> Self {
        Self { action, subject: subject.into(), detail: String::new(), values: Vec::new() }
    }

    /// The same with what a person should know.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The same with one more value that changes.
    #[must_use]
    pub fn with_value(mut self, value: ValueChange) -> Self {
        self.values.push(value);
        self
    }
}

/// A value that a [`Change`] changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ValueChange {
    /// Which one, in the engine's own terms.
    pub path: String,
    /// What it is.
    pub before: Shown,
    /// What it becomes.
    pub after: Shown,
}

impl ValueChange {
    /// A value that anybody may see.
    pub fn plain(path: impl Into<String>, before: Shown, after: Shown) -> Self {
        Self { path: path.into(), before, after }
    }

    /// A value that nobody may see. It is not kept, not even as a digest, which could be guessed;
    /// a provider whose secrets change without the order has to say so in the plan's
    /// [basis](Plan::with_basis).
    pub fn sensitive(path: impl Into<String>) -> Self {
        Self { path: path.into(), before: Shown::Sensitive, after: Shown::Sensitive }
    }
}

/// A value as a plan shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Shown {
    /// There is none.
    Absent,
    /// This one.
    Value(Value),
    /// One that may not be shown.
    Sensitive,
    /// One that is known only after the plan was carried out.
    Unknown,
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
    /// Leaves it where it is and no longer looks after it.
    Forget,
}

impl ChangeAction {
    const ALL: [Self; 5] = [Self::Create, Self::Update, Self::Replace, Self::Delete, Self::Forget];

    /// Whether something that is there is lost by it.
    #[must_use]
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Replace | Self::Delete)
    }
}

impl fmt::Display for ChangeAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Forget => "forget",
        })
    }
}

#[cfg(test)]
mod tests;
