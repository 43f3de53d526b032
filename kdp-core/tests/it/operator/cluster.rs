//! A cluster with an operator at work: it makes buckets and caches, writes credentials, and holds what
//! it has made until it has cleaned up.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kdp_core::{
    ControlPlaneExt, Identity, WorkspacePath,
    api::install_crd,
    provider::operator::{Offering, OperatorProvider},
    workspace::ensure_workspace,
};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
    client::Body,
};
use serde_json::{Value, json};

const FINALIZER: &str = "example.com/operator";

/// What the operator and the way to the cluster do.
#[derive(Debug, Default)]
pub(crate) struct Switches {
    /// No request arrives.
    pub(crate) cut_off: AtomicBool,
    /// Requests are answered with this status, unless it is 0.
    pub(crate) refuse: AtomicU16,
    /// What requests whose line contains it wait for.
    pub(crate) gate: Mutex<Option<(String, tokio_util::sync::CancellationToken)>>,
    /// A request waits at the gate.
    pub(crate) arrived: tokio::sync::Notify,
}

pub(crate) struct Cluster {
    control_plane: Embedded,
    operator: tokio::task::JoinHandle<()>,
    idle: Arc<AtomicBool>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.operator.abort();
    }
}

impl Cluster {
    pub(crate) async fn new() -> Self {
        let control_plane = Embedded::in_memory().await.unwrap();
        let path: WorkspacePath = "root:ops".parse().unwrap();
        ensure_workspace(&control_plane, &path, &Identity::system_masters()).await.unwrap();
        let client = control_plane.system_client(&path).unwrap();
        for kind in ["Bucket", "Cache"] {
            install_crd(&client, &serde_json::from_value(definition(kind)).unwrap(), "test").await.unwrap();
        }
        let idle = Arc::new(AtomicBool::new(false));
        let operator = tokio::spawn(operate(client, idle.clone()));
        Self { control_plane, operator, idle }
    }

    pub(crate) fn client(&self) -> Client {
        self.control_plane.system_client(&"root:ops".parse().unwrap()).unwrap()
    }

    pub(crate) fn rest(&self) {
        self.idle.store(true, Ordering::SeqCst);
    }

    pub(crate) fn work(&self) {
        self.idle.store(false, Ordering::SeqCst);
    }

    pub(crate) async fn add_namespace(&self, name: &str) {
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        Api::all(self.client()).create(&PostParams::default(), &namespace).await.unwrap();
    }

    /// A client whose requests can be interfered with.
    pub(crate) fn client_through(&self, switches: &Arc<Switches>) -> Client {
        let (client, switches) = (self.client(), switches.clone());
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (client, switches) = (client.clone(), switches.clone());
            async move {
                if switches.cut_off.load(Ordering::SeqCst) {
                    return Err(kube::Error::Service("the network is gone".into()));
                }
                let line = format!("{} {}", request.method(), request.uri());
                let gate = switches.gate.lock().unwrap().clone().filter(|(part, _)| line.contains(part.as_str()));
                if let Some((_, gate)) = gate {
                    switches.arrived.notify_one();
                    gate.cancelled().await;
                }
                match switches.refuse.load(Ordering::SeqCst) {
                    0 => client.send(request).await,
                    code => {
                        let status = json!({
                            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                            "reason": "Other", "message": "not now",
                        });
                        let body = Body::from(status.to_string().into_bytes());
                        Ok(http::Response::builder().status(code).body(body).unwrap())
                    }
                }
            }
        });
        Client::new(service, "default")
    }

    pub(crate) fn provider(&self, name: &str, switches: &Arc<Switches>, offering: &Offering) -> OperatorProvider {
        OperatorProvider::new(name, self.client_through(switches), "home", offering).unwrap()
    }

    pub(crate) fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client(), namespace, &resource(kind))
    }

    pub(crate) async fn all(&self, kind: &str, namespace: &str) -> Vec<DynamicObject> {
        self.api(kind, namespace).list(&ListParams::default()).await.unwrap().items
    }

    /// Makes an object that nobody has ordered.
    pub(crate) async fn make(&self, kind: &str, namespace: &str, object: Value) {
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        self.api(kind, namespace).create(&PostParams::default(), &object).await.unwrap();
    }
}

pub(crate) fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", kind))
}

fn definition(kind: &str) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    json!({
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {
                        "type": "object",
                        "x-kubernetes-validations": [{"rule": "!has(oldSelf.class) || self.class == oldSelf.class", "message": "class is immutable"}],
                        "properties": {
                            "size": {"type": "integer", "minimum": 1, "default": 1},
                            "class": {"type": "string"},
                            "password": {"type": "string"},
                            "note": {"type": "string"},
                            "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                            "cache": {"type": "boolean"},
                            "secretName": {"type": "string"},
                        },
                    },
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}},
            }],
        },
    })
}

async fn operate(client: Client, idle: Arc<AtomicBool>) {
    loop {
        if !idle.load(Ordering::SeqCst) {
            for kind in ["Bucket", "Cache"] {
                let all = Api::<DynamicObject>::all_with(client.clone(), &resource(kind));
                let Ok(objects) = all.list(&ListParams::default()).await else { continue };
                for object in objects {
                    // What fails is tried again at the next turn.
                    let _outcome = reconcile(&client, kind, object).await;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn reconcile(client: &Client, kind: &str, object: DynamicObject) -> Result<(), kube::Error> {
    let namespace = object.namespace().unwrap();
    let name = object.name_any();
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), &namespace, &resource(kind));
    let secrets = Api::<Secret>::namespaced(client.clone(), &namespace);
    let secret = format!("{name}-credentials");
    let version = object.resource_version();
    let mut finalizers: BTreeSet<_> = object.finalizers().iter().cloned().collect();
    let patch = |finalizers: &BTreeSet<String>| {
        Patch::Merge(json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}}))
    };
    if object.metadata.deletion_timestamp.is_some() {
        if finalizers.remove(FINALIZER) {
            drop(secrets.delete(&secret, &DeleteParams::default()).await);
            api.patch(&name, &PatchParams::default(), &patch(&finalizers)).await?;
        }
        return Ok(());
    }
    if finalizers.insert(FINALIZER.into()) {
        api.patch(&name, &PatchParams::default(), &patch(&finalizers)).await?;
        return Ok(());
    }
    if object.annotations().get("example.com/paused").is_some_and(|paused| paused == "true") {
        return Ok(());
    }
    if secrets.get_opt(&secret).await?.is_none() {
        let owner = json!({"apiVersion": "example.com/v1", "kind": kind, "name": name, "uid": object.uid()});
        let password = format!("{:032x}", rand::random::<u128>());
        let credentials: Secret = serde_json::from_value(json!({
            "metadata": {"name": secret, "ownerReferences": [owner]},
            "stringData": {"username": "app", "password": password},
        }))
        .unwrap();
        secrets.create(&PostParams::default(), &credentials).await?;
    }
    let wish = object.data["spec"]["secretName"].as_str().unwrap_or(&secret);
    let status = json!({
        "observedGeneration": object.metadata.generation, "host": format!("{name}.example.com"), "secretName": wish,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Done", "message": ""}],
    });
    if object.data["status"] != status {
        let patch = json!({"metadata": {"resourceVersion": version}, "status": status});
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    }
    Ok(())
}
