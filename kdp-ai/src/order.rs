//! Places an order and says how it is doing.

use std::{collections::BTreeSet, fmt};

use kdp_core::{Error, ErrorKind};
use kube::{
    Api,
    api::{ApiResource, DynamicObject},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    KindRef, Validation,
    resolve::{Resolution, resolve},
    validate::{Run, target},
};

/// Annotations that say where a delivered object is: the sync agent's, and the older spelling.
const RELATED: [&str; 2] = ["related-resources.syncagent.kcp.io/", "related-resources.kdp.k8c.io/"];

/// Finalizers that a sync agent puts on the orders it carries out.
const SYNC_FINALIZER: &str = "syncagent.kcp.io/";

/// Which object an order is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderRef {
    /// Its kind.
    #[serde(flatten)]
    pub kind: KindRef,
    /// Its namespace; `None` for kinds without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl OrderRef {
    pub(crate) fn api(&self, client: &kube::Client, resource: &ApiResource) -> Api<DynamicObject> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
            None => Api::all_with(client.clone(), resource),
        }
    }

    /// The API that serves the order's kind now.
    pub(crate) async fn served(&self, client: &kube::Client) -> Result<Api<DynamicObject>, Error> {
        match resolve(client, &self.kind).await? {
            Resolution::Served(resource, _) => Ok(self.api(client, &resource)),
            Resolution::Unknown(_) => {
                Err(Error::new(ErrorKind::NotFound, "find", self, "the workspace does not serve its kind"))
            }
        }
    }
}

impl fmt::Display for OrderRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind.kind, self.name),
            None => write!(f, "{} {}", self.kind.kind, self.name),
        }
    }
}

/// What became of an order: one of two, and there will be no third.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Order {
    /// It is placed, or its change is; from here on it is followed by its status.
    Placed(OrderStatus),
    /// Nothing was changed, because of these faults.
    Refused(Validation),
}

/// How an order is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OrderStatus {
    /// The order.
    pub order: OrderRef,
    /// All in one word.
    pub phase: OrderPhase,
    /// Why, as a sentence for people.
    pub message: String,
    /// What was observed.
    pub conditions: Vec<ConditionSummary>,
    /// Secrets that were delivered, such as credentials, by name only.
    pub secrets: Vec<SecretName>,
}

/// How an order is doing, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum OrderPhase {
    /// It is being worked on.
    Progressing,
    /// What was ordered is there.
    Ready,
    /// Something is wrong; it may still get better by itself.
    Failing,
    /// It is being released.
    Deleting,
}

/// One observed aspect of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct ConditionSummary {
    /// Aspect, such as `Ready`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, as one word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Why, as a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Where a Secret is; never what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SecretName {
    /// Its namespace; `None` when only the name is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// Places the order that `manifest` describes, or changes it, once it is found valid.
///
/// Server-side apply without force: fields that another writer owns are not taken over. The same
/// manifest again changes nothing.
///
/// # Errors
/// As [`validate`](crate::validate); what is wrong with the manifest is [`Order::Refused`].
pub async fn order(client: &kube::Client, manifest: &Value) -> Result<Order, Error> {
    let target = match target(client, manifest).await? {
        Ok(target) => target,
        Err(faults) => return Ok(Order::Refused(Validation { faults, object: None })),
    };
    let tried = target.apply(client, manifest, Run::Dry).await?;
    if !tried.is_valid() {
        return Ok(Order::Refused(tried));
    }
    // What changed since the dry run can still refuse it.
    let placed = target.apply(client, manifest, Run::Real).await?;
    match &placed.object {
        Some(object) => Ok(Order::Placed(OrderStatus::of(target.order, object))),
        None => Ok(Order::Refused(placed)),
    }
}

/// How `order` is doing now.
///
/// # Errors
/// `NotFound` when there is no such order, or the workspace does not serve its kind.
pub async fn status(client: &kube::Client, order: &OrderRef) -> Result<OrderStatus, Error> {
    let object = order.served(client).await?.get(&order.name).await;
    let object = object.map_err(|error| Error::from_kube("read status of", order, error))?;
    OrderStatus::of_object(order, &object)
}

impl OrderStatus {
    pub(crate) fn of_object(order: &OrderRef, object: &DynamicObject) -> Result<Self, Error> {
        let object = serde_json::to_value(object).map_err(|error| {
            Error::new(ErrorKind::Internal, "read status of", order, "the answer is no object").with_source(error)
        })?;
        Ok(Self::of(order.clone(), &object))
    }

