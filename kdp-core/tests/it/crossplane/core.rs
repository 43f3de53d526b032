//! A small Crossplane: composes, says how it is with the conditions and finalizers of the real one,
//! and collects garbage unless it is told not to.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const TICK: Duration = Duration::from_millis(4);
const COMPOSITE: &str = "composite.apiextensions.crossplane.io";
const CLAIM: &str = "finalizer.apiextensions.crossplane.io";

/// How it behaves.
#[derive(Debug, Default)]
pub(crate) struct Behaviour {
    /// There is no garbage collector: what is composed stays.
    pub(crate) is_bare: bool,
    /// What the cloud answers to the creation of a volume.
    pub(crate) cloud_error: Option<&'static str>,
    /// The Secret gets no password.
    pub(crate) forgets_password: bool,
    /// What `status.secretName` says instead of the name of the Secret.
    pub(crate) names_secret: Option<String>,
}

pub(crate) struct Core {
    behaviour: Arc<Mutex<Behaviour>>,
    task: JoinHandle<()>,
}

impl Core {
    pub(crate) fn start(client: Client) -> Self {
        let behaviour = Arc::new(Mutex::new(Behaviour::default()));
        let worker = Worker { client, behaviour: Arc::clone(&behaviour) };
        let task = tokio::spawn(async move {
            loop {
                // What somebody else was faster at is done in the next round.
                drop(worker.round().await);
                tokio::time::sleep(TICK).await;
            }
        });
        Self { behaviour, task }
    }

    pub(crate) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap()
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn buckets() -> ApiResource {
    kind("v2.example.org", "Bucket", "buckets")
}

pub(crate) fn volumes() -> ApiResource {
    kind("managed.example.org", "Volume", "volumes")
}

pub(crate) fn stores() -> ApiResource {
    kind("v1.example.org", "Store", "stores")
}

pub(crate) fn xstores() -> ApiResource {
    kind("v1.example.org", "XStore", "xstores")
}

pub(crate) fn disks() -> ApiResource {
    kind("managed.example.org", "Disk", "disks")
}

fn kind(group: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural)
}

pub(crate) fn api(client: &Client, kind: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, kind),
        None => Api::all_with(client.clone(), kind),
    }
}

fn secrets() -> ApiResource {
    ApiResource::erase::<Secret>(&())
}

