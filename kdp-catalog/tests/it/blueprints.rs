//! Blueprints, from their definition to the children of their instances.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kdp_catalog::{
    Catalog, ClaimPolicy, bind,
    blueprint::{BlueprintDefinition, definition::BlueprintPhase},
    blueprints::{
        BlueprintController, BlueprintInstances, BlueprintRevision, INSTANCE, REVISION, ResourceGraphDefinition,
    },
};
use kdp_core::{Identity, Platform, RunningPlatform, SharedControlPlane, api::apis::APIExport};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    shop::of,
    support::{PROVIDER, Site, eventually},
};

const EXPORT: &str = "webapp.blueprints.kdp.k8c.io";
const TENANTS: [&str; 2] = ["root:a", "root:b"];

/// A ConfigMap, a Widget that is made with it and has to be ready, a Secret made with both, and one more that not
/// everybody wants.
fn graph(suffix: &str) -> Value {
    json!({
        "schema": {
            "apiVersion": "v1alpha1", "kind": "WebApp", "group": "apps.example.com",
            "spec": {"title": "string | required=true", "size": "integer | default=1", "extra": "boolean | default=false"},
            "status": {"phase": "${widget.status.phase}"},
        },
        "resources": [
            {"id": "credentials", "template": {
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "${config.metadata.name}-credentials"},
                "stringData": {"size": "${string(widget.spec.size)}"},
            }},
            {"id": "widget", "readyWhen": ["${widget.status.phase == \"Ready\"}"], "template": {
                "apiVersion": "w.example.com/v1", "kind": "Widget",
                "metadata": {"name": "${config.metadata.name}"}, "spec": {"size": "${schema.spec.size}"},
            }},
            {"id": "config", "template": {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "${schema.metadata.name}"},
                "data": {"title": format!("${{schema.spec.title}}{suffix}")},
            }},
            {"id": "extra", "includeWhen": ["${schema.spec.extra}"], "template": {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "${schema.metadata.name}-extra"},
            }},
        ],
    })
}

struct Stage {
    site: Site,
    running: Option<RunningPlatform>,
}

impl Stage {
    /// Widgets that both tenants have bound, and the blueprint, published and bound.
    async fn open() -> Self {
        let stage = Self::bare().await;
        stage.define("web", "1.0.0", true, graph("")).await;
        stage.phase("web", BlueprintPhase::Published).await;
        for tenant in TENANTS {
            stage.bind(tenant, ClaimPolicy::AcceptAll).await;
        }
        stage
    }

    async fn bare() -> Self {
        let site = Site::start().await;
        site.describe_service().await;
        crate::shop::publish(&site).await;
        let entry = site.entry().await;
        for tenant in TENANTS {
            bind(&site.system(tenant), &entry, ClaimPolicy::AcceptAll).await.unwrap();
        }
        let mut stage = Self { site, running: None };
        stage.restart().await;
        stage
    }

    /// Ends both components as a process that is killed, and begins again.
    async fn restart(&mut self) {
        self.stop();
        let control_plane: SharedControlPlane = Arc::new(self.site.control_plane.clone());
        let running = Platform::builder(control_plane)
            .component(BlueprintController::new(PROVIDER.parse().unwrap()))
            .component(BlueprintInstances::new(PROVIDER.parse().unwrap()));
        self.running = Some(running.start().await.unwrap());
    }

    fn stop(&mut self) {
        drop(self.running.take());
    }

    fn definitions(&self) -> Api<BlueprintDefinition> {
        Api::namespaced(self.site.system(PROVIDER), "default")
    }

    async fn define(&self, name: &str, version: &str, published: bool, graph: Value) {
        let definition: BlueprintDefinition = of(json!({
            "apiVersion": "blueprints.kdp.k8c.io/v1alpha1", "kind": "BlueprintDefinition", "metadata": {"name": name},
            "spec": {"version": version, "published": published, "displayName": "Web app", "resourceGraph": graph},
        }));
        self.definitions().create(&PostParams::default(), &definition).await.unwrap();
    }

