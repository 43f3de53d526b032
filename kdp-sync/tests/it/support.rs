//! A control plane with a provider and two tenants, a service cluster, and an agent between them.

use std::{sync::Arc, time::Duration};

use kdp_core::{
    Component, ComponentContext, ControlPlaneExt, Error,
    api::{apis::APIBinding, tenancy::Workspace},
};
use kdp_sync::{Agent, AgentOptions, api::PublishedResource};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) const EXPORT: &str = "databases";
/// Long enough for a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) control_plane: Embedded,
    pub(crate) service_cluster: Embedded,
}

/// A running agent.
pub(crate) struct RunningAgent {
    task: JoinHandle<Result<(), Error>>,
    stop: CancellationToken,
    ready: watch::Receiver<bool>,
}

impl World {
    /// Workspaces `root:provider`, `root:a` and `root:b`; a service cluster that knows databases.
    pub(crate) async fn new() -> Self {
        let control_plane = Embedded::in_memory().await.unwrap();
        let service_cluster = Embedded::in_memory().await.unwrap();
        let world = Self { control_plane, service_cluster };
        let workspaces: Api<Workspace> = Api::all(world.workspace("root"));
        for name in ["provider", "a", "b"] {
            workspaces.create(&PostParams::default(), &Workspace::new(name, Default::default())).await.unwrap();
        }
        kdp_sync::install_crds(&world.service()).await.unwrap();
        let definition = serde_json::from_value(definition()).unwrap();
        kdp_core::api::install_crd(&world.service(), &definition, "test").await.unwrap();
        world
    }

    pub(crate) fn workspace(&self, path: &str) -> Client {
        self.control_plane.system_client(&path.parse().unwrap()).unwrap()
    }

    pub(crate) fn service(&self) -> Client {
        self.service_cluster.system_client(&"root".parse().unwrap()).unwrap()
    }

    /// The name of the logical cluster at a path.
    pub(crate) async fn cluster(&self, path: &str) -> String {
        let clusters = dynamic(self.workspace(path), None, "core.kcp.io/v1alpha1", "LogicalCluster", "logicalclusters");
        clusters.get("cluster").await.unwrap().annotations()["kcp.io/cluster"].clone()
    }

    /// An agent that is ready.
    pub(crate) async fn agent(&self) -> RunningAgent {
        let mut agent = self.start_agent();
        tokio::time::timeout(DEADLINE, agent.ready.wait_for(|ready| *ready)).await.unwrap().unwrap();
        agent
    }

    fn start_agent(&self) -> RunningAgent {
        let stop = CancellationToken::new();
        let (context, ready) = ComponentContext::new(Arc::new(self.control_plane.clone()), stop.clone());
        RunningAgent { task: tokio::spawn(self.new_agent().run(context)), stop, ready }
    }

    fn new_agent(&self) -> Box<Agent> {
        let options = AgentOptions::new("agent", "root:provider".parse().unwrap(), EXPORT).with_created_export();
        Box::new(Agent::new(self.service(), options))
    }

