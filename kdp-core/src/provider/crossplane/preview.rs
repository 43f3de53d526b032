//! What an order would be composed of: the part of a plan that Crossplane would carry out.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::{ApiResource, GroupVersionKind};
use serde_json::{Map, Value, json};

use super::{
    CrossplaneProvider,
    cluster::Look,
    desired::Place,
    diff::diff,
    record::composed_by,
    render::{Input, Renderer},
    secret::{RESOURCE_NAME, is_owner},
    target::Shape,
};
use crate::{
    Error, ErrorKind,
    provider::{Change, ChangeAction, Order, OrderId, Shown, ValueChange},
};

const GROUP: &str = "apiextensions.crossplane.io";
/// Shorter values occur in others by chance.
const SHORTEST_SECRET: usize = 4;

impl CrossplaneProvider {
    /// What becomes of the composed resources when the object becomes `becomes`; nothing without a renderer.
    pub(super) async fn preview(&self, order: &Order, becomes: &Value) -> Result<Vec<Change>, Error> {
        let Some(renderer) = &self.options.renderer else { return Ok(Vec::new()) };
        if self.options.target.shape == Shape::Claim {
            let message = "claims cannot be rendered, only composite resources; leave out the renderer";
            return Err(Error::new(ErrorKind::Unsupported, "render", &order.id, message));
        }
        self.rendered(renderer, order, becomes).await
    }

    async fn rendered(&self, renderer: &Renderer, order: &Order, becomes: &Value) -> Result<Vec<Change>, Error> {
        let id = &order.id;
        let definition = self.definition(id).await?;
        let composition = self.composition(id, becomes, &definition).await?;
        let mut observed = Vec::new();
        for composed in composed_by(becomes, self.options.target.shape) {
            match self.cluster.look_at(&composed).await {
                Look::There(object) if is_owner(becomes, &object) => observed.push(object),
                Look::There(_) | Look::Absent => {}
                Look::Unseen(why) => return Err(Error::new(ErrorKind::Unavailable, "render", id, why)),
            }
        }
        // What the server keeps for itself is of no use to Crossplane.
        let mut composite = becomes.clone();
        if let Some(metadata) = composite["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        let input =
            Input { composite: &composite, composition: &composition, definition: &definition, observed: &observed };
        let rendered = renderer.render(id, input).await?;
        let secrets = secrets(order, &self.options.target.sensitive);
        Ok(changes(&observed, &rendered.composed, &rendered.deleted, &secrets))
    }

    /// The definition of the kind, by whose scope Crossplane knows its generation.
    async fn definition(&self, id: &OrderId) -> Result<Value, Error> {
        let place = Place { namespace: None, name: self.options.target.name() };
        let kind = |version| machinery(version, "CompositeResourceDefinition", "compositeresourcedefinitions");
        let mut why = String::new();
        for version in ["v2", "v1"] {
            match self.cluster.look(&kind(version), &place).await {
                Look::There(definition) => return Ok(definition),
                Look::Absent => why = format!("there is no CompositeResourceDefinition {}", place.name),
                Look::Unseen(unseen) => why = unseen,
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "render", id, why))
    }

    /// The Composition that the object is composed by, as of the revision it stays on.
    async fn composition(&self, id: &OrderId, becomes: &Value, definition: &Value) -> Result<Value, Error> {
        let fields = self.options.target.shape.machine_fields(becomes);
        let is_manual = fields["compositionUpdatePolicy"] == "Manual";
        let revision = fields["compositionRevisionRef"]["name"].as_str().filter(|_| is_manual);
        let named = [
            &definition["spec"]["enforcedCompositionRef"]["name"],
            &fields["compositionRef"]["name"],
            &definition["spec"]["defaultCompositionRef"]["name"],
        ];
        let named = named.into_iter().find_map(Value::as_str);
        let (kind, name) = match (revision, named) {
            (Some(revision), _) => (machinery("v1", "CompositionRevision", "compositionrevisions"), revision),
            (None, Some(name)) => (machinery("v1", "Composition", "compositions"), name),
            (None, None) => {
                let message = "its Composition is not decided before it is made; name one for the provider";
                return Err(Error::new(ErrorKind::Unsupported, "render", id, message));
            }
        };
        match self.cluster.look(&kind, &Place { namespace: None, name: name.into() }).await {
            Look::There(composition) => Ok(as_composition(&composition)),
            Look::Absent => {
                let message = format!("there is no {} {name}", kind.kind);
                Err(Error::new(ErrorKind::Unavailable, "render", id, message))
            }
            Look::Unseen(why) => Err(Error::new(ErrorKind::Unavailable, "render", id, why)),
        }
    }
}

fn machinery(version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, version, kind), plural)
}

