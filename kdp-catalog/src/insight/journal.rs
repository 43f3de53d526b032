//! What has happened to all orders: a fold over what is seen of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    error::InsightError,
    page::{First, Page, first_of},
    record::{Record, Sighting},
    snapshot::Snapshot,
    tally::{Place, Tally},
};
use crate::offering::GroupKind;

/// Into how many parts a journal is divided. It never changes: an order stays on its page.
pub const PAGES: usize = 16;

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An order, and how it stands.
    Seen(Box<Snapshot>, Sighting),
    /// The order with this UID is gone.
    Gone(String),
    /// Of these kinds in this workspace, or in all of them, there are these orders and no others, by their UIDs.
    Listed {
        /// The service whose orders were listed.
        service: String,
        /// The kind.
        kind: GroupKind,
        /// Those that there are.
        uids: BTreeSet<String>,
    },
}

/// How much a journal keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalOptions {
    /// How many days are kept day by day; what is older is one sum. 30 unless said otherwise.
    pub days: u16,
    /// How many workspaces, each with one offering, a day tells apart among the orders that are gone; the others of
    /// that day are counted as one. 8,192 unless said otherwise.
    pub workspaces: usize,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { days: 30, workspaces: 8192 }
    }
}

impl JournalOptions {
    /// The same with so many days.
    #[must_use]
    pub fn with_days(mut self, days: u16) -> Self {
        self.days = days.max(1);
        self
    }

    /// The same with so many workspaces.
    #[must_use]
    pub fn with_workspaces(mut self, workspaces: usize) -> Self {
        self.workspaces = workspaces;
        self
    }

    /// How many of these a page has room for.
    fn room(self) -> usize {
        self.workspaces.div_ceil(PAGES)
    }
}

/// What has happened to all orders.
///
/// It is told how orders stand, not what has become of them, and finds out by itself. To tell it the same again
/// changes nothing, and neither does the order in which it is told of different orders.
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    options: JournalOptions,
    pages: Vec<Page>,
}

impl Default for Journal {
    fn default() -> Self {
        Self::new(JournalOptions::default())
    }
}

impl Journal {
    /// A journal with nothing in it.
    #[must_use]
    pub fn new(options: JournalOptions) -> Self {
        Self { options, pages: vec![Page::default(); PAGES] }
    }

    /// How much it keeps.
    #[must_use]
    pub fn options(&self) -> JournalOptions {
        self.options
    }

    /// Takes in what was seen at `at`, and answers the pages that are not as before.
    ///
    /// What comes with an earlier time than what is known of the same order is old news, and nothing.
    pub fn fold(&mut self, event: &Event, at: Timestamp) -> BTreeSet<usize> {
        let room = self.options.room();
        let mut changed = BTreeSet::new();
        match event {
            Event::Seen(snapshot, sighting) => {
                let page = page_of(&snapshot.uid);
                if self.pages[page].seen(snapshot, *sighting, at, room) {
                    changed.insert(page);
                }
            }
            Event::Gone(uid) => {
                let page = page_of(uid);
                if self.pages[page].gone(uid, at, room) {
                    changed.insert(page);
                }
            }
            Event::Listed { service, kind, uids } => {
                for (number, page) in self.pages.iter_mut().enumerate() {
                    let is_missing = |(uid, record): &(&String, &Record)| {
                        record.kind == *kind && record.place.service == *service && !uids.contains(*uid)
                    };
                    let missing: Vec<String> =
                        page.living.iter().filter(is_missing).map(|(uid, _)| uid.clone()).collect();
                    for uid in missing {
                        page.gone(&uid, at, room);
                        changed.insert(number);
                    }
                }
            }
        }
        changed
    }

    /// Folds days that are older than those that are kept into one sum, and answers the pages that are not as before.
    pub fn forget(&mut self, now: Timestamp) -> BTreeSet<usize> {
        let (first, room) = (first_of(self.options.days, now), self.options.room());
        let pages = self.pages.iter_mut().enumerate();
        pages.filter_map(|(number, page)| page.forget_before(first, room).then_some(number)).collect()
    }

    /// A page as it is kept; none when there is no such page.
    ///
    /// # Errors
    /// `Unwritable` when it cannot be written as JSON.
    pub fn page(&self, number: usize) -> Result<Option<String>, InsightError> {
        let page = self.pages.get(number).map(serde_json::to_string).transpose();
        page.map_err(|source| InsightError::Unwritable { page: number, source })
    }

    /// A page as it is kept, in no more than so many bytes: as many of its oldest days as necessary are forgotten.
    /// If that is not enough, it is longer.
    ///
    /// # Errors
    /// As [`page`](Self::page).
    pub(super) fn fitting(&mut self, number: usize, largest: usize) -> Result<Option<String>, InsightError> {
        loop {
            let text = self.page(number)?;
            let is_large = text.as_ref().is_some_and(|text| text.len() > largest);
            let oldest = self.pages.get(number).and_then(Page::first_day).filter(|_| is_large);
            let Some(next) = oldest.and_then(|day| day.tomorrow().ok()) else { return Ok(text) };
            self.pages[number].forget_before(next, self.options.room());
        }
    }

    /// Puts a page that was kept back; a number that is no page's is ignored.
    ///
    /// # Errors
    /// `Damaged` when it cannot be read; then nothing changes. `object` is for the message.
    pub fn restore(&mut self, number: usize, text: &str, object: &str) -> Result<(), InsightError> {
        let page =
            serde_json::from_str(text).map_err(|source| InsightError::Damaged { object: object.to_owned(), source })?;
        if let Some(there) = self.pages.get_mut(number) {
            *there = page;
        }
        Ok(())
    }

    /// How many orders live.
    #[must_use]
    pub fn living(&self) -> usize {
        self.pages.iter().map(|page| page.living.len()).sum()
    }

    /// What has happened in the last `days` days, this one included; of each place there may be several tallies.
    pub fn tallies(&self, days: u16, now: Timestamp) -> impl Iterator<Item = (&Place, &Tally)> {
        let first = first_of(days, now);
        self.pages.iter().flat_map(move |page| page.since(first))
    }

    /// What has happened ever, by service and offering, without workspaces: numbers that only grow.
    #[must_use]
    pub fn ever(&self) -> BTreeMap<Place, Tally> {
        let mut ever: BTreeMap<Place, Tally> = BTreeMap::new();
        for page in &self.pages {
            for (place, tally) in page.older.iter().chain(page.since(jiff::civil::Date::MIN)) {
                ever.entry(Place { workspace: String::new(), ..place.clone() }).or_default().merge(tally);
            }
        }
        ever
    }

    /// The first day of which anything is known in detail.
    #[must_use]
    pub fn first_day(&self) -> Option<jiff::civil::Date> {
        self.pages.iter().filter_map(Page::first_day).min()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.pages.iter().flat_map(|page| page.living.values())
    }

    /// The first order of each workspace.
    pub(super) fn firsts(&self) -> BTreeMap<&str, First> {
        let mut firsts: BTreeMap<&str, First> = BTreeMap::new();
        for (workspace, first) in self.pages.iter().flat_map(|page| &page.firsts) {
            firsts.entry(workspace).and_modify(|known| known.merge(*first)).or_insert(*first);
        }
        firsts
    }
}

/// The page of an order.
fn page_of(uid: &str) -> usize {
    Sha256::digest(uid).first().map_or(0, |byte| usize::from(*byte) % PAGES)
}

#[cfg(test)]
mod tests;
