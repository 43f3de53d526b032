//! Keeps the APIExport in step with what is published.

use k8s_openapi::api::core::v1::Event;
use kdp_core::{Error, ErrorKind, reconcile::Chain};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::Value;

use crate::{
    driver::{MANAGER, in_time},
    event::event,
    publish::{Export, export_news, new_export, update_export},
};

/// How often a concurrent change is met with another try at once.
const ATTEMPTS: usize = 5;

pub(super) fn api(provider: Client) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: "apis.kcp.io".into(),
        version: "v1alpha2".into(),
        api_version: "apis.kcp.io/v1alpha2".into(),
        kind: "APIExport".into(),
        plural: "apiexports".into(),
    };
    Api::all_with(provider, &resource)
}

/// Brings the export up to date; makes it when it is missing and `creates` says so.
pub(super) async fn bring_up_to_date(
    provider: &Client,
    name: &str,
    wanted: &Export,
    agent: &str,
    creates: bool,
) -> Result<(), Error> {
    let api = api(provider.clone());
    let unreadable =
        |e: serde_json::Error| Error::new(ErrorKind::Internal, "update APIExport", name, "unreadable").with_source(e);
    for _ in 0..ATTEMPTS {
        let export = match in_time("get APIExport", name, api.get_opt(name)).await? {
            Some(export) => export,
            None if creates => {
                let export = serde_json::from_value(new_export(name)).map_err(unreadable)?;
                match in_time("create APIExport", name, api.create(&PostParams::default(), &export)).await {
                    Err(error) if error.kind() == ErrorKind::Stale => continue,
                    created => created?,
                }
            }
            None => {
                let message = "it does not exist in the provider's workspace; create it first";
                return Err(Error::new(ErrorKind::NotFound, "update APIExport", name, message));
            }
        };
        let export: Value = serde_json::to_value(export).map_err(unreadable)?;
        let Some(patch) = update_export(&export, wanted, agent) else { return Ok(()) };
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        match in_time("update APIExport", name, api.patch(name, &params, &Patch::Merge(&patch))).await {
            Err(error) if error.kind() == ErrorKind::Stale => {}
            Err(error) => return Err(error),
            Ok(_) => {
                tell(provider, &export, &patch, agent).await;
                return Ok(());
            }
        }
    }
    Err(Error::new(ErrorKind::Stale, "update APIExport", name, "it is changed again and again at the same time"))
}

/// Writes Events about what has changed.
async fn tell(provider: &Client, export: &Value, patch: &Value, agent: &str) {
    for news in export_news(export, patch) {
        write_event(provider, event(export, news.type_, news.reason, &news.note, agent)).await;
    }
}

/// Writes an Event. Nothing is held up when that fails.
pub(super) async fn write_event(client: &Client, event: Value) {
    let Ok(event) = serde_json::from_value::<Event>(event) else { return };
    let namespace = event.metadata.namespace.clone().unwrap_or_default();
    let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
    let about = event.involved_object.kind.clone().unwrap_or_default();
    if let Err(error) = in_time("create Event", about, api.create(&PostParams::default(), &event)).await {
        tracing::debug!(reason = event.reason, error = %Chain(&error), "event.failed");
    }
}
