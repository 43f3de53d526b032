use kdp_core::testing::{FakeRequest, FakeResponse, FakeServer};
use serde_json::json;

use super::*;

fn order_ref() -> OrderRef {
    OrderRef {
        kind: KindRef { api_version: "db.example.com/v1".into(), kind: "Database".into() },
        namespace: Some("shop".into()),
        name: "orders".into(),
    }
}

fn object(metadata: &Value, status: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "db.example.com/v1", "kind": "Database",
        "metadata": {"name": "orders", "namespace": "shop", "generation": 2}, "status": status,
    });
    for (key, value) in metadata.as_object().unwrap() {
        object["metadata"][key] = value.clone();
    }
    object
}

#[test]
fn the_phase_follows_from_deletion_generation_and_the_condition_ready() {
    use OrderPhase::{Deleting, Failing, Progressing, Ready};
    let check = |metadata: Value, status: Value, phase, message: &str| {
        let judged = OrderStatus::of(order_ref(), &object(&metadata, &status));
        assert_eq!((judged.phase, judged.message.as_str()), (phase, message), "{metadata} {status}");
    };
    let ready = |status: &str, severity: &str| json!({"conditions": [{"type": "Ready", "status": status, "severity": severity, "reason": "Why", "message": "because"}]});
    let unreported = "nothing has been reported about its readiness yet";
    check(json!({}), json!({}), Progressing, unreported);
    check(json!({}), json!({"conditions": []}), Progressing, unreported);
    check(json!({}), ready("True", ""), Ready, "it is ready");
    check(json!({}), ready("Unknown", ""), Progressing, "because");
    check(json!({}), ready("False", ""), Progressing, "because");
    check(json!({}), ready("False", "Info"), Progressing, "because");
    check(json!({}), ready("False", "Error"), Failing, "because");
    check(
        json!({}),
        json!({"conditions": [{"type": "Stalled", "status": "True", "reason": "NoSpace"}]}),
        Failing,
        "NoSpace",
    );
    check(json!({"deletionTimestamp": "2030-01-01T00:00:00Z"}), ready("True", ""), Deleting, "it is being released");

    let mut old = ready("True", "");
    old["observedGeneration"] = json!(1);
    check(json!({}), old.clone(), Progressing, "its last change has not been looked at yet");
    check(json!({"finalizers": ["syncagent.kcp.io/cleanup"]}), old.clone(), Ready, "it is ready");
    old["conditions"][0]["observedGeneration"] = json!(2);
    check(json!({}), old, Ready, "it is ready");
}

#[test]
fn delivered_secrets_are_named_once_and_other_objects_are_not() {
    let related = |kind: &str, name: &str| {
        json!({"kind": kind, "apiVersion": "v1", "namespace": "shop", "name": name}).to_string()
    };
    let annotations = json!({
        "related-resources.syncagent.kcp.io/credentials.0": related("Secret", "orders-credentials"),
        "related-resources.syncagent.kcp.io/config.0": related("ConfigMap", "orders-config"),
        "related-resources.kdp.k8c.io/ca": related("Secret", "orders-ca"),
        "unrelated.example.com/x": related("Secret", "not-delivered"),
        "related-resources.syncagent.kcp.io/broken.0": "not json",
    });
    let status = json!({
        "credentialsSecretRef": {"name": "orders-credentials", "namespace": "shop", "key": "password"},
        "users": [{"secretName": "orders-user"}],
    });
    let found = OrderStatus::of(order_ref(), &object(&json!({"annotations": annotations}), &status)).secrets;
    let names: Vec<_> = found.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!(names, ["orders-user", "orders-ca", "orders-credentials"]);
}

/// A workspace that serves databases; the `refused_run`th apply is refused.
fn server(refused_run: usize) -> FakeServer {
    let runs = std::sync::atomic::AtomicUsize::new(0);
    FakeServer::new(move |request| match request.line().as_str() {
        "GET /apis/db.example.com/v1" => FakeResponse::ok(&json!({
            "kind": "APIResourceList", "groupVersion": "db.example.com/v1",
            "resources": [{"name": "databases", "singularName": "", "namespaced": true, "kind": "Database", "verbs": ["patch"]}],
        })),
        line if line.starts_with("PATCH") => match runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            run if run == refused_run => FakeResponse::status(403, "Forbidden", "exceeded quota"),
            _ => FakeResponse::ok(&request.body),
        },
        line if line.ends_with("/databases/orders") => FakeResponse::ok(&object(&json!({}), &json!({}))),
        _ => FakeResponse::not_found(),
    })
}

fn applies(server: &FakeServer) -> Vec<bool> {
    let is_dry = |request: &FakeRequest| request.query.contains("dryRun=All");
    server.requests().iter().filter(|request| request.method == http::Method::PATCH).map(is_dry).collect()
}

fn manifest() -> Value {
    let mut manifest = object(&json!({}), &json!({}));
    manifest.as_object_mut().unwrap().remove("status");
    manifest
}

#[tokio::test]
async fn an_order_is_tried_then_placed() {
    let server = server(usize::MAX);
    let Order::Placed(placed) = order(&server.client(), &manifest()).await.unwrap() else { panic!("it was refused") };
    assert_eq!((placed.order, placed.phase), (order_ref(), OrderPhase::Progressing));
    assert_eq!(applies(&server), [true, false]);
    assert!(server.requests().iter().all(|request| !request.query.contains("force=true")));
}

#[tokio::test]
async fn a_faulty_order_is_not_placed() {
    let server = server(0);
    let Order::Refused(validation) = order(&server.client(), &manifest()).await.unwrap() else {
        panic!("it was placed")
    };
    assert_eq!(validation.faults[0].message, "exceeded quota");
    assert_eq!(applies(&server), [true]);
}

#[tokio::test]
async fn a_refusal_after_the_dry_run_is_a_refusal_as_well() {
    let server = server(1);
    assert!(matches!(order(&server.client(), &manifest()).await.unwrap(), Order::Refused(_)));
    assert_eq!(applies(&server), [true, false]);
}

#[tokio::test]
async fn the_status_is_read_where_the_order_is() {
    let server = server(usize::MAX);
    assert_eq!(status(&server.client(), &order_ref()).await.unwrap().phase, OrderPhase::Progressing);
    let mut other = order_ref();
    other.name = "nothing".into();
    let error = status(&server.client(), &other).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::NotFound, "cannot read status of Database shop/nothing: not found".into())
    );
}

#[test]
fn a_reference_is_flat_on_the_wire() {
    let wire = json!({"apiVersion": "db.example.com/v1", "kind": "Database", "namespace": "shop", "name": "orders"});
    assert_eq!(serde_json::to_value(order_ref()).unwrap(), wire);
    assert_eq!(serde_json::from_value::<OrderRef>(wire).unwrap(), order_ref());
}
