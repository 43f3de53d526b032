//! The objects that belong to an instance, in its own workspace and nowhere else.

use std::collections::BTreeMap;

use kdp_core::{Error, ErrorKind};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};

use super::{
    super::{FIELD_MANAGER, INSTANCE, RESOURCE, REVISION, WAVE, check, revision::UsedKind},
    offer::Offer,
};
use crate::blueprint::{
    InventoryEntry,
    plan::{Desired, ExternalRead, Which},
};

/// Why something cannot be done for an instance until somebody changes something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Trouble {
    /// The resource.
    pub(super) id: String,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// An object that belongs to the instance beyond doubt.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) entry: InventoryEntry,
    pub(super) object: Value,
    kind: UsedKind,
}

impl Child {
    /// What finds it, without what is said about it.
    pub(super) fn key(&self) -> (String, String, String, String) {
        key(self.kind.group(), &self.kind.kind, self.entry.namespace.as_deref(), &self.entry.name)
    }

    pub(super) fn is_going(&self) -> bool {
        self.object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null())
    }

    /// The version of the blueprint it was made with.
    pub(super) fn revision(&self) -> Option<&str> {
        self.object.pointer("/metadata/annotations")?.get(REVISION)?.as_str()
    }
}

pub(super) fn key(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> (String, String, String, String) {
    (group.to_owned(), kind.to_owned(), namespace.unwrap_or_default().to_owned(), name.to_owned())
}

/// Reaches the children of one instance.
pub(super) struct Children<'a> {
    /// The virtual workspace of the export, as far as it shows the instance's workspace.
    pub(super) client: Client,
    pub(super) offer: &'a Offer,
    pub(super) instance: &'a DynamicObject,
}

