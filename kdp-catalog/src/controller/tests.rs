use std::sync::Mutex;

use kdp_core::testing::{FakeRequest, FakeResponse, FakeServer};
use serde_json::Value;

use super::*;

const PROVIDER: &str = "/clusters/root:providers";
const SERVICE: &str = "/clusters/root:providers/apis/core.kdp.k8c.io/v1alpha1/services/db";
const EXPORTS: &str = "/clusters/root:providers/apis/apis.kcp.io/v1alpha2/apiexports";
const EVERY_BINDING: &str = "/clusters/*/apis/apis.kcp.io/v1alpha2/apibindings";
const TENANT: &str = "/clusters/tenant1/apis/core.kcp.io/v1alpha1/logicalclusters/cluster";

fn service(finalizers: &[&str], deleted: bool) -> Value {
    let mut service = json!({
        "apiVersion": "core.kdp.k8c.io/v1alpha1", "kind": "Service",
        "metadata": {
            "name": "db", "uid": "u1", "resourceVersion": "7", "generation": 3, "finalizers": finalizers,
            "annotations": {"kcp.io/cluster": "abc"},
        },
        "spec": {"apiGroup": "db.example.com"},
    });
    if deleted {
        service["metadata"]["deletionTimestamp"] = json!("2030-01-01T00:00:00Z");
    }
    service
}

fn export(created_for: &str, resources: &Value) -> Value {
    json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport",
        "metadata": {"name": "db", "uid": "e1", "annotations": {CREATED_FOR: created_for}},
        "spec": {"resources": resources},
    })
}

fn binding(name: &str) -> Value {
    json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding",
        "metadata": {"name": name, "annotations": {"kcp.io/cluster": "tenant1"}},
        "spec": {"reference": {"export": {"path": "root:providers", "name": "db"}}},
    })
}

/// Answers as an API server with this export and these bindings would, and echoes what is written.
fn server(export: Option<Value>, bindings: Vec<Value>) -> FakeServer {
    let finalizers = Mutex::new(vec![]);
    FakeServer::new(move |request| match request.line().as_str() {
        line if line == format!("GET {EXPORTS}/db") => {
            export.as_ref().map_or_else(FakeResponse::not_found, FakeResponse::ok)
        }
        line if line == format!("GET {EVERY_BINDING}") => FakeResponse::list(&bindings),
        line if line == format!("GET {TENANT}") => FakeResponse::ok(&json!({
            "apiVersion": "core.kcp.io/v1alpha1", "kind": "LogicalCluster",
            "metadata": {"name": "cluster", "annotations": {"kcp.io/path": "root:acme"}}, "spec": {},
        })),
        line if line.starts_with("PATCH") => {
            let mut patched = service(&[], false);
            if let Some(new) = request.body["metadata"].get("finalizers") {
                *finalizers.lock().unwrap() = new.as_array().unwrap().clone();
            }
            patched["metadata"]["finalizers"] = json!(*finalizers.lock().unwrap());
            patched["metadata"]["resourceVersion"] = json!("8");
            FakeResponse::ok(&patched)
        }
        line if line.starts_with("POST") || line.starts_with("DELETE") => FakeResponse::ok(&match &request.body {
            created if request.method == http::Method::POST => created.clone(),
            _ => json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}),
        }),
        line => panic!("unexpected request: {line}"),
    })
}

async fn reconcile(server: &FakeServer, service: Value) -> Result<Action, Error> {
    let control_plane: SharedControlPlane = Arc::new(server.clone());
    let path: WorkspacePath = "root:providers".parse().unwrap();
    let client = control_plane.system_client(&path).unwrap();
    Provider { path, client, control_plane }.reconcile(&serde_json::from_value(service).unwrap()).await
}

fn lines(server: &FakeServer) -> Vec<String> {
    server.requests().iter().map(FakeRequest::line).collect()
}

/// The conditions of the last status write, as `type=status reason`.
fn conditions(server: &FakeServer) -> Vec<String> {
    let requests = server.requests();
    let write = requests.iter().rev().find(|request| request.path.ends_with("/status")).expect("a status was written");
    let conditions = write.body["status"]["conditions"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    conditions.iter().map(|c| format!("{}={} {}", text(&c["type"]), text(&c["status"]), text(&c["reason"]))).collect()
}

#[tokio::test]
async fn a_new_service_is_held_then_exported_then_judged() {
    let server = server(None, vec![]);
    reconcile(&server, service(&[], false)).await.unwrap();
    assert_eq!(
        lines(&server),
        [
            format!("PATCH {SERVICE}"),
            format!("GET {EXPORTS}/db"),
            format!("POST {EXPORTS}"),
            format!("PATCH {SERVICE}/status"),
        ]
    );
    let requests = server.requests();
    assert_eq!(requests[0].body["metadata"], json!({"resourceVersion": "7", "finalizers": [FINALIZER]}));
    assert_eq!(requests[2].body["metadata"], json!({"name": "db", "annotations": {CREATED_FOR: "u1"}}));
    assert_eq!(requests[3].body["metadata"]["resourceVersion"], "8", "the status is written on top of the finalizer");
    assert_eq!(conditions(&server), ["Ready=True ", "ResourcesOffered=False NothingPublished"]);
}

#[tokio::test]
async fn an_export_that_is_there_is_adopted_untouched() {
    let published = json!([{"name": "databases", "group": "db.example.com", "schema": "v1.databases.db.example.com"}]);
    let server = server(Some(export("somebody else", &published)), vec![]);
    reconcile(&server, service(&[FINALIZER], false)).await.unwrap();
    assert_eq!(lines(&server), [format!("GET {EXPORTS}/db"), format!("PATCH {SERVICE}/status")]);
    assert_eq!(conditions(&server), ["Ready=True ", "ResourcesOffered=True "]);
}

#[tokio::test]
async fn nothing_is_written_when_nothing_is_news() {
    let server = server(Some(export("u1", &json!([]))), vec![]);
    reconcile(&server, service(&[FINALIZER], false)).await.unwrap();
    let written = server.requests().pop().unwrap().body["status"].clone();
    let mut settled = service(&[FINALIZER], false);
    settled["status"] = written;
    let before = server.requests().len();
    reconcile(&server, settled).await.unwrap();
    assert_eq!(lines(&server)[before..], [format!("GET {EXPORTS}/db")]);
}

#[test]
fn an_export_of_another_group_only_offers_nothing_of_the_service() {
    let service: Service = serde_json::from_value(service(&[], false)).unwrap();
    let other = json!([{"name": "queues", "group": "mq.example.com", "schema": "v1.queues.mq.example.com"}]);
    let condition = offering(&service, &serde_json::from_value(export("u1", &other)).unwrap());
    assert_eq!((condition.reason.as_str(), condition.severity.as_str()), ("OtherGroup", "Info"));
}

#[test]
fn an_export_whose_identity_is_invalid_is_not_ready() {
    let mut invalid = export("u1", &json!([]));
    invalid["status"] = json!({"conditions": [
        {"type": "IdentityValid", "status": "False", "reason": "IdentityVerificationFailed", "message": "no key"},
    ]});
    let condition = readiness(&serde_json::from_value(invalid).unwrap());
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "IdentityVerificationFailed"));
}

