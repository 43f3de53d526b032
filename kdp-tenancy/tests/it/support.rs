//! Shorthands for the tests.

use kdp_core::{ControlPlane, ControlPlaneExt, Identity, WorkspacePath, api::tenancy::Workspace};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::Value;

/// A client with every right in the workspace at `path`.
pub(crate) fn system(control_plane: &Embedded, path: &str) -> Client {
    control_plane.system_client(&path.parse().unwrap()).unwrap()
}

/// A client of the user `name` in the workspace at `path`.
pub(crate) fn user(control_plane: &Embedded, path: &str, name: &str) -> Client {
    let path: WorkspacePath = path.parse().unwrap();
    let identity = Identity { username: name.into(), ..Identity::default() };
    control_plane.client(&path.into(), &identity).unwrap()
}

/// Creates the workspace `name` in the workspace at `parent`.
pub(crate) async fn workspace(control_plane: &Embedded, parent: &str, name: &str) -> Workspace {
    let api: Api<Workspace> = Api::all(system(control_plane, parent));
    api.create(&PostParams::default(), &Workspace::new(name, Default::default())).await.unwrap()
}

/// An object from JSON.
pub(crate) fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

/// An API of a kind that is not known at compile time.
pub(crate) fn dynamic(
    client: Client,
    namespace: &str,
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    if namespace.is_empty() {
        Api::all_with(client, &resource)
    } else {
        Api::namespaced_with(client, namespace, &resource)
    }
}

/// The code and reason of a failed request.
pub(crate) fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> (u16, String) {
    match result.unwrap_err() {
        kube::Error::Api(status) => (status.code, status.reason.clone()),
        other => panic!("not an answer of the server: {other}"),
    }
}

/// The names of objects.
pub(crate) fn names<K: ResourceExt>(objects: &[K]) -> Vec<String> {
    objects.iter().map(ResourceExt::name_any).collect()
}

/// Waits until `condition` holds; panics when it does not within ten seconds.
pub(crate) async fn eventually(condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), met).await.expect("the condition was never met");
}
