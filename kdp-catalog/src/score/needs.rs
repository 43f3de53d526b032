//! What a workload needs, as orders, and what it is given of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Container, Resource, ScoreFault, ScoreFaults, Workload,
    placeholder::{Part, parse},
};
use crate::{
    GroupKind,
    resolution::{
        CLASS, ENVIRONMENT, EnvironmentFacts, OFFERING, OrderFacts, PLAN, Request, Selection, Shelf, Usage,
        WorkspaceFacts,
    },
};

/// Label of orders: the workload that needs it.
pub const WORKLOAD: &str = "score.dev/workload";
/// Label of orders that several workloads need: their id.
const SHARED: &str = "score.dev/shared";

/// Where a workload is to run.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// All offerings.
    pub shelf: &'a Shelf,
    /// The workspace it is in.
    pub workspace: &'a WorkspaceFacts,
    /// The environment it is for; none when there is none.
    pub environment: Option<&'a EnvironmentFacts>,
    /// Namespace of the orders.
    pub namespace: &'a str,
    /// Kinds that can be ordered in the workspace, with their `apiVersion`.
    pub kinds: &'a BTreeMap<GroupKind, String>,
    /// When it is asked.
    pub now: Timestamp,
}

/// What is known of the outputs of orders, by the names of the orders.
pub type Outputs = BTreeMap<String, KnownOutputs>;
/// The outputs of an order that is ready, by their names.
pub type KnownOutputs = BTreeMap<String, Known>;

/// An output of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Known {
    /// This text.
    Plain(String),
    /// What a Secret has under a key.
    Secret {
        /// Name of the Secret.
        name: String,
        /// The key.
        key: String,
    },
}

/// All orders of a workload and what its containers get.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkloadPlan {
    /// What it needs, in order of the names.
    pub needs: BTreeMap<String, Need>,
    /// The environment variables of each container, as of Kubernetes; none while it waits.
    pub containers: BTreeMap<String, Option<Vec<EnvVar>>>,
}

/// Something that is needed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Need {
    /// Name of the order.
    pub order: String,
    /// Kind of the order.
    pub kind: GroupKind,
    /// The order as a manifest; none while it waits for what others give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Value>,
    /// The needs it waits for.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub waits_for: BTreeSet<String>,
    /// Other workloads need it as well.
    pub shared: bool,
}

/// An environment variable of a container, as of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value, in which `$(NAME)` stands for a variable before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<Value>,
}

impl WorkloadPlan {
    /// What is to be ordered now for a workload, and what its containers get of what is there.
    ///
    /// A need whose parameters refer to outputs of another one waits for that one. Sensitive outputs are never part
    /// of a value: containers get them from their Secrets.
    ///
    /// # Errors
    /// All that is wrong: types that nothing is offered for, references to nothing, needs that wait for each other.
    pub fn new(workload: &Workload, setting: &Setting<'_>, outputs: &Outputs) -> Result<Self, ScoreFaults> {
        let mut faults = Vec::new();
        let mut needs = BTreeMap::new();
        let names: BTreeMap<_, _> = workload
            .resources
            .iter()
            .map(|(name, resource)| (name.as_str(), order_name(workload, name, resource)))
            .collect();
        let scope = Scope { workload, orders: &names, outputs };
        for (name, resource) in &workload.resources {
            let path = format!("/resources/{}", escaped(name));
            let mut waits_for = BTreeSet::new();
            let params = scope.render(
                &Value::Object(resource.params.clone()),
                &format!("{path}/params"),
                &mut waits_for,
                &mut faults,
            );
            let Some(params) = params else { continue };
            match order(workload, name, resource, &names[name.as_str()], params, setting) {
                Ok((kind, manifest)) => {
                    let manifest = waits_for.is_empty().then_some(manifest);
                    let shared = resource.id.is_some();
                    let order = names[name.as_str()].clone();
                    needs.insert(name.clone(), Need { order, kind, manifest, waits_for, shared });
                }
                Err(message) => faults.push(ScoreFault::new(path, message)),
            }
        }
        if let Some(cycle) = cycle(workload) {
            faults.push(ScoreFault::new("/resources", format!("they wait for each other: {}", cycle.join(" → "))));
        }
        let mut containers = BTreeMap::new();
        for (name, container) in &workload.containers {
            containers.insert(name.clone(), scope.variables(name, container, &mut faults));
        }
        if faults.is_empty() { Ok(Self { needs, containers }) } else { Err(ScoreFaults(faults)) }
    }

    /// Whether everything that is needed is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.needs.values().all(|need| need.manifest.is_some()) && self.containers.values().all(Option::is_some)
    }
}

