//! What a collector knows, for those who ask.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::facts::Found;
use crate::{
    Release,
    insight::{
        Facts, InsightError, Journal, JournalOptions, MeasureFamily, MetricsOptions, Report, families, journal::Event,
        prometheus,
    },
    lifecycle::Orphan,
};

/// What a collector knows. Cloning it is cheap, and all clones are one.
///
/// It knows of all tenants: whoever shows a tenant something of it, shows it the tenant's own workspace.
#[derive(Clone)]
pub struct Insight(Arc<Mutex<State>>);

struct State {
    journal: Journal,
    facts: Facts,
    /// Pages that are not kept as they are.
    changed: BTreeSet<usize>,
}

impl Insight {
    pub(super) fn new(options: JournalOptions) -> Self {
        let state = State { journal: Journal::new(options), facts: Facts::default(), changed: BTreeSet::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// How orders fare, with all days that are kept.
    #[must_use]
    pub fn snapshot(&self) -> Report {
        self.report(u16::MAX)
    }

    /// How orders fare, with the last `days` days of what has happened.
    #[must_use]
    pub fn report(&self, days: u16) -> Report {
        let state = self.state();
        Report::new(&state.journal, &state.facts, days, Timestamp::now())
    }

    /// The metrics, for any exporter.
    #[must_use]
    pub fn families(&self, options: MetricsOptions) -> Vec<MeasureFamily> {
        let state = self.state();
        families(&state.journal, &state.facts, options, Timestamp::now())
    }

    /// The metrics as Prometheus reads them.
    #[must_use]
    pub fn metrics(&self, options: MetricsOptions) -> String {
        prometheus(self.families(options))
    }

    /// Tells what the last look for orphans of a service has found.
    pub fn set_orphans(&self, service: &str, orphans: &[Orphan]) {
        let mut state = self.state();
        state.facts = std::mem::take(&mut state.facts).with_orphans(service, orphans);
    }

    /// Tells what releases of a service there are.
    pub fn set_releases<'a>(&self, service: &str, releases: impl IntoIterator<Item = &'a Release>) {
        let mut state = self.state();
        state.facts.releases.remove(service);
        state.facts = std::mem::take(&mut state.facts).with_releases(service, releases);
    }

    pub(super) fn fold(&self, event: &Event, at: Timestamp) {
        let mut state = self.state();
        let changed = state.journal.fold(event, at);
        state.changed.extend(changed);
    }

    pub(super) fn forget(&self, now: Timestamp) {
        let mut state = self.state();
        let changed = state.journal.forget(now);
        state.changed.extend(changed);
    }

    pub(super) fn found(&self, found: Found) {
        let mut state = self.state();
        state.facts.binders = found.binders;
        if let Some(workspaces) = found.workspaces {
            state.facts.workspaces = workspaces;
        }
    }

    pub(super) fn restore(&self, page: usize, text: &str, object: &str) -> Result<(), InsightError> {
        self.state().journal.restore(page, text, object)
    }

    pub(super) fn has_changed(&self) -> bool {
        !self.state().changed.is_empty()
    }

    /// The pages that are to be kept, which count as kept from now on. Days that a page has no room for are forgotten.
    pub(super) fn take_changed(&self, largest: usize) -> Vec<(usize, Result<String, InsightError>)> {
        let mut state = self.state();
        let changed = std::mem::take(&mut state.changed);
        changed.into_iter().filter_map(|page| Some((page, state.journal.fitting(page, largest).transpose()?))).collect()
    }

    pub(super) fn put_back(&self, page: usize) {
        self.state().changed.insert(page);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Insight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insight").field("living", &self.state().journal.living()).finish_non_exhaustive()
    }
}
