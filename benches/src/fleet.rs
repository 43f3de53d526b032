//! A control plane with many workspaces, a service cluster, and the sync agent between them.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use http::Request;
use kdp_core::{
    Component, ComponentContext, ControlPlane, ControlPlaneExt, Endpoint, Error, Identity, LogicalClusterName,
    SharedControlPlane, WorkspacePath,
    api::{apis::APIBinding, core::LogicalCluster, tenancy::Workspace},
};
use kdp_sync::{Agent, AgentOptions, api::PublishedResource};
use kdp_tenancy::{Embedded, Kcp};
use kube::{Api, Client, api::PostParams, config::Kubeconfig, core::WatchEvent};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    Served, in_process,
    requests::{Counted, Requests, counted},
    serve, workspace,
};

const EXPORT: &str = "databases";
const DEADLINE: Duration = Duration::from_secs(120);
/// How many workspaces are made at once.
const MAKERS: usize = 32;

/// What happens to benches is printed and ends them.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Databases in many workspaces and on a service cluster.
pub struct Fleet {
    /// Where the tenants are.
    pub control_plane: Embedded,
    /// Where the operator is.
    pub service_cluster: Embedded,
    /// A client for each tenant.
    tenants: Vec<Client>,
    /// What agents have asked of either side, if it is counted.
    pub requests: Option<Arc<Requests>>,
    wire: Option<Wire>,
}

/// Both sides over HTTPS.
struct Wire {
    control_plane: Kcp,
    service: Served,
    _tenants: Served,
}

/// How agents reach both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By calls inside the process.
    InProcess,
    /// Over HTTPS.
    Https,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("tenants", &self.tenants.len()).finish_non_exhaustive()
    }
}

/// A running agent.
#[derive(Debug)]
pub struct RunningAgent {
    task: JoinHandle<Result<(), Error>>,
    stop: CancellationToken,
}

impl Fleet {
    /// A control plane with `workspaces` tenants that have bound databases. No agent runs.
    ///
    /// # Errors
    /// When something of it cannot be made.
    pub async fn new(workspaces: usize, published: Value, transport: Transport) -> Outcome<Self> {
        let control_plane = Embedded::in_memory().await?;
        let service_cluster = Embedded::in_memory().await?;
        let wire = match transport {
            Transport::InProcess => None,
            Transport::Https => Some(Wire::new(&control_plane, &service_cluster).await?),
        };
        let root: Api<Workspace> = Api::all(in_process(&control_plane));
        root.create(&PostParams::default(), &workspace("provider")).await?;
        let service = in_process(&service_cluster);
        kdp_sync::install_crds(&service).await?;
        kdp_core::api::install_crd(&service, &serde_json::from_value(definition())?, "bench").await?;
        let resources: Api<PublishedResource> = Api::all(service.clone());
        let resource = json!({
            "apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource",
            "metadata": {"name": "databases"}, "spec": published,
        });
        resources.create(&PostParams::default(), &serde_json::from_value(resource)?).await?;
        let mut fleet =
            Self { control_plane, service_cluster, tenants: Vec::with_capacity(workspaces), requests: None, wire };
        let agent = fleet.agent(32).await?;
        eventually(async || {
            let resource = resources.get("databases").await?;
            Ok(resource.status.is_some_and(|status| !status.resource_schema_name.is_empty()))
        })
        .await?;
        let made = stream::iter(0..workspaces)
            .map(|number| {
                let (root, fleet) = (&root, &fleet);
                async move {
                    let name = format!("w-{number}");
                    root.create(&PostParams::default(), &workspace(&name)).await?;
                    let tenant = fleet.control_plane.system_client(&format!("root:{name}").parse()?)?;
                    fleet.bind(&tenant).await?;
                    Outcome::Ok(tenant)
                }
            })
            .buffer_unordered(MAKERS);
        let tenants = made.try_collect().await?;
        fleet.tenants = tenants;
        agent.stop().await?;
        Ok(fleet)
    }

