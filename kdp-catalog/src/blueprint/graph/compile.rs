//! From a definition to a graph, or to all that is wrong with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};

use super::{
    Graph, Node, Template,
    infer::Variables,
    names,
    order::order,
    resource::{self, Surroundings},
    status_schema,
    template::{Compiler, Programs, Target},
    types::{OBJECT_META, Type, complete},
};
use crate::blueprint::{
    definition::{GraphSchema, Resource, ResourceGraph},
    fault::{Fault, Faults},
    path::Path,
    simple_schema::expand_at,
};

const SCHEMA: Path<'_> = Path::Root("schema");

impl Graph {
    /// Compiles a definition; `schemas` gives the OpenAPI v3 schema of the objects of a kind, by API version
    /// and kind, and is asked once for each.
    ///
    /// # Errors
    /// Everything that is wrong with the definition.
    pub fn compile<F>(definition: &ResourceGraph, schemas: F) -> Result<Self, Faults>
    where
        F: Fn(&str, &str) -> Option<Value>,
    {
        let mut faults = Vec::new();
        check_api(&definition.schema, &mut faults);
        let (fields, types) = (SCHEMA.field("spec"), SCHEMA.field("types"));
        let spec = expand_at(&definition.schema.spec, &definition.schema.types, &fields, &types, &mut faults);
        let instance = json!({"type": "object", "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": *OBJECT_META, "spec": spec.schema,
        }});
        let kinds = kinds(&definition.resources, schemas);
        let mut shared = HashMap::from([("schema", Type::of(&instance))]);
        let mut nodes_by_id = HashMap::new();
        for (position, resource) in definition.resources.iter().enumerate() {
            let schema = kinds.get(&resource::kind_of(resource)).and_then(Option::as_ref);
            nodes_by_id.entry(resource.id.as_str()).or_insert(position);
            shared.entry(resource.id.as_str()).or_insert_with(|| resource::type_of(resource, schema));
        }
        check_ids(&definition.resources, &mut faults);

        let mut programs = Programs::default();
        let surroundings = Surroundings { shared: &shared, nodes: &nodes_by_id };
        let mut nodes = Vec::with_capacity(definition.resources.len());
        for (position, resource) in definition.resources.iter().enumerate() {
            let schema = kinds.get(&resource::kind_of(resource)).and_then(Option::as_ref);
            nodes.push(surroundings.compile(resource, position, schema, &mut programs, &mut faults));
        }
        let order = check_order(&nodes, &mut faults);
        let (status, status_schema) = status(&definition.schema.status, &surroundings, &mut programs, &mut faults);
        match order {
            Some(order) if faults.is_empty() => {
                Ok(Self { nodes, order, status, spec_schema: spec.schema, status_schema, columns: spec.columns })
            }
            _ => Err(distinct(faults)),
        }
    }
}

/// The schemas of all kinds that resources name.
fn kinds<F>(resources: &[Resource], schemas: F) -> BTreeMap<(&str, &str), Option<Value>>
where
    F: Fn(&str, &str) -> Option<Value>,
{
    let mut kinds = BTreeMap::new();
    for resource in resources {
        let (api_version, kind) = resource::kind_of(resource);
        if !api_version.is_empty() && !kind.is_empty() {
            kinds.entry((api_version, kind)).or_insert_with(|| schemas(api_version, kind).map(complete));
        }
    }
    kinds
}

fn check_api(schema: &GraphSchema, faults: &mut Vec<Fault>) {
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric());
    if !schema.kind.starts_with(|c: char| c.is_ascii_uppercase()) || !is_word(&schema.kind) {
        faults.push(Fault::new(SCHEMA.field("kind"), format!("{:?} is not in UpperCamelCase", schema.kind)));
    }
    let is_version = schema.api_version.strip_prefix('v').is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit())
            && rest.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase())
    });
    if !is_version {
        let message = format!("{:?} is no version such as v1alpha1", schema.api_version);
        faults.push(Fault::new(SCHEMA.field("apiVersion"), message));
    }
}

fn check_ids(resources: &[Resource], faults: &mut Vec<Fault>) {
    let list = Path::Root("resources");
    let mut first = HashMap::new();
    for (position, resource) in resources.iter().enumerate() {
        let item = list.index(position);
        let at = item.field("id");
        faults.extend(names::unfit(&resource.id).map(|message| Fault::new(at, message)));
        if let Some(known) = first.insert(resource.id.as_str(), position) {
            faults.push(Fault::new(at, format!("{:?} is also the id of resources[{known}]", resource.id)));
        }
    }
}

fn check_order(nodes: &[Node], faults: &mut Vec<Fault>) -> Option<super::Order> {
    let dependencies: Vec<_> = nodes.iter().map(|node| node.dependencies.clone()).collect();
    match order(&dependencies) {
        Ok(order) => Some(order),
        Err(cycle) => {
            let names: Vec<_> = cycle.iter().map(|&node| nodes[node].id.as_str()).collect();
            faults.push(Fault::new("resources", format!("resources depend on each other: {}", names.join(" -> "))));
            None
        }
    }
}

fn status(
    definition: &Value,
    surroundings: &Surroundings<'_, '_>,
    programs: &mut Programs,
    faults: &mut Vec<Fault>,
) -> (Template, Value) {
    let at = SCHEMA.field("status");
    if !matches!(definition, Value::Null | Value::Object(_)) {
        faults.push(Fault::new(at, "a status is an object of fields"));
        return (Template::Plain(Value::Null), Value::Null);
    }
    let variables = Variables::new(surroundings.shared);
    let mut compiler = Compiler { programs, variables, nodes: surroundings.nodes, used: BTreeSet::new(), faults };
    let template = match definition {
        Value::Null => Template::Plain(json!({})),
        fields => compiler.template(fields, Target::Open, &at),
    };
    let schema = status_schema::of(&template, &compiler.variables);
    (template, schema)
}

/// The same faults, each once, in the order they were found.
fn distinct(mut faults: Vec<Fault>) -> Faults {
    let mut known = HashSet::new();
    faults.retain(|fault| known.insert(fault.clone()));
    Faults(faults)
}
