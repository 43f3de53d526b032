//! An agent between a real kcp and a service cluster.

use std::{sync::Arc, time::Duration};

use kdp_core::{
    Component, ComponentContext, ControlPlaneExt, Identity,
    api::{
        apis::{APIBinding, APIExport},
        tenancy::Workspace,
    },
};
use kdp_sync::{Agent, AgentOptions, AgentStatus, wire};
use kdp_tenancy::Kcp;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    plain_cluster::{Clusters, an_order_lives},
    support::{EXPORT, World, databases, databases_with_credentials, definition, object, password, secrets},
};

/// Names a kubeconfig of a kcp server whose current user is in `system:masters`: the context
/// `shard-base` of the `admin.kubeconfig` that `kcp start` writes.
const KUBECONFIG: &str = "KDP_TEST_KCP_KUBECONFIG";

/// kcp takes its time, and more of it where it shares the machine.
const DEADLINE: Duration = Duration::from_secs(120);

async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let seen = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(DEADLINE, seen).await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

async fn workspace(parent: &Client, name: &str) {
    let workspaces: Api<Workspace> = Api::all(parent.clone());
    let made = json!({
        "apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name},
        "spec": {"type": {"name": "universal", "path": "root"}},
    });
    workspaces.create(&PostParams::default(), &serde_json::from_value(made).unwrap()).await.unwrap();
    eventually("the workspace is ready", async || {
        let workspace = workspaces.get(name).await.ok()?;
        (workspace.status.as_ref()?.phase.as_str() == "Ready").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_in_a_real_kcp_is_synced_through_its_endpoint_slice() {
    let Some(path) = std::env::var_os(KUBECONFIG) else {
        eprintln!("SKIPPED: {KUBECONFIG} names no kubeconfig of a kcp server");
        return;
    };
    let platform =
        Identity { username: "kdp:system".into(), groups: vec!["system:kcp:admin".into()], ..Identity::default() };
    let kcp = Kcp::from_kubeconfig_file(path).await.unwrap().with_platform_identity(platform).with_announced_shards();
    let client = |path: &str| kcp.system_client(&path.parse().unwrap()).unwrap();
    let name = format!("sync-{}", std::process::id());
    let (provider, tenant) = (format!("root:{name}:provider"), format!("root:{name}:tenant"));
    workspace(&client("root"), &name).await;
    for child in ["provider", "tenant"] {
        workspace(&client(&format!("root:{name}")), child).await;
    }
    let exports: Api<APIExport> = Api::all(client(&provider));
    let export = json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": EXPORT}, "spec": {},
    });
    exports.create(&PostParams::default(), &serde_json::from_value(export).unwrap()).await.unwrap();

    // Only the service cluster of this one is used.
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    let options = AgentOptions::of_endpoint_slice("agent", provider.parse().unwrap(), EXPORT);
    let agent = Agent::new(world.service(), options);
    let (mut status, stop) = (agent.status(), CancellationToken::new());
    let (context, _ready) = ComponentContext::new(Arc::new(kcp.clone()), stop.clone());
    let running = tokio::spawn(Box::new(agent).run(context));
    world.published("databases").await;

    let claims = ["events", "namespaces", "secrets"].map(|resource| {
        json!({"group": "", "resource": resource, "verbs": ["*"], "selector": {"matchAll": true}, "state": "Accepted"})
    });
    let binding = json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": EXPORT},
        "spec": {
            "reference": {"export": {"path": provider, "name": EXPORT}},
            "permissionClaims": claims,
        },
    });
    let bindings: Api<APIBinding> = Api::all(client(&tenant));
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    eventually("it is bound", async || (bindings.get(EXPORT).await.ok()?.status?.phase == "Bound").then_some(())).await;
    tokio::time::timeout(DEADLINE, status.wait_for(AgentStatus::is_ready)).await.unwrap().unwrap();
    assert_eq!(status.borrow().endpoints, 1);

    let orders = databases(client(&tenant), Some("default"));
    let order = object(json!({
        "apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": "db"}, "spec": {"size": 1},
    }));
    eventually("it can be ordered", async || orders.create(&PostParams::default(), &order).await.ok()).await;
    let copies = databases(world.service(), None);
    let copy = eventually("there is a copy", async || {
        copies.list(&ListParams::default()).await.unwrap().items.into_iter().next()
    })
    .await;
    assert_eq!((&copy.data["spec"], &copy.labels()[wire::AGENT_NAME]), (&json!({"size": 1}), &"agent".to_owned()));
    let mut with_status = copy.clone();
    with_status.data["status"] = json!({"phase": "Ready"});
    let here = databases(world.service(), copy.namespace().as_deref());
    here.replace_status(&copy.name_any(), &PostParams::default(), &with_status).await.unwrap();
    world.provide_secret(&copy, &format!("{}-credentials", copy.name_any()), "hunter2").await;
    eventually("the status comes up", async || {
        (orders.get("db").await.ok()?.data["status"]["phase"] == "Ready").then_some(())
    })
    .await;
    let credentials = eventually("the credentials come up", async || {
        secrets(client(&tenant), "default").get_opt("db-credentials").await.ok()?
    })
    .await;
    assert_eq!(password(&credentials), "hunter2");
    orders.delete("db", &DeleteParams::default()).await.unwrap();
    eventually("everything is gone", async || {
        let is_left = orders.get_opt("db").await.ok()?.is_some()
            || !copies.list(&ListParams::default()).await.unwrap().items.is_empty();
        (!is_left).then_some(())
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
    let workspaces: Api<Workspace> = Api::all(client("root"));
    workspaces.delete(&name, &DeleteParams::default()).await.unwrap();
}

/// What serves kcp's workspaces is the code of kube-apiserver, so two that are asked for nothing of
/// kcp's are as plain as clusters are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_in_a_cluster_of_the_real_kube_apiserver_is_synced_without_an_export() {
    let Some(path) = std::env::var_os(KUBECONFIG) else {
        eprintln!("SKIPPED: {KUBECONFIG} names no kubeconfig of a kcp server");
        return;
    };
    let platform =
        Identity { username: "kdp:system".into(), groups: vec!["system:kcp:admin".into()], ..Identity::default() };
    let kcp = Kcp::from_kubeconfig_file(path).await.unwrap().with_platform_identity(platform);
    let client = |path: &str| kcp.system_client(&path.parse().unwrap()).unwrap();
    let name = format!("plain-{}", std::process::id());
    workspace(&client("root"), &name).await;
    for child in ["tenants", "service"] {
        workspace(&client(&format!("root:{name}")), child).await;
    }
    let clusters =
        Clusters { tenants: client(&format!("root:{name}:tenants")), service: client(&format!("root:{name}:service")) };
    kdp_sync::install_crds(&clusters.service).await.unwrap();
    let definition = serde_json::from_value(definition()).unwrap();
    kdp_core::api::install_crd(&clusters.service, &definition, "test").await.unwrap();
    an_order_lives(&clusters).await;
    let workspaces: Api<Workspace> = Api::all(client("root"));
    workspaces.delete(&name, &DeleteParams::default()).await.unwrap();
}