struct Worker {
    client: Client,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Worker {
    async fn round(&self) -> kube::Result<()> {
        for bucket in self.list(&buckets()).await? {
            drop(self.compose(&buckets(), bucket).await);
        }
        for claim in self.list(&stores()).await? {
            drop(self.bind(claim).await);
        }
        for store in self.list(&xstores()).await? {
            drop(self.compose(&xstores(), store).await);
        }
        for kind in [volumes(), disks()] {
            for managed in self.list(&kind).await? {
                drop(self.manage(&kind, managed).await);
            }
        }
        Ok(())
    }

    /// Reconciles a composite resource of either generation.
    async fn compose(&self, kind: &ApiResource, object: Value) -> kube::Result<()> {
        let is_v2 = *kind == buckets();
        if object["metadata"]["annotations"]["crossplane.io/paused"] == "true" {
            return self.say(kind, &object, &[("Synced", "False", "ReconcilePaused", "")]).await;
        }
        let fields = if is_v2 { &object["spec"]["crossplane"] } else { &object["spec"] };
        let references = fields["resourceRefs"].as_array().cloned().unwrap_or_default();
        let written = Some(&object["spec"]["writeConnectionSecretToRef"]).filter(|it| it["namespace"].is_string());
        let written = written.map(|it| json!({"kind": "Secret", "name": it["name"], "namespace": it["namespace"]}));
        if !object["metadata"]["deletionTimestamp"].is_null() {
            if !self.behaviour.lock().unwrap().is_bare
                && !self.are_gone(&object, references.iter().chain(&written)).await?
            {
                let said = [("Ready", "False", "Deleting", ""), ("Synced", "True", "ReconcileSuccess", "")];
                return self.say(kind, &object, &said).await;
            }
            return self.release(kind, &object, COMPOSITE).await;
        }
        if let Some(token) = object["metadata"]["annotations"]["crossplane.io/reconcile-requested-at"].as_str() {
            self.set_status(kind, &object, json!({"lastHandledReconcileAt": token})).await?;
        }
        if references.is_empty() {
            let name = object["metadata"]["name"].as_str().unwrap();
            let part = |kind: &ApiResource| {
                let name = format!("{name}-{:06x}", rand::random::<u32>() & 0xff_ffff);
                json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": name})
            };
            let references = if is_v2 { vec![part(&volumes()), part(&secrets())] } else { vec![part(&disks())] };
            let spec = json!({"resourceRefs": references});
            let spec = if is_v2 { json!({"crossplane": spec}) } else { spec };
            let patch = json!({"metadata": held(&object, COMPOSITE), "spec": spec});
            return self.patch(kind, &object, patch).await;
        }
        let mut is_ready = true;
        for reference in &references {
            is_ready &= self.make(&object, reference).await?;
        }
        if let Some(written) = &written {
            self.make(&object, written).await?;
        }
        let secret = references.iter().find(|reference| reference["kind"] == "Secret");
        let named = self.behaviour.lock().unwrap().names_secret.clone();
        let named = named.or_else(|| secret.and_then(|secret| secret["name"].as_str()).map(Into::into));
        self.set_status(kind, &object, json!({"secretName": named})).await?;
        let ready = if is_ready {
            ("Ready", "True", "Available", "")
        } else {
            ("Ready", "False", "Creating", "Unready resources: volume")
        };
        self.say(kind, &object, &[ready, ("Synced", "True", "ReconcileSuccess", "")]).await
    }

    /// Reconciles a claim.
    async fn bind(&self, claim: Value) -> kube::Result<()> {
        let kind = stores();
        if claim["metadata"]["annotations"]["crossplane.io/paused"] == "true" {
            return self.say(&kind, &claim, &[("Synced", "False", "ReconcilePaused", "")]).await;
        }
        let (name, namespace) = (claim["metadata"]["name"].clone(), claim["metadata"]["namespace"].clone());
        let composite = match claim["spec"]["resourceRef"]["name"].as_str() {
            Some(composite) => api(&self.client, &xstores(), None).get_opt(composite).await?.map(value),
            None => None,
        };
        let secret = claim["spec"]["writeConnectionSecretToRef"]["name"].as_str();
        if !claim["metadata"]["deletionTimestamp"].is_null() {
            if let Some(composite) = composite {
                self.delete(&xstores(), &composite).await?;
                let said = [("Ready", "False", "Deleting", ""), ("Synced", "True", "ReconcileSuccess", "")];
                return self.say(&kind, &claim, &said).await;
            }
            if let Some(secret) = secret.filter(|_| !self.behaviour.lock().unwrap().is_bare) {
                drop(api(&self.client, &secrets(), namespace.as_str()).delete(secret, &DeleteParams::default()).await);
            }
            return self.release(&kind, &claim, CLAIM).await;
        }
        let Some(bound) = claim["spec"]["resourceRef"]["name"].as_str() else {
            let bound = format!("{}-{:05x}", name.as_str().unwrap(), rand::random::<u32>() & 0xf_ffff);
            let reference = json!({"apiVersion": xstores().api_version, "kind": "XStore", "name": bound});
            let patch = json!({"metadata": held(&claim, CLAIM), "spec": {"resourceRef": reference}});
            return self.patch(&kind, &claim, patch).await;
        };
        let annotations = claim["metadata"]["annotations"].clone();
        let store = json!({
            "apiVersion": xstores().api_version, "kind": "XStore",
            "metadata": {"name": bound, "annotations": annotations},
            "spec": {"size": claim["spec"]["size"], "claimRef": {"name": name, "namespace": namespace}},
        });
        let params = PatchParams::apply("crossplane").force();
        api(&self.client, &xstores(), None).patch(bound, &params, &Patch::Apply(&store)).await?;
        let is_ready = composite.is_some_and(|composite| is_ready(&composite));
        if !is_ready {
            let ready = ("Ready", "False", "Waiting", "Claim is waiting for composite resource to become Ready");
            return self.say(&kind, &claim, &[ready, ("Synced", "True", "ReconcileSuccess", "")]).await;
        }
        if let Some(secret) = secret {
            let reference = json!({"apiVersion": "v1", "kind": "Secret", "name": secret});
            self.make(&claim, &reference).await?;
        }
        let said = [("Ready", "True", "Available", ""), ("Synced", "True", "ReconcileSuccess", "")];
        self.say(&kind, &claim, &said).await
    }

    /// What the provider of a managed resource does.
    async fn manage(&self, kind: &ApiResource, managed: Value) -> kube::Result<()> {
        let error = self.behaviour.lock().unwrap().cloud_error;
        let said = match error {
            None => [("Ready", "True", "Available", ""), ("Synced", "True", "ReconcileSuccess", "")],
            Some(error) => [("Ready", "False", "Creating", ""), ("Synced", "False", "ReconcileError", error)],
        };
        self.say(kind, &managed, &said).await
    }

    /// Makes what is referred to unless it is there, and says whether it is ready.
    async fn make(&self, owner: &Value, reference: &Value) -> kube::Result<bool> {
        let name = reference["name"].as_str().unwrap();
        let part_kind = of(reference);
        let namespace = owner["metadata"]["namespace"].as_str().or_else(|| reference["namespace"].as_str());
        let parts = api(&self.client, &part_kind, namespace);
        let is_secret = part_kind.kind == "Secret";
        let Some(there) = parts.get_opt(name).await? else {
            let mut part = json!({
                "apiVersion": part_kind.api_version, "kind": part_kind.kind,
                "metadata": {
                    "name": name, "namespace": namespace,
                    "annotations": {"crossplane.io/composition-resource-name": if is_secret { "secret" } else { "volume" }},
                    "labels": {"crossplane.io/composite": owner["metadata"]["name"]},
                    "ownerReferences": [{
                        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
                        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
                    }],
                },
            });
            if is_secret {
                let mut data = json!({"host": "db.example.org"});
                if !self.behaviour.lock().unwrap().forgets_password {
                    data["password"] = json!(format!("{:032x}", rand::random::<u128>()));
                }
                part["stringData"] = data;
                part["type"] = json!("connection.crossplane.io/v1alpha1");
            } else {
                part["spec"] = json!({"forProvider": {}});
            }
            let part = serde_json::from_value(part).unwrap();
            parts.create(&PostParams::default(), &part).await?;
            return Ok(is_secret);
        };
        Ok(is_secret || is_ready(&value(there)))
    }

    /// Deletes what is composed, as foreground deletion does, and says whether it is gone.
    async fn are_gone<'a>(&self, owner: &Value, references: impl Iterator<Item = &'a Value>) -> kube::Result<bool> {
        let mut are_gone = true;
        for reference in references {
            let namespace = owner["metadata"]["namespace"].as_str().or_else(|| reference["namespace"].as_str());
            let parts = api(&self.client, &of(reference), namespace);
            let Some(part) = parts.get_opt(reference["name"].as_str().unwrap()).await? else { continue };
            let part = value(part);
            if part["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"] {
                are_gone = false;
                self.delete(&of(reference), &part).await?;
            }
        }
        Ok(are_gone)
    }

