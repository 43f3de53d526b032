//! The credentials that an order delivers.
//!
//! They are shown once each time the user says so: a page that is left open, or a request that is made again from the
//! browser's history, shows nothing.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{
    fault::Fault,
    orders::{self, OrderPath},
    page::{Place, Shared},
};

/// `POST /api/orders/…/credentials/reveal`.
pub(super) async fn reveal(
    State(shared): State<Arc<Shared>>,
    place: Place,
    Path(path): Path<OrderPath>,
) -> Result<StatusCode, Fault> {
    let (_, object) = orders::find(&shared, &place, &path).await?;
    place.session.reveal(&object.uid().unwrap_or_default(), Instant::now());
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/orders/…/credentials`.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    place: Place,
    Path(path): Path<OrderPath>,
) -> Result<Json<Value>, Fault> {
    let (_, object) = orders::find(&shared, &place, &path).await?;
    if !place.session.take_revealed(&object.uid().unwrap_or_default(), Instant::now()) {
        return Err(Fault::NotRevealed);
    }
    let namespace = object.namespace().ok_or(Fault::NotFound("secret"))?;
    let told = object.data["status"]["secretName"].as_str().filter(|name| !name.is_empty());
    let name = told.map_or_else(|| format!("{}-credentials", object.name_any()), str::to_owned);
    let secret = Api::<Secret>::namespaced(place.client.clone(), &namespace).get(&name).await?;
    let values: Vec<_> = secret
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|(key, value)| match String::from_utf8(value.0) {
            Ok(text) => json!({"key": key, "value": text}),
            Err(error) => json!({"key": key, "bytes": error.as_bytes().len()}),
        })
        .collect();
    Ok(Json(json!({"secret": name, "values": values})))
}
