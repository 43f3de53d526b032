//! A provider whose widgets are made as its catalog says, and two tenants who have bound them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kdp_catalog::{
    ClaimPolicy, GroupKind, Offering, OfferingController, bind, install_environment_crd,
    provision::{CatalogProvider, ProviderMap, WorkspaceSurroundings},
};
use kdp_core::{
    ControlPlaneExt, Endpoint, Identity, Platform, RunningPlatform, SharedControlPlane, WorkspacePath,
    api::apis::APIResourceSchema,
    condition::find_condition,
    runner::{Home, Reach, Runner, RunnerOptions},
    workspace::ensure_workspace,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    support::{PROVIDER, Site, eventually},
    things::Things,
};

pub(crate) const GROUP: &str = "w.example.com";

pub(crate) fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn offering(name: &str, more: Value) -> Offering {
    let mut spec = json!({
        "service": GROUP, "kind": {"group": GROUP, "kind": "Widget"}, "provider": {"name": "standard"},
    });
    let Value::Object(more) = more else { panic!("it is no object") };
    spec.as_object_mut().unwrap().extend(more);
    Offering::new(name, of(spec))
}

/// Two tenants who have bound widgets, and a runner that makes them as the catalog says.
pub(crate) struct Shop {
    pub(crate) site: Site,
    pub(crate) standard: Things,
    pub(crate) gold: Things,
    pub(crate) catalog: CatalogProvider,
    /// Stops everything when dropped.
    running: RunningPlatform,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let site = Site::start().await;
        ensure_workspace(&site.control_plane, &"root:home".parse().unwrap(), &Identity::system_masters())
            .await
            .unwrap();
        site.describe_service().await;
        publish(&site).await;
        let entry = site.entry().await;
        for tenant in ["root:a", "root:b"] {
            bind(&site.system(tenant), &entry, ClaimPolicy::AcceptAll).await.unwrap();
            install_environment_crd(&site.system(tenant)).await.unwrap();
        }
        let (standard, gold) = (Things::default(), Things::default());
        let (catalog, running) = run(&site, &standard, &gold).await;
        Self { site, standard, gold, catalog, running }
    }

    /// Ends all that runs, as a process that is killed, and begins again.
    pub(crate) async fn restart(&mut self) {
        let (catalog, running) = run(&self.site, &self.standard, &self.gold).await;
        drop(std::mem::replace(&mut self.running, running));
        self.catalog = catalog;
    }

    pub(crate) async fn create<K>(&self, path: &str, object: &K)
    where
        K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
    {
        Api::<K>::all(self.site.system(path)).create(&PostParams::default(), object).await.unwrap();
    }

    pub(crate) async fn offer(&self, offering: Offering) {
        let name = offering.name_any();
        self.create(PROVIDER, &offering).await;
        self.is_accepted(&name, "True").await;
    }

    pub(crate) async fn is_accepted(&self, name: &str, status: &str) -> String {
        let api: Api<Offering> = Api::all(self.site.system(PROVIDER));
        let accepted = async || {
            let conditions = api.get(name).await.unwrap().status.unwrap_or_default().conditions;
            find_condition(&conditions, "Accepted").filter(|accepted| accepted.status == status).cloned()
        };
        eventually(async || accepted().await.is_some()).await;
        accepted().await.unwrap().message
    }

    pub(crate) async fn order(&self, path: &str, name: &str, spec: Value, annotations: Value) -> String {
        let widget: DynamicObject = of(json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "Widget",
            "metadata": {"name": name, "annotations": annotations}, "spec": spec,
        }));
        widgets(self.site.system(path)).create(&PostParams::default(), &widget).await.unwrap().uid().unwrap()
    }

    pub(crate) async fn phase(&self, path: &str, name: &str, phase: &str) -> String {
        let api = widgets(self.site.system(path));
        let status = async || api.get(name).await.unwrap().data["status"].clone();
        eventually(async || status().await["phase"] == phase).await;
        status().await["message"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn delete(&self, path: &str, name: &str) {
        let api = widgets(self.site.system(path));
        api.delete(name, &DeleteParams::default()).await.unwrap();
        eventually(async || api.get_opt(name).await.unwrap().is_none()).await;
    }
}

async fn run(site: &Site, standard: &Things, gold: &Things) -> (CatalogProvider, RunningPlatform) {
    let control_plane: SharedControlPlane = Arc::new(site.control_plane.clone());
    let providers = ProviderMap::new()
        .with_cluster("standard", "one", standard.clone())
        .with_cluster("standard", "two", standard.clone())
        .with("standard", standard.clone())
        .with("gold", gold.clone());
    let surroundings = WorkspaceSurroundings::new(control_plane.clone(), kind());
    let catalog = CatalogProvider::new(GroupKind::new(GROUP, "Widget"), providers, surroundings);
    let provider: WorkspacePath = PROVIDER.parse().unwrap();
    let export = site.entry().await.export;
    let endpoint = Endpoint::ApiExport { cluster: export.cluster, export: export.name, consumer: None };
    let home = Home::new(control_plane.system_client(&"root:home".parse().unwrap()).unwrap(), "default");
    let reach = Reach::endpoint(endpoint, Identity::system_masters());
    let runner = Runner::new("widgets", catalog.clone(), kind(), reach, home).with_options(
        RunnerOptions::default()
            .with_next_look(Duration::from_millis(200))
            .with_status_output("size")
            .with_status_output("release"),
    );
    let running = Platform::builder(control_plane)
        .component(OfferingController::new(provider).with_provider(catalog.clone()))
        .component(runner)
        .start()
        .await
        .unwrap();
    (catalog, running)
}

async fn publish(site: &Site) {
    let schema = json!({
        "metadata": {"name": format!("v1.widgets.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "default": {}, "properties": {
                        "size": {"type": "integer"}, "colour": {"type": "string", "default": "grey"},
                    }},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }},
            }],
        },
    });
    let schemas: Api<APIResourceSchema> = Api::all(site.system(PROVIDER));
    schemas.create(&PostParams::default(), &of(schema)).await.unwrap();
    let resource = json!({
        "name": "widgets", "group": GROUP, "schema": format!("v1.widgets.{GROUP}"), "storage": {"crd": {}},
    });
    let claims = ["secrets", "events"].map(|resource| json!({"group": "", "resource": resource, "verbs": ["*"]}));
    let patch = Patch::Merge(json!({"spec": {"resources": [resource], "permissionClaims": claims}}));
    site.exports().patch(GROUP, &PatchParams::default(), &patch).await.unwrap();
}

pub(crate) fn kind() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1", "Widget"))
}

pub(crate) fn widgets(client: Client) -> Api<DynamicObject> {
    Api::namespaced_with(client, "default", &kind())
}

pub(crate) fn made(things: &Things) -> BTreeMap<String, Value> {
    things.world().things.clone()
}
