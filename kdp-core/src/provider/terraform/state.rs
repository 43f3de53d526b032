#![doc = include_str!("../../../docs/terraform-state.md")]

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod bytes;
mod cluster;
pub mod conformance;
mod crypt;
mod directory;
mod head;
mod http;
mod server;
mod session;
mod store;

pub use self::{
    bytes::Bytes,
    cluster::ClusterStates,
    crypt::StateKey,
    directory::DirectoryStates,
    server::StateServer,
    session::{StateReader, StateSession},
    store::StateStore,
};

/// How states are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StateOptions {
    /// How long a turn lasts after its holder was last heard of; 30 seconds.
    pub lease: Duration,
    /// How many versions of a state are kept, at least one; 20.
    pub versions: usize,
    /// The largest state that is taken, in bytes; 64 MiB.
    pub largest: usize,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self { lease: Duration::from_secs(30), versions: 20, largest: 64 << 20 }
    }
}

impl StateOptions {
    /// The same with another lease.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The same with another number of versions that are kept.
    #[must_use]
    pub fn with_versions(mut self, versions: usize) -> Self {
        self.versions = versions.max(1);
        self
    }

    /// The same with another largest state.
    #[must_use]
    pub fn with_largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }
}

/// What is kept for an order now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The state, as the engine wrote it; none when it never wrote one.
    pub state: Option<Bytes>,
    /// Its serial number.
    pub serial: Option<u64>,
    /// Its lineage: a state of another one is about other things.
    pub lineage: Option<String>,
    /// Everything was removed, which is certain.
    pub removed: bool,
    /// What the engine's driver has noted.
    pub notes: BTreeMap<String, Value>,
}

/// A version of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateVersion {
    /// Its serial number.
    pub serial: u64,
    /// Its lineage.
    pub lineage: String,
    /// When it was written.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// SHA-256 of its bytes, in lower hex.
    pub digest: String,
    /// Its length in bytes.
    pub size: usize,
}

/// Who works on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The name that was given for locks.
    pub who: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when, unless he is heard of again.
    pub expires: Timestamp,
}

/// What became of a state that was left on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovery {
    /// It was newer, and is the state now.
    Stored,
    /// It is known, or older than what is known.
    Known,
}