impl Children<'_> {
    fn uid(&self) -> &str {
        self.instance.metadata.uid.as_deref().unwrap_or_default()
    }

    /// All children there are, of any kind that a revision has made, and the kinds that cannot be asked for.
    pub(super) async fn list(&self) -> Result<(Vec<Child>, Vec<(UsedKind, Trouble)>), Error> {
        let (mut children, mut unreachable) = (Vec::new(), Vec::new());
        let params = ListParams::default().labels(&format!("{INSTANCE}={}", self.uid()));
        for kind in &self.offer.made {
            let api = self.api(kind, self.instance.namespace().filter(|_| kind.namespaced).as_deref());
            match api.list(&params).await {
                Ok(list) => {
                    let own = list.items.into_iter().filter(|object| self.owns(object));
                    children.extend(own.filter_map(|object| child(kind, object)));
                }
                Err(error) => unreachable.push((kind.clone(), trouble("", kind, error)?)),
            }
        }
        Ok((children, unreachable))
    }

    /// Makes an object what it is to be.
    pub(super) async fn apply(
        &self,
        desired: &Desired,
        wave: Option<u32>,
        version: &str,
        known: Option<&Child>,
    ) -> Result<Result<Child, Trouble>, Error> {
        let refused = |reason, message: String| Ok(Err(Trouble { id: desired.id.clone(), reason, message }));
        let text = |pointer| desired.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        let Some(used) = self.offer.made.iter().find(|used| is_kind(used, api_version, kind)) else {
            return refused("Refused", format!("{kind} of {api_version} is no kind of this blueprint"));
        };
        let namespace = match self.place(used, Some(text("/metadata/namespace")).filter(|name| !name.is_empty())) {
            Ok(namespace) => namespace,
            Err(message) => return refused("Refused", message),
        };
        if !is_name(name) {
            return refused("Refused", format!("{name:?} is no name of a {kind}"));
        }
        if desired.object.get("type").and_then(Value::as_str) == Some("kubernetes.io/service-account-token") {
            return refused("Refused", "a blueprint cannot ask for tokens of service accounts".into());
        }
        let api = self.api(used, namespace.as_deref());
        let known = match known {
            Some(child) => Some(child.object.clone()),
            None => match api.get_opt(name).await {
                Ok(None) => None,
                Ok(Some(other)) if self.is_owner_of(&other) => serde_json::to_value(other).ok(),
                Ok(Some(_)) => {
                    return refused("Conflict", format!("{kind} {name} is there already and belongs to somebody else"));
                }
                Err(error) => return Ok(Err(trouble(&desired.id, used, error)?)),
            },
        };
        let body = self.body(desired, namespace.as_deref(), wave, version, known.as_ref());
        let params = PatchParams::apply(FIELD_MANAGER);
        // What nobody has made yet is not taken from whoever makes it at this moment.
        let params = if known.is_some() { params.force() } else { params };
        match api.patch(name, &params, &Patch::Apply(body)).await {
            Ok(object) => child(used, object).map(Ok).map(Ok).unwrap_or_else(|| {
                Err(Error::new(ErrorKind::Internal, "apply", name, "the API server returned something else"))
            }),
            Err(error) => Ok(Err(trouble(&desired.id, used, error)?)),
        }
    }

    /// Deletes a child, unless it is another object by now.
    pub(super) async fn delete(&self, child: &Child) -> Result<Result<(), Trouble>, Error> {
        if child.is_going() {
            return Ok(Ok(()));
        }
        let uid = child.object.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
        let revision = child.object.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(str::to_owned);
        // With the version it was seen at, so that one whose owner was changed meanwhile stays.
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid, resource_version: revision }),
            ..DeleteParams::background()
        };
        let api = self.api(&child.kind, child.entry.namespace.as_deref());
        match api.delete(&child.entry.name, &params).await {
            Ok(_) => Ok(Ok(())),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(Ok(())),
            Err(error) => Ok(Err(trouble(&child.entry.id, &child.kind, error)?)),
        }
    }

    /// Reads somebody else's objects.
    pub(super) async fn read(
        &self,
        read: &ExternalRead,
        kinds: &[UsedKind],
    ) -> Result<Result<Vec<Value>, Trouble>, Error> {
        let refused = |message: String| Ok(Err(Trouble { id: read.id.clone(), reason: "Refused", message }));
        let Some(used) = kinds.iter().find(|used| is_kind(used, &read.api_version, &read.kind)) else {
            return refused(format!("{} of {} is no kind of this blueprint", read.kind, read.api_version));
        };
        let namespace = match self.place(used, read.namespace.as_deref()) {
            Ok(namespace) => namespace,
            Err(message) => return refused(message),
        };
        let api = self.api(used, namespace.as_deref());
        let found = match &read.which {
            Which::Named(name) if !is_name(name) => return refused(format!("{name:?} is no name of a {}", read.kind)),
            Which::Named(name) => api.get_opt(name).await.map(|object| object.into_iter().collect()),
            Which::Selected(selector) => match selector_text(selector) {
                Some(text) => api.list(&ListParams::default().labels(&text)).await.map(|list| list.items),
                None => return refused("the selector cannot be understood".into()),
            },
        };
        match found {
            Ok(objects) => Ok(Ok(objects.into_iter().filter_map(|object| typed(used, object)).collect::<Vec<Value>>())),
            Err(error) => Ok(Err(trouble(&read.id, used, error)?)),
        }
    }

    /// The namespace of an object; instances in a namespace have everything in it.
    fn place(&self, kind: &UsedKind, namespace: Option<&str>) -> Result<Option<String>, String> {
        if !kind.namespaced {
            return if self.offer.is_namespaced {
                Err(format!("a {} is in no namespace, and cannot belong to an instance that is in one", kind.kind))
            } else {
                Ok(None)
            };
        }
        match (self.instance.namespace(), namespace) {
            (Some(own), None) => Ok(Some(own)),
            (Some(own), Some(asked)) if own == asked => Ok(Some(own)),
            (Some(_), Some(asked)) => Err(format!("the namespace {asked:?} is not that of the instance")),
            (None, Some(asked)) if is_name(asked) && !asked.contains('.') => Ok(Some(asked.to_owned())),
            (None, Some(asked)) => Err(format!("{asked:?} is no name of a namespace")),
            (None, None) => Err("the instance is in no namespace, so the object must name one".into()),
        }
    }

    fn body(
        &self,
        desired: &Desired,
        namespace: Option<&str>,
        wave: Option<u32>,
        version: &str,
        known: Option<&Value>,
    ) -> Value {
        let mut body = desired.object.clone();
        let words = |part: &str| -> BTreeMap<String, Value> {
            let given = desired.object.pointer("/metadata").and_then(|metadata| metadata.get(part)?.as_object());
            let given = given.into_iter().flatten().filter(|(key, _)| !check::is_reserved(key));
            given.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let (mut labels, mut annotations) = (words("labels"), words("annotations"));
        labels.insert(INSTANCE.into(), json!(self.uid()));
        labels.insert(RESOURCE.into(), json!(desired.id));
        annotations.insert(REVISION.into(), json!(version));
        if let Some(wave) = wave {
            annotations.insert(WAVE.into(), json!(wave.to_string()));
        }
        let kind = &self.offer.kind;
        let mut metadata = json!({
            "name": desired.object.pointer("/metadata/name"), "labels": labels, "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": kind.api_version, "kind": kind.kind, "name": self.instance.name_any(), "uid": self.uid(),
                "controller": true, "blockOwnerDeletion": true,
            }],
        });
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        if let Some(uid) = known.and_then(|known| known.pointer("/metadata/uid")) {
            metadata["uid"] = uid.clone();
        }
        body["metadata"] = metadata;
        if let Some(fields) = body.as_object_mut() {
            fields.remove("status");
        }
        body
    }

    /// Whether an object is a child beyond doubt.
    fn owns(&self, object: &DynamicObject) -> bool {
        self.is_owner_of(object) && object.labels().get(INSTANCE).is_some_and(|uid| uid == self.uid())
    }

    fn is_owner_of(&self, object: &DynamicObject) -> bool {
        !self.uid().is_empty() && object.owner_references().iter().any(|owner| owner.uid == self.uid())
    }

    fn api(&self, kind: &UsedKind, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource: ApiResource = kind.resource();
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

fn child(kind: &UsedKind, object: DynamicObject) -> Option<Child> {
    let entry = InventoryEntry {
        id: object.labels().get(RESOURCE).cloned().unwrap_or_default(),
        api_version: kind.api_version.clone(),
        kind: kind.kind.clone(),
        namespace: object.namespace(),
        name: object.name_any(),
        wave: object.annotations().get(WAVE).and_then(|wave| wave.parse().ok()),
    };
    Some(Child { entry, object: typed(kind, object)?, kind: kind.clone() })
}

/// Objects in lists do not say what they are.
fn typed(kind: &UsedKind, object: DynamicObject) -> Option<Value> {
    let mut value = serde_json::to_value(object).ok()?;
    value["apiVersion"] = json!(kind.api_version);
    value["kind"] = json!(kind.kind);
    Some(value)
}

/// A revision that was not checked when it was published makes no more than one that was.
fn is_kind(used: &UsedKind, api_version: &str, kind: &str) -> bool {
    used.api_version == api_version && used.kind == kind && !check::is_forbidden(used.group())
}

/// Whether a text can be the name of an object, and nothing else in a URL.
fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let mut chars = text.chars();
    text.len() <= 253
        && !text.contains("..")
        && text.chars().all(is_plain)
        && is_end(chars.next())
        && is_end(text.chars().last())
}

