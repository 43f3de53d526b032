//! How long an instance lives: times to live, expiry dates and leases.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{LifecycleError, parse_duration};

/// Annotation with the length of a life, such as `72h` or `30d`.
pub const TTL_ANNOTATION: &str = "catalog.kdp.k8c.io/ttl";
/// Annotation with the end of a life, in RFC 3339.
pub const EXPIRES_ANNOTATION: &str = "catalog.kdp.k8c.io/expires";
/// Annotation with how long a lease lasts after it was renewed.
pub const LEASE_ANNOTATION: &str = "catalog.kdp.k8c.io/lease";
/// Annotation with when the lease was last renewed, in RFC 3339.
pub const RENEWED_ANNOTATION: &str = "catalog.kdp.k8c.io/lease-renewed";
/// Annotation that is `true` on what must not end by itself.
pub const PROTECTED_ANNOTATION: &str = "catalog.kdp.k8c.io/protected";
/// Annotation with how long before its end an instance is warned about.
pub const WARN_BEFORE_ANNOTATION: &str = "catalog.kdp.k8c.io/warn-before";

/// How long before the end people are warned if nothing else is said.
const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(24);

/// How long something lives, as it is written in an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LifetimeSpec {
    /// So long from when it was made, such as `72h` or `30d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// So long from when the lease was last renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
    /// When the lease was last renewed; when the object was made, if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewed: Option<Timestamp>,
    /// It does not end by itself, whatever else is said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// How long before the end people are warned; a day, or a tenth of a shorter life, if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn_before: Option<String>,
}

impl LifetimeSpec {
    /// What the annotations of `object` say.
    ///
    /// # Errors
    /// `Invalid` for a date that is not one and a protection that is neither `true` nor `false`.
    pub fn of_annotations(object: &str, annotations: &BTreeMap<String, String>) -> Result<Self, LifecycleError> {
        let text = |name: &str| annotations.get(name).cloned();
        let time = |name: &str| {
            let parse = |text: &String| {
                text.trim().parse::<Timestamp>().map_err(|_| {
                    let reason = format!("{text:?} is not a time such as 2026-12-31T18:00:00Z");
                    LifecycleError::invalid(object, field(name), reason)
                })
            };
            annotations.get(name).map(parse).transpose()
        };
        let protected = match annotations.get(PROTECTED_ANNOTATION).map(String::as_str) {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                let reason = format!("{other:?} is neither true nor false");
                return Err(LifecycleError::invalid(object, field(PROTECTED_ANNOTATION), reason));
            }
        };
        Ok(Self {
            ttl: text(TTL_ANNOTATION),
            expires: time(EXPIRES_ANNOTATION)?,
            lease: text(LEASE_ANNOTATION),
            renewed: time(RENEWED_ANNOTATION)?,
            protected,
            warn_before: text(WARN_BEFORE_ANNOTATION),
        })
    }
}

fn field(annotation: &str) -> String {
    format!("metadata.annotations[{annotation}]")
}

/// Why something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum EndReason {
    /// Its time to live is over.
    TimeToLive,
    /// Its date has come.
    Expired,
    /// Nobody has renewed its lease.
    LeaseLapsed,
}

/// How long something lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetime {
    end: Option<(Timestamp, EndReason)>,
    warn_at: Option<Timestamp>,
    protected: bool,
}

/// What is to be done with something that may have an end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It lives on.
    Keep {
        /// Until then, if it has an end.
        until: Option<Timestamp>,
        /// What people should be told now.
        warn: Option<String>,
        /// When to ask again.
        next_look: Option<Timestamp>,
    },
    /// It is over.
    Expire {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: EndReason,
    },
    /// It would be over, or will be, but it is protected.
    Held {
        /// When its time is or was over.
        due: Timestamp,
        /// Why.
        reason: EndReason,
    },
}

