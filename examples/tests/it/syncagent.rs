//! The program `kdp-syncagent` between two control planes that are served.

mod site;

use std::time::Duration;

use serde_json::json;

use self::site::{Agent, Site};

const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_order_is_placed_and_its_status_comes_back() {
    let site = Site::new().await;
    let agent = Agent::start(&site, &[]);
    site.bind("team").await;
    site.order("team", "db", json!({"size": 3})).await;
    let copy = site.copy("team", "db").await;
    assert_eq!(copy.data["spec"]["size"], 3);
    site.report(&copy, "Ready").await;
    site.wait_for_phase("team", "db", "Ready").await;
    assert!(agent.stop().await.success(), "it ends well when it is told to");
}

#[tokio::test]
async fn probes_and_metrics_tell_what_the_agent_does() {
    let site = Site::new().await;
    let agent = Agent::start(&site, &[]);
    site.bind("team").await;
    site.order("team", "db", json!({"size": 3})).await;
    site.copy("team", "db").await;
    let ready = agent.page_once("health", "/readyz?verbose", |page| page.contains("readyz check passed")).await;
    for check in ["[+]contact/kcp ok", "[+]contact/service ok", "[+]published-resources ok", "[+]watch/"] {
        assert!(ready.contains(check), "no {check} in {ready}");
    }
    let metrics = agent
        .page_once("metrics", "/metrics", |page| {
            page.contains(r#"kdp_sync_passes_total{resource="databases",outcome="settled"}"#)
        })
        .await;
    assert!(metrics.contains("\nsync_agent_published_resource 1\n"), "{metrics}");
    assert!(!metrics.contains("team") && !metrics.contains("\"db\""), "metrics name no tenant and no order");
    agent.stop().await;
}

#[tokio::test]
async fn what_is_wrong_on_the_command_line_is_told_at_once() {
    let output = Agent::output(&["--log-format=xml", "--agent-name=Big"]).await;
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    for part in ["--kcp-kubeconfig is required", "--namespace is required", "--log-format", "--agent-name"] {
        assert!(told.contains(part), "no {part} in {told}");
    }
}

#[tokio::test]
async fn a_kubeconfig_that_names_no_workspace_is_refused() {
    let site = Site::new().await;
    let output = Agent::output(&[
        "--namespace=agents",
        "--apiexportendpointslice-ref=databases",
        &format!("--kcp-kubeconfig={}", site.kubeconfig_without_workspace().display()),
        &format!("--kubeconfig={}", site.service_kubeconfig().display()),
        "--metrics-address=0",
    ])
    .await;
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("/clusters/<workspace>"), "{told}");
}

#[tokio::test]
async fn a_plan_says_what_the_agent_then_does() {
    let site = Site::new().await;
    let plan = Agent::output_at(&site, &["--plan"]).await;
    assert_eq!(plan.status.code(), Some(2), "{plan:?}");
    let told = String::from_utf8(plan.stdout).unwrap();
    assert!(told.contains("+ create APIResourceSchema") && told.contains("~ update APIExport databases"), "{told}");

    let agent = Agent::start(&site, &[]);
    site.bind("team").await;
    site.order("team", "db", json!({"size": 3})).await;
    site.copy("team", "db").await;
    agent.page_once("metrics", "/metrics", |page| page.contains("outcome=\"settled\"} ")).await;
    assert!(agent.stop().await.success());
    let plan = Agent::output_at(&site, &["--plan", "--output=json"]).await;
    let told: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan.status.code(), Some(0), "{told}");
    assert_eq!(told, json!({"changes": [], "problems": []}));
}

#[tokio::test]
async fn drift_is_told_and_ends_with_its_own_code() {
    let site = Site::new().await;
    let agent = Agent::start(&site, &[]);
    site.bind("team").await;
    site.order("team", "db", json!({"size": 3})).await;
    let copy = site.copy("team", "db").await;
    agent.page_once("metrics", "/metrics", |page| page.contains("outcome=\"settled\"} ")).await;
    assert!(agent.stop().await.success());
    let agreed = Agent::output_at(&site, &["--drift"]).await;
    assert_eq!(agreed.status.code(), Some(0), "{agreed:?}");
    site.change(&copy, json!({"spec": {"size": 9}})).await;
    let drift = Agent::output_at(&site, &["--drift"]).await;
    assert_eq!(drift.status.code(), Some(2), "{drift:?}");
    let told = String::from_utf8(drift.stdout).unwrap();
    assert!(told.contains("- spec.size: 3") && told.contains("+ spec.size: 9"), "{told}");
}

#[tokio::test]
async fn tools_look_at_files_without_a_cluster() {
    let directory = crate::fixture::directory();
    let write = |name: &str, text: &serde_json::Value| {
        let path = directory.path().join(name);
        std::fs::write(&path, text.to_string()).unwrap();
        path.display().to_string()
    };
    let definitions = write("definitions", &site::definition());
    let resource =
        |spec: serde_json::Value| json!({"kind": "PublishedResource", "metadata": {"name": "a"}, "spec": spec});
    let source = json!({"apiGroup": "example.com", "kind": "Database"});
    let good = write("good", &resource(json!({"resource": source, "projection": {"kind": "Store"}})));
    let bad = write("bad", &resource(json!({"resource": source, "naming": {"name": "{{"}})));
    let crd = Agent::output(&["crd", "--definitions", &definitions, &good]).await;
    assert!(crd.status.success(), "{crd:?}");
    assert!(String::from_utf8(crd.stdout).unwrap().contains("stores.example.com"));
    let schema = Agent::output(&["crd", "--ars", "--definitions", &definitions, &good]).await;
    assert!(String::from_utf8(schema.stdout).unwrap().contains("kind: APIResourceSchema"));
    let validated = Agent::output(&["validate", "--definitions", &definitions, &good, &bad]).await;
    assert_eq!(validated.status.code(), Some(1));
    let told = String::from_utf8(validated.stdout).unwrap();
    assert!(told.contains("bad: spec.naming.name: ") && !told.contains("good:"), "{told}");
}

#[test]
fn every_manifest_can_be_read() {
    for (yaml, objects) in [
        (include_str!("../../manifests/syncagent/deployment.yaml"), 2),
        (include_str!("../../manifests/syncagent/rbac.yaml"), 5),
        (include_str!("../../manifests/syncagent/published-kinds.yaml"), 2),
        (include_str!("../../manifests/syncagent/kcp-rbac.yaml"), 2),
    ] {
        let read: Vec<kube::api::DynamicObject> = serde_saphyr::from_multiple(yaml).unwrap();
        assert_eq!(read.len(), objects, "{yaml}");
    }
}
