//! A workspace in a file: taken out of one control plane, and brought into another.
//!
//! An archive holds a workspace and everything below it. It is made and read through
//! [`kube::Client`]s alone, so either side may be any control plane with logical clusters.
//!
//! # Format
//!
//! Two gzip members. The first holds lines of JSON, each with one key that says what it is: `archive`
//! (format and source), then for each workspace `workspace` (its path within the archive) followed by
//! an `object` for each object in the order they can be created in, and at last `manifest`
//! (counts, and what was left out). The second holds one line with the SHA-256 of all bytes of the first. `zcat`
//! shows both. Objects that hold secrets are marked `"sensitive": true`; the archive is as secret as
//! they are. Paths of workspaces in the archive begin with `@archive`.
//!
//! What a control plane derives by itself is not in it: LogicalClusters, endpoint slices, events,
//! tokens of service accounts, and the status of API objects.

mod export;
mod format;
mod import;
mod relocate;
mod rules;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    export::export,
    import::import,
    relocate::{Difference, difference, move_workspace},
};

/// What an export or import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Summary {
    /// How many workspaces there are, the top one included.
    pub workspaces: u64,
    /// How many objects of each resource, by `plural.group`. Of an import, those that it created.
    pub objects: BTreeMap<String, u64>,
    /// What was left out, and why.
    pub skipped: Vec<String>,
}

impl Summary {
    fn count(&mut self, group: &str, plural: &str) {
        *self.objects.entry(rules::resource_name(group, plural)).or_default() += 1;
    }
}
