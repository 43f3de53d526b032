//! An offering, compiled: what is wrong with its description is found when the provider is made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    identity::{self, RESERVED},
    inventory::Reference,
    settings::{ObjectTemplate, Offering, PauseAnnotation, Placement},
    state::Readiness,
    template::Template,
};
use crate::{
    Error, ErrorKind,
    cel::{Expression, Scope},
    provider::{Order, OrderId},
};

const LONGEST_ID: usize = 20;
/// What a template has no say in.
const OURS: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
const ORDER_VARIABLES: [&str; 2] = ["order", "objects"];

#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) placement: Placement,
    pub(super) objects: Vec<CompiledObject>,
    pub(super) outputs: Vec<super::outputs::Compiled>,
    pub(super) endpoints: Vec<(String, Expression)>,
    pub(super) imports: bool,
    /// Changes with the description, and is part of what plans are decided on.
    pub(super) digest: String,
}

#[derive(Debug)]
pub(super) struct CompiledObject {
    pub(super) id: String,
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    when: Option<Expression>,
    metadata: Template,
    body: Template,
    pub(super) sensitive: Vec<String>,
    pub(super) readiness: Readiness,
    pub(super) pause: Option<PauseAnnotation>,
}

/// An object that an order has, as it should be.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) template: &'a CompiledObject,
    pub(super) reference: Reference,
    labels_and_annotations: Value,
    body: Value,
}

impl Compiled {
    /// # Errors
    /// What is wrong with the description, each fault with the name of its field.
    pub(super) fn compile(offering: &Offering) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let faults_of = &mut faults;
        if offering.objects.is_empty() {
            faults_of.push("objects: there is none".into());
        }
        match &offering.placement {
            Placement::Namespace(name) if !is_label(name, 63) => {
                faults_of.push(format!("placement.namespace: {name:?} is no name of a namespace"));
            }
            // A dash and a digest follow.
            Placement::PerWorkspace(prefix) if !is_label(prefix, 42) => {
                faults_of.push(format!("placement.perWorkspace: {prefix:?} is no short lower-case name"));
            }
            Placement::Namespace(_) | Placement::PerWorkspace(_) => {}
        }
        let mut ids = BTreeSet::new();
        let mut objects = Vec::new();
        for (index, template) in offering.objects.iter().enumerate() {
            if !ids.insert(template.id.as_str()) {
                faults_of.push(format!("objects[{index}].id: there are two {:?}", template.id));
            }
            objects.push(CompiledObject::compile(template, &format!("objects[{index}]"), faults_of));
        }
        let outputs = super::outputs::compile(&offering.outputs, &ids, faults_of);
        let mut endpoints = Vec::new();
        for (name, text) in &offering.endpoints {
            if let Some(expression) = compile(text, &format!("endpoints.{name}"), &["objects"], faults_of) {
                endpoints.push((name.clone(), expression));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let digest = identity::digest(&serde_json::to_string(offering).map_err(|e| vec![e.to_string()])?);
        let (placement, imports) = (offering.placement.clone(), offering.imports);
        Ok(Self { placement, objects, outputs, endpoints, imports, digest })
    }

    /// The namespace of an order's objects.
    pub(super) fn namespace(&self, id: &OrderId) -> Result<String, Error> {
        match (&self.placement, &id.workspace) {
            (Placement::Namespace(name), _) => Ok(name.clone()),
            (Placement::PerWorkspace(prefix), Some(workspace)) => {
                Ok(format!("{prefix}-{}", identity::digest(workspace.as_str())))
            }
            (Placement::PerWorkspace(_), None) => {
                let message = "objects are placed by workspace, and the order is in none";
                Err(Error::new(ErrorKind::Invalid, "place", id, message))
            }
        }
    }

    pub(super) fn object(&self, id: &str) -> Option<&CompiledObject> {
        self.objects.iter().find(|object| object.id == id)
    }

    /// The objects this order has, with the places of all objects of the offering by their ids.
    ///
    /// # Errors
    /// `Invalid` when an expression fails on the order, naming the field.
    pub(super) fn render(&self, order: &Order, places: &BTreeMap<String, Reference>) -> Result<Vec<Wanted<'_>>, Error> {
        let invalid = |fault: String| Error::new(ErrorKind::Invalid, "plan", &order.id, fault);
        let scope = scope(order, places);
        let mut wanted = Vec::new();
        for template in &self.objects {
            let path = format!("objects[{}]", template.id);
            let is_wanted = match &template.when {
                None => true,
                Some(when) => match when.evaluate(&scope).map_err(|why| invalid(format!("{path}.when: {why}")))? {
                    Value::Bool(is_wanted) => is_wanted,
                    _ => return Err(invalid(format!("{path}.when: it is neither true nor false"))),
                },
            };
            // Whatever has no place is of a kind that was not looked up, which is a fault of the caller.
            let (true, Some(reference)) = (is_wanted, places.get(&template.id)) else { continue };
            wanted.push(Wanted {
                template,
                reference: reference.clone(),
                labels_and_annotations: template.metadata.render(&path, &scope).map_err(invalid)?,
                body: template.body.render(&format!("{path}.body"), &scope).map_err(invalid)?,
            });
        }
        Ok(wanted)
    }
}

