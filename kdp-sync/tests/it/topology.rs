//! Where the export is found and served, who publishes what, and what an agent waits for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kdp_core::{
    Component, ComponentContext, ControlPlane, Endpoint, Error, Identity, LogicalClusterName,
    api::{
        apis::{APIExport, APIExportEndpointSlice, APIResourceSchema},
        tenancy::Workspace,
    },
};
use kdp_sync::{Agent, AgentOptions, AgentStatus, api::PublishedResource, wire};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    client::Body,
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{self, EXPORT, World, databases_with_credentials, delete, eventually, gone, seen};

const OTHER_SHARD: &str = "https://other.example.com";
const CLAIMS: [&str; 3] = ["events", "namespaces", "secrets"];

struct Running {
    task: tokio::task::JoinHandle<Result<(), Error>>,
    stop: CancellationToken,
    ready: watch::Receiver<bool>,
    status: watch::Receiver<AgentStatus>,
}

impl Running {
    fn start(world: &World, control_plane: impl ControlPlane, options: AgentOptions) -> Self {
        let agent = Agent::new(world.service(), options);
        let (status, stop) = (agent.status(), CancellationToken::new());
        let (context, ready) = ComponentContext::new(Arc::new(control_plane), stop.clone());
        Self { task: tokio::spawn(Box::new(agent).run(context)), stop, ready, status }
    }

    async fn until(&mut self, what: &str, is_so: impl FnMut(&AgentStatus) -> bool) {
        let so = tokio::time::timeout(Duration::from_secs(20), self.status.wait_for(is_so)).await;
        assert!(so.is_ok_and(|seen| seen.is_ok()), "in vain: {what}: {:?}", self.status.borrow());
    }

    fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap().unwrap();
    }
}

/// One kcp of two shards, of which the other one is a control plane of its own.
#[derive(Debug)]
struct TwoShards {
    first: Embedded,
    other: Embedded,
    /// The export's workspace as the other one knows it.
    home: LogicalClusterName,
}

impl ControlPlane for TwoShards {
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<Client, Error> {
        match endpoint {
            Endpoint::ExportShard { url, consumer } if url.server() == OTHER_SHARD => {
                let (cluster, export) = (self.home.clone(), url.export().to_owned());
                self.other.client(&Endpoint::ApiExport { cluster, export, consumer: consumer.clone() }, identity)
            }
            endpoint => self.first.client(endpoint, identity),
        }
    }

    fn url(&self, endpoint: &Endpoint) -> Option<String> {
        self.first.url(endpoint)
    }
}

fn options() -> AgentOptions {
    AgentOptions::new("agent", "root:provider".parse().unwrap(), EXPORT).with_created_export()
}

async fn copy_export(from: &World, to: &World) {
    let exports: Api<APIExport> = Api::all(from.workspace("root:provider"));
    let export = exports.get(EXPORT).await.unwrap();
    let schemas: Api<APIResourceSchema> = Api::all(from.workspace("root:provider"));
    let name = &export.spec.resources[0].schema;
    let mut schema = schemas.get(name).await.unwrap();
    schema.metadata = kube::api::ObjectMeta { name: Some(name.clone()), ..Default::default() };
    let mut spec = serde_json::to_value(&export.spec).unwrap();
    spec.as_object_mut().unwrap().remove("identity");
    let copy = json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": EXPORT}, "spec": spec,
    });
    let provider = to.workspace("root:provider");
    Api::all(provider.clone()).create(&PostParams::default(), &schema).await.unwrap();
    let exports: Api<APIExport> = Api::all(provider);
    exports.create(&PostParams::default(), &serde_json::from_value(copy).unwrap()).await.unwrap();
}

