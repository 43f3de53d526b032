//! What the consumer of an order gets, and where it is found.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Map, Value, json};

use super::{
    OperatorProvider,
    identity::{self, Whose},
    inventory::Reference,
    offering::compile as compile_expression,
    settings::{Locator, OutputsFrom, Source, Visibility},
    state::Thing,
};
use crate::{
    Error,
    cel::{Expression, Scope},
    provider::{OrderId, Output},
};

/// Compiled outputs of one source.
#[derive(Debug)]
pub(super) struct Compiled {
    from: Found,
    values: Vec<(String, Rule)>,
}

#[derive(Debug)]
enum Found {
    /// The object with this id.
    Object(String),
    /// A kind of the core group.
    Stored(&'static str, Place),
}

#[derive(Debug)]
enum Place {
    Name(Expression),
    Owned { by: String, labels: Vec<(String, Expression)> },
}

#[derive(Debug)]
struct Rule {
    take: Take,
    is_optional: bool,
    is_sensitive: bool,
}

#[derive(Debug)]
enum Take {
    Key(String),
    Value(Expression),
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub(super) found: BTreeMap<String, Output>,
    /// For people: what is needed and not there yet.
    pub(super) missing: Vec<String>,
}

pub(super) fn compile(outputs: &[OutputsFrom], ids: &BTreeSet<&str>, faults: &mut Vec<String>) -> Vec<Compiled> {
    let mut names = BTreeSet::new();
    let mut compiled = Vec::new();
    for (index, outputs) in outputs.iter().enumerate() {
        let path = format!("outputs[{index}]");
        let from = compile_source(&outputs.from, &format!("{path}.from"), ids, faults);
        let mut values = Vec::new();
        for (name, rule) in &outputs.values {
            let path = format!("{path}.values.{name}");
            if !names.insert(name) {
                faults.push(format!("{path}: there are two outputs of this name"));
            }
            let take = match (&rule.key, &rule.value) {
                (Some(key), None) if matches!(outputs.from, Source::Secret(_) | Source::ConfigMap(_)) => {
                    Some(Take::Key(key.clone()))
                }
                (Some(_), None) => {
                    faults.push(format!("{path}.key: only Secrets and ConfigMaps have keys; give a value"));
                    None
                }
                (None, Some(text)) => {
                    let variables = ["object", "data", "objects"];
                    compile_expression(text, &format!("{path}.value"), &variables, faults).map(Take::Value)
                }
                _ => {
                    faults.push(format!("{path}: either a key or a value has to be given"));
                    None
                }
            };
            let is_sensitive = match rule.visibility {
                Some(visibility) => visibility == Visibility::Sensitive,
                None => matches!(outputs.from, Source::Secret(_)),
            };
            let is_optional = rule.optional;
            values.extend(take.map(|take| (name.clone(), Rule { take, is_optional, is_sensitive })));
        }
        compiled.extend(from.map(|from| Compiled { from, values }));
    }
    compiled
}

fn compile_source(source: &Source, path: &str, ids: &BTreeSet<&str>, faults: &mut Vec<String>) -> Option<Found> {
    let (kind, locator, path) = match source {
        Source::Object(id) => {
            check_id(id, &format!("{path}.object"), ids, faults);
            return Some(Found::Object(id.clone()));
        }
        Source::Secret(locator) => ("Secret", locator, format!("{path}.secret")),
        Source::ConfigMap(locator) => ("ConfigMap", locator, format!("{path}.configMap")),
        Source::Service(locator) => ("Service", locator, format!("{path}.service")),
    };
    let place = match locator {
        Locator::Name(text) => Place::Name(compile_expression(text, &format!("{path}.name"), &["objects"], faults)?),
        Locator::Owned { by, labels } => {
            check_id(by, &format!("{path}.owned.by"), ids, faults);
            let mut compiled = Vec::new();
            for (name, text) in labels {
                let path = format!("{path}.owned.labels.{name}");
                compiled.push((name.clone(), compile_expression(text, &path, &["objects"], faults)?));
            }
            Place::Owned { by: by.clone(), labels: compiled }
        }
    };
    Some(Found::Stored(kind, place))
}

fn check_id(id: &str, path: &str, ids: &BTreeSet<&str>, faults: &mut Vec<String>) {
    if !ids.contains(id) {
        faults.push(format!("{path}: the offering has no object {id:?}"));
    }
}

impl OperatorProvider {
    /// The outputs of an order whose things these are.
    ///
    /// # Errors
    /// `Unavailable` when where they come from cannot be seen. That it is not there is no error.
    pub(super) async fn outputs(&self, id: &OrderId, things: &[Thing]) -> Result<Outputs, Error> {
        let mut outputs = Outputs::default();
        let scope = Scope::new().with("objects", &facts(things));
        for compiled in &self.offering.outputs {
            let source = match &compiled.from {
                Found::Object(of) => {
                    Ok(object(things, of).cloned().ok_or_else(|| format!("there is no object {of:?} yet")))
                }
                Found::Stored(kind, place) => {
                    let keys = compiled.keys().collect::<Vec<_>>();
                    self.stored(id, things, kind, place, &keys, &scope).await
                }
            }?;
            compiled.take(source.as_ref().map_err(String::as_str), &scope, &mut outputs);
        }
        Ok(outputs)
    }

