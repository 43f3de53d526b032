//! API groups of the control plane are not for tenants to define.

use http::Request;
use kdp_tenancy::Embedded;
use kube::Client;
use serde_json::{Value, json};

use crate::support::{system, user, workspace};

async fn post(client: &Client, path: &str, body: &Value) -> (u16, String) {
    let request = Request::post(path).header("content-type", "application/json");
    match client.request_text(request.body(body.to_string().into_bytes()).unwrap()).await {
        Ok(_) => (201, String::new()),
        Err(kube::Error::Api(status)) => (status.code, status.message.clone()),
        Err(other) => panic!("{other}"),
    }
}

fn crd(group: &str) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}")},
        "spec": {"group": group, "scope": "Cluster", "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
}

fn schema(group: &str) -> Value {
    json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
        "metadata": {"name": format!("v1.things.{group}")},
        "spec": {"group": group, "scope": "Cluster",
            "names": {"plural": "things", "kind": "Thing", "singular": "thing", "listKind": "ThingList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"type": "object"}}]}})
}

#[tokio::test]
async fn a_tenant_defines_nothing_in_groups_of_the_control_plane_but_the_operator_does() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "home").await;
    let (operator, tenant) = (system(&control_plane, "root:home"), user(&control_plane, "root:home", "alice"));
    let group = "rbac.authorization.k8s.io";
    let admin = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "admin"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "alice"}]});
    assert_eq!(post(&operator, &format!("/apis/{group}/v1/clusterrolebindings"), &admin).await.0, 201);
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let schemas = "/apis/apis.kcp.io/v1alpha1/apiresourceschemas";
    for group in ["apis.kcp.io", "shiny.apis.kcp.io", "core.kcp.io", "tenancy.kdp.k8c.io"] {
        for (path, object) in [(crds, crd(group)), (schemas, schema(group))] {
            let (code, message) = post(&tenant, path, &object).await;
            assert_eq!(code, 403, "{group}");
            assert!(message.ends_with(&format!("{group} is a reserved group")), "{message}");
        }
    }
    for group in ["example.com", "agent.kcp.io"] {
        for (path, object) in [(crds, crd(group)), (schemas, schema(group))] {
            assert_eq!(post(&tenant, path, &object).await, (201, String::new()));
        }
    }
    for (path, object) in [(crds, crd("shiny.apis.kcp.io")), (schemas, schema("shiny.apis.kcp.io"))] {
        assert_eq!(post(&operator, path, &object).await, (201, String::new()));
    }
}
