//! The maximal permission policy of an export.

use super::*;

/// Publishes `widgets` with two versions from the workspace of `client`.
pub(super) async fn publish(client: &Client, policy: Value) {
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage, "subresources": {"status": {}},
            "schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}})
    };
    let schema = json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
        "metadata": {"name": "v1.widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "conversion": {"strategy": "None"},
            "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
            "versions": [version("v1", true), version("v2", false)]}});
    create(client, "/apis/apis.kcp.io/v1alpha1/apiresourceschemas", schema).await;
    let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "widgets"},
        "spec": {"maximalPermissionPolicy": policy, "resources": [
            {"name": "widgets", "group": "example.com", "schema": "v1.widgets.example.com", "storage": {"crd": {}}}]}});
    create(client, "/apis/apis.kcp.io/v1alpha2/apiexports", export).await;
}

/// The binding of a consumer to what [`publish`] publishes at `root:provider`.
pub(super) fn binding() -> Value {
    json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "widgets"},
        "spec": {"reference": {"export": {"path": "root:provider", "name": "widgets"}}}})
}

fn widget(version: &str, name: &str) -> Value {
    json!({"apiVersion": format!("example.com/{version}"), "kind": "Widget", "metadata": {"name": name, "namespace": "default"}})
}

fn widgets(version: &str) -> String {
    format!("/apis/example.com/{version}/namespaces/default/widgets")
}

#[tokio::test]
async fn an_export_bounds_what_administrators_of_consumers_may_do_whichever_way_they_try() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "consumer"] {
        workspace(&control_plane, "root", name).await;
    }
    let (provider, consumer) = (system(&control_plane, "root:provider"), system(&control_plane, "root:consumer"));
    publish(&provider, json!({"local": {}})).await;
    create(&consumer, "/apis/apis.kcp.io/v1alpha2/apibindings", binding()).await;
    make_admin(&consumer, "admin").await;
    create(&consumer, &widgets("v1"), widget("v1", "old")).await;
    let admin = user(&control_plane, "root:consumer", "admin");
    assert_eq!(get(&admin, &widgets("v1")).await.0, 403, "nothing is granted yet");

    let rules =
        json!([{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get", "list", "watch", "create"]}]);
    create(&provider, &format!("{RBAC}/clusterroles"), role("consumers", rules)).await;
    let everybody = bind("consumers", "Group", "apis.kcp.io:binding:system:authenticated");
    create(&provider, &format!("{RBAC}/clusterrolebindings"), everybody).await;
    for version in ["v1", "v2"] {
        let (all, one) = (widgets(version), format!("{}/old", widgets(version)));
        let any = format!("/apis/example.com/{version}/widgets");
        let named = json!({"metadata": {"labels": {"a": "b"}}});
        assert_eq!(get(&admin, &all).await.0, 200);
        assert_eq!(get(&admin, &one).await.0, 200);
        assert_eq!(send(&admin, Method::POST, &all, &widget(version, &format!("new-{version}"))).await.0, 200);
        for (method, path, body) in [
            (Method::DELETE, &one, Value::Null),
            (Method::DELETE, &all, Value::Null),
            (Method::PATCH, &one, named.clone()),
            (Method::PUT, &one, widget(version, "old")),
            (Method::PATCH, &format!("{one}/status"), json!({"status": {"a": 1}})),
            (Method::GET, &format!("{one}/status"), Value::Null),
            (Method::DELETE, &any, Value::Null),
        ] {
            let (code, answer) = send(&admin, method.clone(), path, &body).await;
            assert!(code == 403 || code == 405, "{method} {path}: {code} {answer}");
            let as_provider = &[("impersonate-user", "provider-admin")];
            let (code, answer) = send_with(&admin, method.clone(), path, as_provider, &body).await;
            assert!(code == 403 || code == 405, "{method} {path}: {code} {answer}");
        }
    }
    let question = |verb: &str| {
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": verb, "group": "example.com", "resource": "widgets", "namespace": "default"}}})
    };
    for (verb, expected) in [("get", true), ("delete", false)] {
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        assert_eq!(create(&admin, path, question(verb)).await["status"]["allowed"], expected, "{verb}");
    }
    assert_eq!(get(&admin, CONFIG_MAPS).await.0, 200, "other resources are none of the export's business");
}

#[tokio::test]
async fn a_name_made_up_by_a_consumer_is_granted_nothing_by_the_provider() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "consumer"] {
        workspace(&control_plane, "root", name).await;
    }
    let (provider, consumer) = (system(&control_plane, "root:provider"), system(&control_plane, "root:consumer"));
    publish(&provider, json!({"local": {}})).await;
    grant(
        &provider,
        "trusted",
        "apis.kcp.io:binding:alice",
        json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]),
    )
    .await;
    create(&consumer, "/apis/apis.kcp.io/v1alpha2/apibindings", binding()).await;
    for name in ["alice", "mallory"] {
        make_admin(&consumer, name).await;
    }
    let (alice, mallory) =
        (user(&control_plane, "root:consumer", "alice"), user(&control_plane, "root:consumer", "mallory"));
    assert_eq!(get(&alice, &widgets("v1")).await.0, 200);
    assert_eq!(get(&mallory, &widgets("v1")).await.0, 403);
    let as_alice = &[("impersonate-user", "alice")];
    assert_eq!(send_with(&mallory, Method::GET, &widgets("v1"), as_alice, &Value::Null).await.0, 403);
    let forged = member(&control_plane, "root:consumer", "mallory", &["apis.kcp.io:binding:alice"]);
    assert_eq!(get(&forged, &widgets("v1")).await.0, 403);
    let lifted = json!({"spec": {"maximalPermissionPolicy": null}});
    assert_eq!(patch(&provider, "/apis/apis.kcp.io/v1alpha2/apiexports/widgets", lifted).await.0, 200);
    assert_eq!(get(&mallory, &widgets("v1")).await.0, 200, "without the policy, the consumer decides alone");
}

