use serde_json::{Value, json};

use super::*;
use crate::testing::{FakeRequest, FakeResponse, FakeServer};

fn workspace(name: &str, phase: &str) -> Value {
    json!({
        "apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace",
        "metadata": {"name": name, "resourceVersion": "1"}, "spec": {}, "status": {"phase": phase},
    })
}

async fn ensure(server: &FakeServer, path: &str) -> Result<Workspace, Error> {
    let identity = Identity { username: "alice".into(), ..Identity::default() };
    ensure_workspace(server, &path.parse().unwrap(), &identity).await
}

fn lines(server: &FakeServer) -> Vec<String> {
    server.requests().iter().map(FakeRequest::line).collect()
}

const IN_ROOT: &str = "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces";
const IN_ACME: &str = "/clusters/root:acme/apis/tenancy.kcp.io/v1alpha1/workspaces";

#[tokio::test]
async fn an_existing_workspace_costs_one_request_as_the_caller() {
    let server = FakeServer::new(|_| FakeResponse::ok(&workspace("dev", "Ready")));
    ensure(&server, "root:acme:dev").await.unwrap();
    assert_eq!(lines(&server), [format!("GET {IN_ACME}/dev")]);
    assert_eq!(server.requests()[0].identity.username, "alice");
}

#[tokio::test]
async fn missing_levels_are_created_from_the_top() {
    let created = std::sync::Mutex::new(Vec::new());
    let server = FakeServer::new(move |request| {
        let mut created = created.lock().unwrap();
        let in_acme = request.path.starts_with(IN_ACME);
        if in_acme && !created.contains(&"acme".to_owned()) {
            return FakeResponse::not_found();
        }
        if request.method == http::Method::GET {
            return FakeResponse::not_found();
        }
        let name = request.body["metadata"]["name"].as_str().unwrap().to_owned();
        created.push(name.clone());
        FakeResponse::ok(&workspace(&name, "Ready"))
    });
    assert_eq!(ensure(&server, "root:acme:dev").await.unwrap().metadata.name.unwrap(), "dev");
    assert_eq!(
        lines(&server),
        [
            format!("GET {IN_ACME}/dev"),
            format!("POST {IN_ACME}"),
            format!("GET {IN_ROOT}/acme"),
            format!("POST {IN_ROOT}"),
            format!("GET {IN_ACME}/dev"),
            format!("POST {IN_ACME}"),
        ]
    );
}

#[tokio::test]
async fn a_workspace_that_is_not_ready_is_watched_until_it_is() {
    let server = FakeServer::new(|request| match request.line().as_str() {
        _ if request.is_watch() => FakeResponse::events(&[("MODIFIED", workspace("acme", "Ready"))]),
        line if line == format!("GET {IN_ROOT}") => FakeResponse::list(&[workspace("acme", "Scheduling")]),
        _ => FakeResponse::ok(&workspace("acme", "Scheduling")),
    });
    let ready = ensure(&server, "root:acme").await.unwrap();
    assert_eq!(ready.status.unwrap().phase, WorkspacePhase::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_workspace_that_never_becomes_ready_is_reported_with_its_phase() {
    let server = FakeServer::new(|request| match request.line().as_str() {
        _ if request.is_watch() => FakeResponse::Silence,
        line if line == format!("GET {IN_ROOT}") => FakeResponse::list(&[workspace("acme", "Initializing")]),
        _ => FakeResponse::ok(&workspace("acme", "Scheduling")),
    });
    let error = ensure(&server, "root:acme").await.unwrap_err();
    assert_eq!(error.to_string(), "cannot ensure workspace root:acme: it is still Initializing after 30s");
}

#[tokio::test]
async fn a_workspace_under_deletion_is_not_waited_for() {
    let server = FakeServer::new(|_| {
        let mut going = workspace("acme", "Deleting");
        going["metadata"]["deletionTimestamp"] = json!("2030-01-01T00:00:00Z");
        FakeResponse::ok(&going)
    });
    assert_eq!(ensure(&server, "root:acme").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_race_to_create_is_won_by_both() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let server = FakeServer::new(move |request| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        match (call, &request.method) {
            (0, _) => FakeResponse::not_found(),
            (1, _) => FakeResponse::status(409, "AlreadyExists", "there"),
            _ => FakeResponse::ok(&workspace("acme", "Ready")),
        }
    });
    ensure(&server, "root:acme").await.unwrap();
}

#[tokio::test]
async fn a_bare_cluster_name_is_refused_without_a_request() {
    let server = FakeServer::new(|_| FakeResponse::not_found());
    assert_eq!(ensure(&server, "root").await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(server.requests().is_empty());
}