/// What placeholders can refer to.
struct Scope<'a> {
    workload: &'a Workload,
    orders: &'a BTreeMap<&'a str, String>,
    outputs: &'a Outputs,
}

/// What a placeholder stands for.
enum Found<'a> {
    Text(String),
    /// What a Secret has, as this output of this resource.
    Secret {
        resource: &'a str,
        output: String,
        name: &'a str,
        key: &'a str,
    },
    /// It is not known before this need is there.
    Later(&'a str),
}

impl<'a> Scope<'a> {
    fn find(&self, reference: &'a [String]) -> Result<Found<'a>, String> {
        let said = || reference.join(".");
        let names: Vec<_> = reference.iter().map(String::as_str).collect();
        match names[..] {
            ["metadata", "name"] => Ok(Found::Text(self.workload.metadata.name.clone())),
            ["metadata", "annotations", name] => {
                let annotations = &self.workload.metadata.annotations;
                annotations.get(name).cloned().map(Found::Text).ok_or_else(|| format!("there is no {}", said()))
            }
            ["metadata", name] => match self.workload.metadata.others.get(name) {
                Some(Value::String(text)) => Ok(Found::Text(text.clone())),
                _ => Err(format!("there is no text {}", said())),
            },
            ["resources", name, ref outputs @ ..] => {
                let Some(order) = self.orders.get(name) else {
                    let known: Vec<_> = self.orders.keys().copied().collect();
                    return Err(format!("there is no resource {name}, only {}", known.join(", ")));
                };
                if outputs.is_empty() {
                    return Ok(Found::Text(order.clone()));
                }
                let output = outputs.join(".");
                match self.outputs.get(order) {
                    None => Ok(Found::Later(&reference[1])),
                    Some(known) => match known.get(&output) {
                        Some(Known::Plain(text)) => Ok(Found::Text(text.clone())),
                        Some(Known::Secret { name, key }) => {
                            Ok(Found::Secret { resource: &reference[1], output, name, key })
                        }
                        None => {
                            let known: Vec<_> = known.keys().map(String::as_str).collect();
                            Err(format!("{name} has no output {output}, only {}", known.join(", ")))
                        }
                    },
                }
            }
            _ => Err(format!("${{{}}} refers to nothing; there is metadata and resources", said())),
        }
    }

    /// Parameters with all placeholders replaced; nothing after a fault.
    fn render(
        &self,
        value: &Value,
        path: &str,
        waits_for: &mut BTreeSet<String>,
        faults: &mut Vec<ScoreFault>,
    ) -> Option<Value> {
        match value {
            Value::String(text) => {
                let parts = parse(text).map_err(|message| faults.push(ScoreFault::new(path, message))).ok()?;
                let mut rendered = String::new();
                for part in &parts {
                    let found = match part {
                        Part::Text(text) => {
                            rendered.push_str(text);
                            continue;
                        }
                        Part::Reference(reference) => self.find(reference),
                    };
                    match found {
                        Ok(Found::Text(text)) => rendered.push_str(&text),
                        Ok(Found::Later(name)) => drop(waits_for.insert(name.to_owned())),
                        Ok(Found::Secret { resource, .. }) => {
                            let message = format!("the output of {resource} is secret, and parameters are not");
                            faults.push(ScoreFault::new(path, message));
                            return None;
                        }
                        Err(message) => {
                            faults.push(ScoreFault::new(path, message));
                            return None;
                        }
                    }
                }
                Some(Value::String(rendered))
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(i, item)| self.render(item, &format!("{path}/{i}"), waits_for, faults));
                items.collect::<Option<Vec<_>>>().map(Value::Array)
            }
            Value::Object(fields) => {
                let mut rendered = Map::new();
                for (name, field) in fields {
                    let field = self.render(field, &format!("{path}/{}", escaped(name)), waits_for, faults)?;
                    rendered.insert(name.clone(), field);
                }
                Some(Value::Object(rendered))
            }
            other => Some(other.clone()),
        }
    }

