//! What an agent does, of what agents do.

use std::collections::BTreeSet;

/// One thing that an agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Duty {
    /// Makes APIResourceSchemas of PublishedResources, and says so in their status.
    Schemas,
    /// Keeps the APIExport in step with what is published.
    Export,
    /// Syncs what tenants order.
    Sync,
}

/// What an agent does; what it does not do is left to other agents, or to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duties(BTreeSet<Duty>);

impl Duties {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self([Duty::Schemas, Duty::Export, Duty::Sync].into())
    }

    /// All of these but one.
    #[must_use]
    pub fn without(mut self, duty: Duty) -> Self {
        self.0.remove(&duty);
        self
    }

    /// Whether this is among them.
    #[must_use]
    pub fn include(&self, duty: Duty) -> bool {
        self.0.contains(&duty)
    }
}

impl Default for Duties {
    fn default() -> Self {
        Self::all()
    }
}
