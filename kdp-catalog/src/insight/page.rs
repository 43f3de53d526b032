//! A part of the journal that is kept as one object.

use std::collections::{BTreeMap, VecDeque};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    measures::OTHER,
    record::{FirstReady, Record, Sighting, day},
    snapshot::Snapshot,
    tally::{Place, Tally},
};

/// How many orders that are gone are remembered, so that late news of them is not taken for new orders.
const REMEMBERED: usize = 64;

/// Everything known of some orders: those that live by their UIDs, those that are gone as sums.
///
/// An order is on one page for life, and a page is written as a whole. So an order is never counted twice, nor
/// missing between two pages, whenever the process ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Page {
    pub(super) living: BTreeMap<String, Record>,
    /// Days of orders that are gone.
    #[serde(with = "days")]
    pub(super) closed: BTreeMap<Date, BTreeMap<Place, Tally>>,
    /// What is older than the days that are kept, by service and offering.
    #[serde(with = "pairs")]
    pub(super) older: BTreeMap<Place, Tally>,
    /// The first orders of each workspace on this page.
    pub(super) firsts: BTreeMap<String, First>,
    gone: VecDeque<String>,
}

/// The first order of a workspace, and the first that was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct First {
    pub(super) created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ready: Option<Timestamp>,
}

impl First {
    /// The earlier of both.
    pub(super) fn merge(&mut self, other: Self) {
        self.created = self.created.min(other.created);
        self.ready = match (self.ready, other.ready) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

impl Page {
    /// Takes in one order; answers whether that is news.
    pub(super) fn seen(&mut self, snapshot: &Snapshot, sighting: Sighting, at: Timestamp, room: usize) -> bool {
        if self.gone.contains(&snapshot.uid) {
            return false;
        }
        let is_news = match self.living.get_mut(&snapshot.uid) {
            Some(record) => record.fold(snapshot, sighting, at),
            None => {
                self.living.insert(snapshot.uid.clone(), Record::new(snapshot, sighting, at));
                true
            }
        };
        if is_news && let Some(record) = self.living.get(&snapshot.uid) {
            let ready = if let FirstReady::At(ready) = record.first_ready { Some(ready) } else { None };
            let first = First { created: record.created, ready };
            let workspace = &snapshot.place.workspace;
            if let Some(known) = self.firsts.get_mut(workspace) {
                known.merge(first);
            } else if self.firsts.len() < room {
                self.firsts.insert(workspace.clone(), first);
            }
        }
        is_news
    }

    /// Folds an order that is gone into the sums of its days; answers whether it was there.
    pub(super) fn gone(&mut self, uid: &str, at: Timestamp, room: usize) -> bool {
        let Some(mut record) = self.living.remove(uid) else { return false };
        record.close(at);
        for (date, tally) in std::mem::take(&mut record.days) {
            add(self.closed.entry(date).or_default(), record.place.clone(), &tally, room);
        }
        self.gone.push_back(uid.to_owned());
        if self.gone.len() > REMEMBERED {
            self.gone.pop_front();
        }
        true
    }

    /// Folds what is older than the days that are kept into one sum without workspaces; answers whether there was any.
    pub(super) fn forget_before(&mut self, first: Date, room: usize) -> bool {
        let mut old: Vec<(Place, Tally)> = Vec::new();
        let kept = self.closed.split_off(&first);
        for (_, day) in std::mem::replace(&mut self.closed, kept) {
            old.extend(day);
        }
        for record in self.living.values_mut() {
            let kept = record.days.split_off(&first);
            let days = std::mem::replace(&mut record.days, kept);
            old.extend(days.into_values().map(|tally| (record.place.clone(), tally)));
        }
        let is_any = !old.is_empty();
        for (place, tally) in old {
            add(&mut self.older, Place { workspace: String::new(), ..place }, &tally, room);
        }
        is_any
    }

    /// What has happened since the day, order by order or sum by sum.
    pub(super) fn since(&self, first: Date) -> impl Iterator<Item = (&Place, &Tally)> {
        let closed = self.closed.range(first..).flat_map(|(_, day)| day);
        let living = self.living.values();
        closed.chain(living.flat_map(move |record| record.days.range(first..).map(|(_, tally)| (&record.place, tally))))
    }

    /// The first day of which anything is known.
    pub(super) fn first_day(&self) -> Option<Date> {
        let living = self.living.values().filter_map(|record| record.days.keys().next().copied());
        living.chain(self.closed.keys().next().copied()).min()
    }
}

/// Counts a tally in its place. Beyond what there is room for, offerings and workspaces are one: tenants choose both.
fn add(sums: &mut BTreeMap<Place, Tally>, place: Place, tally: &Tally, room: usize) {
    let has_room = sums.contains_key(&place) || sums.len() < room;
    let place = if has_room { place } else { Place::new(place.service, OTHER, "") };
    sums.entry(place).or_default().merge(tally);
}

/// The first day of the last `days` days.
pub(super) fn first_of(days: u16, now: Timestamp) -> Date {
    day(now).saturating_sub(jiff::Span::new().days(i64::from(days.max(1)) - 1))
}

/// Maps whose keys are no strings, as lists of pairs.
mod pairs {
    use super::{BTreeMap, Place, Tally};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Place, Tally>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Place, Tally>, D::Error> {
        Ok(Vec::deserialize(from)?.into_iter().collect())
    }
}

/// The same by days.
mod days {
    use super::{BTreeMap, Date, Place, Tally};
    use serde::{Deserialize, Deserializer, Serializer};

    type Day = (Date, Vec<(Place, Tally)>);

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<Date, BTreeMap<Place, Tally>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter().map(|(date, day)| (date, day.iter().collect::<Vec<_>>())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Date, BTreeMap<Place, Tally>>, D::Error> {
        let days = Vec::<Day>::deserialize(from)?;
        Ok(days.into_iter().map(|(date, day)| (date, day.into_iter().collect())).collect())
    }
}
