//! The workspaces and orders that the user may see.

use std::sync::Arc;

use axum::{Json, extract::State};
use futures::{StreamExt, TryStreamExt, stream};
use kdp_core::{WorkspacePath, api::tenancy::Workspace};
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::{Value, json};

use super::{
    fault::Fault,
    kinds, orders,
    page::{Place, Shared},
};

/// How many workspaces are shown, and how deep below the first.
const SHOWN: usize = 50;
const DEPTH: usize = 4;
/// Workspaces that are looked into at once.
const AT_ONCE: usize = 4;

/// `GET /api/topology`: the workspace of the request and what is below it.
pub(super) async fn show(State(shared): State<Arc<Shared>>, place: Place) -> Result<Json<Value>, Fault> {
    // What is below is asked of each workspace as the user; the first must answer.
    place.identity().await?;
    let mut level = vec![(place.workspace.clone(), None, "Ready".to_owned())];
    let mut shown: Vec<Value> = Vec::new();
    let mut more = false;
    for _ in 0..=DEPTH {
        let room = SHOWN - shown.len();
        more |= level.len() > room;
        level.truncate(room);
        let looks: Vec<_> = level.into_iter().map(|found| look(&shared, &place, found)).collect();
        let looks: Vec<_> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        let (views, below): (Vec<_>, Vec<_>) = looks.into_iter().unzip();
        shown.extend(views);
        level = below.concat();
        if level.is_empty() {
            break;
        }
    }
    Ok(Json(json!({"workspaces": shown, "more": more || !level.is_empty()})))
}

type Below = Vec<(WorkspacePath, Option<WorkspacePath>, String)>;

async fn look(
    shared: &Shared,
    place: &Place,
    (path, parent, phase): (WorkspacePath, Option<WorkspacePath>, String),
) -> Result<(Value, Below), Fault> {
    let client = place.session.client(&shared.upstream, &path).await?;
    let here = Place { session: place.session.clone(), workspace: path.clone(), client };
    let (orders, may_enter) = match orders_in(shared, &here).await {
        Ok(orders) => (orders, true),
        Err(fault) if is_refusal(&fault) => (Vec::new(), false),
        Err(fault) => return Err(fault),
    };
    let below = if may_enter { children(&here.client, &path).await? } else { Vec::new() };
    let view = json!({
        "path": path, "parent": parent, "phase": phase, "mayEnter": may_enter, "orders": orders,
    });
    Ok((view, below))
}

async fn orders_in(shared: &Shared, place: &Place) -> Result<Vec<Value>, Fault> {
    let kinds = kinds::all(shared, place).await?;
    Ok(orders::list_kinds(&place.client, &kinds).await?.0)
}

async fn children(client: &Client, path: &WorkspacePath) -> Result<Below, Fault> {
    let limit = u32::try_from(SHOWN).unwrap_or(u32::MAX);
    let list = match Api::<Workspace>::all(client.clone()).list(&ListParams::default().limit(limit)).await {
        Ok(list) => list,
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let child = |workspace: Workspace| {
        let phase = workspace.status.as_ref().and_then(|status| serde_json::to_value(status.phase).ok());
        let phase = phase.and_then(|phase| phase.as_str().map(str::to_owned)).unwrap_or_default();
        Some((path.join(&workspace.name_any()).ok()?, Some(path.clone()), phase))
    };
    Ok(list.items.into_iter().filter_map(child).collect())
}

fn is_refusal(fault: &Fault) -> bool {
    match fault {
        Fault::Api(kube::Error::Api(status)) => matches!(status.code, 403 | 404),
        Fault::Platform(error) => {
            matches!(error.kind(), kdp_core::ErrorKind::Forbidden | kdp_core::ErrorKind::NotFound)
        }
        _ => false,
    }
}
