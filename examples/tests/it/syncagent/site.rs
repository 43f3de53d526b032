//! A control plane and a service cluster that are served, and the program between them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{ExitStatus, Output, Stdio},
    sync::Arc,
};

use kdp_core::{
    Component, ComponentContext, ControlPlaneExt, Endpoint, Identity, WorkspacePath,
    api::{apis::APIBinding, tenancy::Workspace},
};
use kdp_sync::{api::PublishedResource, wire};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::DEADLINE;

const EXPORT: &str = "databases";
const PROGRAM: &str = env!("CARGO_BIN_EXE_kdp-syncagent");

/// Two control planes, of which one plays the service cluster.
pub(super) struct Site {
    control_plane: Embedded,
    service_cluster: Embedded,
    directory: TempDir,
    _stop_on_drop: DropGuard,
}

impl Site {
    /// Workspaces `root:provider`, with an empty APIExport, and `root:team`; a service cluster with a
    /// published kind.
    pub(super) async fn new() -> Self {
        let (control_plane, service_cluster) =
            (Embedded::in_memory().await.unwrap(), Embedded::in_memory().await.unwrap());
        let shutdown = CancellationToken::new();
        for plane in [&control_plane, &service_cluster] {
            let server = plane.server((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
            let (context, _) = ComponentContext::new(Arc::new(plane.clone()), shutdown.clone());
            tokio::spawn(Box::new(server).run(context));
        }
        let directory = crate::fixture::directory();
        let site = Self { control_plane, service_cluster, directory, _stop_on_drop: shutdown.drop_guard() };
        let workspaces: Api<Workspace> = Api::all(site.workspace("root"));
        for name in ["provider", "team"] {
            workspaces.create(&PostParams::default(), &Workspace::new(name, Default::default())).await.unwrap();
        }
        let exports = dynamic(site.workspace("root:provider"), None, "apis.kcp.io/v1alpha2", "APIExport", "apiexports");
        let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": EXPORT}, "spec": {}});
        exports.create(&PostParams::default(), &object(export)).await.unwrap();
        kdp_sync::install_crds(&site.service()).await.unwrap();
        kdp_core::api::install_crd(&site.service(), &serde_json::from_value(definition()).unwrap(), "test")
            .await
            .unwrap();
        site.publish(json!({"resource": {"apiGroup": "example.com", "kind": "Database"}})).await;
        site
    }

    pub(super) fn workspace(&self, path: &str) -> Client {
        self.control_plane.system_client(&path.parse().unwrap()).unwrap()
    }

    pub(super) fn service(&self) -> Client {
        self.service_cluster.system_client(&WorkspacePath::root()).unwrap()
    }

    pub(super) fn kcp_kubeconfig(&self) -> PathBuf {
        self.kubeconfig("kcp", &self.control_plane, "root:provider")
    }

    pub(super) fn service_kubeconfig(&self) -> PathBuf {
        self.kubeconfig("service", &self.service_cluster, "root")
    }

    pub(super) fn kubeconfig_without_workspace(&self) -> PathBuf {
        let text = std::fs::read_to_string(self.kcp_kubeconfig()).unwrap().replace("/clusters/root:provider", "");
        self.write("without-workspace", &text)
    }

    fn kubeconfig(&self, name: &str, plane: &Embedded, workspace: &str) -> PathBuf {
        let endpoint = Endpoint::Workspace(workspace.parse().unwrap());
        self.write(name, &plane.kubeconfig(&endpoint, &Identity::system_masters()).unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(super) async fn publish(&self, spec: Value) {
        let api: Api<PublishedResource> = Api::all(self.service());
        let resource = json!({
            "apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource",
            "metadata": {"name": "databases"}, "spec": spec,
        });
        api.create(&PostParams::default(), &serde_json::from_value(resource).unwrap()).await.unwrap();
    }

    /// Binds the export, as soon as it offers something.
    pub(super) async fn bind(&self, workspace: &str) {
        let exports = dynamic(self.workspace("root:provider"), None, "apis.kcp.io/v1alpha2", "APIExport", "apiexports");
        eventually("the export offers databases", async || {
            let export = exports.get(EXPORT).await.unwrap();
            (!export.data["spec"]["resources"].as_array()?.is_empty()).then_some(())
        })
        .await;
        let claims = ["events", "namespaces", "secrets"].map(|resource| {
            json!({"group": "", "resource": resource, "verbs": ["*"], "selector": {"matchAll": true}, "state": "Accepted"})
        });
        let binding = json!({
            "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": EXPORT},
            "spec": {"reference": {"export": {"path": "root:provider", "name": EXPORT}}, "permissionClaims": claims},
        });
        let api: Api<APIBinding> = Api::all(self.workspace(&format!("root:{workspace}")));
        api.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
        eventually("it is bound", async || {
            (api.get(EXPORT).await.unwrap().status.unwrap_or_default().phase == "Bound").then_some(())
        })
        .await;
    }

    pub(super) fn orders(&self, workspace: &str) -> Api<DynamicObject> {
        databases(self.workspace(&format!("root:{workspace}")), Some("default"))
    }

    pub(super) fn copies(&self) -> Api<DynamicObject> {
        databases(self.service(), None)
    }

    pub(super) async fn order(&self, workspace: &str, name: &str, spec: Value) {
        let order =
            json!({"apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": name}, "spec": spec});
        self.orders(workspace).create(&PostParams::default(), &object(order)).await.unwrap();
    }

    /// The copy of an order, once there is one.
    pub(super) async fn copy(&self, workspace: &str, name: &str) -> DynamicObject {
        let order = self.orders(workspace).get(name).await.unwrap();
        let cluster = &order.annotations()["kcp.io/cluster"];
        eventually("there is a copy", async || {
            self.copies().list(&Default::default()).await.unwrap().items.into_iter().find(|copy| {
                copy.labels().get(wire::CLUSTER_LABEL) == Some(cluster)
                    && copy.annotations().get(wire::NAME_ANNOTATION).map(String::as_str) == Some(name)
            })
        })
        .await
    }

    /// Changes a copy behind the agent's back.
    pub(super) async fn change(&self, copy: &DynamicObject, patch: Value) {
        let api = databases(self.service(), copy.namespace().as_deref());
        api.patch(&copy.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Plays the operator.
    pub(super) async fn report(&self, copy: &DynamicObject, phase: &str) {
        let api = databases(self.service(), copy.namespace().as_deref());
        let patch = Patch::Merge(json!({"status": {"phase": phase}}));
        api.patch_status(&copy.name_any(), &PatchParams::default(), &patch).await.unwrap();
    }

    pub(super) async fn wait_for_phase(&self, workspace: &str, name: &str, phase: &str) {
        eventually("the order has the phase", async || {
            (self.orders(workspace).get(name).await.unwrap().data["status"]["phase"] == phase).then_some(())
        })
        .await;
    }
}

/// The program, running.
pub(super) struct Agent {
    process: Child,
    metrics: SocketAddr,
    health: SocketAddr,
}

impl Agent {
    /// Starts it with the flags that it needs, and these.
    pub(super) fn start(site: &Site, flags: &[&str]) -> Self {
        let [metrics, health] = [free_address(), free_address()];
        let mut process = Command::new(PROGRAM)
            .args(required(site))
            .arg(format!("--metrics-address={metrics}"))
            .arg(format!("--health-address={health}"))
            .arg("--log-format=Console")
            .args(flags)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                eprintln!("{line}");
            }
        });
        Self { process, metrics, health }
    }

    /// Runs it to its end with these flags only.
    pub(super) async fn output(flags: &[&str]) -> Output {
        let run = Command::new(PROGRAM).args(flags).kill_on_drop(true).output();
        tokio::time::timeout(DEADLINE, run).await.unwrap().unwrap()
    }

    /// Runs it to its end with the flags that it needs, and these.
    pub(super) async fn output_at(site: &Site, flags: &[&str]) -> Output {
        let required = required(site);
        Self::output(&required.iter().map(String::as_str).chain(flags.iter().copied()).collect::<Vec<_>>()).await
    }

    /// A page, once it is as expected.
    pub(super) async fn page_once(&self, of: &str, path: &str, is_expected: impl Fn(&str) -> bool) -> String {
        let address = if of == "metrics" { self.metrics } else { self.health };
        eventually(&format!("{path} is as expected"), async || {
            let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
            let request = format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut page = String::new();
            stream.read_to_string(&mut page).await.ok()?;
            is_expected(&page).then_some(page)
        })
        .await
    }

    /// Asks it to end, as Kubernetes does, and waits.
    pub(super) async fn stop(mut self) -> ExitStatus {
        let id = self.process.id().unwrap().to_string();
        Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        tokio::time::timeout(DEADLINE, self.process.wait()).await.unwrap().unwrap()
    }
}

fn required(site: &Site) -> Vec<String> {
    vec![
        format!("--kcp-kubeconfig={}", site.kcp_kubeconfig().display()),
        format!("--kubeconfig={}", site.service_kubeconfig().display()),
        "--namespace=agents".into(),
        format!("--apiexportendpointslice-ref={EXPORT}"),
    ]
}

/// Free at this moment, which is as good as it gets for a program that has to be told.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(super) fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "databases.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Database", "plural": "databases", "singular": "database", "listKind": "DatabaseList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "tier": {"type": "string"}}},
                    "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
                }}},
            }],
        },
    })
}

fn databases(client: Client, namespace: Option<&str>) -> Api<DynamicObject> {
    dynamic(client, namespace, "example.com/v1", "Database", "databases")
}

fn dynamic(client: Client, namespace: Option<&str>, api_version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    }
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

/// Looks again and again until there is something to see.
async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let seen = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    seen.await.unwrap_or_else(|_| panic!("in vain: {what}"))
}
