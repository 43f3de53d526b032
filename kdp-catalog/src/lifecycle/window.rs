//! Maintenance windows: when work on instances may begin.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, ToSpan, Zoned, civil, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{LifecycleError, parse_duration};

/// A window that were longer would meet itself of the week before.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// When work may begin, as it is written in an object; without windows that is at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MaintenanceSpec {
    /// Every week.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowSpec>,
    /// Never in these times, even if a window is open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<FreezeSpec>,
}

/// One window of every week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowSpec {
    /// The days it opens on; every day if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub days: BTreeSet<Day>,
    /// When it opens, as `HH:MM` on the clocks of the time zone.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub start: String,
    /// How long it is open, such as `4h` or `90m`, by the stopwatch: a change of clocks does not
    /// make it longer or shorter. At most seven days.
    pub duration: String,
    /// Name of the time zone, such as `Europe/Berlin`.
    #[serde(default = "utc")]
    pub time_zone: String,
}

/// A time in which nothing may begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeSpec {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<civil::Weekday> for Day {
    fn from(day: civil::Weekday) -> Self {
        match day {
            civil::Weekday::Monday => Self::Monday,
            civil::Weekday::Tuesday => Self::Tuesday,
            civil::Weekday::Wednesday => Self::Wednesday,
            civil::Weekday::Thursday => Self::Thursday,
            civil::Weekday::Friday => Self::Friday,
            civil::Weekday::Saturday => Self::Saturday,
            civil::Weekday::Sunday => Self::Sunday,
        }
    }
}

fn utc() -> String {
    "UTC".into()
}

/// When work may begin.
///
/// A window that would open in the hour that the clocks skip opens that much later; one that
/// would open in the hour that comes twice opens the first time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windows {
    weekly: Vec<Weekly>,
    freezes: Vec<(Timestamp, Timestamp)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Weekly {
    days: BTreeSet<Day>,
    start: civil::Time,
    duration: SignedDuration,
    zone: TimeZone,
}

impl Windows {
    /// Reads what stands in `field` of `object`.
    ///
    /// Time zones are those that were built in, so every process answers alike.
    ///
    /// # Errors
    /// `Invalid` for a time of day, length or time zone that is not one, a length of nothing or of
    /// more than a week, and a freeze that ends before it begins.
    pub fn parse(object: &str, field: &str, spec: &MaintenanceSpec) -> Result<Self, LifecycleError> {
        let weekly = spec.windows.iter().enumerate();
        let weekly = weekly.map(|(i, window)| Weekly::parse(object, &format!("{field}.windows[{i}]"), window));
        let freezes = spec.freezes.iter().enumerate().map(|(i, freeze)| {
            if freeze.to <= freeze.from {
                let reason = format!("{} is not after {}", freeze.to, freeze.from);
                return Err(LifecycleError::invalid(object, format!("{field}.freezes[{i}].to"), reason));
            }
            Ok((freeze.from, freeze.to))
        });
        Ok(Self { weekly: weekly.collect::<Result<_, _>>()?, freezes: freezes.collect::<Result<_, _>>()? })
    }

    /// Whether work may begin now.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.thawed_at(now).is_none() && self.next_in_window(now) == Some(now)
    }

    /// The first moment, `now` or later, at which work may begin; `None` if there is none.
    #[must_use]
    pub fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let mut at = now;
        // Each freeze moves the moment to its end, so each is met at most once.
        for _ in 0..=self.freezes.len() {
            at = self.next_in_window(at)?;
            match self.thawed_at(at) {
                Some(end) => at = end,
                None => return Some(at),
            }
        }
        None
    }

    /// The end of the freeze that `at` lies in, the last one if there are several.
    fn thawed_at(&self, at: Timestamp) -> Option<Timestamp> {
        self.freezes.iter().filter(|(from, to)| (*from..*to).contains(&at)).map(|(_, to)| *to).max()
    }

    fn next_in_window(&self, at: Timestamp) -> Option<Timestamp> {
        if self.weekly.is_empty() {
            return Some(at);
        }
        self.weekly.iter().filter_map(|window| window.next(at)).min()
    }
}

impl Weekly {
    fn parse(object: &str, field: &str, spec: &WindowSpec) -> Result<Self, LifecycleError> {
        let invalid = |name: &str, reason: String| LifecycleError::invalid(object, format!("{field}.{name}"), reason);
        let start = time_of_day(&spec.start)
            .ok_or_else(|| invalid("start", format!("{:?} is not a time of day such as 22:30", spec.start)))?;
        let duration = parse_duration(object, &format!("{field}.duration"), &spec.duration)?;
        if duration.is_zero() || duration > LONGEST {
            return Err(invalid("duration", format!("{:?} is not between a moment and seven days", spec.duration)));
        }
        let zone = TimeZone::get(&spec.time_zone)
            .map_err(|_| invalid("timeZone", format!("{:?} is not a known time zone", spec.time_zone)))?;
        Ok(Self { days: spec.days.clone(), start, duration, zone })
    }

    /// `at` if the window is open then, else when it opens next.
    fn next(&self, at: Timestamp) -> Option<Timestamp> {
        let today = at.to_zoned(self.zone.clone()).date();
        // One day more than the length: clocks may have changed since it opened.
        let days_back = self.duration.as_hours() / 24 + 2;
        // A day may be missing where the date line was moved, so a week ahead is not always enough.
        let occurrences = (-days_back..=15).filter_map(|days| self.opens_on(today.checked_add(days.days()).ok()?));
        let open = |from: Timestamp| from.checked_add(self.duration).map_or(Timestamp::MAX, |to| to) > at;
        occurrences.filter(|from| open(*from)).map(|from| from.max(at)).min()
    }

    fn opens_on(&self, date: civil::Date) -> Option<Timestamp> {
        if !self.days.is_empty() && !self.days.contains(&date.weekday().into()) {
            return None;
        }
        let opening: Zoned = self.zone.to_ambiguous_zoned(date.to_datetime(self.start)).compatible().ok()?;
        Some(opening.timestamp())
    }
}

fn time_of_day(text: &str) -> Option<civil::Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<i8>().ok()).flatten()
    };
    civil::Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

#[cfg(test)]
mod tests;
