//! Needs that wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Workload,
    placeholder::{Part, parse},
};

/// Needs that wait for each other.
pub(super) fn cycle(workload: &Workload) -> Option<Vec<String>> {
    let edges: BTreeMap<&str, BTreeSet<String>> = workload
        .resources
        .iter()
        .map(|(name, resource)| {
            let mut references = BTreeSet::new();
            references_in(&Value::Object(resource.params.clone()), &mut references);
            (name.as_str(), references)
        })
        .collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut way: Vec<&str> = Vec::new();
    edges.keys().find_map(|name| visit(name, &edges, &mut done, &mut way))
}

fn visit<'a>(
    name: &'a str,
    edges: &'a BTreeMap<&'a str, BTreeSet<String>>,
    done: &mut BTreeSet<&'a str>,
    way: &mut Vec<&'a str>,
) -> Option<Vec<String>> {
    if let Some(at) = way.iter().position(|visited| *visited == name) {
        return Some(way[at..].iter().chain([&name]).map(|name| (*name).to_owned()).collect());
    }
    if !done.insert(name) {
        return None;
    }
    way.push(name);
    let found = edges.get(name).into_iter().flatten().find_map(|next| visit(next, edges, done, way));
    way.pop();
    found
}

/// The resources whose outputs a value refers to.
fn references_in(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            for part in parse(text).unwrap_or_default() {
                if let Part::Reference(names) = part
                    && let [first, resource, _, ..] = &names[..]
                    && first == "resources"
                {
                    references.insert(resource.clone());
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references_in(item, references)),
        Value::Object(fields) => fields.values().for_each(|field| references_in(field, references)),
        _ => {}
    }
}