#[tokio::test]
async fn an_export_bounds_initializers_too() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "provider").await;
    let (root, provider) = (system(&control_plane, "root"), system(&control_plane, "root:provider"));
    publish(&provider, json!({"local": {}})).await;
    let type_ = json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "WorkspaceType", "metadata": {"name": "staged"},
        "spec": {"initializer": true, "initializerPermissions": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}});
    create(&root, "/apis/tenancy.kcp.io/v1alpha1/workspacetypes", type_).await;
    let initialize =
        json!([{"apiGroups": ["tenancy.kcp.io"], "resources": ["workspacetypes"], "verbs": ["initialize"]}]);
    create(&root, &format!("{RBAC}/clusterroles"), role("initialize", initialize)).await;
    create(&root, &format!("{RBAC}/clusterrolebindings"), bind("initialize", "User", "carol")).await;
    make_admin(&root, "carol").await;
    let workspace = json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "w"},
        "spec": {"type": {"name": "staged", "path": "root"}}});
    let made = create(&root, "/apis/tenancy.kcp.io/v1alpha1/workspaces", workspace).await;
    let cluster = made["spec"]["cluster"].as_str().unwrap().parse().unwrap();
    create(&system(&control_plane, "root:w"), "/apis/apis.kcp.io/v1alpha2/apibindings", binding()).await;
    let endpoint = Endpoint::InitializingWorkspaces { initializer: "root:staged".into(), workspace: Some(cluster) };
    let carol = Identity { username: "carol".into(), ..Identity::default() };
    let inside = control_plane.client(&endpoint, &carol).unwrap();
    assert_eq!(get(&inside, "/api/v1/namespaces/default/configmaps").await.0, 200);
    assert_eq!(get(&inside, &widgets("v1")).await.0, 403);
}