    /// Starts an agent that works on `concurrency` orders at once, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn agent(&self, concurrency: usize) -> Outcome<RunningAgent> {
        let stop = CancellationToken::new();
        let (mut service, mut control_plane): (_, SharedControlPlane) = match &self.wire {
            None => (in_process(&self.service_cluster), Arc::new(self.control_plane.clone())),
            Some(wire) => (wire.service.client.clone(), Arc::new(wire.control_plane.clone())),
        };
        if let Some(requests) = &self.requests {
            service = counted(service, requests.clone());
            control_plane = Arc::new(Counted { inner: control_plane, requests: requests.clone() });
        }
        let (context, mut ready) = ComponentContext::new(control_plane, stop.clone());
        let options = AgentOptions::new("agent", "root:provider".parse()?, EXPORT)
            .with_created_export()
            .with_concurrency(concurrency);
        let agent = Box::new(Agent::new(service, options));
        let task = tokio::spawn(agent.run(context));
        tokio::time::timeout(DEADLINE, ready.wait_for(|ready| *ready)).await??;
        Ok(RunningAgent { task, stop })
    }

    /// The same, with what agents ask of either side counted, which costs them time.
    #[must_use]
    pub fn with_counted_requests(mut self) -> Self {
        self.requests = Some(Arc::default());
        self
    }

    /// Binds databases in the workspace of a tenant.
    ///
    /// # Errors
    /// When they are not bound after a while.
    pub async fn bind(&self, tenant: &Client) -> Outcome<()> {
        let claim = |resource| json!({"group": "", "resource": resource, "verbs": ["*"], "selector": {"matchAll": true}, "state": "Accepted"});
        let binding = json!({
            "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": EXPORT},
            "spec": {
                "reference": {"export": {"path": "root:provider", "name": EXPORT}},
                "permissionClaims": [claim("events"), claim("namespaces"), claim("secrets")],
            },
        });
        let api: Api<APIBinding> = Api::all(tenant.clone());
        api.create(&PostParams::default(), &serde_json::from_value(binding)?).await?;
        eventually(async || Ok(api.get(EXPORT).await?.status.unwrap_or_default().phase == "Bound")).await
    }

    /// The clients of all tenants.
    #[must_use]
    pub fn tenants(&self) -> &[Client] {
        &self.tenants
    }

    /// A client for one of the tenants, who take turns.
    #[must_use]
    pub fn tenant(&self, number: usize) -> &Client {
        &self.tenants[number % self.tenants.len()]
    }

    /// A client that sees the orders of all tenants.
    ///
    /// # Errors
    /// When the provider's workspace is not there.
    pub async fn all_tenants(&self) -> Outcome<Client> {
        let provider: Api<LogicalCluster> = Api::all(self.control_plane.system_client(&"root:provider".parse()?)?);
        let provider = provider.get("cluster").await?;
        let cluster = provider.metadata.annotations.unwrap_or_default().remove("kcp.io/cluster").unwrap_or_default();
        let cluster: LogicalClusterName = cluster.parse()?;
        let endpoint = Endpoint::ApiExport { cluster, export: EXPORT.into(), consumer: None };
        Ok(self.control_plane.client(&endpoint, &Identity::system_masters())?)
    }
}

impl Wire {
    async fn new(control_plane: &Embedded, service_cluster: &Embedded) -> Outcome<Self> {
        let tenants = serve(control_plane).await;
        let admin = Identity { username: "agent".into(), groups: vec!["system:masters".into()], ..Identity::default() };
        let kubeconfig = control_plane.kubeconfig(&Endpoint::Workspace(WorkspacePath::root()), &admin)?;
        let kcp = Kcp::from_kubeconfig(Kubeconfig::from_yaml(&kubeconfig)?).await?;
        Ok(Self { control_plane: kcp, service: serve(service_cluster).await, _tenants: tenants })
    }
}

impl RunningAgent {
    /// Stops the agent and waits until it has ended.
    ///
    /// # Errors
    /// When it ended with one.
    pub async fn stop(self) -> Outcome<()> {
        self.stop.cancel();
        Ok(tokio::time::timeout(DEADLINE, self.task).await???)
    }
}

/// As much of a database as anybody here looks at.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Glimpse {
    /// Where it is.
    pub metadata: Metadata,
    /// What was ordered.
    #[serde(default)]
    pub spec: Spec,
    /// What has become of it.
    #[serde(default)]
    pub status: Status,
}

/// Metadata of a database.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Metadata {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its namespace.
    #[serde(default)]
    pub namespace: String,
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Specification of a database.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Spec {
    /// A number.
    #[serde(default)]
    pub size: u64,
}

/// Status of a database.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Status {
    /// The size that the operator has seen.
    #[serde(default)]
    pub size: Option<u64>,
}

impl Glimpse {
    /// The name of the order that this is the copy of.
    #[must_use]
    pub fn order(&self) -> &str {
        self.metadata.annotations.get(kdp_sync::wire::NAME_ANNOTATION).map_or("", String::as_str)
    }
}

