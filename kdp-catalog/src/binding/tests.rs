use std::sync::atomic::{AtomicBool, Ordering};

use kdp_core::testing::{FakeRequest, FakeResponse, FakeServer};
use serde_json::Value;

use super::*;
use crate::ExportLocation;

const BINDINGS: &str = "/apis/apis.kcp.io/v1alpha2/apibindings";

fn claim(resource: &str) -> PermissionClaim {
    PermissionClaim { resource: resource.into(), verbs: vec!["*".into()], ..PermissionClaim::default() }
}

fn entry(claims: Vec<PermissionClaim>) -> CatalogEntry {
    CatalogEntry {
        name: "db".into(),
        labels: [].into(),
        export: ExportLocation::new("root:providers".parse().unwrap(), "abc".parse().unwrap(), "db"),
        details: None,
        may_bind: true,
        claims,
        bound: None,
    }
}

fn binding(name: &str, path: &str, phase: &str) -> Value {
    json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding",
        "metadata": {"name": name, "resourceVersion": "1"},
        "spec": {"reference": {"export": {"path": path, "name": "db"}}}, "status": {"phase": phase},
    })
}

fn lines(server: &FakeServer) -> Vec<String> {
    server.requests().iter().map(FakeRequest::line).collect()
}

#[tokio::test]
async fn binding_creates_the_binding_and_waits_until_it_is_bound() {
    let created = AtomicBool::new(false);
    let server = FakeServer::new(move |request| match request.method.as_str() {
        "POST" => {
            created.store(true, Ordering::Relaxed);
            FakeResponse::ok(&binding("db", "root:providers", "Binding"))
        }
        _ if request.is_watch() => FakeResponse::events(&[("MODIFIED", binding("db", "root:providers", "Bound"))]),
        _ if created.load(Ordering::Relaxed) => FakeResponse::list(&[binding("db", "root:providers", "Binding")]),
        _ => FakeResponse::list(&[]),
    });
    let bound = bind(&server.client(), &entry(vec![claim("secrets")]), ClaimPolicy::AcceptAll).await.unwrap();
    assert!(is_bound(&bound));
    assert_eq!(lines(&server)[..2], [format!("GET {BINDINGS}"), format!("POST {BINDINGS}")]);
    let sent = &server.requests()[1].body;
    assert_eq!(sent["metadata"]["name"], "db");
    assert_eq!(sent["spec"]["reference"]["export"], json!({"path": "root:providers", "name": "db"}));
    assert_eq!(
        sent["spec"]["permissionClaims"][0],
        json!({
            "group": "", "resource": "secrets", "verbs": ["*"], "identityHash": "",
            "selector": {"matchAll": true}, "state": "Accepted",
        })
    );
}

#[tokio::test]
async fn a_binding_on_its_way_is_watched_until_it_is_bound() {
    let server = FakeServer::new(|request| {
        if request.is_watch() {
            FakeResponse::events(&[("MODIFIED", binding("db", "root:providers", "Bound"))])
        } else {
            FakeResponse::list(&[binding("db", "root:providers", "Binding")])
        }
    });
    let bound = bind(&server.client(), &entry(vec![]), ClaimPolicy::AcceptAll).await.unwrap();
    assert!(is_bound(&bound));
}

#[tokio::test]
async fn binding_again_sends_nothing_but_a_question() {
    let server = FakeServer::new(|_| FakeResponse::list(&[binding("other-name", "root:providers", "Bound")]));
    let bound = bind(&server.client(), &entry(vec![]), ClaimPolicy::AcceptAll).await.unwrap();
    assert_eq!(bound.name_any(), "other-name");
    assert_eq!(lines(&server), [format!("GET {BINDINGS}")]);
}

