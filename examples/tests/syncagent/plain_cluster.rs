//! Tenants who are all in one cluster without workspaces.

use kdp_core::api::install_crd;
use kdp_sync::wire;
use kube::{Api, ResourceExt, api::DynamicObject};
use serde_json::json;

use super::{
    case::definition,
    object::{api, create, create_secret, delete, gone, names, patch, patch_status, secrets, seen, value},
    program::{NAMESPACE, Program, run},
    shared::{eventually, run as run_case},
    site::{PROVIDER, Site},
};

const GROUP: &str = "inside.example.com";
const OFFERED: &str = "outside.example.com/v1";

/// The provider's workspace of a site stands for the cluster, which is asked for nothing of kcp's.
fn flags(site: &Site, more: &[&str]) -> Vec<String> {
    let mut flags = vec![
        format!("--tenant-kubeconfig={}", site.kcp_kubeconfig.display()),
        "--tenant-cluster-name=plain".to_owned(),
        format!("--kubeconfig={}", site.service_kubeconfig.display()),
        format!("--namespace={NAMESPACE}"),
        "--agent-name=plain".to_owned(),
        "--metrics-address=0".to_owned(),
    ];
    flags.extend(more.iter().map(|&flag| flag.to_owned()));
    flags
}

async fn site(name: &str) -> Site {
    let site = Site::start(name).await;
    let definition = serde_json::from_value(definition(GROUP)).unwrap();
    install_crd(&site.service(), &definition, "test").await.unwrap();
    let resources = api(site.service(), None, "syncagent.kcp.io/v1alpha1", "PublishedResource", "publishedresources");
    let resource = json!({
        "apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource", "metadata": {"name": "widgets"},
        "spec": {
            "resource": {"apiGroup": GROUP, "kind": "Widget"},
            "projection": {"group": "outside.example.com"},
            "related": [{
                "identifier": "credentials", "origin": "service", "kind": "Secret", "cleanup": true,
                "object": {"template": {"template": "{{ .Object.metadata.name }}-credentials"}},
            }],
        },
    });
    create(&resources, resource).await;
    site
}

fn orders(site: &Site) -> Api<DynamicObject> {
    api(site.workspace(PROVIDER), Some("default"), OFFERED, "Widget", "widgets")
}

fn copies(site: &Site) -> Api<DynamicObject> {
    api(site.service(), Some("plain"), &format!("{GROUP}/v1"), "Widget", "widgets")
}

async fn order(site: &Site, name: &str) -> String {
    let order = json!({"apiVersion": OFFERED, "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 1}});
    eventually("it can be ordered", async || {
        orders(site).create(&Default::default(), &serde_json::from_value(order.clone()).unwrap()).await.ok()
    })
    .await;
    eventually("there is a copy", async || {
        let copies = copies(site).list(&Default::default()).await.unwrap();
        let is_its = |copy: &&DynamicObject| copy.annotations()[wire::NAME_ANNOTATION] == name;
        copies.items.iter().find(is_its).map(ResourceExt::name_any)
    })
    .await
}

#[test]
fn an_order_in_a_plain_cluster_is_served() {
    run_case(async {
        let site = site("plain-life").await;
        let agent = Program::start(&site, "agent", &flags(&site, &[]));
        let copy = order(&site, "w").await;
        patch_status(&copies(&site), &copy, json!({"phase": "Ready"})).await;
        create_secret(&secrets(site.service(), "plain"), &format!("{copy}-credentials"), "s3cret", json!({})).await;
        seen(&orders(&site), "w", |order| order.data["status"]["phase"] == "Ready").await;
        let delivered = secrets(site.workspace(PROVIDER), "default");
        assert_eq!(value(&seen(&delivered, "w-credentials", |_| true).await), "s3cret");
        assert!(agent.terminate().await.success());

        patch(&orders(&site), "w", json!({"spec": {"size": 2}})).await;
        let agent = Program::start(&site, "agent-2", &flags(&site, &[]));
        seen(&copies(&site), &copy, |copy| copy.data["spec"]["size"] == 2).await;
        delete(&orders(&site), "w").await;
        gone(&orders(&site), "w").await;
        gone(&delivered, "w-credentials").await;
        assert!(names(&copies(&site)).await.is_empty());
        assert!(agent.terminate().await.success());
    });
}

#[test]
fn what_would_be_done_in_a_plain_cluster_is_told_and_drift_is_found() {
    run_case(async {
        let site = site("plain-plan").await;
        let told = run(&flags(&site, &["--plan"]));
        let text = String::from_utf8(told.stdout).unwrap();
        assert_eq!(told.status.code(), Some(2), "{text}");
        assert!(text.contains("CustomResourceDefinition") && text.contains("widgets.outside.example.com"), "{text}");
        let agent = Program::start(&site, "agent", &flags(&site, &[]));
        let copy = order(&site, "w").await;
        assert!(agent.terminate().await.success());
        assert_eq!(run(&flags(&site, &["--plan"])).status.code(), Some(0));
        assert_eq!(run(&flags(&site, &["--drift"])).status.code(), Some(0));
        patch(&copies(&site), &copy, json!({"spec": {"size": 7}})).await;
        let drift = run(&flags(&site, &["--drift"]));
        assert_eq!(drift.status.code(), Some(2), "{drift:?}");
    });
}

#[test]
fn what_a_plain_cluster_does_not_have_cannot_be_asked_for() {
    run_case(async {
        let site = site("plain-flags").await;
        let said = |more: &[&str]| String::from_utf8(run(&flags(&site, more)).stderr).unwrap();
        assert!(said(&["--apiexportendpointslice-ref=x"]).contains("--apiexportendpointslice-ref"));
        let mut unnamed = flags(&site, &[]);
        unnamed.retain(|flag| !flag.starts_with("--agent-name"));
        let said = String::from_utf8(run(&unnamed).stderr).unwrap();
        assert!(said.contains("--agent-name is required with --tenant-kubeconfig"), "{said}");
    });
}