impl Lifetime {
    /// Reads what stands in `spec` of `object`, which was made at `created`; of several ends the
    /// first one counts.
    ///
    /// `place` leads to the fields, such as `spec.lifetime`. What cannot be understood is an error
    /// and never an end.
    ///
    /// # Errors
    /// `Invalid` for a length of time that is not one, a life of no length, and a renewal without a lease.
    pub fn parse(object: &str, place: &str, spec: &LifetimeSpec, created: Timestamp) -> Result<Self, LifecycleError> {
        let fields = ["ttl", "lease", "renewed", "warnBefore"];
        Self::read(object, fields.map(|name| format!("{place}.{name}")), spec, created)
    }

    /// Reads the annotations of `object`, which was made at `created`.
    ///
    /// # Errors
    /// As [`LifetimeSpec::of_annotations`] and [`Self::parse`].
    pub fn of_annotations(
        object: &str,
        annotations: &BTreeMap<String, String>,
        created: Timestamp,
    ) -> Result<Self, LifecycleError> {
        let spec = LifetimeSpec::of_annotations(object, annotations)?;
        let names = [TTL_ANNOTATION, LEASE_ANNOTATION, RENEWED_ANNOTATION, WARN_BEFORE_ANNOTATION];
        Self::read(object, names.map(field), &spec, created)
    }

    fn read(
        object: &str,
        [ttl, lease, renewed, warn_before]: [String; 4],
        spec: &LifetimeSpec,
        created: Timestamp,
    ) -> Result<Self, LifecycleError> {
        let length = |field: &str, text: &Option<String>| {
            text.as_ref().map(|text| parse_duration(object, field, text)).transpose()
        };
        let positive = |field: &str, text: &Option<String>| match length(field, text)? {
            Some(length) if length.is_zero() => Err(LifecycleError::invalid(object, field, "is zero")),
            length => Ok(length),
        };
        let warn_before = length(&warn_before, &spec.warn_before)?;
        let ttl = positive(&ttl, &spec.ttl)?;
        let lease = positive(&lease, &spec.lease)?;
        if spec.renewed.is_some() && lease.is_none() {
            return Err(LifecycleError::invalid(object, renewed, "is there, but no lease"));
        }
        // A renewal from before it was made is one of an object that had the same name.
        let renewed = spec.renewed.unwrap_or(created).max(created);
        let later = |from: Timestamp, length| from.checked_add(length).unwrap_or(Timestamp::MAX);
        let ends = [
            spec.expires.map(|at| (at, EndReason::Expired)),
            ttl.map(|length| (later(created, length), EndReason::TimeToLive)),
            lease.map(|length| (later(renewed, length), EndReason::LeaseLapsed)),
        ];
        let end = ends.into_iter().flatten().min_by_key(|(at, _)| *at);
        let warn_at = end.map(|(at, reason)| {
            let begin = if reason == EndReason::LeaseLapsed { renewed } else { created };
            let before = warn_before.unwrap_or_else(|| WARN_BEFORE.min(at.duration_since(begin) / 10));
            at.checked_sub(before).unwrap_or(Timestamp::MIN)
        });
        Ok(Self { end, warn_at, protected: spec.protected })
    }

    /// What is to be done at `now`.
    #[must_use]
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        let Some((due, reason)) = self.end else {
            return Verdict::Keep { until: None, warn: None, next_look: None };
        };
        if self.protected {
            return Verdict::Held { due, reason };
        }
        if due <= now {
            return Verdict::Expire { since: due, reason };
        }
        let warn_at = self.warn_at.unwrap_or(due);
        if warn_at > now {
            return Verdict::Keep { until: Some(due), warn: None, next_look: Some(warn_at) };
        }
        let what = match reason {
            EndReason::TimeToLive => "its time to live is over then",
            EndReason::Expired => "that is its expiry date",
            EndReason::LeaseLapsed => "its lease lapses then unless it is renewed",
        };
        let warn = Some(format!("will be deleted at {due}: {what}"));
        Verdict::Keep { until: Some(due), warn, next_look: Some(due) }
    }
}

#[cfg(test)]
mod tests;
