//! The objects of one resource, rendered.

use kdp_core::cel::Environment;
use serde_json::Value;

use super::{ExternalRead, Which, identity::Identity};
use crate::blueprint::{
    fault::Fault,
    graph::{Dimension, Node, Template},
    path::Path,
};

/// How many objects one resource may make.
const MAX_OBJECTS: usize = 1000;

/// Renders all objects of a resource, in order, or tells what cannot be rendered.
pub(super) fn objects(
    node: &Node,
    template: &Template,
    among: &Environment<'_>,
    home: &str,
    at: &Path<'_>,
) -> Result<Vec<(Identity, Value)>, Fault> {
    let lists = lists(&node.for_each, among, &at.field("forEach"))?;
    let count = lists.iter().try_fold(1_usize, |count, list| count.checked_mul(list.len())).unwrap_or(usize::MAX);
    if count > MAX_OBJECTS {
        return Err(Fault::new(at, format!("it would make more than {MAX_OBJECTS} objects")));
    }
    let at = at.field("template");
    let mut objects = Vec::with_capacity(count);
    for position in 0..count {
        let object = template.render(&elements(&node.for_each, &lists, position, among), &at)?;
        let identity = identity(&object, home, &at)?;
        if objects.iter().any(|(known, _)| *known == identity) {
            return Err(Fault::new(at, format!("it makes {} twice", name_of(&object))));
        }
        objects.push((identity, object));
    }
    Ok(objects)
}

/// Renders what somebody else's objects are found by.
pub(super) fn read(
    node: &Node,
    which: &Template,
    namespace: Option<&Template>,
    among: &Environment<'_>,
    at: &Path<'_>,
) -> Result<ExternalRead, Fault> {
    let at = at.field("externalRef");
    let at = at.field("metadata");
    let namespace = namespace.map(|namespace| text(namespace, among, &at.field("namespace"))).transpose()?;
    let which = if node.is_collection() {
        let at = at.field("selector");
        let selector = which.render(among, &at)?;
        let is_selector = |fields: &serde_json::Map<String, Value>| {
            fields.keys().all(|field| field == "matchLabels" || field == "matchExpressions")
        };
        // Anything else would be a selector that finds everything.
        if !selector.as_object().is_some_and(is_selector) {
            return Err(Fault::new(at, "a selector has matchLabels or matchExpressions and nothing else"));
        }
        Which::Selected(selector)
    } else {
        Which::Named(text(which, among, &at.field("name"))?)
    };
    Ok(ExternalRead {
        id: node.id.clone(),
        api_version: node.api_version.clone(),
        kind: node.kind.clone(),
        namespace,
        which,
    })
}

/// How people find an object.
pub(super) fn name_of(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", text("/kind"), text("/metadata/name"))
}

fn text(template: &Template, among: &Environment<'_>, at: &Path<'_>) -> Result<String, Fault> {
    match template.render(among, at)? {
        Value::String(text) if !text.is_empty() => Ok(text),
        other => Err(Fault::new(at, format!("it is {other}, but a text is wanted"))),
    }
}

fn lists(dimensions: &[Dimension], among: &Environment<'_>, at: &Path<'_>) -> Result<Vec<Vec<Value>>, Fault> {
    let list = |(position, dimension): (usize, &Dimension)| {
        match dimension.list.evaluate_in(among) {
            Ok(Value::Array(items)) => Ok(items),
            Ok(other) => Err(format!("it is {other}, but a list is wanted")),
            Err(message) => Err(message),
        }
        .map_err(|message| Fault::new(at.index(position).field(&dimension.name), message))
    };
    dimensions.iter().enumerate().map(list).collect()
}

/// The variables of one combination; the last list goes round fastest.
fn elements<'p>(
    dimensions: &[Dimension],
    lists: &[Vec<Value>],
    position: usize,
    among: &'p Environment<'_>,
) -> Environment<'p> {
    let mut elements = among.inner();
    let mut rest = position;
    for (dimension, list) in dimensions.iter().zip(lists).rev() {
        elements.insert(&dimension.name, &list[rest % list.len()]);
        rest /= list.len();
    }
    elements
}

fn identity(object: &Value, home: &str, at: &Path<'_>) -> Result<Identity, Fault> {
    let identity = Identity::of_object(object, home)
        .ok_or_else(|| Fault::new(at.field("metadata").field("name"), "it must be a text and not empty"))?;
    let namespace = object.pointer("/metadata/namespace");
    if namespace.is_some_and(|namespace| !namespace.is_string()) {
        return Err(Fault::new(at.field("metadata").field("namespace"), "it must be a text"));
    }
    Ok(identity)
}
