//! Tenants in one cluster without workspaces: what is ordered there, and what is not touched there.

use std::sync::Arc;

use kdp_core::{Component, ComponentContext, ControlPlane, Endpoint, Error, Identity, SharedControlPlane};
use kdp_sync::{Agent, AgentOptions, PlainCluster, api::PublishedResource, wire};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, PostParams},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{
    World, databases_with_credentials, definition, delete, dynamic, eventually, gone, object, password, patch, secrets,
    seen,
};

/// Group under which tenants know databases.
const GROUP: &str = "tenants.example.com";

/// Two clusters, neither of which is asked for anything that Kubernetes does not have.
pub(crate) struct Clusters {
    pub(crate) tenants: Client,
    pub(crate) service: Client,
}

struct Running {
    task: JoinHandle<Result<(), Error>>,
    stop: CancellationToken,
}

impl Clusters {
    async fn embedded() -> (Self, World) {
        let world = World::new().await;
        (Self { tenants: world.workspace("root:a"), service: world.service() }, world)
    }

    fn control_plane(&self) -> SharedControlPlane {
        Arc::new(PlainCluster::new(self.tenants.clone()))
    }

    fn agent(&self) -> Agent {
        let options = AgentOptions::of_cluster("agent").with_cluster_name("plain".parse().unwrap());
        Agent::new(self.service.clone(), options)
    }

    fn start(&self) -> Running {
        let stop = CancellationToken::new();
        let (context, _) = ComponentContext::new(self.control_plane(), stop.clone());
        Running { task: tokio::spawn(Box::new(self.agent()).run(context)), stop }
    }

    async fn publish(&self, spec: Value) {
        let api: Api<PublishedResource> = Api::all(self.service.clone());
        let resource = json!({
            "apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource",
            "metadata": {"name": "databases"}, "spec": spec,
        });
        api.create(&PostParams::default(), &serde_json::from_value(resource).unwrap()).await.unwrap();
    }

    /// What is said about the PublishedResource, once it is published or refused.
    async fn verdict(&self) -> Result<String, String> {
        let api: Api<PublishedResource> = Api::all(self.service.clone());
        eventually("it is published or refused", async || {
            let status = api.get("databases").await.ok()?.status?;
            let fault = status.conditions.iter().find(|condition| !condition.is_true());
            match fault {
                Some(fault) => Some(Err(fault.message.clone())),
                None => (!status.resource_schema_name.is_empty()).then_some(Ok(status.resource_schema_name)),
            }
        })
        .await
    }

    fn orders(&self, namespace: &str) -> Api<DynamicObject> {
        dynamic(self.tenants.clone(), Some(namespace), &format!("{GROUP}/v1"), "Database", "databases")
    }

    fn copies(&self) -> Api<DynamicObject> {
        dynamic(self.service.clone(), None, "example.com/v1", "Database", "databases")
    }

    fn definitions(&self) -> Api<DynamicObject> {
        let kind = "CustomResourceDefinition";
        dynamic(self.tenants.clone(), None, "apiextensions.k8s.io/v1", kind, "customresourcedefinitions")
    }

    async fn order(&self, namespace: &str, name: &str, size: u64) {
        let order = object(json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "Database", "metadata": {"name": name}, "spec": {"size": size},
        }));
        self.orders(namespace).create(&PostParams::default(), &order).await.unwrap();
    }

    async fn copy(&self, namespace: &str, is_expected: impl Fn(&DynamicObject) -> bool) -> DynamicObject {
        eventually("there is a copy", async || {
            let copies = self.copies().list(&ListParams::default()).await.unwrap();
            let is_it = |copy: &DynamicObject| {
                copy.annotations().get(wire::NAMESPACE_ANNOTATION).is_some_and(|of| of == namespace)
            };
            copies.items.into_iter().find(|copy| is_it(copy) && is_expected(copy))
        })
        .await
    }
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn published() -> Value {
    let mut spec = databases_with_credentials();
    spec["projection"] = json!({"group": GROUP});
    spec
}

/// The whole life of an order, with a restart in the middle.
pub(crate) async fn an_order_lives(clusters: &Clusters) {
    clusters.publish(published()).await;
    let agent = clusters.start();
    assert_eq!(clusters.verdict().await.unwrap(), format!("databases.{GROUP}"));
    clusters.order("default", "db", 1).await;
    let copy = clusters.copy("default", |copy| copy.data["spec"]["size"] == 1).await;
    assert_eq!(copy.labels()[wire::CLUSTER_LABEL], "plain");
    assert_eq!(copy.namespace().as_deref(), Some("plain"));

    let namespace = copy.namespace().unwrap();
    let here = dynamic(clusters.service.clone(), Some(&namespace), "example.com/v1", "Database", "databases");
    let mut reported = copy.clone();
    reported.data["status"] = json!({"phase": "Ready"});
    here.replace_status(&copy.name_any(), &PostParams::default(), &reported).await.unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("{}-credentials", copy.name_any())},
        "stringData": {"password": "s3cret"},
    });
    secrets(clusters.service.clone(), &namespace).create(&PostParams::default(), &object(secret)).await.unwrap();
    seen(&clusters.orders("default"), "db", |order| order.data["status"]["phase"] == "Ready").await;
    let delivered = secrets(clusters.tenants.clone(), "default");
    let found = seen(&delivered, "db-credentials", |_| true).await;
    assert_eq!(password(&found), "s3cret");
    agent.stop().await;

    patch(&clusters.orders("default"), "db", json!({"spec": {"size": 2}})).await;
    patch(&here, &copy.name_any(), json!({"spec": {"tier": "gold"}})).await;
    let agent = clusters.start();
    let copy = clusters.copy("default", |copy| copy.data["spec"]["size"] == 2).await;
    assert_eq!(copy.data["spec"]["tier"], "gold", "what was changed on the service cluster stays");
    delete(&clusters.orders("default"), "db").await;
    gone(&clusters.orders("default"), "db").await;
    gone(&delivered, "db-credentials").await;
    assert!(clusters.copies().list(&ListParams::default()).await.unwrap().items.is_empty());
    agent.stop().await;
}

