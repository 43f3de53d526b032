//! Which fields of an object are different.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::FieldChange;
use crate::{object, wire};

/// What API servers write themselves, which says nothing.
const SERVER_WRITTEN: [&str; 6] =
    ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// The fields that are different, by their paths. An empty object or list counts as a field.
pub(crate) fn changes(before: Option<&Value>, after: Option<&Value>) -> Vec<FieldChange> {
    let is_secret = [before, after].into_iter().flatten().any(is_secret);
    let leaves = |object: Option<&Value>| {
        let mut leaves = BTreeMap::new();
        if let Some(object) = object {
            collect(&mut leaves, &mut Vec::new(), object);
        }
        leaves
    };
    let (mut before, mut after) = (leaves(before), leaves(after));
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    let mut changes = Vec::new();
    for path in paths {
        let (before, after) = (before.remove(&path), after.remove(&path));
        if before == after || is_server_written(&path) {
            continue;
        }
        let shown = |value: Option<Value>| match value {
            Some(value) if is_secret && !is_harmless(&path) => Some(redacted(&value)),
            value => value,
        };
        changes.push(FieldChange { path: text(&path), before: shown(before), after: shown(after) });
    }
    changes
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    At(usize),
}

fn collect(leaves: &mut BTreeMap<Vec<Step>, Value>, path: &mut Vec<Step>, value: &Value) {
    let children: Vec<(Step, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (Step::Key(key.clone()), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (Step::At(at), value)).collect(),
        _ => Vec::new(),
    };
    if children.is_empty() {
        leaves.insert(path.clone(), value.clone());
        return;
    }
    for (step, child) in children {
        path.push(step);
        collect(leaves, path, child);
        path.pop();
    }
}

fn key(path: &[Step], at: usize) -> Option<&str> {
    match path.get(at) {
        Some(Step::Key(key)) => Some(key),
        _ => None,
    }
}

fn is_server_written(path: &[Step]) -> bool {
    match key(path, 0) {
        Some("metadata") => path.len() == 1 || key(path, 1).is_some_and(|field| SERVER_WRITTEN.contains(&field)),
        Some("apiVersion" | "kind") => true,
        _ => false,
    }
}

fn is_secret(object: &Value) -> bool {
    object["apiVersion"] == "v1" && object["kind"] == "Secret"
}

/// Whether a field of a Secret can hold nothing that is secret: what names it, and what agents write.
fn is_harmless(path: &[Step]) -> bool {
    match (key(path, 0), key(path, 1)) {
        (Some("type"), None) => true,
        (Some("metadata"), Some("annotations")) => key(path, 2).is_some_and(|key| key.starts_with(wire::SYNC_PREFIX)),
        (Some("metadata"), Some(_)) => true,
        _ => false,
    }
}

/// A value of which only the size is told: a digest of a short secret could be guessed.
fn redacted(value: &Value) -> Value {
    let length = value.as_str().map_or_else(|| value.to_string().len(), str::len);
    json!(format!("({length} characters)"))
}

fn text(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::At(at) => text += &format!("[{at}]"),
            Step::Key(key) if key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') => {
                if !text.is_empty() {
                    text.push('.');
                }
                text += key;
            }
            Step::Key(key) => text += &format!("[{}]", Value::from(key.as_str())),
        }
    }
    text
}

/// Whether an object is on its way out.
pub(super) fn is_gone(object: Option<&Value>) -> bool {
    object.is_none_or(object::is_deleting)
}
