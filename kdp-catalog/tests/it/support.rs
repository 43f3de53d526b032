//! A provider, two tenants, and shorthands.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kdp_catalog::{Catalog, CatalogEntry, Service, ServiceController};
use kdp_core::{
    ControlPlane, ControlPlaneExt, Identity, Platform, RunningPlatform, WorkspacePath,
    api::apis::{APIExport, APIResourceSchema},
    condition::{Condition, find_condition},
    workspace::ensure_workspace,
};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

pub(crate) const PROVIDER: &str = "root:provider";
/// Name of the Service, of its APIExport, and of the group it offers.
pub(crate) const SERVICE: &str = "w.example.com";

/// The workspaces `root:provider`, `root:a` and `root:b`, and a controller over the first.
pub(crate) struct Site {
    pub(crate) control_plane: Embedded,
    pub(crate) catalog: Catalog,
    /// Stops the controller when dropped.
    _controller: RunningPlatform,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let control_plane = Embedded::in_memory().await.unwrap();
        for path in [PROVIDER, "root:a", "root:b"] {
            ensure_workspace(&control_plane, &path.parse().unwrap(), &Identity::system_masters()).await.unwrap();
        }
        let shared = Arc::new(control_plane.clone());
        let provider: WorkspacePath = PROVIDER.parse().unwrap();
        let controller = Platform::builder(shared.clone()).component(ServiceController::new([provider.clone()]));
        Self {
            control_plane,
            catalog: Catalog::new(shared, [provider]),
            _controller: controller.start().await.unwrap(),
        }
    }

    /// A client with every right in the workspace at `path`.
    pub(crate) fn system(&self, path: &str) -> Client {
        self.control_plane.system_client(&path.parse().unwrap()).unwrap()
    }

    /// A client of the user `name` in the workspace at `path`.
    pub(crate) fn user(&self, path: &str, name: &str) -> Client {
        let path: WorkspacePath = path.parse().unwrap();
        self.control_plane.client(&path.into(), &user(name)).unwrap()
    }

    pub(crate) fn services(&self) -> Api<Service> {
        Api::all(self.system(PROVIDER))
    }

    pub(crate) fn exports(&self) -> Api<APIExport> {
        Api::all(self.system(PROVIDER))
    }

    /// Creates the Service and waits until the controller has exported it.
    pub(crate) async fn describe_service(&self) {
        let service = json!({
            "metadata": {"name": SERVICE, "labels": {"tier": "gold"}},
            "spec": {"apiGroup": SERVICE, "catalogMetadata": {"title": "Widgets", "description": "All sizes."}},
        });
        self.services().create(&PostParams::default(), &serde_json::from_value(service).unwrap()).await.unwrap();
        eventually(async || self.condition("Ready").await.is_some_and(|ready| ready.is_true())).await;
    }

    /// Puts the kind Widget, and a claim of Secrets, into the export.
    pub(crate) async fn publish_widgets(&self) {
        let schema = json!({
            "metadata": {"name": format!("v1.widgets.{SERVICE}")},
            "spec": {
                "group": SERVICE, "scope": "Namespaced",
                "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
                }}],
            },
        });
        let schemas: Api<APIResourceSchema> = Api::all(self.system(PROVIDER));
        schemas.create(&PostParams::default(), &serde_json::from_value(schema).unwrap()).await.unwrap();
        let resource = json!({
            "name": "widgets", "group": SERVICE, "schema": format!("v1.widgets.{SERVICE}"), "storage": {"crd": {}},
        });
        let claim = json!({"group": "", "resource": "secrets", "verbs": ["*"]});
        let patch = Patch::Merge(json!({"spec": {"resources": [resource], "permissionClaims": [claim]}}));
        self.exports().patch(SERVICE, &PatchParams::default(), &patch).await.unwrap();
    }

    /// The Service with its kind, ready to be bound.
    pub(crate) async fn offer(&self) {
        self.describe_service().await;
        self.publish_widgets().await;
    }

    /// The entry as the platform itself sees it.
    pub(crate) async fn entry(&self) -> CatalogEntry {
        self.catalog.get(&Identity::system_masters(), SERVICE).await.unwrap().unwrap()
    }

    /// A condition of the Service.
    pub(crate) async fn condition(&self, type_: &str) -> Option<Condition> {
        let conditions = self.services().get(SERVICE).await.unwrap().status?.conditions;
        find_condition(&conditions, type_).cloned()
    }

    /// Gives the user `name` the right to `rules` in the workspace at `path`; once for each of them.
    pub(crate) async fn grant(&self, path: &str, name: &str, rules: Value) {
        let role: ClusterRole = serde_json::from_value(json!({"metadata": {"name": name}, "rules": rules})).unwrap();
        let roles: Api<ClusterRole> = Api::all(self.system(path));
        roles.create(&PostParams::default(), &role).await.unwrap();
        let group = "rbac.authorization.k8s.io";
        let binding: ClusterRoleBinding = serde_json::from_value(json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
        }))
        .unwrap();
        let bindings: Api<ClusterRoleBinding> = Api::all(self.system(path));
        bindings.create(&PostParams::default(), &binding).await.unwrap();
    }
}

pub(crate) fn user(name: &str) -> Identity {
    Identity { username: name.into(), ..Identity::default() }
}

/// The right to enter a workspace; without it no other right in there counts.
pub(crate) fn access() -> Value {
    json!({"nonResourceURLs": ["/"], "verbs": ["access"]})
}

/// The right to `verb` services.
pub(crate) fn on_services(verb: &str) -> Value {
    json!({"apiGroups": ["core.kdp.k8c.io"], "resources": ["services"], "verbs": [verb]})
}

/// The right to bind exports.
pub(crate) fn bind_exports() -> Value {
    json!({"apiGroups": ["apis.kcp.io"], "resources": ["apiexports"], "verbs": ["bind"]})
}

/// Every right in a workspace.
pub(crate) fn everything() -> Value {
    json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}])
}

/// Waits until `condition` holds; panics when it does not within a minute.
pub(crate) async fn eventually(condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), met).await.expect("the condition was never met");
}