#[tokio::test]
async fn an_order_in_a_plain_cluster_is_synced() {
    let (clusters, _world) = Clusters::embedded().await;
    an_order_lives(&clusters).await;
    let definition = clusters.definitions().get(&format!("databases.{GROUP}")).await.unwrap();
    assert_eq!(definition.annotations()[wire::AGENT_NAME], "agent");
}

#[tokio::test]
async fn orders_of_one_name_in_two_namespaces_have_a_copy_each() {
    let (clusters, _world) = Clusters::embedded().await;
    clusters.publish(published()).await;
    let agent = clusters.start();
    clusters.verdict().await.unwrap();
    let namespaces = dynamic(clusters.tenants.clone(), None, "v1", "Namespace", "namespaces");
    let other = object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}));
    namespaces.create(&PostParams::default(), &other).await.unwrap();
    clusters.order("default", "db", 1).await;
    clusters.order("other", "db", 2).await;
    let first = clusters.copy("default", |copy| copy.data["spec"]["size"] == 1).await;
    let second = clusters.copy("other", |copy| copy.data["spec"]["size"] == 2).await;
    assert_ne!(first.name_any(), second.name_any());
    agent.stop().await;
}

#[tokio::test]
async fn a_definition_that_somebody_else_has_made_is_left_alone() {
    let (clusters, _world) = Clusters::embedded().await;
    let mut theirs = definition();
    theirs["metadata"]["name"] = format!("databases.{GROUP}").into();
    theirs["spec"]["group"] = GROUP.into();
    let theirs = clusters.definitions().create(&PostParams::default(), &object(theirs)).await.unwrap();
    clusters.publish(published()).await;
    let agent = clusters.start();
    let fault = clusters.verdict().await.unwrap_err();
    assert!(fault.contains("spec.projection") && fault.contains(&format!("databases.{GROUP}")), "{fault}");
    let now = clusters.definitions().get(&theirs.name_any()).await.unwrap();
    assert_eq!(now.data["spec"], theirs.data["spec"]);
    agent.stop().await;
}

#[tokio::test]
async fn a_changed_kind_is_changed_for_tenants_and_their_orders_stay_when_it_is_withdrawn() {
    let (clusters, _world) = Clusters::embedded().await;
    clusters.publish(published()).await;
    let agent = clusters.start();
    clusters.verdict().await.unwrap();
    clusters.order("default", "db", 1).await;
    clusters.copy("default", |_| true).await;
    let mut changed = definition();
    changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["region"] =
        json!({"type": "string"});
    kdp_core::api::install_crd(&clusters.service, &serde_json::from_value(changed).unwrap(), "test").await.unwrap();
    seen(&clusters.definitions(), &format!("databases.{GROUP}"), |definition| {
        definition.data.to_string().contains("region")
    })
    .await;
    let resources: Api<PublishedResource> = Api::all(clusters.service.clone());
    resources.delete("databases", &Default::default()).await.unwrap();
    agent.stop().await;
    assert!(clusters.orders("default").get("db").await.is_ok());
    assert!(clusters.definitions().get(&format!("databases.{GROUP}")).await.is_ok());
}

#[tokio::test]
async fn a_forged_workspace_gets_nobody_elses_copy() {
    let (clusters, _world) = Clusters::embedded().await;
    clusters.publish(published()).await;
    let agent = clusters.start();
    clusters.verdict().await.unwrap();
    let forged = object(json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "Database", "spec": {"size": 1},
        "metadata": {"name": "db", "annotations": {"kcp.io/cluster": "victim"}},
    }));
    // A control plane that has workspaces does not let it through to begin with.
    let _ = clusters.orders("default").create(&PostParams::default(), &forged).await;
    clusters.order("default", "other", 2).await;
    clusters.copy("default", |copy| copy.data["spec"]["size"] == 2).await;
    for copy in clusters.copies().list(&ListParams::default()).await.unwrap() {
        assert_eq!(copy.labels()[wire::CLUSTER_LABEL], "plain");
    }
    agent.stop().await;
}

#[tokio::test]
async fn what_would_be_published_is_told_beforehand_and_once_it_is_nothing_is() {
    let (clusters, _world) = Clusters::embedded().await;
    clusters.publish(published()).await;
    let preview = clusters.agent().inspector().preview(&clusters.control_plane()).await.unwrap();
    assert!(preview.problems.is_empty(), "{preview}");
    let told = preview.to_string();
    assert!(told.contains("CustomResourceDefinition") && told.contains(&format!("databases.{GROUP}")), "{told}");
    let agent = clusters.start();
    clusters.verdict().await.unwrap();
    agent.stop().await;
    let preview = clusters.agent().inspector().preview(&clusters.control_plane()).await.unwrap();
    assert!(preview.is_empty() && preview.problems.is_empty(), "{preview}");
}

#[test]
fn a_plain_cluster_has_nothing_that_spans_workspaces() {
    let never = tower::service_fn(|_: http::Request<kube::client::Body>| {
        std::future::pending::<Result<http::Response<kube::client::Body>, std::convert::Infallible>>()
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let cluster = PlainCluster::new(Client::new(never, "default"));
    let reach = |endpoint| cluster.client(&endpoint, &Identity::system_masters());
    assert!(reach(Endpoint::AllWorkspaces).is_err());
    assert!(reach(Endpoint::Workspace("root".parse().unwrap())).is_ok());
}
