//! What orders do not say themselves: since when workspaces exist, who has bound what, what was released when.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{Release, lifecycle::Orphan};

/// What orders do not say themselves. What is not told is not measured.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Facts {
    /// The workspaces by their logical clusters.
    pub workspaces: BTreeMap<String, WorkspaceFact>,
    /// The logical clusters of the workspaces that have bound a service, by service; none when nobody has looked.
    pub binders: Option<BTreeMap<String, BTreeSet<String>>>,
    /// When versions were released, by service.
    pub releases: BTreeMap<String, BTreeMap<String, Timestamp>>,
    /// How many real things no order asks for, by service; none when nobody has looked.
    pub orphans: Option<BTreeMap<String, u64>>,
}

/// What is known of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkspaceFact {
    /// Its path, as people know it.
    pub path: String,
    /// Since when it exists.
    pub created: Timestamp,
}

impl WorkspaceFact {
    /// The workspace at this path, which exists since then.
    #[must_use]
    pub fn new(path: impl Into<String>, created: Timestamp) -> Self {
        Self { path: path.into(), created }
    }
}

impl Facts {
    /// The same with what a look for orphans of a service has found.
    #[must_use]
    pub fn with_orphans(mut self, service: impl Into<String>, orphans: &[Orphan]) -> Self {
        let count = u64::try_from(orphans.len()).unwrap_or(u64::MAX);
        self.orphans.get_or_insert_default().insert(service.into(), count);
        self
    }

    /// The same with the releases of a service: each counts as released when it was put into the catalog.
    #[must_use]
    pub fn with_releases<'a>(
        mut self,
        service: impl Into<String>,
        releases: impl IntoIterator<Item = &'a Release>,
    ) -> Self {
        let dated = releases.into_iter().filter_map(|release| {
            Some((release.spec.version.to_string(), release.metadata.creation_timestamp.as_ref()?.0))
        });
        let of_service = self.releases.entry(service.into()).or_default();
        for (version, released) in dated {
            let first = of_service.entry(version).or_insert(released);
            *first = released.min(*first);
        }
        self
    }

    /// The workspace as people know it.
    pub(super) fn path<'a>(&'a self, workspace: &'a str) -> &'a str {
        self.workspaces.get(workspace).map_or(workspace, |fact| &fact.path)
    }
}
