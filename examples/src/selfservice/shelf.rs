//! The catalog.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use kdp_catalog::{CatalogEntry, ClaimPolicy, portal::schema_form};
use serde_json::{Value, json};

use super::{
    fault::Fault,
    kinds,
    page::{Place, Shared},
};

/// `GET /api/catalog`.
pub(super) async fn list(State(shared): State<Arc<Shared>>, place: Place) -> Result<Json<Value>, Fault> {
    let identity = place.identity().await?;
    let entries = shared.catalog.list_in(&identity, &place.client).await?;
    Ok(Json(json!({"workspace": place.workspace, "services": entries.iter().map(view).collect::<Vec<_>>()})))
}

/// `POST /api/catalog/{service}/binding`: the user lets the service into the workspace, with all it asks for.
pub(super) async fn bind(
    State(shared): State<Arc<Shared>>,
    place: Place,
    Path(service): Path<String>,
) -> Result<Json<Value>, Fault> {
    let entry = kinds::find_service(&shared, &place, &service).await?;
    kdp_catalog::bind(&place.client, &entry, ClaimPolicy::AcceptAll).await?;
    let entry = kinds::find_service(&shared, &place, &service).await?;
    Ok(Json(view(&entry)))
}

/// `GET /api/catalog/{service}/kinds/{kind}/form`.
pub(super) async fn form(
    State(shared): State<Arc<Shared>>,
    place: Place,
    Path((service, plural)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let identity = place.identity().await?;
    let entry = kinds::find_service(&shared, &place, &service).await?;
    let offered = entry.kinds().iter().find(|kind| kind.plural == plural).ok_or(Fault::NotFound("kind"))?;
    let ordered = kinds::Ordered::new(&entry, offered).ok_or(Fault::NotFound("version"))?;
    let schemas = shared.catalog.schemas(&identity, &entry).await?;
    let of_kind = schemas.iter().find(|schema| schema.metadata.name.as_deref() == Some(&offered.schema));
    let version = of_kind
        .and_then(|schema| schema.spec.versions.iter().find(|version| version.name == ordered.resource.version))
        .ok_or(Fault::NotFound("version"))?;
    Ok(Json(json!({
        "kind": offered.kind,
        "apiVersion": ordered.resource.api_version,
        "namespaced": offered.namespaced,
        "form": schema_form::order_form(&version.schema),
    })))
}

fn view(entry: &CatalogEntry) -> Value {
    let details = entry.details.clone().unwrap_or_default();
    json!({
        "key": kinds::service_key(entry),
        "name": entry.name,
        "title": entry.title(),
        "description": details.description,
        "documentation": details.documentation_url,
        "category": details.category,
        "provider": entry.export.workspace,
        "kinds": entry.kinds(),
        "mayBind": entry.may_bind,
        "claims": entry.claims,
        "bound": entry.bound.as_ref().is_some_and(|bound| bound.complete),
    })
}
