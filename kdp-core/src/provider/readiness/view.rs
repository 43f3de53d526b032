//! An object as rules look at it: whatever is in it, looking never fails.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use super::Facts;

/// An object, and what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    object: &'a Value,
    facts: Facts,
}

/// What a condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Whoever looks after the object cannot tell.
    Unknown,
    /// It says something about an older generation of the object, which is nothing about this one.
    Stale,
    /// There is no such condition.
    Absent,
}

/// A condition of an object.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    condition: &'a Value,
    /// What it says.
    pub truth: Truth,
}

impl<'a> Seen<'a> {
    /// A text field of it; empty when there is none.
    #[must_use]
    pub fn text(&self, field: &str) -> &'a str {
        self.condition.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// Why, as one word for programs; empty when it does not say.
    #[must_use]
    pub fn reason(&self) -> &'a str {
        self.text("reason")
    }

    /// Since when it says so.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.text("lastTransitionTime").parse().ok()
    }
}

/// For people: its type, its reason and its message, as far as it has them.
impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let type_ = self.text("type");
        match self.truth {
            Truth::Stale => return write!(f, "{type_} is about an older generation"),
            Truth::True => f.write_str(type_)?,
            Truth::False => write!(f, "not {type_}")?,
            Truth::Unknown | Truth::Absent => write!(f, "{type_} is unknown")?,
        }
        for part in [self.reason(), self.text("message")].into_iter().filter(|part| !part.is_empty()) {
            write!(f, ": {part}")?;
        }
        Ok(())
    }
}

impl<'a> View<'a> {
    /// The object with what is known about it.
    #[must_use]
    pub fn new(object: &'a Value, facts: Facts) -> Self {
        Self { object, facts }
    }

    /// The whole object.
    #[must_use]
    pub fn object(&self) -> &'a Value {
        self.object
    }

    /// What is known about it.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The API group; empty for core kinds.
    #[must_use]
    pub fn group(&self) -> &'a str {
        self.text("/apiVersion").split_once('/').map_or("", |(group, _)| group)
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &'a str {
        self.text("/kind")
    }

    /// What is at a JSON pointer.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&'a Value> {
        self.object.pointer(pointer).filter(|value| !value.is_null())
    }

    /// The text at a JSON pointer; empty when there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &'a str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The whole number at a JSON pointer.
    #[must_use]
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.at(pointer).and_then(Value::as_i64)
    }

    /// Whether `true` is at a JSON pointer.
    #[must_use]
    pub fn is_set(&self, pointer: &str) -> bool {
        self.at(pointer) == Some(&Value::Bool(true))
    }

    /// Whether a list or object with something in it is at a JSON pointer.
    #[must_use]
    pub fn is_filled(&self, pointer: &str) -> bool {
        match self.at(pointer) {
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(fields)) => !fields.is_empty(),
            _ => false,
        }
    }

    /// An annotation; empty when there is none.
    #[must_use]
    pub fn annotation(&self, name: &str) -> &'a str {
        self.at("/metadata/annotations").and_then(|all| all.get(name)).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it is being deleted.
    #[must_use]
    pub fn is_being_deleted(&self) -> bool {
        self.at("/metadata/deletionTimestamp").is_some()
    }

    /// Whether a status with anything in it was ever written.
    #[must_use]
    pub fn has_status(&self) -> bool {
        self.is_filled("/status")
    }

    /// The generation that the status as a whole is about, where it says so. Some write it as text.
    ///
    /// # Errors
    /// What it says instead of a number.
    pub fn observed_generation(&self) -> Result<Option<i64>, &'a Value> {
        let Some(observed) = self.at("/status/observedGeneration") else { return Ok(None) };
        let number = observed.as_i64().or_else(|| observed.as_str()?.parse().ok());
        number.map(Some).ok_or(observed)
    }

    /// Whether the status says that it is about the current generation.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        matches!((self.observed_generation(), self.generation()), (Ok(Some(seen)), Some(now)) if seen == now)
    }

    pub(super) fn generation(&self) -> Option<i64> {
        self.number("/metadata/generation")
    }

    /// All conditions.
    pub fn conditions(&self) -> impl Iterator<Item = Seen<'a>> + use<'a> {
        let conditions = self.at("/status/conditions").and_then(Value::as_array).map(Vec::as_slice);
        let view = *self;
        conditions.unwrap_or_default().iter().map(move |condition| Seen { condition, truth: view.truth_of(condition) })
    }

    /// The condition of this type; [`Truth::Absent`] when there is none.
    #[must_use]
    pub fn condition(&self, type_: &str) -> Seen<'a> {
        let absent = Seen { condition: &Value::Null, truth: Truth::Absent };
        self.conditions().find(|condition| condition.text("type") == type_).unwrap_or(absent)
    }

    /// What the condition of this type says.
    #[must_use]
    pub fn truth(&self, type_: &str) -> Truth {
        self.condition(type_).truth
    }

    /// How long it has existed; nothing when it does not say.
    pub(super) fn is_older_than_grace(&self) -> bool {
        let created: Option<Timestamp> = self.text("/metadata/creationTimestamp").parse().ok();
        created.is_some_and(|created| self.is_past(created, self.facts.grace))
    }

    /// Whether more than `limit` has passed since then.
    pub(super) fn is_past(&self, since: Timestamp, limit: std::time::Duration) -> bool {
        let passed: Result<std::time::Duration, _> = self.facts.now.duration_since(since).try_into();
        passed.is_ok_and(|passed| passed > limit)
    }

    fn truth_of(&self, condition: &Value) -> Truth {
        let observed = condition.get("observedGeneration").and_then(Value::as_i64);
        // Without a generation in the condition, the one of the whole status was compared already.
        if let (Some(seen), Some(now)) = (observed, self.generation())
            && seen != now
        {
            return Truth::Stale;
        }
        match condition.get("status") {
            Some(Value::String(status)) if status == "True" => Truth::True,
            Some(Value::String(status)) if status == "False" => Truth::False,
            _ => Truth::Unknown,
        }
    }
}