async fn tell_endpoints(slices: &Api<APIExportEndpointSlice>, urls: &[String]) {
    let endpoints: Vec<Value> = urls.iter().map(|url| json!({"url": url})).collect();
    let patch = Patch::Merge(json!({"status": {"endpoints": endpoints}}));
    slices.patch_status("shards", &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn an_export_of_several_shards_is_followed_to_each_as_they_come_and_go() {
    let world = World::new().await;
    let other =
        World { control_plane: Embedded::in_memory().await.unwrap(), service_cluster: world.service_cluster.clone() };
    let workspaces: Api<Workspace> = Api::all(other.workspace("root"));
    for name in ["provider", "c"] {
        workspaces.create(&PostParams::default(), &Workspace::new(name, Default::default())).await.unwrap();
    }
    world.publish("databases", databases_with_credentials()).await;
    let home = other.cluster("root:provider").await.parse().unwrap();
    let control_plane = TwoShards { first: world.control_plane.clone(), other: other.control_plane.clone(), home };
    let options = AgentOptions::of_endpoint_slice("agent", "root:provider".parse().unwrap(), "shards");
    let mut agent = Running::start(&world, control_plane, options.with_created_export());
    agent
        .until("it misses the slice", |status| {
            status.waits_for.as_ref().is_some_and(|reason| reason.contains("shards"))
        })
        .await;
    let slices: Api<APIExportEndpointSlice> = Api::all(world.workspace("root:provider"));
    let slice = json!({
        "apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIExportEndpointSlice", "metadata": {"name": "shards"},
        "spec": {"export": {"path": "root:provider", "name": EXPORT}},
    });
    slices.create(&PostParams::default(), &serde_json::from_value(slice).unwrap()).await.unwrap();
    agent.until("it has published", |status| status.has_published && status.waits_for.is_none()).await;
    assert_eq!(agent.status.borrow().endpoints, 0);
    assert!(!agent.is_ready(), "nothing is synced");

    world.bind("root:a", &CLAIMS).await;
    agent.until("it is ready", |status| status.is_ready() && status.endpoints == 1).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    world.copy("root:a", "db", |_| true).await;

    copy_export(&world, &other).await;
    other.bind("root:c", &CLAIMS).await;
    let first = slices.get("shards").await.unwrap().status.unwrap().endpoints[0].url.clone();
    let provider = world.cluster("root:provider").await;
    let second = format!("{OTHER_SHARD}/services/apiexport/{provider}/{EXPORT}");
    // Whoever writes the slice cannot send the agent elsewhere.
    let foreign = format!("{OTHER_SHARD}/services/apiexport/{provider}/other");
    tell_endpoints(&slices, &[first.clone(), second.clone(), foreign, "nonsense".into()]).await;
    other.order("root:c", "db", json!({"size": 2})).await;
    assert_eq!(other.copy("root:c", "db", |_| true).await.data["spec"]["size"], 2);
    assert_eq!(agent.status.borrow().endpoints, 2);

    // A shard that is gone for a while takes nothing away.
    tell_endpoints(&slices, std::slice::from_ref(&first)).await;
    agent.until("it has noticed", |status| status.endpoints == 1).await;
    delete(&other.orders("root:c"), "db").await;
    world.order("root:a", "later", json!({"size": 1})).await;
    world.copy("root:a", "later", |_| true).await;
    other.copy("root:c", "db", |copy| copy.metadata.deletion_timestamp.is_none()).await;
    tell_endpoints(&slices, &[first, second]).await;
    gone(&other.orders("root:c"), "db").await;
    let copies = world.copies().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(copies.len(), 2, "those in root:a");
    agent.stop().await;
}

#[tokio::test]
async fn what_does_not_exist_yet_is_waited_for() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let service_cluster = Embedded::in_memory().await.unwrap();
    let world = World { control_plane, service_cluster };
    let without_export = AgentOptions::new("agent", "root:later".parse().unwrap(), EXPORT);
    let mut agent = Running::start(&world, world.control_plane.clone(), without_export);
    agent
        .until("it misses the workspace", |status| {
            status.waits_for.as_ref().is_some_and(|reason| reason.contains("root:later"))
        })
        .await;
    let workspaces: Api<Workspace> = Api::all(world.workspace("root"));
    workspaces.create(&PostParams::default(), &Workspace::new("later", Default::default())).await.unwrap();
    agent.until("it goes on", |status| status.waits_for.is_none()).await;
    kdp_sync::install_crds(&world.service()).await.unwrap();
    kdp_core::api::install_crd(&world.service(), &serde_json::from_value(support::definition()).unwrap(), "test")
        .await
        .unwrap();
    world.publish("databases", databases_with_credentials()).await;
    let resources: Api<PublishedResource> = Api::all(world.service());
    eventually("the resource says that the export is missing", async || {
        let status = resources.get("databases").await.unwrap().status?;
        let condition = status.conditions.first()?;
        (!condition.is_true() && condition.message.contains("it does not exist")).then_some(())
    })
    .await;
    let export = json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": EXPORT}, "spec": {},
    });
    let exports: Api<APIExport> = Api::all(world.workspace("root:later"));
    exports.create(&PostParams::default(), &serde_json::from_value(export).unwrap()).await.unwrap();
    world.published("databases").await;
    agent.until("it is ready", AgentStatus::is_ready).await;
    agent.stop().await;
}

