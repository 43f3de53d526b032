//! A definition, compiled: everything about it that does not depend on an instance.
//!
//! [`Graph::compile`] finds the CEL in all templates, infers from it which resource needs which, and checks
//! it against the schemas of the kinds. A definition with faults gives all of them and no graph.
//!
//! ```
//! use kdp_catalog::blueprint::{Graph, ResourceGraph};
//! use serde_json::json;
//!
//! let definition: ResourceGraph = serde_json::from_value(json!({
//!     "schema": {"apiVersion": "v1alpha1", "kind": "Note", "spec": {"text": "string"}},
//!     "resources": [
//!         {"id": "copy", "template": {
//!             "apiVersion": "v1", "kind": "ConfigMap",
//!             "metadata": {"name": "${original.metadata.name}-copy"},
//!             "data": "${original.data}",
//!         }},
//!         {"id": "original", "template": {
//!             "apiVersion": "v1", "kind": "ConfigMap",
//!             "metadata": {"name": "${schema.metadata.name}"},
//!             "data": {"text": "${schema.spec.text}"},
//!         }},
//!     ],
//! }))?;
//! let config_map = json!({"type": "object", "properties": {
//!     "data": {"type": "object", "additionalProperties": {"type": "string"}},
//! }});
//!
//! let graph = Graph::compile(&definition, |_api_version, kind| (kind == "ConfigMap").then(|| config_map.clone()))?;
//! assert_eq!(graph.order().collect::<Vec<_>>(), ["original", "copy"]);
//! assert_eq!(graph.dependencies("copy").collect::<Vec<_>>(), ["original"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compile;
mod infer;
mod names;
mod order;
mod resource;
mod status_schema;
mod template;
mod text;
mod types;

use kdp_core::cel::Expression;
use serde_json::{Value, json};

use self::order::Order;
pub(super) use self::template::Template;
use super::simple_schema::MarkedColumn;

/// A compiled definition.
#[derive(Clone, Debug)]
pub struct Graph {
    pub(super) nodes: Vec<Node>,
    order: Order,
    /// `schema.status`.
    pub(super) status: Template,
    spec_schema: Value,
    status_schema: Value,
    columns: Vec<MarkedColumn>,
}

/// One resource.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) source: Source,
    pub(super) for_each: Vec<Dimension>,
    pub(super) include_when: Vec<Condition>,
    pub(super) ready_when: Vec<Condition>,
    /// Nodes whose values it uses, by position, ascending.
    pub(super) dependencies: Vec<usize>,
}

impl Node {
    /// Whether CEL sees a list of objects.
    pub(super) fn is_collection(&self) -> bool {
        !self.for_each.is_empty() || matches!(self.source, Source::Selected { .. })
    }
}

/// Where the objects of a resource come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// They are made.
    Made(Template),
    /// One of somebody else's.
    Named { name: Template, namespace: Option<Template> },
    /// All of somebody else's that have some labels.
    Selected { selector: Template, namespace: Option<Template> },
}

/// A list whose elements each make an object.
#[derive(Clone, Debug)]
pub(super) struct Dimension {
    pub(super) name: String,
    pub(super) list: Expression,
}

/// What must hold.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) expression: Expression,
    pub(super) text: String,
    /// Nodes whose values it uses, by position.
    pub(super) uses: Vec<usize>,
}

impl Graph {
    /// The ids of the resources, each after those it depends on, and otherwise as they are listed.
    pub fn order(&self) -> impl Iterator<Item = &str> {
        self.order.sequence.iter().map(|&node| self.nodes[node].id.as_str())
    }

    /// What a resource depends on directly, in the order of the list.
    pub fn dependencies(&self, id: &str) -> impl Iterator<Item = &str> {
        let node = self.nodes.iter().find(|node| node.id == id);
        node.into_iter().flat_map(|node| &node.dependencies).map(|&on| self.nodes[on].id.as_str())
    }

    /// How many resources are on the longest way down from one, which is when it is made; deletion goes backwards.
    #[must_use]
    pub fn wave(&self, id: &str) -> Option<u32> {
        self.nodes.iter().position(|node| node.id == id).map(|node| self.order.waves[node])
    }

    /// Whether a resource is made, and not somebody else's; none when there is no such resource.
    #[must_use]
    pub fn is_made(&self, id: &str) -> Option<bool> {
        self.nodes.iter().find(|node| node.id == id).map(|node| matches!(node.source, Source::Made(_)))
    }

    /// The OpenAPI v3 schema of the instances, for a CustomResourceDefinition.
    ///
    /// Types of the status are inferred from its CEL; where that tells nothing, anything is kept.
    #[must_use]
    pub fn instance_schema(&self) -> Value {
        let mut schema =
            json!({"type": "object", "properties": {"spec": self.spec_schema, "status": self.status_schema}});
        if self.spec_schema.get("required").is_some() {
            schema["required"] = json!(["spec"]);
        }
        schema
    }

    /// The fields of the spec that are marked to be columns, with paths from the root of an instance.
    pub fn columns(&self) -> impl Iterator<Item = MarkedColumn> {
        self.columns
            .iter()
            .map(|column| MarkedColumn { json_path: format!(".spec{}", column.json_path), ..column.clone() })
    }

    /// Nodes by position, in order.
    pub(super) fn sequence(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.order.sequence.iter().map(|&node| (node, &self.nodes[node]))
    }

    pub(super) fn wave_of(&self, node: usize) -> u32 {
        self.order.waves[node]
    }
}

#[cfg(test)]
mod tests;
