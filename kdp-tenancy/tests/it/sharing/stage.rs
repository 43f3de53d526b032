//! A provider with exports, consumers that bind them, and what each of them says and hears.
#![expect(clippy::needless_pass_by_value, reason = "json! literals read best by value")]

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{AsyncBufReadExt, Stream, StreamExt};
use http::Request;
use kdp_core::{ControlPlane, Endpoint, Identity, LogicalClusterName};
use kdp_tenancy::{
    Embedded, EmbeddedOptions,
    embedded::pki::Pki,
    store::{MemoryStore, RangeQuery, SharedStore},
};
use kube::Client;
use serde_json::{Value, json};

use crate::support::{system, user, workspace};

pub(super) const APIS: &str = "/apis/apis.kcp.io/v1alpha2";
pub(super) const SECRETS: &str = "/api/v1/namespaces/default/secrets";

/// A control plane with the workspaces `root:provider`, `root:a` and `root:b`.
pub(super) struct Stage {
    pub(super) control_plane: Embedded,
    store: SharedStore,
    pub(super) provider: LogicalClusterName,
    pub(super) a: LogicalClusterName,
    pub(super) b: LogicalClusterName,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let store: SharedStore = Arc::new(MemoryStore::new());
        let pki = Pki::ephemeral().unwrap();
        let control_plane = Embedded::start(store.clone(), pki, EmbeddedOptions::new()).await.unwrap();
        let mut clusters = Vec::new();
        for name in ["provider", "a", "b"] {
            let made = workspace(&control_plane, "root", name).await;
            clusters.push(made.spec.cluster.unwrap().parse().unwrap());
        }
        let [provider, a, b] = <[LogicalClusterName; 3]>::try_from(clusters).unwrap();
        Self { control_plane, store, provider, a, b }
    }

    /// How many keys are stored below `prefix`.
    pub(super) async fn stored_below(&self, prefix: &str) -> usize {
        self.store.range(RangeQuery::prefix(prefix)).await.unwrap().entries.len()
    }

    /// Somebody with every right in a workspace.
    pub(super) fn at(&self, path: &str) -> Party {
        Party(system(&self.control_plane, path))
    }

    /// A user in a workspace.
    pub(super) fn as_user(&self, path: &str, name: &str) -> Party {
        Party(user(&self.control_plane, path, name))
    }

    /// The provider of the export `export` in the workspace of `home`.
    pub(super) fn through(
        &self,
        home: &LogicalClusterName,
        export: &str,
        consumer: Option<&LogicalClusterName>,
    ) -> Party {
        let endpoint =
            Endpoint::ApiExport { cluster: home.clone(), export: export.into(), consumer: consumer.cloned() };
        Party(self.control_plane.client(&endpoint, &Identity::system_masters()).unwrap())
    }

    /// The operator, looking at every workspace.
    pub(super) fn all_workspaces(&self) -> Party {
        Party(self.control_plane.client(&Endpoint::AllWorkspaces, &Identity::system_masters()).unwrap())
    }

    /// The provider, looking at every consumer of `claims`.
    pub(super) fn everywhere(&self) -> Party {
        self.through(&self.provider, "claims", None)
    }

    /// The provider, looking at the workspace `a`.
    pub(super) fn inside_a(&self) -> Party {
        self.through(&self.provider, "claims", Some(&self.a))
    }

    /// Makes the export `claims` that claims `resource` with `verbs`.
    pub(super) async fn claim(&self, resource: &str, verbs: Value) {
        let claim = json!({"group": "", "resource": resource, "verbs": verbs});
        self.export("root:provider", "claims", json!([]), json!([claim])).await;
    }

    pub(super) async fn export(&self, path: &str, name: &str, resources: Value, claims: Value) -> Value {
        let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": name},
            "spec": {"resources": resources, "permissionClaims": claims}});
        self.at(path).post(&format!("{APIS}/apiexports"), export).await.done()
    }

    /// Makes an export of `widgets.<group>`; returns its identity.
    pub(super) async fn widgets(&self, path: &str, name: &str, group: &str) -> String {
        let schema = json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
            "metadata": {"name": format!("v1.widgets.{group}")},
            "spec": {"group": group, "scope": "Namespaced",
                "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]}});
        self.at(path).post("/apis/apis.kcp.io/v1alpha1/apiresourceschemas", schema).await.done();
        let resource =
            json!({"name": "widgets", "group": group, "schema": format!("v1.widgets.{group}"), "storage": {"crd": {}}});
        let export = self.export(path, name, json!([resource]), json!([])).await;
        export["status"]["identityHash"].as_str().unwrap().to_owned()
    }

    /// Binds an export of `root:provider` in `path` under its own name.
    pub(super) async fn bind(&self, path: &str, export: &str, claims: Value) -> Value {
        let binding = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": export},
            "spec": {"reference": {"export": {"path": "root:provider", "name": export}}, "permissionClaims": claims}});
        self.at(path).post(&format!("{APIS}/apibindings"), binding).await.done()
    }

    /// Binds `claims`, accepting the claim on secrets for the objects that `selector` selects.
    pub(super) async fn accept(&self, path: &str, selector: Value) -> Value {
        self.bind(path, "claims", json!([answer("secrets", selector)])).await
    }
}

