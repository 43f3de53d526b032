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
