//! The measures of all orders, of each service and of each workspace.

mod markdown;
mod table;
mod text;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    facts::Facts,
    journal::Journal,
    measures::{Measures, Scale, Slice, Standing},
    page::first_of,
    tally::Place,
};

/// The measures of all orders, of each service and of each workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// When it was made.
    pub made: Timestamp,
    /// How many days it is about, the one when it was made included; days are those of UTC.
    pub days: u16,
    /// The first of these days of which anything is known.
    pub first_day: Option<jiff::civil::Date>,
    /// All orders.
    pub total: Measures,
    /// By service. The empty name stands for kinds that belong to no service that is known.
    pub services: BTreeMap<String, Measures>,
    /// By service and offering. The empty name stands for orders that select none.
    pub offerings: BTreeMap<String, BTreeMap<String, Measures>>,
    /// By workspace. The empty name stands for orders that are gone and were too many to tell their workspaces apart.
    pub workspaces: BTreeMap<String, Measures>,
}

#[derive(Debug, Default)]
struct Slices {
    total: Slice,
    services: BTreeMap<String, Slice>,
    offerings: BTreeMap<String, BTreeMap<String, Slice>>,
    workspaces: BTreeMap<String, Slice>,
}

impl Slices {
    /// Does the same to each slice that a place is in.
    fn of(&mut self, place: &Place, facts: &Facts, add: impl Fn(&mut Slice)) {
        add(&mut self.total);
        add(self.services.entry(place.service.clone()).or_default());
        add(self.offerings.entry(place.service.clone()).or_default().entry(place.offering.clone()).or_default());
        add(self.workspaces.entry(facts.path(&place.workspace).to_owned()).or_default());
    }
}

impl Report {
    /// The report of the last `days` days, this one included; of no more than the journal keeps.
    #[must_use]
    pub fn new(journal: &Journal, facts: &Facts, days: u16, now: Timestamp) -> Self {
        let days = days.clamp(1, journal.options().days.max(1));
        let mut slices = Slices::default();
        for (place, tally) in journal.tallies(days, now) {
            slices.of(place, facts, |slice| slice.tally.merge(tally));
        }
        for record in journal.records() {
            let standing = Standing::of(record, now);
            slices.of(&record.place, facts, |slice| slice.standing.merge(&standing));
        }
        for (workspace, first) in journal.firsts() {
            let Some((fact, ready)) = facts.workspaces.get(workspace).zip(first.ready) else { continue };
            let standing = Standing::first_order(fact.created, ready);
            slices.total.standing.merge(&standing);
            slices.workspaces.entry(fact.path.clone()).or_default().standing.merge(&standing);
        }
        for (service, binders) in facts.binders.iter().flatten() {
            for workspace in binders {
                let standing = Standing::bound(workspace);
                slices.total.standing.merge(&standing);
                slices.services.entry(service.clone()).or_default().standing.merge(&standing);
                slices.workspaces.entry(facts.path(workspace).to_owned()).or_default().standing.merge(&standing);
            }
        }
        for (service, count) in facts.orphans.iter().flatten() {
            let standing = Standing::orphans(*count);
            slices.total.standing.merge(&standing);
            slices.services.entry(service.clone()).or_default().standing.merge(&standing);
        }
        let nothing = BTreeMap::new();
        let scale = Scale {
            now,
            days,
            releases: &nothing,
            has_binders: facts.binders.is_some(),
            has_orphans: facts.orphans.is_some(),
        };
        let of_service = |service: &str| Scale { releases: facts.releases.get(service).unwrap_or(&nothing), ..scale };
        // Nobody can say whose an orphan is, nor who of an offering's binders has bound it for its sake.
        let of_offering = |service: &str| Scale { has_binders: false, has_orphans: false, ..of_service(service) };
        let of_workspace = Scale { has_orphans: false, ..scale };
        let offerings = slices.offerings.iter().map(|(service, offerings)| {
            let measured = offerings.iter().map(|(name, slice)| (name.clone(), slice.measures(of_offering(service))));
            (service.clone(), measured.collect())
        });
        let workspaces = slices.workspaces.iter();
        Self {
            made: now,
            days,
            first_day: journal.first_day().map(|day| day.max(first_of(days, now))),
            total: slices.total.measures(scale),
            services: slices.services.iter().map(|(name, it)| (name.clone(), it.measures(of_service(name)))).collect(),
            offerings: offerings.collect(),
            workspaces: workspaces.map(|(path, slice)| (path.clone(), slice.measures(of_workspace))).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