/// Calls `see` with all databases that `client` sees, and with every change of one, until it is cancelled.
///
/// # Errors
/// When the watch fails.
pub async fn watch_databases(client: &Client, mut see: impl FnMut(WatchEvent<Glimpse>)) -> Outcome<()> {
    loop {
        let request = Request::get("/apis/example.com/v1/databases?watch=true&timeoutSeconds=3600").body(Vec::new())?;
        let mut events = std::pin::pin!(client.request_events::<Glimpse>(request).await?);
        while let Some(event) = events.next().await {
            see(event?);
        }
    }
}

/// Plays the operator: says in the status of every database which size it has seen.
///
/// # Errors
/// When the service cluster fails.
pub async fn operate(client: Client, seen: impl Fn(&Glimpse) + Send + 'static) -> Outcome<()> {
    /// How many statuses are written at once.
    const WRITERS: usize = 16;
    let (todo, work) = tokio::sync::mpsc::channel(100_000);
    let writer = client.clone();
    let write = async move {
        let work = stream::poll_fn({
            let mut work = work;
            move |context| work.poll_recv(context)
        });
        work.map(|copy: Glimpse| {
            let client = &writer;
            async move {
                let Metadata { namespace, name, .. } = &copy.metadata;
                let url = format!("/apis/example.com/v1/namespaces/{namespace}/databases/{name}/status");
                let patch = json!({"status": {"size": copy.spec.size, "phase": "Ready"}}).to_string().into_bytes();
                let request = Request::patch(url).header("content-type", "application/merge-patch+json").body(patch)?;
                match client.request_text(request).await {
                    Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                    answer => Ok(answer.map(drop)?),
                }
            }
        })
        .buffer_unordered(WRITERS)
        .try_for_each(|()| async { Outcome::Ok(()) })
        .await
    };
    let watch = watch_databases(&client, |event| {
        if let WatchEvent::Added(copy) | WatchEvent::Modified(copy) = event {
            seen(&copy);
            if copy.status.size != Some(copy.spec.size) {
                // The channel holds more than there are databases.
                let _ = todo.try_send(copy);
            }
        }
    });
    tokio::select! {
        done = write => done,
        done = watch => done,
    }
}

/// The body of an order of about a kilobyte.
#[must_use]
pub fn order(name: &str, size: u64) -> Vec<u8> {
    let note = "x".repeat(200);
    let labels = json!({"app.kubernetes.io/name": "database", "team": "storage"});
    let order = json!({
        "apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": name, "labels": labels},
        "spec": {"size": size, "tier": "gold", "region": "eu-central", "note": note, "backup": {"daily": true, "keep": 7}},
    });
    order.to_string().into_bytes()
}

/// Creates an order in the default namespace.
///
/// # Errors
/// When it is refused.
pub async fn create_order(client: &Client, name: &str, size: u64) -> Outcome<()> {
    let url = "/apis/example.com/v1/namespaces/default/databases";
    let request = Request::post(url).header("content-type", "application/json").body(order(name, size))?;
    client.request_text(request).await?;
    Ok(())
}

/// Changes the size of an order.
///
/// # Errors
/// When it is refused.
pub async fn resize_order(client: &Client, name: &str, size: u64) -> Outcome<()> {
    let url = format!("/apis/example.com/v1/namespaces/default/databases/{name}");
    let patch = json!({"spec": {"size": size}}).to_string().into_bytes();
    let request = Request::patch(url).header("content-type", "application/merge-patch+json").body(patch)?;
    client.request_text(request).await?;
    Ok(())
}

/// Looks again and again until something is so.
///
/// # Errors
/// When looking fails, or it does not come to be.
pub async fn eventually(look: impl AsyncFn() -> Outcome<bool>) -> Outcome<()> {
    let seen = tokio::time::timeout(DEADLINE, async {
        while !look().await? {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Outcome::Ok(())
    });
    seen.await?
}

/// Databases without related objects.
#[must_use]
pub fn plain() -> Value {
    json!({"resource": {"apiGroup": "example.com", "kind": "Database"}})
}

/// Databases, each with the Secret `<copy>-credentials`, delivered as `<order>-credentials`.
#[must_use]
pub fn with_credentials() -> Value {
    json!({
        "resource": {"apiGroup": "example.com", "kind": "Database"},
        "related": [{
            "identifier": "credentials", "origin": "service", "kind": "Secret", "cleanup": true,
            "object": {"template": {"template": "{{ .Object.metadata.name }}-credentials"}},
        }],
    })
}

/// The kind on the service cluster.
fn definition() -> Value {
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "databases.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Database", "plural": "databases", "singular": "database", "listKind": "DatabaseList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}},
            }],
        },
    })
}
