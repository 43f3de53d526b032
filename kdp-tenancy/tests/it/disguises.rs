//! What a tenant, or somebody with few rights, tries in vain.

use http::Request;
use k8s_openapi::api::core::v1::ConfigMap;
use kdp_core::{ControlPlane, Endpoint, Identity};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::support::{system, user, workspace};

/// Sends a GET with these headers; the code of the answer and its body.
async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match client.request_text(request.body(Vec::new()).unwrap()).await {
        Ok(text) => (200, text),
        Err(kube::Error::Api(status)) => (status.code, status.message.clone()),
        Err(other) => panic!("{path}: {other}"),
    }
}

#[tokio::test]
async fn who_impersonates_is_let_into_all_workspaces_only_as_the_other() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let of = |identity: &Identity| control_plane.client(&Endpoint::AllWorkspaces, identity).unwrap();
    let master = of(&Identity::system_masters());
    let mut scoped = Identity::system_masters();
    scoped.extra.insert("authentication.kcp.io/scopes".into(), vec!["cluster:elsewhere".into()]);
    let mallory = of(&Identity { username: "mallory".into(), ..Identity::default() });
    let as_alice: &[_] = &[("impersonate-user", "alice")];
    let as_master: &[_] = &[("impersonate-user", "x"), ("impersonate-group", "system:masters")];
    let remote: &[_] = &[("x-remote-user", "admin"), ("x-remote-group", "system:masters")];
    for path in ["/api/v1/secrets", "/apis", "/openapi/v3"] {
        assert_eq!(get(&master, path, &[]).await.0, 200, "{path}");
        assert_eq!(get(&master, path, as_alice).await.0, 403, "{path}");
        assert_eq!(get(&of(&scoped), path, &[]).await.0, 403, "{path}");
        for headers in [as_alice, as_master, remote] {
            assert_eq!(get(&mallory, path, headers).await.0, 403, "{path} {headers:?}");
        }
    }
}

#[tokio::test]
async fn a_watch_of_one_object_shows_no_other() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = system(&control_plane, "root");
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    for name in ["mine", "theirs"] {
        let made = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        config_maps.create(&PostParams::default(), &made).await.unwrap();
        let patch = Patch::Merge(json!({"data": {"k": "v"}}));
        config_maps.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }
    for start in ["", "&resourceVersion=1"] {
        let path = format!("/api/v1/namespaces/default/configmaps/mine?watch=true&timeoutSeconds=1{start}");
        let (code, events) = get(&client, &path, &[]).await;
        assert!(code == 200 && events.contains("mine") && !events.contains("theirs"), "{code} {events}");
    }
}

#[tokio::test]
async fn a_document_has_one_path() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = system(&control_plane, "root");
    assert_eq!(get(&client, "/apis/rbac.authorization.k8s.io", &[]).await.0, 200);
    for path in ["//apis/rbac.authorization.k8s.io", "///openapi/v3/api/v1"] {
        assert_eq!(get(&client, path, &[]).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn who_has_no_rights_finds_every_door_closed() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["mine", "theirs"] {
        workspace(&control_plane, "root", name).await;
    }
    let everything = ["/api/v1/secrets", "/api/v1/secrets?watch=true", "/apis", "/openapi/v2", "/version"];
    // Into the root everybody is let, to find workspaces and types there, and nothing else.
    for (path, requests) in [("root:theirs", &everything[..]), ("root", &everything[..2])] {
        let mallory = user(&control_plane, path, "mallory");
        for request in requests {
            assert_eq!(get(&mallory, request, &[]).await.0, 403, "{path}{request}");
            let headers = [("impersonate-user", "mallory"), ("impersonate-group", "system:masters")];
            assert_eq!(get(&mallory, request, &headers).await.0, 403, "{path}{request}");
        }
    }
}