#[test]
fn the_same_export_name_of_another_provider_gets_a_name_of_its_own() {
    let other = serde_json::from_value(binding("db", "root:else", "Bound")).unwrap();
    assert_eq!(new_binding(&entry(vec![]), ClaimPolicy::AcceptAll, &[other]).name_any(), "db.root.providers");
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_stays_incomplete_is_reported_with_the_condition_that_fails() {
    let server = FakeServer::new(|request| {
        if request.is_watch() {
            return FakeResponse::Silence;
        }
        let mut stuck = binding("db", "root:providers", "Binding");
        stuck["status"]["conditions"] = json!([
            {"type": "Ready", "status": "False", "severity": "Error", "reason": "Summary", "message": "see below"},
            {"type": "InitialBindingCompleted", "status": "False", "severity": "Info", "reason": "WaitingForEstablished"},
            {"type": "APIExportValid", "status": "False", "severity": "Error", "reason": "APIExportNotFound", "message": "no export db"},
        ]);
        FakeResponse::list(&[stuck])
    });
    let error = bind(&server.client(), &entry(vec![]), ClaimPolicy::AcceptAll).await.unwrap_err();
    assert_eq!(
        error.message(),
        "not complete after 30s: condition APIExportValid is False (APIExportNotFound): no export db"
    );
}

#[tokio::test]
async fn a_refusal_keeps_the_reason_of_the_server() {
    let server = FakeServer::new(|request| match request.method.as_str() {
        "POST" => FakeResponse::status(403, "Forbidden", "no permission to bind to export root:providers:db"),
        _ => FakeResponse::list(&[]),
    });
    let error = bind(&server.client(), &entry(vec![]), ClaimPolicy::AcceptAll).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Forbidden, "no permission to bind to export root:providers:db")
    );
}

#[test]
fn answers_follow_the_policy_and_keep_what_is_immutable_or_foreign() {
    let mut old = answer(&claim("secrets"), ClaimPolicy::RejectAll);
    old.selector =
        ClaimSelector { match_labels: [("a".to_owned(), "b".to_owned())].into(), ..ClaimSelector::default() };
    let foreign = answer(&claim("events"), ClaimPolicy::RejectAll);
    let before = [old.clone(), foreign.clone()];

    let claims = [claim("secrets"), claim("namespaces")];
    let after = answered(&before, &claims, ClaimPolicy::AcceptAll).unwrap();
    assert_eq!(
        after,
        [
            AcceptablePermissionClaim { state: "Accepted".into(), ..old },
            foreign,
            answer(&claim("namespaces"), ClaimPolicy::AcceptAll),
        ]
    );
    assert_eq!(answered(&after, &claims, ClaimPolicy::AcceptAll), None);
}

/// A workspace that binds databases, of which two are left until the binding is deleted.
fn workspace_in_use() -> FakeServer {
    FakeServer::new(|request| {
        let mut bound = binding("db", "root:providers", "Bound");
        bound["status"]["boundResources"] =
            json!([{"group": "example.com", "resource": "databases", "schema": {"name": "v1.databases.example.com"}}]);
        match request.line().as_str() {
            "GET /apis" => FakeResponse::ok(&json!({
                "kind": "APIGroupList", "apiVersion": "v1",
                "groups": [{"name": "example.com", "versions": [{"groupVersion": "example.com/v1", "version": "v1"}]}],
            })),
            "GET /apis/example.com/v1" => FakeResponse::ok(&json!({
                "kind": "APIResourceList", "groupVersion": "example.com/v1",
                "resources": [{"name": "databases", "singularName": "", "namespaced": true, "kind": "Database", "verbs": ["list"]}],
            })),
            "GET /apis/example.com/v1/databases" => {
                let object = |name| {
                    json!({
                        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                        "metadata": {"name": name, "namespace": "default"},
                    })
                };
                FakeResponse::list(&[object("a"), object("b")])
            }
            line if line == format!("GET {BINDINGS}") => FakeResponse::list(&[]),
            _ => FakeResponse::ok(&bound),
        }
    })
}

#[tokio::test]
async fn a_binding_in_use_is_kept_and_its_objects_are_named() {
    let server = workspace_in_use();
    let Unbound::InUse(remaining) = unbind(&server.client(), "db", WhenInUse::Refuse).await.unwrap() else {
        panic!("it was not reported as in use")
    };
    assert_eq!(remaining[0].to_string(), "databases.example.com default/a, default/b");
    assert!(server.requests().iter().all(|request| request.method == http::Method::GET));
}

#[tokio::test]
async fn told_to_go_on_it_deletes_the_binding_and_waits_until_it_is_gone() {
    let server = workspace_in_use();
    assert_eq!(unbind(&server.client(), "db", WhenInUse::DeleteObjects).await.unwrap(), Unbound::Gone);
    assert_eq!(lines(&server)[..2], [format!("GET {BINDINGS}/db"), format!("DELETE {BINDINGS}/db")]);
}

#[tokio::test]
async fn unbinding_what_is_not_bound_is_done_already() {
    let server = FakeServer::new(|_| FakeResponse::not_found());
    assert_eq!(unbind(&server.client(), "db", WhenInUse::Refuse).await.unwrap(), Unbound::Gone);
}
