//! Objects of any kind, and what tests look for in them.

use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::shared::eventually;

/// The API of a kind; all namespaces when `namespace` is absent.
pub(crate) fn api(
    client: Client,
    namespace: Option<&str>,
    api_version: &str,
    kind: &str,
    plural: &str,
) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    }
}

pub(crate) fn secrets(client: Client, namespace: &str) -> Api<DynamicObject> {
    api(client, Some(namespace), "v1", "Secret", "secrets")
}

pub(crate) fn config_maps(client: Client, namespace: &str) -> Api<DynamicObject> {
    api(client, Some(namespace), "v1", "ConfigMap", "configmaps")
}

pub(crate) fn namespaces(client: Client) -> Api<DynamicObject> {
    api(client, None, "v1", "Namespace", "namespaces")
}

pub(crate) async fn create(api: &Api<DynamicObject>, object: Value) -> DynamicObject {
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
}

/// Makes a Secret that holds `value` under `key`, with these labels.
pub(crate) async fn create_secret(api: &Api<DynamicObject>, name: &str, value: &str, labels: Value) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}, "stringData": {"key": value},
    });
    create(api, secret).await;
}

/// Makes a ConfigMap that holds `value` under `key`, with these labels.
pub(crate) async fn create_config_map(api: &Api<DynamicObject>, name: &str, value: &str, labels: Value) {
    let config_map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": {"key": value},
    });
    create(api, config_map).await;
}

pub(crate) async fn create_namespace(client: Client, name: &str, labels: Value) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    create(&namespaces(client), namespace).await;
}

pub(crate) async fn patch(api: &Api<DynamicObject>, name: &str, patch: Value) {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

pub(crate) async fn patch_status(api: &Api<DynamicObject>, name: &str, status: Value) {
    let patch = Patch::Merge(json!({"status": status}));
    api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

pub(crate) async fn delete(api: &Api<DynamicObject>, name: &str) {
    api.delete(name, &DeleteParams::default()).await.unwrap();
}

/// Waits for an object that is as expected.
pub(crate) async fn seen(
    api: &Api<DynamicObject>,
    name: &str,
    is_expected: impl Fn(&DynamicObject) -> bool,
) -> DynamicObject {
    eventually(&format!("{name} of {} is as expected", api.resource_url()), async || {
        api.get_opt(name).await.unwrap().filter(&is_expected)
    })
    .await
}

/// Waits until an object is gone.
pub(crate) async fn gone(api: &Api<DynamicObject>, name: &str) {
    eventually(&format!("{name} of {} is gone", api.resource_url()), async || {
        api.get_opt(name).await.unwrap().is_none().then_some(())
    })
    .await;
}

pub(crate) async fn names(api: &Api<DynamicObject>) -> Vec<String> {
    let mut names: Vec<_> = api.list(&Default::default()).await.unwrap().iter().map(ResourceExt::name_any).collect();
    names.sort();
    names
}

/// What a Secret or ConfigMap made by the functions above holds.
pub(crate) fn value(object: &DynamicObject) -> String {
    let value = object.data["data"]["key"].as_str().unwrap_or_default();
    if object.types.as_ref().is_some_and(|types| types.kind == "Secret") {
        let secret: k8s_openapi::api::core::v1::Secret =
            serde_json::from_value(json!({"data": object.data["data"]})).unwrap();
        return String::from_utf8(secret.data.unwrap()["key"].0.clone()).unwrap();
    }
    value.to_owned()
}
