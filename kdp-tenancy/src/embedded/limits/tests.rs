use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use kdp_core::{ControlPlaneExt, Identity, WorkspacePath, api::tenancy::Workspace};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::json;

use crate::{
    Embedded, EmbeddedOptions,
    embedded::{
        auth::PeerIdentity,
        serve::{Body, boxed},
    },
};

/// A control plane that does one thing at a time, and `dev`, who may do everything in two workspaces.
async fn one_seat() -> Embedded {
    let control_plane = Embedded::in_memory_with(EmbeddedOptions::new().with_concurrency(1)).await.unwrap();
    let workspaces = Api::all(control_plane.system_client(&WorkspacePath::root()).unwrap());
    for name in ["noisy", "quiet"] {
        workspaces.create(&PostParams::default(), &Workspace::new(name, Default::default())).await.unwrap();
        let path = WorkspacePath::root().join(name).unwrap();
        make_admin(control_plane.system_client(&path).unwrap()).await;
    }
    control_plane
}

async fn make_admin(client: kube::Client) {
    let group = "rbac.authorization.k8s.io";
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", "ClusterRoleBinding"));
    let admin = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "dev"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "dev"}]});
    let api: Api<DynamicObject> = Api::all_with(client, &kind);
    api.create(&PostParams::default(), &serde_json::from_value(admin).unwrap()).await.unwrap();
}

fn request(workspace: &str, method: &str, body: Body) -> Request<Body> {
    let identity = Identity { username: "dev".into(), ..Identity::default() };
    Request::builder()
        .method(method)
        .uri(format!("/clusters/root:{workspace}/api/v1/namespaces/default/configmaps"))
        .header("content-type", "application/json")
        .extension(PeerIdentity::in_process(identity))
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn who_is_slow_to_send_keeps_no_place_from_others() {
    let control_plane = one_seat().await;
    let never = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let mut stuck = Box::pin(control_plane.api().handle(request("noisy", "POST", boxed(never))));
    assert!(futures::poll!(&mut stuck).is_pending());
    let other = control_plane.api().handle(request("quiet", "GET", boxed(String::new())));
    let answer = tokio::time::timeout(Duration::from_secs(10), other).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_request_of_a_quiet_workspace_passes_those_that_a_noisy_one_has_waiting() {
    let control_plane = one_seat().await;
    let api = control_plane.api();
    let dev = Identity { username: "dev".into(), ..Identity::default() };
    let cluster = api.registry.index.resolve(&"root:noisy".parse().unwrap()).unwrap();
    let held = api.registry.index.limits.admit(&dev, &cluster).await.unwrap().unwrap();
    let ask = |workspace: &str| Box::pin(api.handle(request(workspace, "GET", boxed(String::new()))));
    let mut noisy: Vec<_> = (0..50).map(|_| ask("noisy")).collect();
    for request in &mut noisy {
        assert!(futures::poll!(request).is_pending());
    }
    let mut quiet = ask("quiet");
    assert!(futures::poll!(&mut quiet).is_pending());
    drop(held);
    assert!(futures::poll!(&mut noisy[0]).is_ready());
    assert!(futures::poll!(&mut noisy[1]).is_pending());
    assert!(futures::poll!(&mut quiet).is_ready());
    assert!(futures::poll!(&mut noisy[1]).is_ready());
}
