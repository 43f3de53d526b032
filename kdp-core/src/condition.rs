//! Conditions: what an object's controller observed, in the form people and tools read.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One observed aspect of an object.
///
/// The shape is kcp's: like `metav1.Condition`, with a severity when the status is `False`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Aspect, in CamelCase, such as `Ready`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// `Error`, `Warning` or `Info`; only when the status is `False`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub severity: String,
    /// When the status last changed, RFC 3339 with second precision.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_transition_time: String,
    /// Why, as one CamelCase word for programs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Why, as a sentence for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The `metadata.generation` this was observed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

impl Condition {
    /// A condition that holds.
    pub fn holds(type_: impl Into<String>) -> Self {
        Self { type_: type_.into(), status: "True".into(), ..Self::default() }
    }

    /// A condition that does not hold, and why.
    pub fn fails(type_: impl Into<String>, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            type_: type_.into(),
            status: "False".into(),
            severity: "Error".into(),
            reason: reason.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Whether the status is `True`.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }
}

/// Puts `condition` into `conditions`, keeping the transition time when the status is unchanged.
///
/// Returns whether anything changed, so a controller can skip the write.
pub fn set_condition(conditions: &mut Vec<Condition>, mut condition: Condition, now: Timestamp) -> bool {
    let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    match conditions.iter_mut().find(|c| c.type_ == condition.type_) {
        Some(old) => {
            condition.last_transition_time =
                if old.status == condition.status { old.last_transition_time.clone() } else { now };
            let changed = *old != condition;
            *old = condition;
            changed
        }
        None => {
            condition.last_transition_time = now;
            conditions.push(condition);
            true
        }
    }
}

/// The condition of this type, if it was ever observed.
#[must_use]
pub fn find_condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        let at = |s| Timestamp::from_second(s).unwrap();
        assert!(set_condition(&mut conditions, Condition::fails("Ready", "Waiting", "a"), at(1)));
        assert!(set_condition(&mut conditions, Condition::fails("Ready", "Waiting", "b"), at(2)));
        assert_eq!(conditions[0].last_transition_time, "1970-01-01T00:00:01Z");
        assert!(!set_condition(&mut conditions, Condition::fails("Ready", "Waiting", "b"), at(3)));
        assert!(set_condition(&mut conditions, Condition::holds("Ready"), at(4)));
        assert_eq!(find_condition(&conditions, "Ready").unwrap().last_transition_time, "1970-01-01T00:00:04Z");
    }
}
