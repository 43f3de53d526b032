//! Who had what for how long: the numbers that bills and reports are made of.

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::LifecycleError;

/// What one instance had from `start` until just before `end`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageRecord {
    /// The workspace that ordered it.
    pub workspace: String,
    /// The service.
    pub service: String,
    /// Uid of the instance.
    pub instance_uid: String,
    /// From when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
    /// The plan it had, such as `small`.
    pub plan: String,
    /// How much at any moment; not multiplied by the time.
    pub quantity: u64,
    /// Of what, such as `instance`, `core` or `GiB`.
    pub unit: String,
}

/// Receives usage, for bills or reports.
#[async_trait]
pub trait UsageMeter: Send + Sync {
    /// Takes records over, all or none.
    ///
    /// The same record (instance, start and unit) may come again, after a crash or with a later end,
    /// and replaces the earlier one. The call may be dropped; the caller then records again.
    ///
    /// # Errors
    /// `Unavailable` when trying again can help.
    async fn record(&self, records: &[UsageRecord]) -> Result<(), kdp_core::Error>;
}

/// Whose usage it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSubject {
    /// The workspace that ordered the instance.
    pub workspace: String,
    /// The service.
    pub service: String,
    /// Uid of the instance.
    pub instance_uid: String,
}

/// What an instance has from some moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    /// From when. Of several changes at the same moment the last one of the list counts.
    pub at: Timestamp,
    /// The plan, such as `small`.
    pub plan: String,
    /// How much it has at any moment.
    pub quantity: u64,
    /// Of what.
    pub unit: String,
}

/// The usage of one instance in the period from `from` until just before `to`.
///
/// Records touch one another and never overlap: each moment of the instance's life in the period is
/// in exactly one. Its life begins with the first change and ends at `deleted`; later changes do not
/// count. What was the same before and after a change is one record. Periods that touch give records
/// that touch, so a life may be billed in as many parts as one likes.
///
/// # Errors
/// `Invalid` when the period ends before it begins.
pub fn usage(
    subject: &UsageSubject,
    changes: &[PlanChange],
    deleted: Option<Timestamp>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<UsageRecord>, LifecycleError> {
    if to < from {
        let object = format!("usage of {}", subject.instance_uid);
        return Err(LifecycleError::invalid(&object, "to", format!("{to} is before {from}")));
    }
    let end_of_life = deleted.map_or(to, |deleted| deleted.min(to));
    let mut changes: Vec<&PlanChange> = changes.iter().collect();
    changes.sort_by_key(|change| change.at);
    let ends = changes.iter().skip(1).map(|next| next.at).chain([end_of_life]);
    let mut records: Vec<UsageRecord> = Vec::new();
    for (change, next) in changes.iter().zip(ends) {
        let (start, end) = (change.at.max(from), next.min(end_of_life));
        if start >= end {
            continue;
        }
        match records.last_mut() {
            Some(last) if (&last.plan, last.quantity, &last.unit) == (&change.plan, change.quantity, &change.unit) => {
                last.end = end;
            }
            _ => records.push(UsageRecord {
                workspace: subject.workspace.clone(),
                service: subject.service.clone(),
                instance_uid: subject.instance_uid.clone(),
                start,
                end,
                plan: change.plan.clone(),
                quantity: change.quantity,
                unit: change.unit.clone(),
            }),
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests;
