//! Watches and the rights they rest on.

use std::time::Duration;

use futures::{AsyncBufRead, AsyncBufReadExt, StreamExt};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

async fn watch(client: &Client, path: &str) -> impl AsyncBufRead + use<> {
    client.request_stream(Request::get(path).body(Vec::new()).unwrap()).await.unwrap()
}

/// The lines of a watch until it ends, which it must do soon.
async fn until_it_ends(lines: impl AsyncBufRead) -> Vec<Value> {
    let lines = lines.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    tokio::time::timeout(PATIENCE, lines).await.expect("the watch never ended")
}

async fn next(lines: &mut (impl AsyncBufRead + Unpin)) -> Value {
    let mut line = String::new();
    tokio::time::timeout(PATIENCE, lines.read_line(&mut line)).await.expect("nothing came").unwrap();
    serde_json::from_str(&line).unwrap()
}

#[tokio::test]
async fn a_watch_ends_when_its_user_loses_the_right() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let client = system(&control_plane, "root:a");
    make_admin(&client, "admin").await;
    make_admin(&client, "other").await;
    create(&client, CONFIG_MAPS, config_map("first")).await;
    let path = "/api/v1/configmaps?watch=true&labelSelector=test";
    let mut lines = watch(&user(&control_plane, "root:a", "admin"), path).await;
    let mut others = watch(&user(&control_plane, "root:a", "other"), path).await;
    assert_eq!(next(&mut lines).await["object"]["metadata"]["name"], "first");
    assert_eq!(next(&mut others).await["object"]["metadata"]["name"], "first");
    let binding = format!("{RBAC}/clusterrolebindings/cluster-admin-admin");
    assert_eq!(send(&client, Method::DELETE, &binding, &Value::Null).await.0, 200);
    assert_eq!(until_it_ends(lines).await, Vec::<Value>::new());
    create(&client, CONFIG_MAPS, config_map("second")).await;
    assert_eq!(next(&mut others).await["object"]["metadata"]["name"], "second", "others go on");
}

#[tokio::test]
async fn a_watch_ends_when_its_workspace_is_suspended() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let client = system(&control_plane, "root:a");
    create(&client, CONFIG_MAPS, config_map("first")).await;
    let mut lines = watch(&client, "/api/v1/configmaps?watch=true&labelSelector=test").await;
    assert_eq!(next(&mut lines).await["object"]["metadata"]["name"], "first");
    kdp_tenancy::lifecycle::suspend(&control_plane, &"root:a".parse().unwrap()).await.unwrap();
    assert_eq!(until_it_ends(lines).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_watch_of_all_workspaces_shows_a_suspended_one_as_it_was() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["a", "b"] {
        workspace(&control_plane, "root", name).await;
    }
    let (a, b) = (system(&control_plane, "root:a"), system(&control_plane, "root:b"));
    create(&a, CONFIG_MAPS, config_map("in-a")).await;
    let path = "root:a".parse().unwrap();
    kdp_tenancy::lifecycle::suspend(&control_plane, &path).await.unwrap();
    let everywhere = control_plane.client(&Endpoint::AllWorkspaces, &Identity::system_masters()).unwrap();
    let mut lines = watch(&everywhere, "/api/v1/configmaps?watch=true&labelSelector=test").await;
    assert_eq!(next(&mut lines).await["object"]["metadata"]["name"], "in-a");
    create(&b, CONFIG_MAPS, config_map("in-b")).await;
    assert_eq!(next(&mut lines).await["object"]["metadata"]["name"], "in-b");
}

#[tokio::test]
async fn a_providers_watch_of_a_consumer_ends_when_the_claim_is_withdrawn() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let (_, one) = suspension::tenants(&control_plane).await;
    let client = system(&control_plane, "root:a");
    create(&client, CONFIG_MAPS, config_map("first")).await;
    let provider = control_plane.client(&one, &Identity::system_masters()).unwrap();
    let mut lines = watch(&provider, "/api/v1/configmaps?watch=true&labelSelector=test").await;
    assert_eq!(next(&mut lines).await["object"]["metadata"]["name"], "first");
    let rejected = json!({"spec": {"permissionClaims": [
        {"group": "", "resource": "configmaps", "verbs": ["*"], "selector": {"matchAll": true}, "state": "Rejected"}]}});
    let (code, answer) = patch(&client, "/apis/apis.kcp.io/v1alpha2/apibindings/e", rejected).await;
    assert_eq!(code, 200, "{answer}");
    let told: Vec<_> = until_it_ends(lines).await.into_iter().map(|event| event["type"].clone()).collect();
    assert_eq!(told, ["DELETED"], "it tells what is gone first");
}

#[tokio::test]
async fn a_providers_watch_of_all_consumers_shows_a_suspended_one_as_it_was() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let (all, _) = suspension::tenants(&control_plane).await;
    create(&system(&control_plane, "root:a"), CONFIG_MAPS, config_map("kept")).await;
    let provider = control_plane.client(&all, &Identity::system_masters()).unwrap();
    let path = "root:a".parse().unwrap();
    kdp_tenancy::lifecycle::suspend(&control_plane, &path).await.unwrap();
    let mut lines = watch(&provider, "/api/v1/configmaps?watch=true&labelSelector=test").await;
    assert_eq!(next(&mut lines).await["object"]["metadata"]["name"], "kept");
}
