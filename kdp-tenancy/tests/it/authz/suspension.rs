//! Suspended workspaces.

use kdp_tenancy::lifecycle;

use super::*;
use crate::support::eventually;

/// A provider, whose export claims ConfigMaps, and a consumer `root:a` that accepts the claim.
pub(super) async fn tenants(control_plane: &Embedded) -> (Endpoint, Endpoint) {
    let provider = workspace(control_plane, "root", "provider").await.spec.cluster.unwrap();
    let consumer = workspace(control_plane, "root", "a").await.spec.cluster.unwrap();
    let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "e"},
        "spec": {"permissionClaims": [{"group": "", "resource": "configmaps", "verbs": ["*"]}]}});
    create(&system(control_plane, "root:provider"), "/apis/apis.kcp.io/v1alpha2/apiexports", export).await;
    let binding = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "e"}, "spec": {
        "reference": {"export": {"path": "root:provider", "name": "e"}},
        "permissionClaims": [{"group": "", "resource": "configmaps", "verbs": ["*"], "selector": {"matchAll": true}, "state": "Accepted"}]}});
    create(&system(control_plane, "root:a"), "/apis/apis.kcp.io/v1alpha2/apibindings", binding).await;
    let view = |consumer: Option<String>| Endpoint::ApiExport {
        cluster: provider.parse().unwrap(),
        export: "e".into(),
        consumer: consumer.map(|consumer| consumer.parse().unwrap()),
    };
    (view(None), view(Some(consumer)))
}

async fn items(client: &Client, path: &str) -> usize {
    get(client, path).await.1["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_suspended_workspace_is_closed_to_everybody_and_opens_again_as_it_was() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let (all, one) = tenants(&control_plane).await;
    let client = system(&control_plane, "root:a");
    make_admin(&client, "admin").await;
    create(&client, CONFIG_MAPS, config_map("kept")).await;
    let admin = user(&control_plane, "root:a", "admin");
    let masters = Identity::system_masters();
    let (all, one) = (control_plane.client(&all, &masters).unwrap(), control_plane.client(&one, &masters).unwrap());
    let everywhere = control_plane.client(&Endpoint::AllWorkspaces, &masters).unwrap();
    let path = "root:a".parse().unwrap();
    assert_eq!(
        (
            items(&all, "/api/v1/configmaps?labelSelector=test").await,
            items(&everywhere, "/api/v1/configmaps?labelSelector=test").await
        ),
        (1, 1)
    );

    for _ in 0..2 {
        lifecycle::suspend(&control_plane, &path).await.unwrap();
    }
    for client in [&admin, &one] {
        for path in [CONFIG_MAPS, "/api/v1/configmaps", &format!("{CONFIG_MAPS}/kept"), "/api/v1/configmaps?watch=true"]
        {
            assert_eq!(get(client, path).await.0, 403, "{path}");
        }
    }
    assert_eq!(get(&client, &format!("{CONFIG_MAPS}/kept")).await.0, 200, "the platform can look");
    for client in [&admin, &client, &one] {
        assert_eq!(send(client, Method::POST, CONFIG_MAPS, &config_map("new")).await.0, 403);
        assert_eq!(send(client, Method::DELETE, &format!("{CONFIG_MAPS}/kept"), &Value::Null).await.0, 403);
    }
    assert_eq!(
        (
            items(&all, "/api/v1/configmaps?labelSelector=test").await,
            items(&everywhere, "/api/v1/configmaps?labelSelector=test").await
        ),
        (1, 1),
        "what is suspended is not gone"
    );
    for path in ["/openapi/v3", LOGICAL_CLUSTER] {
        assert_eq!(get(&admin, path).await.0, 200, "{path}");
    }
    assert_eq!(get(&admin, LOGICAL_CLUSTER).await.1["status"]["phase"], "Inactive");
    let resume = json!({"metadata": {"annotations": {"core.kcp.io/inactive": null}}});
    assert_eq!(patch(&admin, LOGICAL_CLUSTER, resume.clone()).await.0, 403, "a tenant cannot resume itself");
    let as_system = &[("impersonate-user", "kdp:system"), ("impersonate-group", "system:masters")];
    assert_eq!(send_with(&admin, Method::PATCH, LOGICAL_CLUSTER, as_system, &resume).await.0, 403);
    assert_eq!(get(&user(&control_plane, "root:a", "stranger"), "/openapi/v3").await.0, 403);

    for _ in 0..2 {
        lifecycle::resume(&control_plane, &path).await.unwrap();
    }
    assert_eq!(get(&admin, LOGICAL_CLUSTER).await.1["status"]["phase"], "Ready");
    assert_eq!(get(&admin, &format!("{CONFIG_MAPS}/kept")).await.0, 200);
    assert_eq!(
        (
            items(&all, "/api/v1/configmaps?labelSelector=test").await,
            items(&everywhere, "/api/v1/configmaps?labelSelector=test").await
        ),
        (1, 1)
    );
    assert_eq!(
        lifecycle::suspend(&control_plane, &"root:none".parse().unwrap()).await.unwrap_err().kind(),
        kdp_core::ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_suspended_workspace_can_be_deleted_once_providers_let_go() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let (_, one) = tenants(&control_plane).await;
    let client = system(&control_plane, "root:a");
    make_admin(&client, "admin").await;
    let mut held = config_map("held");
    held["metadata"]["finalizers"] = json!(["example.com/provider"]);
    create(&client, CONFIG_MAPS, held).await;
    lifecycle::suspend(&control_plane, &"root:a".parse().unwrap()).await.unwrap();
    let root = system(&control_plane, "root");
    let workspace = "/apis/tenancy.kcp.io/v1alpha1/workspaces/a";
    assert_eq!(send(&root, Method::DELETE, workspace, &Value::Null).await.0, 200);
    let provider = control_plane.client(&one, &Identity::system_masters()).unwrap();
    let held = format!("{CONFIG_MAPS}/held");
    eventually(async || get(&provider, &held).await.1["metadata"]["deletionTimestamp"].is_string()).await;
    assert_eq!(get(&user(&control_plane, "root:a", "admin"), &held).await.0, 403, "the tenant stays out");
    assert_eq!(patch(&provider, &held, json!({"metadata": {"finalizers": null}})).await.0, 200);
    eventually(async || get(&root, workspace).await.0 == 404).await;
}

#[tokio::test]
async fn only_a_ready_workspace_can_be_suspended() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let client = system(&control_plane, "root:a");
    let unavailable = json!({"status": {"phase": "Unavailable"}});
    assert_eq!(patch(&client, &format!("{LOGICAL_CLUSTER}/status"), unavailable).await.0, 200);
    let error = lifecycle::suspend(&control_plane, &"root:a".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), kdp_core::ErrorKind::Forbidden);
}