    /// The Secret, ConfigMap or Service, if it is there and belongs to the order, or why it is not used.
    async fn stored(
        &self,
        id: &OrderId,
        things: &[Thing],
        kind: &'static str,
        place: &Place,
        keys: &[&str],
        scope: &Scope,
    ) -> Result<Result<Value, String>, Error> {
        let mut reference = Reference {
            group: String::new(),
            version: "v1".into(),
            kind: kind.into(),
            namespace: Some(self.offering.namespace(id)?),
            name: String::new(),
        };
        match place {
            Place::Name(name) => {
                let Some(name) = name.text(scope).filter(|name| is_name(name)) else {
                    return Ok(Err(format!("the name of its {kind} is not known yet")));
                };
                reference.name = name;
                Ok(match self.cluster.read(&reference, id).await? {
                    None => Err(format!("there is no {reference} yet")),
                    Some(object) if belongs(&object, id, things) => Ok(object),
                    Some(_) => Err(format!("{reference} belongs to something else")),
                })
            }
            Place::Owned { by, labels } => {
                let nothing = || format!("{by:?} owns no {kind} with all keys yet");
                let Some(owner) = object(things, by).and_then(|owner| uid(owner)) else { return Ok(Err(nothing())) };
                let mut selector = Vec::new();
                for (name, value) in labels {
                    let Some(value) = value.text(scope).filter(|value| is_name(value)) else {
                        return Ok(Err(format!("the label {name} of its {kind} is not known yet")));
                    };
                    selector.push(format!("{name}={value}"));
                }
                let mut owned = self.cluster.list(&reference, &selector.join(","), id).await?;
                owned.retain(|object| owners(object).any(|(uid, _)| uid == owner) && has_keys(object, keys));
                owned.sort_by_key(|object| object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned));
                Ok(owned.into_iter().next().ok_or_else(nothing))
            }
        }
    }

    /// Where the thing of an order can be reached.
    pub(super) fn endpoints(&self, things: &[Thing]) -> Vec<(String, String)> {
        let scope = Scope::new().with("objects", &facts(things));
        let endpoints = self.offering.endpoints.iter();
        endpoints.filter_map(|(name, expression)| Some((name.clone(), expression.text(&scope)?))).collect()
    }
}