pub(super) fn answer(resource: &str, selector: Value) -> Value {
    json!({"group": "", "resource": resource, "verbs": ["*"], "selector": selector, "state": "Accepted"})
}

pub(super) fn secret(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}, "stringData": {"k": name}})
}

/// A client and what it can say.
#[derive(Clone)]
pub(super) struct Party(Client);

/// An answer: its code, and the object or the message.
#[derive(Debug)]
pub(super) struct Answer(pub(super) u16, pub(super) Value);

impl Answer {
    /// The object of a request that must have been allowed.
    pub(super) fn done(self) -> Value {
        assert!((200..300).contains(&self.0), "{} {}", self.0, self.1);
        self.1
    }
}

impl Party {
    pub(super) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        match self.0.request_text(request.body(body).unwrap()).await {
            Ok(text) => Answer(200, serde_json::from_str(&text).unwrap()),
            Err(kube::Error::Api(status)) => Answer(status.code, status.message.clone().into()),
            Err(other) => panic!("{method} {path}: {other}"),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], &Value::Null).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], &Value::Null).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], &body).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[("content-type", "application/json")], body).await
    }

    pub(super) async fn merge(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, &[("content-type", "application/merge-patch+json")], &body).await
    }

    pub(super) async fn apply(&self, path: &str, body: Value) -> Answer {
        let path = format!("{path}?fieldManager=test&force=true");
        self.send("PATCH", &path, &[("content-type", "application/apply-patch+yaml")], &body).await
    }

    /// The names of a list, in its order.
    pub(super) async fn names(&self, path: &str) -> Vec<String> {
        let list = self.get(path).await.done();
        list["items"].as_array().unwrap().iter().map(|o| o["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The newest revision of a list.
    pub(super) async fn revision(&self, path: &str) -> String {
        self.get(path).await.done()["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    pub(super) async fn watch(&self, path: &str) -> Events {
        let request = Request::get(path).body(Vec::new()).unwrap();
        Events(self.0.request_stream(request).await.unwrap().lines().boxed())
    }
}

/// The events of a watch.
pub(super) struct Events(Pin<Box<dyn Stream<Item = std::io::Result<String>> + Send>>);

impl Events {
    /// Type and name of the next event.
    pub(super) async fn next(&mut self) -> (String, String) {
        let event = self.object().await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&event["type"]), text(&event["object"]["metadata"]["name"]))
    }

    /// The next event.
    pub(super) async fn object(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(10), self.0.next()).await.expect("no event came");
        serde_json::from_str(&line.expect("the watch has ended").unwrap()).unwrap()
    }

    /// Checks that the watch ends now.
    pub(super) async fn expect_end(&mut self) {
        let next = tokio::time::timeout(Duration::from_secs(10), self.0.next()).await.expect("the watch goes on");
        assert!(next.is_none(), "{next:?}");
    }

    /// Checks that these events come next, and no other between them.
    pub(super) async fn expect(&mut self, expected: &[(&str, &str)]) {
        for (kind, name) in expected {
            let (was_kind, was_name) = self.next().await;
            assert_eq!((&*was_kind, &*was_name), (*kind, *name));
        }
    }
}