    pub(crate) fn of(order: OrderRef, object: &Value) -> Self {
        let conditions = conditions(object);
        let (phase, message) = judge(object, &conditions);
        Self { order, phase, message, conditions, secrets: secrets(object) }
    }
}

fn conditions(object: &Value) -> Vec<ConditionSummary> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let text = |condition: &Value, key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    conditions
        .map(|condition| ConditionSummary {
            type_: text(condition, "type"),
            status: text(condition, "status"),
            reason: text(condition, "reason"),
            message: text(condition, "message"),
        })
        .collect()
}

fn judge(object: &Value, conditions: &[ConditionSummary]) -> (OrderPhase, String) {
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return (OrderPhase::Deleting, "it is being released".into());
    }
    if is_behind(object) {
        return (OrderPhase::Progressing, "its last change has not been looked at yet".into());
    }
    let find = |type_: &str| conditions.iter().find(|condition| condition.type_ == type_);
    if let Some(stalled) = find("Stalled").filter(|stalled| stalled.status == "True") {
        return (OrderPhase::Failing, stalled.in_words());
    }
    match find("Ready") {
        None => (OrderPhase::Progressing, "nothing has been reported about its readiness yet".into()),
        Some(ready) if ready.status == "True" => (OrderPhase::Ready, "it is ready".into()),
        Some(ready) if is_error(object) => (OrderPhase::Failing, ready.in_words()),
        Some(ready) => (OrderPhase::Progressing, ready.in_words()),
    }
}

/// Whether the status still speaks of an older generation than the object has.
///
/// The status of a synced order comes from its copy on the service cluster, whose generations are
/// counted by themselves and say nothing here.
fn is_behind(object: &Value) -> bool {
    if is_synced(object) {
        return false;
    }
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let observed = ready_condition(object)
        .and_then(|ready| ready.get("observedGeneration"))
        .or_else(|| object.pointer("/status/observedGeneration"))
        .and_then(Value::as_i64);
    generation.zip(observed).is_some_and(|(generation, observed)| observed < generation)
}

fn is_synced(object: &Value) -> bool {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array).into_iter().flatten();
    finalizers.filter_map(Value::as_str).any(|finalizer| finalizer.starts_with(SYNC_FINALIZER))
}

/// Whether the condition Ready says by its severity that it fails because of an error.
fn is_error(object: &Value) -> bool {
    let is = |condition: &Value, key: &str, wanted: &str| condition.get(key).is_some_and(|value| value == wanted);
    ready_condition(object).is_some_and(|ready| is(ready, "status", "False") && is(ready, "severity", "Error"))
}

fn ready_condition(object: &Value) -> Option<&Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition.get("type").is_some_and(|type_| type_ == "Ready"))
}

impl ConditionSummary {
    fn in_words(&self) -> String {
        match (self.message.as_str(), self.reason.as_str()) {
            ("", "") => format!("{} is {}", self.type_, self.status),
            ("", reason) => reason.to_owned(),
            (message, _) => message.to_owned(),
        }
    }
}

/// The Secrets that the object says were delivered: in annotations of the sync agent, and where
/// its status refers to one.
fn secrets(object: &Value) -> Vec<SecretName> {
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten();
    let related = annotations
        .filter(|(key, _)| RELATED.iter().any(|prefix| key.starts_with(prefix)))
        .filter_map(|(_, text)| serde_json::from_str::<Value>(text.as_str()?).ok())
        .filter(|related| related.get("kind").is_some_and(|kind| kind == "Secret"))
        .filter_map(|related| secret_name(&related));
    let mut found: BTreeSet<SecretName> = related.collect();
    if let Some(status) = object.get("status") {
        collect_references(status, &mut found);
    }
    found.into_iter().collect()
}

fn secret_name(reference: &Value) -> Option<SecretName> {
    let text = |key: &str| reference.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(SecretName { namespace: text("namespace"), name: text("name")? })
}

/// By Kubernetes' habit, `…secretRef` holds a reference and `…secretName` a name.
fn collect_references(value: &Value, found: &mut BTreeSet<SecretName>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        Value::Object(fields) => {
            for (key, field) in fields {
                let key = key.to_lowercase();
                match field {
                    Value::Object(_) if key.ends_with("secretref") => found.extend(secret_name(field)),
                    Value::String(name) if key.ends_with("secretname") => {
                        found.insert(SecretName { namespace: None, name: name.clone() });
                    }
                    _ => collect_references(field, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
