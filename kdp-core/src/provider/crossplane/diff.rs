//! How two objects differ, value by value.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::provider::{Shown, ValueChange};

/// The values that differ below `root`, in the order of their paths; sensitive ones without what they are.
///
/// Paths in `sensitive` are relative to `root`.
pub(super) fn diff(root: &str, before: &Value, after: &Value, sensitive: &BTreeSet<Vec<String>>) -> Vec<ValueChange> {
    let mut changes = Vec::new();
    Differ { root, sensitive, changes: &mut changes }.compare(&mut Vec::new(), Some(before), Some(after));
    changes
}

struct Differ<'a> {
    root: &'a str,
    sensitive: &'a BTreeSet<Vec<String>>,
    changes: &'a mut Vec<ValueChange>,
}

impl Differ<'_> {
    fn compare(&mut self, path: &mut Vec<String>, before: Option<&Value>, after: Option<&Value>) {
        if before == after {
            return;
        }
        if self.is_sensitive(path) {
            self.changes.push(ValueChange::sensitive(self.name(path)));
            return;
        }
        let (one, two) = (Parts::of(before), Parts::of(after));
        if one.is_none() && two.is_none() {
            let shown = |value: Option<&Value>| value.cloned().map_or(Shown::Absent, Shown::Value);
            self.changes.push(ValueChange::plain(self.name(path), shown(before), shown(after)));
            return;
        }
        // What becomes an object, or is one no longer, differs in all of its parts.
        let keys = |parts: &Option<Parts<'_>>| parts.as_ref().map(Parts::keys).unwrap_or_default();
        let is_leaf = |parts: &Option<Parts<'_>>, value: Option<&Value>| parts.is_none() && value.is_some();
        let all: BTreeSet<Key> = keys(&one).into_iter().chain(keys(&two)).collect();
        if all.is_empty() || is_leaf(&one, before) || is_leaf(&two, after) {
            let shown = |parts: &Option<Parts<'_>>, value: Option<&Value>| match (parts, value) {
                (Some(parts), Some(value)) if parts.keys().is_empty() => Shown::Value(value.clone()),
                (None, Some(value)) => Shown::Value(value.clone()),
                _ => Shown::Absent,
            };
            self.changes.push(ValueChange::plain(self.name(path), shown(&one, before), shown(&two, after)));
        }
        for key in all {
            let (before, after) = (one.as_ref().and_then(|p| p.get(&key)), two.as_ref().and_then(|p| p.get(&key)));
            path.push(match &key {
                Key::Index(index) => index.to_string(),
                Key::Name(name) => name.clone(),
            });
            self.compare(path, before, after);
            path.pop();
        }
    }

    fn is_sensitive(&self, path: &[String]) -> bool {
        let matches = |pattern: &Vec<String>| {
            pattern.len() == path.len() && pattern.iter().zip(path).all(|(one, two)| one == "*" || one == two)
        };
        self.sensitive.iter().any(matches)
    }

    fn name(&self, path: &[String]) -> String {
        std::iter::once(self.root).chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(".")
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Index(usize),
    Name(String),
}

/// The parts of an object or a list.
enum Parts<'a> {
    List(&'a [Value]),
    Object(&'a serde_json::Map<String, Value>),
}

impl<'a> Parts<'a> {
    fn of(value: Option<&'a Value>) -> Option<Self> {
        match value? {
            Value::Array(items) => Some(Self::List(items)),
            Value::Object(fields) => Some(Self::Object(fields)),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<Key> {
        match self {
            Self::List(items) => (0..items.len()).map(Key::Index).collect(),
            Self::Object(fields) => fields.keys().cloned().map(Key::Name).collect(),
        }
    }

    fn get(&self, key: &Key) -> Option<&'a Value> {
        match (self, key) {
            (Self::List(items), Key::Index(index)) => items.get(*index),
            (Self::Object(fields), Key::Name(name)) => fields.get(name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