    /// Runs an agent for a while, and then ends it wherever each of its tasks happens to be.
    pub(crate) async fn run_and_kill_agent(&self, pause: Duration) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (context, _) = ComponentContext::new(Arc::new(self.control_plane.clone()), CancellationToken::new());
        runtime.spawn(self.new_agent().run(context));
        tokio::time::sleep(pause).await;
        runtime.shutdown_background();
    }

    pub(crate) async fn publish(&self, name: &str, spec: Value) {
        let api: Api<PublishedResource> = Api::all(self.service());
        let resource = json!({
            "apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource",
            "metadata": {"name": name}, "spec": spec,
        });
        api.create(&PostParams::default(), &serde_json::from_value(resource).unwrap()).await.unwrap();
    }

    /// Waits until the resource has a schema and no fault.
    pub(crate) async fn published(&self, name: &str) -> PublishedResource {
        let api: Api<PublishedResource> = Api::all(self.service());
        eventually("it is published", async || {
            let resource = api.get(name).await.unwrap();
            let status = resource.status.clone().unwrap_or_default();
            (!status.resource_schema_name.is_empty() && status.conditions.iter().all(|c| c.is_true()))
                .then_some(resource)
        })
        .await
    }

    /// Binds the export in a workspace, with these claims accepted.
    pub(crate) async fn bind(&self, path: &str, claims: &[&str]) {
        let claims: Vec<_> = claims
            .iter()
            .map(|claim| {
                let (group, resource) = claim.split_once('/').unwrap_or(("", claim));
                json!({"group": group, "resource": resource, "verbs": ["*"], "selector": {"matchAll": true}, "state": "Accepted"})
            })
            .collect();
        let binding = json!({
            "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding",
            "metadata": {"name": EXPORT},
            "spec": {"reference": {"export": {"path": "root:provider", "name": EXPORT}}, "permissionClaims": claims},
        });
        let api: Api<APIBinding> = Api::all(self.workspace(path));
        api.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
        eventually("it is bound", async || {
            let status = api.get(EXPORT).await.unwrap().status.unwrap_or_default();
            (status.phase == "Bound").then_some(())
        })
        .await;
    }

    /// Publishes databases with a credentials Secret, runs an agent, and binds both tenants.
    pub(crate) async fn with_databases(spec: Value) -> (Self, RunningAgent) {
        let world = Self::new().await;
        world.publish("databases", spec).await;
        let agent = world.agent().await;
        world.published("databases").await;
        for path in ["root:a", "root:b"] {
            world.bind(path, &["events", "namespaces", "secrets"]).await;
        }
        (world, agent)
    }

    /// The orders in a workspace's default namespace.
    pub(crate) fn orders(&self, path: &str) -> Api<DynamicObject> {
        databases(self.workspace(path), Some("default"))
    }

    /// All copies on the service cluster.
    pub(crate) fn copies(&self) -> Api<DynamicObject> {
        databases(self.service(), None)
    }

    pub(crate) async fn order(&self, path: &str, name: &str, spec: Value) {
        let object = object(json!({
            "apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": name}, "spec": spec,
        }));
        self.orders(path).create(&PostParams::default(), &object).await.unwrap();
    }

    /// The copy of an order, once it is there and as expected.
    pub(crate) async fn copy(
        &self,
        path: &str,
        name: &str,
        is_expected: impl Fn(&DynamicObject) -> bool,
    ) -> DynamicObject {
        let cluster = self.cluster(path).await;
        eventually("there is a copy", async || {
            let copies = self.copies().list(&Default::default()).await.unwrap();
            copies.items.into_iter().find(|copy| {
                copy.labels().get(kdp_sync::wire::CLUSTER_LABEL) == Some(&cluster)
                    && copy.annotations().get(kdp_sync::wire::NAME_ANNOTATION).map(String::as_str) == Some(name)
                    && is_expected(copy)
            })
        })
        .await
    }

    /// Plays the operator: makes the Secret of a copy.
    pub(crate) async fn provide_secret(&self, copy: &DynamicObject, name: &str, password: &str) {
        let secret = object(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"password": password},
        }));
        let api = secrets(self.service(), &copy.namespace().unwrap());
        api.create(&PostParams::default(), &secret).await.unwrap();
    }
}

impl RunningAgent {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
    }
}

/// The kind on the service cluster.
pub(crate) fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "databases.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Database", "plural": "databases", "singular": "database", "listKind": "DatabaseList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "size": {"type": "integer"}, "tier": {"type": "string"},
                        "secretName": {"type": "string"}, "secretNamespace": {"type": "string"},
                    }},
                    "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
                }}},
            }],
        },
    })
}

/// Databases, each with the Secret `<copy>-credentials`, delivered as `<order>-credentials`.
pub(crate) fn databases_with_credentials() -> Value {
    json!({
        "resource": {"apiGroup": "example.com", "kind": "Database"},
        "related": [{
            "identifier": "credentials", "origin": "service", "kind": "Secret", "cleanup": true,
            "object": {"template": {"template": "{{ .Object.metadata.name }}-credentials"}},
        }],
    })
}

pub(crate) fn databases(client: Client, namespace: Option<&str>) -> Api<DynamicObject> {
    dynamic(client, namespace, "example.com/v1", "Database", "databases")
}

pub(crate) fn dynamic(
    client: Client,
    namespace: Option<&str>,
    api_version: &str,
    kind: &str,
    plural: &str,
) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    }
}

pub(crate) fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

pub(crate) async fn patch(api: &Api<DynamicObject>, name: &str, patch: Value) {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

pub(crate) async fn delete(api: &Api<DynamicObject>, name: &str) {
    api.delete(name, &DeleteParams::default()).await.unwrap();
}

/// Looks again and again until there is something to see.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let seen = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    seen.await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

/// Waits for an object that fulfils a condition.
pub(crate) async fn seen(
    api: &Api<DynamicObject>,
    name: &str,
    is_expected: impl Fn(&DynamicObject) -> bool,
) -> DynamicObject {
    eventually(&format!("{name} is as expected"), async || api.get_opt(name).await.unwrap().filter(&is_expected)).await
}

/// Waits until an object is gone.
pub(crate) async fn gone(api: &Api<DynamicObject>, name: &str) {
    eventually(&format!("{name} is gone"), async || api.get_opt(name).await.unwrap().is_none().then_some(())).await;
}

pub(crate) fn secrets(client: Client, namespace: &str) -> Api<DynamicObject> {
    dynamic(client, Some(namespace), "v1", "Secret", "secrets")
}

/// The password in a Secret.
pub(crate) fn password(secret: &DynamicObject) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    String::from_utf8(BASE64_STANDARD.decode(secret.data["data"]["password"].as_str().unwrap()).unwrap()).unwrap()
}
