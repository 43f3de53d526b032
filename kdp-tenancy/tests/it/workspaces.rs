//! Workspaces are logical clusters of their own.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kdp_core::api::{core::LogicalCluster, tenancy::Workspace};
use kdp_tenancy::Embedded;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::support::{dynamic, eventually, names, object, refusal, system, user, workspace};

#[tokio::test]
async fn a_workspace_answers_at_its_path_and_its_cluster_name() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let made = workspace(&control_plane, "root", "a").await;
    assert_eq!(made.status.unwrap().phase.to_string(), "Ready");
    let cluster = made.spec.cluster.unwrap();
    for path in ["root:a", &cluster] {
        let api: Api<LogicalCluster> = Api::all(system(&control_plane, path));
        let found = api.get("cluster").await.unwrap();
        assert_eq!(found.metadata.annotations.unwrap()["kcp.io/path"], "root:a");
    }
    let nested = workspace(&control_plane, "root:a", "b").await;
    assert!(nested.spec.url.unwrap().ends_with("/clusters/root:a:b"));
}

#[tokio::test]
async fn a_user_sees_nothing_of_a_workspace_that_is_not_theirs() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    for path in ["root:a", "root:missing"] {
        let api: Api<ConfigMap> = Api::namespaced(user(&control_plane, path, "mallory"), "default");
        let (code, reason) = refusal(api.list(&Default::default()).await);
        assert_eq!((code, &*reason), (403, "Forbidden"), "{path}");
    }
}

#[tokio::test]
async fn objects_of_the_same_name_in_two_workspaces_are_apart() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["a", "b"] {
        workspace(&control_plane, "root", name).await;
        let api: Api<ConfigMap> = Api::namespaced(system(&control_plane, &format!("root:{name}")), "default");
        let object = json!({"metadata": {"name": "same"}, "data": {"from": name}});
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
    let api: Api<ConfigMap> = Api::all(system(&control_plane, "root:a"));
    let list = api.list(&Default::default()).await.unwrap();
    assert_eq!(names(&list.items), ["kube-root-ca.crt", "same"]);
    assert_eq!(list.items[1].data.as_ref().unwrap()["from"], "a");
}

#[tokio::test]
async fn deleting_a_workspace_deletes_everything_in_it() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let child = workspace(&control_plane, "root:a", "b").await.spec.cluster.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root:a:b"), "default");
    api.create(&PostParams::default(), &serde_json::from_value(json!({"metadata": {"name": "x"}})).unwrap())
        .await
        .unwrap();
    let workspaces: Api<Workspace> = Api::all(system(&control_plane, "root"));
    workspaces.delete("a", &DeleteParams::default()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), async {
        while workspaces.get_opt("a").await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    for path in ["root:a", "root:a:b", &child] {
        let api: Api<ConfigMap> = Api::all(system(&control_plane, path));
        assert_eq!(refusal(api.list(&Default::default()).await), (404, "NotFound".into()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workspaces_are_created_at_once() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let api: Api<Workspace> = Api::all(system(&control_plane, "root"));
    let create = |i: usize| {
        let api = api.clone();
        async move {
            api.create(&PostParams::default(), &Workspace::new(&format!("w{i}"), Default::default())).await.unwrap()
        }
    };
    for round in 0..10 {
        let all = futures::future::join_all((0..64).map(|i| create(round * 64 + i)));
        tokio::time::timeout(Duration::from_secs(20), all).await.expect("no creation waits for ever");
    }
    assert_eq!(api.list(&Default::default()).await.unwrap().items.len(), 640);
}

#[tokio::test]
async fn what_somebody_else_holds_is_left_in_peace() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let held = |kind: &str, group: &str, spec: serde_json::Value| {
        object(json!({"apiVersion": group, "kind": kind, "spec": spec,
            "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}))
    };
    let client = system(&control_plane, "root:a");
    let namespaces = dynamic(client.clone(), "", "", "v1", "Namespace", "namespaces");
    let workspaces = dynamic(client, "", "tenancy.kcp.io", "v1alpha1", "Workspace", "workspaces");
    for (api, it) in [
        (&namespaces, held("Namespace", "v1", json!({}))),
        (&workspaces, held("Workspace", "tenancy.kcp.io/v1alpha1", json!({}))),
    ] {
        api.create(&PostParams::default(), &it).await.unwrap();
        api.delete("held", &DeleteParams::default()).await.unwrap();
        let is_left = |it: &kube::api::DynamicObject| {
            it.metadata.finalizers.as_deref() == Some(&["example.com/hold".to_owned()])
                && it.data.pointer("/spec/finalizers").is_none_or(|left| left == &json!([]))
        };
        eventually(async || is_left(&api.get("held").await.unwrap())).await;
        let before = api.get("held").await.unwrap().metadata.resource_version;
        for _ in 0..100 {
            tokio::task::yield_now().await;
            assert_eq!(api.get("held").await.unwrap().metadata.resource_version, before);
        }
        let let_go = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        api.patch("held", &PatchParams::default(), &let_go).await.unwrap();
        eventually(async || api.get_opt("held").await.unwrap().is_none()).await;
    }
}