    async fn phase(&self, name: &str, phase: BlueprintPhase) -> BlueprintDefinition {
        let api = self.definitions();
        let is_in = async || {
            let found = api.get(name).await.unwrap();
            let status = found.status.clone().unwrap_or_default();
            status.phase == Some(phase) && status.observed_generation == found.metadata.generation
        };
        eventually(is_in).await;
        api.get(name).await.unwrap()
    }

    async fn faults(&self, name: &str) -> Vec<(String, String)> {
        let status = self.phase(name, BlueprintPhase::Invalid).await.status.unwrap();
        status.validation_errors.into_iter().map(|fault| (fault.path, fault.message)).collect()
    }

    async fn bind(&self, tenant: &str, claims: ClaimPolicy) {
        let catalog = Catalog::new(Arc::new(self.site.control_plane.clone()), [PROVIDER.parse().unwrap()]);
        let system = Identity::system_masters();
        eventually(async || catalog.get(&system, EXPORT).await.unwrap().is_some_and(|entry| !entry.claims.is_empty()))
            .await;
        let entry = catalog.get(&system, EXPORT).await.unwrap().unwrap();
        bind(&self.site.system(tenant), &entry, claims).await.unwrap();
    }

    fn instances(&self, tenant: &str) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("apps.example.com", "v1alpha1", "WebApp"));
        Api::namespaced_with(self.site.system(tenant), "default", &kind)
    }

    async fn order(&self, tenant: &str, name: &str, spec: Value) -> DynamicObject {
        let instance: DynamicObject = of(json!({
            "apiVersion": "apps.example.com/v1alpha1", "kind": "WebApp", "metadata": {"name": name}, "spec": spec,
        }));
        self.instances(tenant).create(&PostParams::default(), &instance).await.unwrap()
    }

    async fn status(&self, tenant: &str, name: &str) -> Value {
        self.instances(tenant).get(name).await.unwrap().data["status"].clone()
    }

    async fn is_ready(&self, tenant: &str, name: &str, ready: bool) {
        eventually(async || {
            let instance = self.instances(tenant).get(name).await.unwrap();
            let status = &instance.data["status"];
            status["ready"] == ready && status["observedGeneration"].as_i64() == instance.metadata.generation
        })
        .await;
    }

    async fn patch(&self, tenant: &str, name: &str, patch: Value) {
        let patch = Patch::Merge(patch);
        self.instances(tenant).patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    fn configs(&self, tenant: &str) -> Api<ConfigMap> {
        Api::namespaced(self.site.system(tenant), "default")
    }

    fn secrets(&self, tenant: &str) -> Api<Secret> {
        Api::namespaced(self.site.system(tenant), "default")
    }

    fn widgets(&self, tenant: &str) -> Api<DynamicObject> {
        crate::shop::widgets(self.site.system(tenant))
    }

    async fn finish_widget(&self, tenant: &str, name: &str) {
        let widgets = self.widgets(tenant);
        eventually(async || widgets.get_opt(name).await.unwrap().is_some()).await;
        let patch = Patch::Merge(json!({"status": {"phase": "Ready"}}));
        widgets.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    async fn title(&self, tenant: &str, name: &str) -> Option<String> {
        self.configs(tenant).get_opt(name).await.unwrap()?.data?.remove("title")
    }

    /// An instance with all its children.
    async fn ready(&self, tenant: &str, name: &str) -> DynamicObject {
        let instance = self.order(tenant, name, json!({"title": "hello", "size": 3})).await;
        self.finish_widget(tenant, name).await;
        self.is_ready(tenant, name, true).await;
        instance
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_made_in_order_updated_pruned_and_deleted_backwards() {
    let stage = Stage::open().await;
    let definition = stage.phase("web", BlueprintPhase::Published).await;
    assert_eq!(definition.status.unwrap().api_export_ref.unwrap().name, EXPORT);
    let instance = stage.order("root:a", "shop", json!({"title": "hello", "size": 3})).await;
    let uid = instance.uid().unwrap();
    eventually(async || stage.widgets("root:a").get_opt("shop").await.unwrap().is_some()).await;
    stage.is_ready("root:a", "shop", false).await;
    assert_eq!(stage.title("root:a", "shop").await.as_deref(), Some("hello"));
    let config = stage.configs("root:a").get("shop").await.unwrap();
    assert_eq!((&config.labels()[INSTANCE], &config.owner_references()[0].uid), (&uid, &uid));
    // What needs the widget waits for it, and what nobody wants is not made.
    assert!(stage.secrets("root:a").get_opt("shop-credentials").await.unwrap().is_none());
    assert!(stage.configs("root:a").get_opt("shop-extra").await.unwrap().is_none());
    let status = stage.status("root:a", "shop").await;
    let waiting: BTreeSet<_> =
        status["waitingOn"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(waiting, BTreeSet::from(["credentials".to_owned(), "widget".to_owned()]));
    assert_eq!(status["revision"]["version"], "1.0.0");

    stage.finish_widget("root:a", "shop").await;
    stage.is_ready("root:a", "shop", true).await;
    let secret = stage.secrets("root:a").get("shop-credentials").await.unwrap();
    assert_eq!(secret.data.unwrap()["size"].0, b"3");
    let status = stage.status("root:a", "shop").await;
    assert_eq!((&status["phase"], status["childRefs"].as_array().unwrap().len()), (&json!("Ready"), 3));
    assert!(status["conditions"].as_array().unwrap().iter().all(|condition| condition["status"] == "True"));

    stage.patch("root:a", "shop", json!({"spec": {"title": "bye", "extra": true}})).await;
    stage.is_ready("root:a", "shop", true).await;
    assert_eq!(stage.title("root:a", "shop").await.as_deref(), Some("bye"));
    assert!(stage.configs("root:a").get_opt("shop-extra").await.unwrap().is_some());
    stage.patch("root:a", "shop", json!({"spec": {"extra": false}})).await;
    eventually(async || stage.configs("root:a").get_opt("shop-extra").await.unwrap().is_none()).await;
    // Nothing of this is in the other tenant's workspace.
    assert!(stage.configs("root:b").get_opt("shop").await.unwrap().is_none());
    assert!(stage.instances("root:b").list(&ListParams::default()).await.unwrap().items.is_empty());

    // The widget stays as long as somebody holds it, and so does what it was made with.
    let hold = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/hold"]}}));
    stage.widgets("root:a").patch("shop", &PatchParams::default(), &hold).await.unwrap();
    stage.instances("root:a").delete("shop", &DeleteParams::default()).await.unwrap();
    eventually(async || stage.widgets("root:a").get("shop").await.unwrap().metadata.deletion_timestamp.is_some()).await;
    assert!(stage.secrets("root:a").get_opt("shop-credentials").await.unwrap().is_none());
    assert!(stage.configs("root:a").get_opt("shop").await.unwrap().is_some());
    let release = Patch::Merge(json!({"metadata": {"finalizers": []}}));
    stage.widgets("root:a").patch("shop", &PatchParams::default(), &release).await.unwrap();
    eventually(async || stage.instances("root:a").get_opt("shop").await.unwrap().is_none()).await;
    assert!(stage.configs("root:a").get_opt("shop").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_components_may_be_killed_at_any_point() {
    let mut stage = Stage::open().await;
    let wait = async |stage: &Stage, step: usize| match step {
        0 => {}
        1 => eventually(async || !stage.instances("root:a").get("shop").await.unwrap().finalizers().is_empty()).await,
        2 => eventually(async || stage.title("root:a", "shop").await.is_some()).await,
        3 => eventually(async || stage.widgets("root:a").get_opt("shop").await.unwrap().is_some()).await,
        _ => eventually(async || stage.status("root:a", "shop").await["childRefs"].is_array()).await,
    };
    for step in 0..5 {
        stage.order("root:a", "shop", json!({"title": "hello", "size": 3})).await;
        wait(&stage, step).await;
        stage.restart().await;
        stage.finish_widget("root:a", "shop").await;
        stage.is_ready("root:a", "shop", true).await;
        stage.instances("root:a").delete("shop", &DeleteParams::default()).await.unwrap();
        // Each time a little later in the deletion.
        for _ in 0..step {
            tokio::task::yield_now().await;
        }
        stage.restart().await;
        eventually(async || stage.instances("root:a").get_opt("shop").await.unwrap().is_none()).await;
        assert!(stage.widgets("root:a").get_opt("shop").await.unwrap().is_none());
        assert!(stage.title("root:a", "shop").await.is_none());
    }
    let revisions: Api<BlueprintRevision> = Api::all(stage.site.system(PROVIDER));
    assert_eq!(revisions.list(&ListParams::default()).await.unwrap().items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_stays_with_its_revision_until_it_is_told_to_move() {
    let stage = Stage::open().await;
    stage.ready("root:a", "old").await;
    stage.define("web-next", "1.1.0", true, graph("!")).await;
    stage.phase("web-next", BlueprintPhase::Published).await;
    stage.ready("root:b", "new").await;
    assert_eq!(stage.status("root:b", "new").await["revision"]["version"], "1.1.0");
    assert_eq!(stage.title("root:b", "new").await.as_deref(), Some("hello!"));
    stage.patch("root:a", "old", json!({"spec": {"title": "changed"}})).await;
    stage.is_ready("root:a", "old", true).await;
    assert_eq!(stage.status("root:a", "old").await["revision"]["version"], "1.0.0");
    assert_eq!(stage.title("root:a", "old").await.as_deref(), Some("changed"));
    // A revision that is not there moves nothing.
    stage.patch("root:a", "old", json!({"metadata": {"annotations": {REVISION: "9.9.9"}}})).await;
    let is_told = async || stage.status("root:a", "old").await.to_string().contains("9.9.9");
    eventually(is_told).await;
    assert_eq!(stage.status("root:a", "old").await["revision"]["version"], "1.0.0");
    stage.patch("root:a", "old", json!({"metadata": {"annotations": {REVISION: "1.1.0"}}})).await;
    eventually(async || stage.title("root:a", "old").await.as_deref() == Some("changed!")).await;
    eventually(async || stage.status("root:a", "old").await["revision"]["version"] == "1.1.0").await;

    // What is published under a version stays what it is, and nothing is taken away from instances.
    let mut other = graph("?");
    stage.define("again", "1.1.0", true, other.clone()).await;
    assert!(stage.faults("again").await.iter().any(|(path, message)| path == "version" && message.contains("1.1.0")));
    other["schema"]["spec"]["title"] = json!("integer | required=true");
    other["resources"][2]["template"]["data"]["title"] = json!("${string(schema.spec.title)}");
    stage.define("breaking", "2.0.0", true, other).await;
    let faults = stage.faults("breaking").await;
    assert!(faults.iter().any(|(path, _)| path == "schema.spec.title"), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_a_tenant_changes_or_deletes_is_as_it_was() {
    let stage = Stage::open().await;
    stage.ready("root:a", "shop").await;
    let other = Patch::Merge(json!({"data": {"title": "other"}}));
    stage.configs("root:a").patch("shop", &PatchParams::default(), &other).await.unwrap();
    eventually(async || stage.title("root:a", "shop").await.as_deref() == Some("hello")).await;
    stage.secrets("root:a").delete("shop-credentials", &DeleteParams::default()).await.unwrap();
    eventually(async || stage.secrets("root:a").get_opt("shop-credentials").await.unwrap().is_some()).await;
    stage.is_ready("root:a", "shop", true).await;
    // What is as it should be is not written again.
    let versions = async || {
        let widget = stage.widgets("root:a").get("shop").await.unwrap();
        let config = stage.configs("root:a").get("shop").await.unwrap();
        (widget.resource_version(), config.resource_version())
    };
    let before = versions().await;
    stage.patch("root:a", "shop", json!({"metadata": {"annotations": {"example.com/note": "x"}}})).await;
    stage.ready("root:a", "second").await;
    assert_eq!(versions().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_a_blueprint_back_keeps_what_was_made_and_lets_it_be_deleted() {
    let stage = Stage::open().await;
    stage.ready("root:a", "shop").await;
    let advise = Patch::Merge(json!({"spec": {"deprecated": true}}));
    stage.definitions().patch("web", &PatchParams::default(), &advise).await.unwrap();
    stage.phase("web", BlueprintPhase::Deprecated).await;
    stage.order("root:b", "late", json!({"title": "hello"})).await;
    eventually(async || stage.title("root:b", "late").await.is_some()).await;
    let back = Patch::Merge(json!({"spec": {"published": false}}));
    stage.definitions().patch("web", &PatchParams::default(), &back).await.unwrap();
    stage.phase("web", BlueprintPhase::Valid).await;
    let exports: Api<APIExport> = Api::all(stage.site.system(PROVIDER));
    let is_withdrawn = async || exports.get(EXPORT).await.unwrap().annotations().values().any(String::is_empty);
    eventually(is_withdrawn).await;
    stage.patch("root:a", "shop", json!({"spec": {"title": "later"}})).await;
    assert_eq!(stage.title("root:a", "shop").await.as_deref(), Some("hello"));
    stage.instances("root:a").delete("shop", &DeleteParams::default()).await.unwrap();
    eventually(async || stage.instances("root:a").get_opt("shop").await.unwrap().is_none()).await;
    assert!(stage.title("root:a", "shop").await.is_none());
    assert_eq!(exports.get(EXPORT).await.unwrap().spec.resources.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_tells_all_its_faults_and_asks_for_no_rights() {
    let stage = Stage::bare().await;
    let bad = json!({
        "schema": {
            "apiVersion": "v1alpha1", "kind": "Bad", "group": "apps.example.com",
            "spec": {"name": "string"}, "status": {"ready": "${config.data.name}"},
        },
        "resources": [
            {"id": "role", "template": {
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "all"},
            }},
            {"id": "binding", "template": {
                "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "all"},
            }},
            {"id": "config", "template": {
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "x", "namespace": "kube-system", "ownerReferences": [],
                    "annotations": {"kcp.io/cluster": "root"}},
                "data": {"name": "${schema.spec.nothing}"},
            }},
            {"id": "space", "template": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}},
            {"id": "gadget", "template": {"apiVersion": "no.example.com/v1", "kind": "Gadget", "metadata": {"name": "x"}}},
            {"id": "workspace", "externalRef": {
                "apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "b"},
            }},
            {"id": "widget", "template": {
                "apiVersion": "w.example.com/v1", "kind": "Widget", "metadata": {"name": "x"}, "spec": {"sise": 1},
            }},
            {"id": "secret", "template": {
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "immutable": "yes",
            }},
        ],
    });
    stage.define("bad", "1.0.0", true, bad).await;
    let faults = stage.faults("bad").await;
    let paths: BTreeSet<_> = faults.iter().map(|(path, _)| path.as_str()).collect();
    for path in [
        "schema.status.ready",
        "resources[0].template",
        "resources[1].template",
        "resources[2].template.metadata.namespace",
        "resources[2].template.metadata.ownerReferences",
        "resources[2].template.metadata.annotations[\"kcp.io/cluster\"]",
        "resources[2].template.data.name",
        "resources[3].template",
        "resources[4].template",
        "resources[5].externalRef",
        "resources[6].template.spec.sise",
        "resources[7].template.immutable",
    ] {
        assert!(paths.contains(path), "{path} is not in {faults:#?}");
    }
    assert!(stage.site.exports().get_opt("bad.blueprints.kdp.k8c.io").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_children_is_ever_changed_or_deleted() {
    let stage = Stage::open().await;
    let precious: ConfigMap = of(json!({"metadata": {"name": "precious"}, "data": {"title": "mine"}}));
    for tenant in TENANTS {
        stage.configs(tenant).create(&PostParams::default(), &precious).await.unwrap();
    }
    let uid = stage.ready("root:a", "shop").await.uid().unwrap();
    // A label alone makes no child, and neither does an owner.
    let labels = json!({INSTANCE: uid, "blueprints.kdp.k8c.io/resource": "extra"});
    let labelled = Patch::Merge(json!({"metadata": {"labels": labels}}));
    stage.configs("root:a").patch("precious", &PatchParams::default(), &labelled).await.unwrap();
    let owned: ConfigMap = of(json!({"metadata": {"name": "owned", "ownerReferences": [
        {"apiVersion": "apps.example.com/v1alpha1", "kind": "WebApp", "name": "shop", "uid": uid},
    ]}, "data": {"title": "mine"}}));
    stage.configs("root:a").create(&PostParams::default(), &owned).await.unwrap();
    // The tenant says in the status that its own object, and another's, are children.
    let references = json!([
        {"id": "config", "apiVersion": "v1", "kind": "ConfigMap", "namespace": "default", "name": "precious"},
        {"id": "x", "apiVersion": "v1", "kind": "ConfigMap", "name": "../../../../root:b/api/v1/namespaces/default/configmaps/precious"},
        {"id": "y", "apiVersion": "v1", "kind": "Namespace", "name": "default"},
    ]);
    let lie = Patch::Merge(json!({"status": {"childRefs": references, "revision": null}}));
    stage.instances("root:a").patch_status("shop", &PatchParams::default(), &lie).await.unwrap();
    eventually(async || {
        stage.status("root:a", "shop").await["childRefs"].as_array().unwrap().len() == 3
            && stage.status("root:a", "shop").await["revision"]["version"] == "1.0.0"
    })
    .await;
    stage.instances("root:a").patch_status("shop", &PatchParams::default(), &lie).await.unwrap();
    stage.instances("root:a").delete("shop", &DeleteParams::default()).await.unwrap();
    eventually(async || stage.instances("root:a").get_opt("shop").await.unwrap().is_none()).await;
    for tenant in TENANTS {
        assert_eq!(stage.title(tenant, "precious").await.as_deref(), Some("mine"));
    }
    assert!(stage.title("root:a", "shop").await.is_none());
    assert_eq!(stage.title("root:a", "owned").await.as_deref(), Some("mine"));

    // An instance does not take over an object that was there before it.
    stage.order("root:a", "precious", json!({"title": "stolen"})).await;
    eventually(async || stage.status("root:a", "precious").await.to_string().contains("somebody else")).await;
    assert_eq!(stage.title("root:a", "precious").await.as_deref(), Some("mine"));
    stage.instances("root:a").delete("precious", &DeleteParams::default()).await.unwrap();
    eventually(async || stage.instances("root:a").get_opt("precious").await.unwrap().is_none()).await;
    assert_eq!(stage.title("root:a", "precious").await.as_deref(), Some("mine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_cannot_name_another_workspace_and_needs_the_consent_of_its_own() {
    let stage = Stage::bare().await;
    let graph = json!({
        "schema": {"apiVersion": "v1alpha1", "kind": "WebApp", "group": "apps.example.com", "spec": {"title": "string"}},
        "resources": [{"id": "config", "template": {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "${schema.spec.title}"},
        }}],
    });
    stage.define("web", "1.0.0", true, graph).await;
    stage.phase("web", BlueprintPhase::Published).await;
    stage.bind("root:a", ClaimPolicy::AcceptAll).await;
    stage.bind("root:b", ClaimPolicy::RejectAll).await;
    let elsewhere = "../../../../../clusters/root:b/api/v1/namespaces/default/configmaps/x";
    for (name, title) in [("far", elsewhere), ("query", "x?dryRun=All"), ("up", "..")] {
        stage.order("root:a", name, json!({"title": title})).await;
        eventually(async || stage.status("root:a", name).await.to_string().contains("is no name")).await;
        assert_eq!(stage.status("root:a", name).await["ready"], false);
    }
    stage.order("root:a", "near", json!({"title": "x"})).await;
    stage.is_ready("root:a", "near", true).await;
    stage.order("root:b", "shop", json!({"title": "x"})).await;
    eventually(async || stage.status("root:b", "shop").await.to_string().contains("ConfigMap of v1")).await;
    assert_eq!(stage.status("root:b", "shop").await["ready"], false);
    assert!(stage.configs("root:b").get_opt("x").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_of_kro_is_published_as_it_is() {
    let stage = Stage::bare().await;
    let mut definition: ResourceGraphDefinition = of(json!({
        "apiVersion": "kro.run/v1alpha1", "kind": "ResourceGraphDefinition", "metadata": {"name": "web"},
        "spec": graph(""),
    }));
    definition.annotations_mut().insert("blueprints.kdp.k8c.io/published".into(), "true".into());
    let api: Api<ResourceGraphDefinition> = Api::all(stage.site.system(PROVIDER));
    api.create(&PostParams::default(), &definition).await.unwrap();
    stage.bind("root:a", ClaimPolicy::AcceptAll).await;
    stage.ready("root:a", "shop").await;
    assert_eq!(stage.status("root:a", "shop").await["revision"]["version"], "0.1.0");
    assert_eq!(api.get("web").await.unwrap().status.unwrap().phase, Some(BlueprintPhase::Published));
}
