use std::sync::Arc;

use kdp_core::testing::{FakeRequest, FakeResponse, FakeServer};
use serde_json::{Value, json};

use super::*;

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "core.kdp.k8c.io/v1alpha1", "kind": "Service",
        "metadata": {"name": name, "annotations": {"kcp.io/cluster": "abc"}},
        "spec": {"apiGroup": "example.com"},
    })
}

fn export(name: &str) -> Value {
    json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": name}, "spec": {}})
}

/// Two provider workspaces; alice may `get` one service, `catalog` another, and not see a third.
fn server() -> FakeServer {
    FakeServer::new(|request| {
        let names: &[&str] =
            if request.path.starts_with("/clusters/root:a/") { &["full", "named", "secret"] } else { &["named"] };
        let all = |one: fn(&str) -> Value| names.iter().map(|name| one(name)).collect::<Vec<_>>();
        let (_, last) = request.path.rsplit_once('/').unwrap();
        match last {
            "subjectaccessreviews" => {
                let asked = &request.body["spec"]["resourceAttributes"];
                let allowed = matches!(
                    (asked["verb"].as_str().unwrap(), asked["name"].as_str().unwrap()),
                    ("get" | "bind", "full") | ("catalog", "named") | ("bind", "secret")
                );
                let mut review = request.body.clone();
                review["status"] = json!({"allowed": allowed});
                FakeResponse::ok(&review)
            }
            "services" => FakeResponse::list(&all(service)),
            "apiexports" => FakeResponse::list(&all(export)),
            "apiresourceschemas" => FakeResponse::list(&[]),
            "apibindings" => FakeResponse::list(&[json!({
                "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "mine"},
                "spec": {"reference": {"export": {"path": "root:a", "name": "full"}}}, "status": {"phase": "Bound"},
            })]),
            name if !names.contains(&name) => FakeResponse::not_found(),
            name if request.path.contains("/services/") => FakeResponse::ok(&service(name)),
            name if request.path.contains("/apiexports/") => FakeResponse::ok(&export(name)),
            other => panic!("unexpected request for {other}: {}", request.line()),
        }
    })
}

fn catalog(server: &FakeServer) -> Catalog {
    Catalog::new(Arc::new(server.clone()), ["root:a".parse().unwrap(), "root:b".parse().unwrap()])
}

fn alice() -> Identity {
    Identity { username: "alice".into(), ..Identity::default() }
}

#[tokio::test]
async fn each_service_is_listed_as_far_as_it_may_be_seen() {
    let server = server();
    let entries = catalog(&server).list(&alice()).await.unwrap();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry.export.workspace.as_str(), entry.name.as_str(), entry.details.is_some(), entry.may_bind))
        .collect();
    assert_eq!(
        seen,
        [("root:a", "full", true, true), ("root:a", "named", false, false), ("root:b", "named", false, false)]
    );
}

#[tokio::test]
async fn provider_workspaces_are_asked_as_the_platform_about_the_caller() {
    let server = server();
    catalog(&server).list(&alice()).await.unwrap();
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.identity == Identity::system_masters()));
    let reviews: Vec<&FakeRequest> = requests.iter().filter(|r| r.path.ends_with("subjectaccessreviews")).collect();
    assert_eq!(reviews.len(), 12, "three questions for each of four services");
    assert!(reviews.iter().all(|review| review.body["spec"]["user"] == "alice"));
}

#[tokio::test]
async fn a_service_is_found_by_name_unless_it_is_hidden() {
    let server = server();
    let catalog = catalog(&server);
    assert_eq!(catalog.get(&alice(), "full").await.unwrap().unwrap().name, "full");
    assert_eq!(catalog.get(&alice(), "secret").await.unwrap(), None);
    assert_eq!(catalog.get(&alice(), "nothing").await.unwrap(), None);
}

#[tokio::test]
async fn a_name_used_by_two_providers_is_told_apart_by_the_workspace() {
    let server = server();
    let catalog = catalog(&server);
    let error = catalog.get(&alice(), "named").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("root:a:named or root:b:named"), "{error}");
    assert_eq!(catalog.get(&alice(), "root:b:named").await.unwrap().unwrap().export.workspace.as_str(), "root:b");
}

#[tokio::test]
async fn what_a_tenant_binds_is_marked() {
    let server = server();
    let entries = catalog(&server).list_in(&alice(), &server.client()).await.unwrap();
    let bound: Vec<_> = entries.iter().map(|entry| entry.bound.as_ref().map(|bound| bound.binding.as_str())).collect();
    assert_eq!(bound, [Some("mine"), None, None]);
}

#[tokio::test]
async fn schemas_are_only_for_those_who_see_the_whole_tile() {
    let server = server();
    let catalog = catalog(&server);
    let named = catalog.get(&alice(), "root:b:named").await.unwrap().unwrap();
    assert_eq!(catalog.schemas(&alice(), &named).await.unwrap_err().kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn an_unreadable_provider_is_an_error_and_not_a_shorter_list() {
    let server = FakeServer::new(|_| FakeResponse::status(503, "ServiceUnavailable", "later"));
    let error = catalog(&server).list(&alice()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
