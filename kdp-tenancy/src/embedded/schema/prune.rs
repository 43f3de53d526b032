//! Dropping fields a schema does not know.

use serde_json::Value;

use super::node::{Additional, Node};
use super::path::Path;
use crate::embedded::meta;

/// Whether the object at hand is a resource, whose type and metadata are not the schema's business.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The object of the request.
    Root,
    /// Anywhere below it.
    Inside,
}

/// Drops unknown fields of `value` and adds their paths to `dropped`.
///
/// `node` is `None` below a map of anything, where the shape is unknown and every field goes.
pub(super) fn prune(node: Option<&Node>, value: &mut Value, place: Place, path: Path<'_>, dropped: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let is_embedded = node.is_some_and(|node| node.embedded_resource);
            let is_resource = place == Place::Root || is_embedded;
            fields.retain(|name, value| {
                if is_resource && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                    if place == Place::Inside && name == "metadata" {
                        let prefix = path.dotted();
                        dropped.extend(meta::prune(value).into_iter().map(|field| format!("{prefix}.{field}")));
                    }
                    return true;
                }
                let Some(node) = node else {
                    dropped.push(path.field(name).dotted());
                    return false;
                };
                match (node.properties.get(name), &node.additional) {
                    (Some(shape), _) => prune(Some(shape), value, Place::Inside, path.field(name), dropped),
                    (None, Additional::Schema(shape)) => {
                        prune(Some(shape), value, Place::Inside, path.field(name), dropped);
                    }
                    (None, _) if node.preserve_unknown => {}
                    (None, Additional::Any | Additional::None) => {
                        prune(None, value, Place::Inside, path.field(name), dropped);
                    }
                    (None, Additional::Unset) => {
                        dropped.push(path.field(name).dotted());
                        return false;
                    }
                }
                true
            });
        }
        Value::Array(items) => {
            let shape = node.and_then(|node| node.items.as_deref());
            // Without a schema of its own, an item below preserved fields is preserved too.
            if shape.is_none() && node.is_some_and(|node| node.preserve_unknown) {
                return;
            }
            for (index, item) in items.iter_mut().enumerate() {
                prune(shape, item, Place::Inside, path.index(index), dropped);
            }
        }
        _ => {}
    }
}