#[tokio::test]
async fn publishing_and_syncing_can_be_left_to_different_agents() {
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    let resources: Api<PublishedResource> = Api::all(world.service());
    let mut syncs = Running::start(&world, world.control_plane.clone(), options().without_schemas().without_export());
    syncs.until("it has looked", |status| status.has_published).await;
    let status = resources.get("databases").await.unwrap().status.unwrap_or_default();
    assert!(status.resource_schema_name.is_empty() && status.conditions.is_empty());
    let exports: Api<APIExport> = Api::all(world.workspace("root:provider"));
    assert!(exports.get_opt(EXPORT).await.unwrap().is_none());

    let publishes = Running::start(&world, world.control_plane.clone(), options().without_sync());
    world.published("databases").await;
    world.bind("root:a", &CLAIMS).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    world.copy("root:a", "db", |_| true).await;
    syncs.stop().await;
    world.order("root:a", "later", json!({"size": 1})).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(world.copies().list(&ListParams::default()).await.unwrap().items.len(), 1);
    publishes.stop().await;
}

/// A control plane that counts the watches of orders.
#[derive(Debug)]
struct Counted {
    inner: Embedded,
    lists: Arc<AtomicUsize>,
}

impl ControlPlane for Counted {
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<Client, Error> {
        let client = self.inner.client(endpoint, identity)?;
        if !matches!(endpoint, Endpoint::ApiExport { consumer: None, .. }) {
            return Ok(client);
        }
        let lists = self.lists.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let is_list = request.uri().path().ends_with("/databases")
                && !request.uri().query().unwrap_or_default().contains("watch=");
            lists.fetch_add(is_list.into(), Ordering::SeqCst);
            let client = client.clone();
            async move { client.send(request).await }
        });
        Ok(Client::new(service, "default"))
    }

    fn url(&self, endpoint: &Endpoint) -> Option<String> {
        self.inner.url(endpoint)
    }
}

#[tokio::test]
async fn only_what_a_resource_asks_for_restarts_its_sync() {
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    let lists = Arc::new(AtomicUsize::new(0));
    let counted = Counted { inner: world.control_plane.clone(), lists: lists.clone() };
    let agent = Running::start(&world, counted, options());
    world.published("databases").await;
    world.bind("root:a", &CLAIMS).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    world.copy("root:a", "db", |_| true).await;
    let before = lists.load(Ordering::SeqCst);
    let resources: Api<PublishedResource> = Api::all(world.service());
    let change = |patch: Value| {
        let resources = resources.clone();
        async move { resources.patch("databases", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap() }
    };
    change(json!({"metadata": {"annotations": {"example.com/note": "x"}, "labels": {"a": "b"}}})).await;
    world.order("root:a", "later", json!({"size": 1})).await;
    world.copy("root:a", "later", |_| true).await;
    assert_eq!(lists.load(Ordering::SeqCst), before);
    change(json!({"spec": {"mutation": {"spec": [{"delete": {"path": "spec.tier"}}]}}})).await;
    eventually("it is restarted", async || (lists.load(Ordering::SeqCst) > before).then_some(())).await;
    agent.stop().await;
}

#[tokio::test]
async fn orders_of_a_resource_that_is_gone_keep_their_copies_and_are_finished_when_it_is_back() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    for name in ["stays", "goes"] {
        world.order("root:a", name, json!({"size": 1})).await;
        world.copy("root:a", name, |_| true).await;
    }
    let resources: Api<PublishedResource> = Api::all(world.service());
    resources.delete("databases", &DeleteParams::default()).await.unwrap();
    agent.stop().await;
    let agent = world.agent().await;
    delete(&world.orders("root:a"), "goes").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let waiting = world.orders("root:a").get("goes").await.unwrap();
    assert_eq!(waiting.finalizers(), [wire::FINALIZER]);
    assert_eq!(world.copies().list(&ListParams::default()).await.unwrap().items.len(), 2);
    world.publish("databases", databases_with_credentials()).await;
    gone(&world.orders("root:a"), "goes").await;
    seen(&world.orders("root:a"), "stays", |order| order.finalizers() == [wire::FINALIZER]).await;
    world.copy("root:a", "stays", |copy| copy.metadata.deletion_timestamp.is_none()).await;
    assert_eq!(world.copies().list(&ListParams::default()).await.unwrap().items.len(), 1);
    agent.stop().await;
}
