//! What the provider keeps beside the state of an order.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::provider::Operation;

pub(super) const BEGUN: &str = "begun";
pub(super) const COMPLETE: &str = "complete";
pub(super) const FAILED: &str = "failed";
pub(super) const DOUBT: &str = "doubt";
pub(super) const IMPORTED: &str = "imported";
/// Name of the kept inputs: all that running the module again needs.
pub(super) const INPUTS: &str = "inputs";

/// A run that was begun, and is over when this is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) operation: Operation,
    pub(super) generation: i64,
    pub(super) since: Timestamp,
}

/// The last apply that came to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Complete {
    pub(super) generation: i64,
    /// Of the state it left; none when the module makes nothing.
    pub(super) serial: Option<u64>,
}

/// The last run, which did not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) message: String,
    pub(super) at: Timestamp,
}

/// All the notes of an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Notes {
    pub(super) begun: Option<Begun>,
    pub(super) complete: Option<Complete>,
    pub(super) failed: Option<Failed>,
    /// Where something may have been made of which nobody knows.
    pub(super) doubt: BTreeSet<String>,
    /// What was taken over, as it was named.
    pub(super) imported: BTreeSet<String>,
}

impl Notes {
    /// Reads the notes; those of a later version that cannot be read are as good as none.
    pub(super) fn of(notes: &BTreeMap<String, Value>) -> Self {
        fn read<T: DeserializeOwned>(notes: &BTreeMap<String, Value>, name: &str) -> Option<T> {
            notes.get(name).and_then(|note| T::deserialize(note).ok())
        }
        Self {
            begun: read(notes, BEGUN),
            complete: read(notes, COMPLETE),
            failed: read(notes, FAILED),
            doubt: read(notes, DOUBT).unwrap_or_default(),
            imported: read(notes, IMPORTED).unwrap_or_default(),
        }
    }
}

/// A note to be written.
pub(super) fn value(note: &impl Serialize) -> Option<Value> {
    Some(serde_json::to_value(note).expect("notes are made of text and numbers"))
}