#[tokio::test]
async fn a_deleted_service_takes_its_own_unbound_export_with_it() {
    let server = server(Some(export("u1", &json!([]))), vec![]);
    reconcile(&server, service(&["other", FINALIZER], true)).await.unwrap();
    assert_eq!(
        lines(&server),
        [
            format!("GET {EXPORTS}/db"),
            format!("GET {EVERY_BINDING}"),
            format!("DELETE {EXPORTS}/db"),
            format!("PATCH {SERVICE}"),
        ]
    );
    let requests = server.requests();
    assert_eq!(requests[2].body["preconditions"]["uid"], "e1");
    assert_eq!(requests[3].body["metadata"]["finalizers"], json!(["other"]));
}

#[tokio::test]
async fn an_adopted_export_outlives_the_service() {
    let server = server(Some(export("somebody else", &json!([]))), vec![binding("db")]);
    reconcile(&server, service(&[FINALIZER], true)).await.unwrap();
    assert_eq!(lines(&server), [format!("GET {EXPORTS}/db"), format!("PATCH {SERVICE}")]);
}

#[tokio::test]
async fn a_bound_export_holds_the_service_and_the_condition_names_the_bindings() {
    let server = server(Some(export("u1", &json!([]))), vec![binding("mine")]);
    let action = reconcile(&server, service(&[FINALIZER], true)).await.unwrap();
    assert_eq!(action, Action::requeue(LOOK_AGAIN));
    assert_eq!(conditions(&server), ["ExportDeleted=False StillBound"]);
    let status = server.requests().pop().unwrap().body;
    assert_eq!(
        status["status"]["conditions"][0]["message"],
        "the APIExport is kept until nobody binds it; bound by mine in root:acme"
    );
}

#[tokio::test]
async fn bindings_that_cannot_be_seen_hold_the_service() {
    let server = FakeServer::new(|request| match request.line().as_str() {
        line if line == format!("GET {EVERY_BINDING}") => FakeResponse::status(403, "Forbidden", "not permitted"),
        line if line.starts_with("GET") => FakeResponse::ok(&export("u1", &json!([]))),
        _ => FakeResponse::ok(&service(&[FINALIZER], true)),
    });
    let error = reconcile(&server, service(&[FINALIZER], true)).await.unwrap_err();
    assert_eq!(error.kind(), kdp_core::ErrorKind::Forbidden);
    assert_eq!(conditions(&server), ["ExportDeleted=False BindingsUnknown"]);
    assert!(!lines(&server).iter().any(|line| line.starts_with("DELETE")));
}

#[tokio::test]
async fn many_holders_are_counted_not_listed() {
    let server = server(Some(export("u1", &json!([]))), (0..13).map(|n| binding(&format!("b{n}"))).collect());
    reconcile(&server, service(&[FINALIZER], true)).await.unwrap();
    let status = server.requests().pop().unwrap().body;
    let message = status["status"]["conditions"][0]["message"].as_str().unwrap();
    assert!(message.ends_with("b9 in root:acme, 3 more"), "{message}");
}

#[tokio::test]
async fn the_component_installs_the_kind_and_is_ready_then_stops_when_told() {
    let server = FakeServer::new(|request| match request.method.as_str() {
        "PATCH" => FakeResponse::ok(&json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "services.core.kdp.k8c.io"},
            "spec": {"group": "core.kdp.k8c.io", "scope": "Cluster", "names": {"kind": "Service", "plural": "services"}, "versions": []},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        })),
        _ if request.is_watch() => FakeResponse::Silence,
        _ => FakeResponse::list(&[]),
    });
    let shutdown = tokio_util::sync::CancellationToken::new();
    let (context, mut ready) = ComponentContext::new(Arc::new(server.clone()), shutdown.clone());
    let controller = Box::new(ServiceController::new(["root:providers".parse().unwrap()]));
    let running = tokio::spawn(controller.run(context));
    ready.wait_for(|ready| *ready).await.unwrap();
    let crd = "apis/apiextensions.k8s.io/v1/customresourcedefinitions/services.core.kdp.k8c.io";
    assert_eq!(lines(&server)[0], format!("PATCH {PROVIDER}/{crd}"));
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