/// A Composition, or what a revision remembers of one.
fn as_composition(object: &Value) -> Value {
    let mut spec = object["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("revision");
    }
    let name = object["metadata"]["name"].clone();
    json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Composition", "metadata": {"name": name}, "spec": spec})
}

/// The changes that lead from what is observed to what was rendered, in the order of the names that
/// the Composition gives. Names of objects are left out: those of new ones are made up each time.
fn changes(observed: &[Value], composed: &[Value], deleted: &[Value], secrets: &BTreeSet<String>) -> Vec<Change> {
    let name = |object: &Value| {
        let annotation = object["metadata"]["annotations"][RESOURCE_NAME].as_str();
        annotation.or_else(|| object["metadata"]["name"].as_str()).unwrap_or_default().to_owned()
    };
    let title = |object: &Value| format!("{} ({})", name(object), object["kind"].as_str().unwrap_or_default());
    let mut found = BTreeMap::new();
    for after in composed {
        let before = observed.iter().find(|before| name(before) == name(after) && before["kind"] == after["kind"]);
        let action = if before.is_some() { ChangeAction::Update } else { ChangeAction::Create };
        let change =
            values(before, after, secrets).into_iter().fold(Change::new(action, title(after)), Change::with_value);
        if action == ChangeAction::Create || !change.values.is_empty() {
            found.insert(title(after), change);
        }
    }
    for object in deleted {
        found.insert(title(object), Change::new(ChangeAction::Delete, title(object)));
    }
    found.into_values().collect()
}

/// How the content of a composed resource changes, as far as the Composition says what it is.
fn values(before: Option<&Value>, after: &Value, secrets: &BTreeSet<String>) -> Vec<ValueChange> {
    let content = |object: &Value| {
        let fields = object.as_object().into_iter().flatten();
        let is_content = |name: &str| !["apiVersion", "kind", "metadata", "status"].contains(&name);
        let fields = fields.filter(|(name, _)| is_content(name)).map(|(name, value)| (name.clone(), value.clone()));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    let after_content = content(after);
    let before = before.map_or_else(|| json!({}), |before| said(&content(before), &after_content));
    let is_secret = after["kind"] == "Secret";
    let hidden = |change: ValueChange| {
        if is_secret || tells(&change, secrets) { ValueChange::sensitive(change.path) } else { change }
    };
    let trimmed = |change: ValueChange| ValueChange { path: change.path.trim_start_matches('.').into(), ..change };
    diff("", &before, &after_content, &BTreeSet::new()).into_iter().map(trimmed).map(hidden).collect()
}

/// The part of what is there that is said anything about: the rest is the server's, or of others.
fn said(there: &Value, about: &Value) -> Value {
    match (there, about) {
        (Value::Object(there), Value::Object(about)) => {
            let common = about.iter().filter_map(|(name, about)| Some((name.clone(), said(there.get(name)?, about))));
            Value::Object(common.collect())
        }
        _ => there.clone(),
    }
}

/// The sensitive values of an order, as they may stand in what is composed of it.
fn secrets(order: &Order, sensitive: &BTreeSet<Vec<String>>) -> BTreeSet<String> {
    let all = diff("", &Value::Null, &order.spec, &BTreeSet::new());
    let is_at = |pattern: &Vec<String>, path: &str| {
        let path: Vec<_> = path.trim_start_matches('.').split('.').collect();
        path.len() >= pattern.len() && pattern.iter().zip(path).all(|(one, two)| one == "*" || one == two)
    };
    let found = all.into_iter().filter(|change| sensitive.iter().any(|pattern| is_at(pattern, &change.path)));
    let text = |change: ValueChange| match change.after {
        Shown::Value(Value::String(text)) => Some(text),
        Shown::Value(value) => Some(value.to_string()),
        _ => None,
    };
    found.filter_map(text).filter(|secret| secret.len() >= SHORTEST_SECRET).collect()
}

fn tells(change: &ValueChange, secrets: &BTreeSet<String>) -> bool {
    let shown = [&change.before, &change.after].into_iter().filter_map(|shown| match shown {
        Shown::Value(Value::String(text)) => Some(text.clone()),
        Shown::Value(value) => Some(value.to_string()),
        _ => None,
    });
    shown.into_iter().any(|shown| secrets.iter().any(|secret| shown.contains(secret)))
}

#[cfg(test)]
mod tests;