impl Compiled {
    fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.iter().filter_map(|(_, rule)| match &rule.take {
            Take::Key(key) if !rule.is_optional => Some(key.as_str()),
            _ => None,
        })
    }

    fn take(&self, source: Result<&Value, &str>, scope: &Scope, outputs: &mut Outputs) {
        let taken = source.map(|object| {
            let data = data(object);
            let scope = scope.clone().with("object", object).with("data", &data);
            (data, scope)
        });
        for (name, rule) in &self.values {
            let value = match (&taken, &rule.take) {
                (Err(why), _) => Err((*why).to_owned()),
                (Ok((data, _)), Take::Key(key)) => {
                    let value = data.get(key).and_then(Value::as_str).filter(|value| !value.is_empty());
                    value.map(str::to_owned).ok_or_else(|| format!("its source has no text under {key:?} yet"))
                }
                (Ok((_, scope)), Take::Value(expression)) => {
                    expression.text(scope).ok_or_else(|| "its expression gives nothing yet".into())
                }
            };
            match value {
                Ok(value) => {
                    let output = if rule.is_sensitive { Output::sensitive(value) } else { Output::plain(value) };
                    outputs.found.insert(name.clone(), output);
                }
                Err(_) if rule.is_optional => {}
                Err(why) => outputs.missing.push(format!("output {name:?}: {why}")),
            }
        }
    }
}

/// What expressions see of the things of an order when they choose where secrets come from: nothing
/// that an order writes.
fn facts(things: &[Thing]) -> Value {
    let mut facts = Map::new();
    for object in things.iter().filter(|thing| thing.is_wanted).filter_map(|thing| thing.object.as_ref()) {
        let Some(id) = identity::annotation(object, identity::OBJECT) else { continue };
        let at = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
        let status = object.get("status").cloned().unwrap_or_else(|| json!({}));
        let metadata =
            json!({"name": at("/metadata/name"), "namespace": at("/metadata/namespace"), "uid": at("/metadata/uid")});
        facts.insert(id.to_owned(), json!({"metadata": metadata, "status": status}));
    }
    Value::Object(facts)
}

/// The wanted object with this id.
fn object<'a>(things: &'a [Thing], id: &str) -> Option<&'a Value> {
    let objects = things.iter().filter(|thing| thing.is_wanted).filter_map(|thing| thing.object.as_ref());
    objects.into_iter().find(|object| identity::annotation(object, identity::OBJECT) == Some(id))
}

/// Whether it is this order's: by what owns it, or, where an operator says nothing of owners, by a part
/// of its name that only this order has.
fn belongs(object: &Value, id: &OrderId, things: &[Thing]) -> bool {
    match identity::whose(object, id) {
        Whose::Ours => return true,
        Whose::Others => return false,
        Whose::Nobodys => {}
    }
    let ours: Vec<_> = things.iter().filter_map(|thing| uid(thing.object.as_ref()?)).collect();
    if owners(object).any(|(uid, _)| ours.contains(&uid)) {
        return true;
    }
    let digest = identity::digest(&id.uid);
    let is_named_so = |name: &str| name.contains(&digest);
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    is_named_so(name) && owners(object).all(|(_, owner)| is_named_so(owner))
}

/// The UIDs and names of its owners.
fn owners<'a>(object: &'a Value) -> impl Iterator<Item = (&'a str, &'a str)> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array).map(Vec::as_slice);
    let text = |owner: &'a Value, field: &str| owner.get(field).and_then(Value::as_str);
    owners.unwrap_or_default().iter().filter_map(move |owner| Some((text(owner, "uid")?, text(owner, "name")?)))
}

fn uid(object: &Value) -> Option<&str> {
    object.pointer("/metadata/uid")?.as_str()
}

fn has_keys(object: &Value, keys: &[&str]) -> bool {
    keys.iter().all(|key| object.get("data").is_some_and(|data| data.get(*key).is_some()))
}

/// What is in a Secret or ConfigMap, as texts; what is no text is not there.
fn data(object: &Value) -> Value {
    if object.get("kind").and_then(Value::as_str) != Some("Secret") {
        return object.get("data").cloned().unwrap_or_else(|| json!({}));
    }
    let secret: Secret = serde_json::from_value(object.clone()).unwrap_or_default();
    let texts = secret.data.unwrap_or_default().into_iter();
    let texts = texts.filter_map(|(key, value)| Some((key, Value::String(String::from_utf8(value.0).ok()?))));
    Value::Object(texts.collect())
}

/// What a status says is not trusted to be a name.
pub(super) fn is_name(name: &str) -> bool {
    let is_sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(is_sound) && !name.starts_with('.')
}
