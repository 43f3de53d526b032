//! Orders: the objects of the kinds that services offer.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use kube::{
    Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, PostParams, Preconditions},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    fault::Fault,
    kinds::{self, NO_NAMESPACE, Ordered},
    page::{Place, Shared},
};

/// Field manager of what is ordered here.
const MANAGER: &str = "selfservice";
/// How many orders of a kind are shown.
const SHOWN: u32 = 200;
/// Lists under way at once for one answer.
const LISTS_AT_ONCE: usize = 8;
/// Fields of an object that no form has.
const NOT_ORDERED: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// Which order a path names.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct OrderPath {
    service: String,
    kind: String,
    namespace: String,
    name: String,
}

/// An order as the user sees it now, and the kind it is of.
pub(super) async fn find(shared: &Shared, place: &Place, path: &OrderPath) -> Result<(Ordered, DynamicObject), Fault> {
    let is_fine = kinds::is_segment(&path.name) && (path.namespace == NO_NAMESPACE || is_name(&path.namespace));
    if !is_fine {
        return Err(Fault::NotFound("order"));
    }
    let kind = kinds::find(shared, place, &path.service, &path.kind).await?;
    if kind.namespaced == (path.namespace == NO_NAMESPACE) {
        return Err(Fault::NotFound("order"));
    }
    let object = kind.api(&place.client, &path.namespace).get(&path.name).await?;
    Ok((kind, object))
}

/// `GET /api/orders`.
pub(super) async fn list(State(shared): State<Arc<Shared>>, place: Place) -> Result<Json<Value>, Fault> {
    let kinds = kinds::all(&shared, &place).await?;
    let (orders, refused) = list_kinds(&place.client, &kinds).await?;
    Ok(Json(json!({"workspace": place.workspace, "orders": orders, "refused": refused})))
}

/// The orders of some kinds that the client may see, and the kinds it may not list.
pub(super) async fn list_kinds(client: &Client, kinds: &[Ordered]) -> Result<(Vec<Value>, Vec<String>), Fault> {
    let lists: Vec<_> = kinds.iter().map(|kind| list_kind(client, kind)).collect();
    let lists: Vec<_> = stream::iter(lists).buffered(LISTS_AT_ONCE).try_collect().await?;
    let (orders, refused): (Vec<_>, Vec<_>) = lists.into_iter().unzip();
    Ok((orders.concat(), refused.into_iter().flatten().collect()))
}

async fn list_kind(client: &Client, kind: &Ordered) -> Result<(Vec<Value>, Option<String>), Fault> {
    match kind.everywhere(client).list(&ListParams::default().limit(SHOWN)).await {
        Ok(list) => Ok((list.items.iter().map(|object| view(kind, object)).collect(), None)),
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => {
            Ok((Vec::new(), Some(kind.resource.kind.clone())))
        }
        Err(error) => Err(error.into()),
    }
}

/// What is ordered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrder {
    service: String,
    /// Plural name of the kind.
    kind: String,
    #[serde(default)]
    namespace: String,
    name: String,
    /// What the form says.
    values: Map<String, Value>,
}

/// `POST /api/orders`.
pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    place: Place,
    body: Result<Json<NewOrder>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(new) = body.map_err(|rejection| Fault::Malformed(rejection.body_text()))?;
    let kind = kinds::find(&shared, &place, &new.service, &new.kind).await?;
    // An empty part of the address would lead to another place.
    if kind.namespaced && !is_name(&new.namespace) {
        return Err(Fault::Malformed("this is no name of a namespace".into()));
    }
    let mut object = DynamicObject::new(&new.name, &kind.resource);
    if kind.namespaced {
        object.metadata.namespace = Some(new.namespace.clone());
    }
    let values = new.values.into_iter().filter(|(field, _)| !NOT_ORDERED.contains(&field.as_str()));
    object.data = Value::Object(values.collect());
    let create = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    let object = kind.api(&place.client, &new.namespace).create(&create, &object).await?;
    Ok((StatusCode::CREATED, Json(view(&kind, &object))).into_response())
}

/// `GET /api/orders/{service}/{kind}/{namespace}/{name}`.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    place: Place,
    Path(path): Path<OrderPath>,
) -> Result<Json<Value>, Fault> {
    let (kind, object) = find(&shared, &place, &path).await?;
    Ok(Json(view(&kind, &object)))
}

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    uid: String,
}

/// `DELETE` of the same: only the very order that the user saw is deleted, not one of the same name.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    place: Place,
    Path(path): Path<OrderPath>,
    which: Result<Query<Which>, axum::extract::rejection::QueryRejection>,
) -> Result<StatusCode, Fault> {
    let Query(Which { uid }) = which.map_err(|_| Fault::Malformed("say the uid of the order".into()))?;
    let (kind, _) = find(&shared, &place, &path).await?;
    let preconditions = Preconditions { uid: Some(uid), ..Preconditions::default() };
    let delete = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    kind.api(&place.client, &path.namespace).delete(&path.name, &delete).await?;
    Ok(StatusCode::ACCEPTED)
}

/// An order for the browser.
pub(super) fn view(kind: &Ordered, object: &DynamicObject) -> Value {
    let status = &object.data["status"];
    let conditions = status["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    let field = |name: &str| ready.map_or("", |ready| ready[name].as_str().unwrap_or_default());
    // Short texts and numbers of the status say what has become of it.
    let facts: Map<String, Value> = status
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| {
            !["message", "phase", "observedGeneration"].contains(&name.as_str())
                && (value.is_string() || value.is_number() || value.is_boolean())
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    json!({
        "service": kind.service,
        "kind": kind.resource.kind,
        "plural": kind.resource.plural,
        "namespace": object.namespace().unwrap_or_else(|| NO_NAMESPACE.into()),
        "name": object.name_any(),
        "uid": object.uid(),
        "created": object.creation_timestamp(),
        "deleting": object.metadata.deletion_timestamp.is_some(),
        "ready": field("status"),
        "reason": field("reason"),
        "phase": status["phase"].as_str().unwrap_or_default(),
        "message": status["message"].as_str().unwrap_or_else(|| field("message")),
        "facts": facts,
        "spec": object.data["spec"],
        "conditions": conditions,
    })
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(is_allowed) && text != NO_NAMESPACE
}