    /// The environment variables of a container; nothing while one waits, or after a fault.
    fn variables(&self, name: &str, container: &Container, faults: &mut Vec<ScoreFault>) -> Option<Vec<EnvVar>> {
        let mut secrets: BTreeMap<String, EnvVar> = BTreeMap::new();
        let mut variables = Vec::new();
        let mut is_known = true;
        for (variable, text) in &container.variables {
            let path = format!("/containers/{}/variables/{}", escaped(name), escaped(variable));
            let mut fault = |message: String| faults.push(ScoreFault::new(path.clone(), message));
            let parts = match parse(text) {
                Ok(parts) => parts,
                Err(message) => {
                    fault(message);
                    continue;
                }
            };
            let is_alone = parts.len() == 1;
            let mut value = String::new();
            let mut value_from = None;
            for part in &parts {
                let reference = match part {
                    Part::Text(text) => {
                        value.push_str(&literally(text));
                        continue;
                    }
                    Part::Reference(reference) => reference,
                };
                match self.find(reference) {
                    Ok(Found::Text(text)) => value.push_str(&literally(&text)),
                    Ok(Found::Later(_)) => is_known = false,
                    Ok(Found::Secret { resource, output, name, key }) => {
                        let from = json!({"secretKeyRef": {"name": name, "key": key}});
                        if is_alone {
                            value_from = Some(from);
                        } else {
                            // Kubernetes puts texts together, so that the secret is in no manifest.
                            let helper = helper_name(resource, &output);
                            value.push_str(&format!("$({helper})"));
                            let secret = EnvVar { name: helper.clone(), value: None, value_from: Some(from) };
                            secrets.insert(helper, secret);
                        }
                    }
                    Err(message) => fault(message),
                }
            }
            let value = value_from.is_none().then_some(value);
            variables.push(EnvVar { name: variable.clone(), value, value_from });
        }
        is_known.then(|| secrets.into_values().chain(variables).collect())
    }
}

/// Kubernetes takes `$(…)` apart in values, and `$$` for `$`.
fn literally(text: &str) -> String {
    text.replace("$(", "$$(")
}

fn helper_name(resource: &str, output: &str) -> String {
    let name = format!("SCORE_{resource}_{output}");
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn order_name(workload: &Workload, name: &str, resource: &Resource) -> String {
    match &resource.id {
        Some(id) => format!("{}-{id}", resource.type_.to_lowercase()),
        None => format!("{}-{name}", workload.metadata.name),
    }
}

/// The order of a resource as a manifest, with its kind.
fn order(
    workload: &Workload,
    name: &str,
    resource: &Resource,
    order: &str,
    params: Value,
    setting: &Setting<'_>,
) -> Result<(GroupKind, Value), String> {
    let class = resource.class.as_deref().filter(|class| *class != "default");
    let mut labels = BTreeMap::new();
    match &resource.id {
        Some(id) => drop(labels.insert(SHARED.to_owned(), id.clone())),
        None => drop(labels.insert(WORKLOAD.to_owned(), workload.metadata.name.clone())),
    }
    if let Some(class) = class {
        labels.insert(CLASS.to_owned(), class.to_owned());
    }
    let facts = OrderFacts {
        // Its UID is not known, and decides only where it is placed.
        uid: order.to_owned(),
        labels: labels.clone(),
        spec: params.clone(),
        selection: Selection::default(),
        current: None,
    };
    let usage = Usage::default();
    let request = |kind| Request {
        kind,
        workspace: setting.workspace,
        environment: setting.environment,
        order: &facts,
        usage: &usage,
        now: setting.now,
    };
    let mut unbound = Vec::new();
    let mut without_class = Vec::new();
    for kind in setting.shelf.kinds_of_type(&resource.type_) {
        let request = request(kind);
        let of_type = setting.shelf.of_type(&request, &resource.type_);
        let (fitting, others): (Vec<_>, Vec<_>) =
            of_type.partition(|(_, takes)| class.is_none_or(|class| takes(class)));
        let Some((offering, _)) = fitting.first() else {
            without_class.extend(others.into_iter().map(|(offering, _)| offering.to_owned()));
            continue;
        };
        let Some(api_version) = setting.kinds.get(kind) else {
            unbound.push(kind.to_string());
            continue;
        };
        let mut annotations = BTreeMap::from([(OFFERING, *offering)]);
        annotations.extend(setting.environment.map(|environment| (ENVIRONMENT, environment.name.as_str())));
        let plan = class.filter(|class| setting.shelf.has_plan(offering, class));
        annotations.extend(plan.map(|plan| (PLAN, plan)));
        let manifest = json!({
            "apiVersion": api_version, "kind": kind.kind,
            "metadata": {
                "name": order, "namespace": setting.namespace, "labels": labels, "annotations": annotations,
            },
            "spec": params,
        });
        return Ok((kind.clone(), manifest));
    }
    Err(if !unbound.is_empty() {
        format!("{} is not bound in this workspace; bind its service for {name}", unbound.join(", "))
    } else if let Some(class) = class.filter(|_| !without_class.is_empty()) {
        format!("{} has no class {class}", without_class.join(", "))
    } else {
        format!("nothing is offered here for the type {}", resource.type_)
    })
}

/// Needs that wait for each other.
fn cycle(workload: &Workload) -> Option<Vec<String>> {
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

#[cfg(test)]
mod tests;