fn selector_text(selector: &Value) -> Option<String> {
    let mut parts = Vec::new();
    for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
        parts.push(format!("{key}={}", value.as_str()?));
    }
    for requirement in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let key = requirement.get("key")?.as_str()?;
        let values =
            || -> Option<Vec<&str>> { requirement.get("values")?.as_array()?.iter().map(Value::as_str).collect() };
        parts.push(match requirement.get("operator")?.as_str()? {
            "In" => format!("{key} in ({})", values()?.join(",")),
            "NotIn" => format!("{key} notin ({})", values()?.join(",")),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    Some(parts.join(","))
}

/// What a tenant or an author can change, as trouble; what may be over in a moment, as an error.
fn trouble(id: &str, kind: &UsedKind, error: kube::Error) -> Result<Trouble, Error> {
    let what = format!("{} of {}", kind.kind, kind.api_version);
    let (reason, message) = match &error {
        kube::Error::Api(status) if status.is_not_found() => {
            ("NotBound", format!("{what} is not bound in this workspace, or its namespace is not there"))
        }
        kube::Error::Api(status) if status.is_forbidden() => (
            "NotAccepted",
            format!("{what} may not be used here: {}; accept the claims of the binding", status.message),
        ),
        kube::Error::Api(status) if status.is_conflict() => ("Conflict", format!("{what}: {}", status.message)),
        kube::Error::Api(status) if status.is_invalid() || status.code == 400 => {
            ("Refused", format!("{what}: {}", status.message))
        }
        _ => return Err(Error::from_kube("reach", what, error)),
    };
    Ok(Trouble { id: id.to_owned(), reason, message })
}

#[cfg(test)]
mod tests;