/// What expressions see of an order. Neither its generation nor anything of its object but the `spec`:
/// a plan is to depend on nothing else.
fn scope(order: &Order, places: &BTreeMap<String, Reference>) -> Scope {
    let id = &order.id;
    let workspace = id.workspace.as_ref().map(|workspace| workspace.as_str());
    let id = json!({"uid": id.uid, "name": id.name, "namespace": id.namespace, "workspace": workspace});
    let places =
        places.iter().map(|(id, place)| (id.clone(), json!({"name": place.name, "namespace": place.namespace})));
    Scope::new().with("order", &json!({"id": id, "spec": order.spec})).with("objects", &Value::Object(places.collect()))
}

impl CompiledObject {
    /// Whether every order has it.
    pub(super) fn is_always(&self) -> bool {
        self.when.is_none()
    }

    fn compile(template: &ObjectTemplate, path: &str, faults: &mut Vec<String>) -> Self {
        let id = &template.id;
        let is_id = id.len() <= LONGEST_ID
            && id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !is_id {
            faults.push(format!(
                "{path}.id: {id:?} is not 1 to {LONGEST_ID} lower-case letters and digits, a letter first"
            ));
        }
        let (group, version) = template.api_version.split_once('/').unwrap_or(("", &template.api_version));
        if version.is_empty() || version.contains('/') {
            faults.push(format!("{path}.apiVersion: {:?} is no group and version", template.api_version));
        }
        if template.kind.is_empty() || !template.kind.bytes().all(|b| b.is_ascii_alphanumeric()) {
            faults.push(format!("{path}.kind: {:?} is no kind", template.kind));
        }
        match template.body.as_object() {
            None => faults.push(format!("{path}.body: must be an object")),
            Some(fields) => {
                for name in OURS.into_iter().filter(|name| fields.contains_key(*name)) {
                    faults.push(format!("{path}.body.{name}: is not for a body to say"));
                }
            }
        }
        for (field, names) in [("labels", &template.labels), ("annotations", &template.annotations)] {
            for name in names.keys().filter(|name| name.starts_with(RESERVED)) {
                faults.push(format!("{path}.{field}.{name}: names that begin with {RESERVED} are reserved"));
            }
        }
        let metadata = json!({"labels": template.labels, "annotations": template.annotations});
        let when = template.when.as_ref();
        let mut sensitive = template.sensitive.clone();
        if group.is_empty() && template.kind == "Secret" {
            sensitive.extend(["data".into(), "stringData".into()]);
        }
        Self {
            id: id.clone(),
            group: group.into(),
            version: version.into(),
            kind: template.kind.clone(),
            when: when.and_then(|text| compile(text, &format!("{path}.when"), &["order"], faults)),
            metadata: Template::compile(&metadata, path, &ORDER_VARIABLES, faults),
            body: Template::compile(&template.body, &format!("{path}.body"), &ORDER_VARIABLES, faults),
            sensitive,
            readiness: Readiness::compile(template, &format!("{path}.readiness"), faults),
            pause: template.pause.clone(),
        }
    }
}

impl Wanted<'_> {
    /// The object as it is sent, marked as this order's.
    pub(super) fn document(&self, id: &OrderId, lease: crate::provider::Lease) -> Value {
        let mut object = self.body.clone();
        let mut metadata = self.labels_and_annotations.clone();
        metadata["name"] = self.reference.name.clone().into();
        if let Some(namespace) = &self.reference.namespace {
            metadata["namespace"] = namespace.clone().into();
        }
        identity::mark(&mut metadata, id, &self.template.id, lease);
        object["apiVersion"] = self.reference.api_version().into();
        object["kind"] = self.reference.kind.clone().into();
        object["metadata"] = metadata;
        object
    }

    /// What must not be seen of it.
    pub(super) fn secrets(&self) -> Vec<String> {
        super::diff::secrets(&self.body, &self.template.sensitive)
    }
}

/// Compiles an expression, or notes what is wrong with it under the name of its field.
pub(super) fn compile(text: &str, path: &str, variables: &[&str], faults: &mut Vec<String>) -> Option<Expression> {
    Expression::compile(text, variables).map_err(|fault| faults.push(format!("{path}: {fault}"))).ok()
}

fn is_label(name: &str, longest: usize) -> bool {
    let is_edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    bytes.len() <= longest
        && is_edge(bytes.first())
        && is_edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}