    async fn delete(&self, kind: &ApiResource, object: &Value) -> kube::Result<()> {
        let objects = api(&self.client, kind, object["metadata"]["namespace"].as_str());
        objects.delete(object["metadata"]["name"].as_str().unwrap(), &DeleteParams::default()).await.map(drop)
    }

    async fn release(&self, kind: &ApiResource, object: &Value, finalizer: &str) -> kube::Result<()> {
        let finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        let others: Vec<_> = finalizers.iter().filter(|one| *one != finalizer).collect();
        if others.len() == finalizers.len() {
            return Ok(());
        }
        let metadata = json!({"finalizers": others, "resourceVersion": object["metadata"]["resourceVersion"]});
        self.patch(kind, object, json!({"metadata": metadata})).await
    }

    async fn list(&self, kind: &ApiResource) -> kube::Result<Vec<Value>> {
        let objects = api(&self.client, kind, None).list(&ListParams::default()).await?;
        Ok(objects.items.into_iter().map(value).collect())
    }

    async fn patch(&self, kind: &ApiResource, object: &Value, patch: Value) -> kube::Result<()> {
        let objects = api(&self.client, kind, object["metadata"]["namespace"].as_str());
        let name = object["metadata"]["name"].as_str().unwrap();
        objects.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
    }

    /// Sets conditions, each of this generation, and leaves the others as they are.
    async fn say(&self, kind: &ApiResource, object: &Value, said: &[(&str, &str, &str, &str)]) -> kube::Result<()> {
        let mut conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        for (type_, status, reason, message) in said {
            conditions.retain(|condition| condition["type"] != *type_);
            conditions.push(json!({
                "type": type_, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": object["metadata"]["generation"],
            }));
        }
        conditions.sort_by_key(|condition| condition["type"].to_string());
        self.set_status(kind, object, json!({"conditions": conditions})).await
    }

    async fn set_status(&self, kind: &ApiResource, object: &Value, status: Value) -> kube::Result<()> {
        let fields = status.as_object().unwrap();
        if fields.iter().all(|(name, field)| object["status"][name] == *field) {
            return Ok(());
        }
        let objects = api(&self.client, kind, object["metadata"]["namespace"].as_str());
        let name = object["metadata"]["name"].as_str().unwrap();
        let patch = json!({"metadata": {"uid": object["metadata"]["uid"]}, "status": status});
        objects.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
    }
}

/// Metadata with one more finalizer.
fn held(object: &Value, finalizer: &str) -> Value {
    let mut finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    if finalizers.iter().all(|one| one != finalizer) {
        finalizers.push(json!(finalizer));
    }
    json!({"finalizers": finalizers, "resourceVersion": object["metadata"]["resourceVersion"]})
}

fn of(reference: &Value) -> ApiResource {
    let kinds = [volumes(), disks(), secrets()];
    kinds.into_iter().find(|kind| reference["kind"] == kind.kind).unwrap()
}

fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    let is_ready = |condition: &Value| {
        condition["type"] == "Ready"
            && condition["status"] == "True"
            && condition["observedGeneration"] == object["metadata"]["generation"]
    };
    conditions.into_iter().flatten().any(is_ready)
}

pub(crate) fn value(object: DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}
