use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use kdp_core::{ControlPlaneExt, Identity, WorkspacePath};
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

/// A control plane that does one thing at a time, and `dev`, who may do everything in its root.
async fn one_seat() -> Embedded {
    let control_plane = Embedded::in_memory_with(EmbeddedOptions::new().with_concurrency(1)).await.unwrap();
    let client = control_plane.system_client(&WorkspacePath::root()).unwrap();
    let group = "rbac.authorization.k8s.io";
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", "ClusterRoleBinding"));
    let admin = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "dev"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "dev"}]});
    let api: Api<DynamicObject> = Api::all_with(client, &kind);
    api.create(&PostParams::default(), &serde_json::from_value(admin).unwrap()).await.unwrap();
    control_plane
}

fn request(method: &str, body: Body) -> Request<Body> {
    let identity = Identity { username: "dev".into(), ..Identity::default() };
    Request::builder()
        .method(method)
        .uri("/clusters/root/api/v1/namespaces/default/configmaps")
        .header("content-type", "application/json")
        .extension(PeerIdentity::in_process(identity))
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn who_is_slow_to_send_keeps_no_place_from_others() {
    let control_plane = one_seat().await;
    let never = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let mut stuck = Box::pin(control_plane.api().handle(request("POST", boxed(never))));
    assert!(futures::poll!(&mut stuck).is_pending());
    let other = control_plane.api().handle(request("GET", boxed(String::new())));
    let answer = tokio::time::timeout(Duration::from_secs(10), other).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}
