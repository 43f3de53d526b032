//! A case: a workspace, a kind and a PublishedResource, all named for it.

use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kdp_core::api::apis::{APIBinding, APIExport, APIResourceSchema};
use kdp_sync::{api::PublishedResource, wire};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    object::{api, create, namespaces},
    shared::{Shared, eventually},
    site::{PROVIDER, Site},
};

/// The claims that a case accepts unless it says otherwise.
pub(crate) const CLAIMS: [&str; 5] = ["configmaps", "core.kcp.io/logicalclusters", "events", "namespaces", "secrets"];

/// One case.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) site: &'a Site,
    /// Name of the case and of what is made for it; a lower-case word.
    pub(crate) name: String,
    /// API group of its kind `Widget`.
    pub(crate) group: String,
    /// Name of the export, and of the binding.
    pub(crate) export: Arc<str>,
    pub(crate) agent: Arc<str>,
    /// How tenants call the kind, where it differs: apiVersion, kind and plural.
    offered_as: Option<[String; 3]>,
}

impl Case<'static> {
    /// A case of the shared agent, with a namespaced kind.
    pub(crate) async fn new(shared: &'static Shared, name: &str) -> Self {
        Self::with_definition(shared, name, |_| {}).await
    }

    /// The same, whose definition is changed first.
    pub(crate) async fn with_definition(shared: &'static Shared, name: &str, change: impl Fn(&mut Value)) -> Self {
        let agent = shared.agent_of(name).await;
        Self::on(&shared.site, &agent, &agent, name, change).await
    }
}

impl<'a> Case<'a> {
    /// A case of another agent.
    pub(crate) async fn on(site: &'a Site, export: &str, agent: &str, name: &str, change: impl Fn(&mut Value)) -> Self {
        let group = format!("{name}.example.com");
        let case =
            Self { site, name: name.to_owned(), group, export: export.into(), agent: agent.into(), offered_as: None };
        let mut definition = definition(&case.group);
        change(&mut definition);
        case.define(definition).await;
        site.create_workspace(name).await;
        case
    }

    /// Tenants see the kind by other names.
    pub(crate) fn offered_as(mut self, api_version: &str, kind: &str, plural: &str) -> Self {
        self.offered_as = Some([api_version, kind, plural].map(str::to_owned));
        self
    }

    /// Publishes the kind with this spec, and binds it in the workspace.
    pub(crate) async fn offer(&self, spec: Value) {
        self.publish(spec).await;
        self.published().await;
        self.bind(&self.name, &CLAIMS).await;
    }

    /// Makes the PublishedResource.
    pub(crate) async fn publish(&self, spec: Value) {
        self.publish_as(&self.name, spec).await;
    }

    /// The same, by another name.
    pub(crate) async fn publish_as(&self, name: &str, spec: Value) {
        self.try_publish_as(name, spec).await.unwrap();
    }

    /// The same, if the API server takes it.
    pub(crate) async fn try_publish_as(&self, name: &str, mut spec: Value) -> kube::Result<()> {
        if spec["resource"].is_null() {
            spec["resource"] = json!({"apiGroup": self.group, "kind": "Widget"});
        }
        let resource = json!({
            "apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource",
            "metadata": {"name": name, "labels": {"agent": &*self.agent}}, "spec": spec,
        });
        let resource = serde_json::from_value(resource).unwrap();
        self.published_resources().create(&PostParams::default(), &resource).await.map(drop)
    }

    /// Changes the spec of the PublishedResource; a merge patch.
    pub(crate) async fn edit(&self, spec: Value) {
        super::object::patch(&self.published_resources(), &self.name, json!({"spec": spec})).await;
    }

    /// Waits until the kind is in the export; returns its schema.
    pub(crate) async fn published(&self) -> APIResourceSchema {
        let resources: Api<PublishedResource> = Api::all(self.site.service());
        let schemas: Api<APIResourceSchema> = Api::all(self.provider());
        eventually(&format!("{} is published", self.name), async || {
            let name = resources.get(&self.name).await.unwrap().status?.resource_schema_name;
            let is_exported = self.exported().await.contains(&name);
            if is_exported { schemas.get_opt(&name).await.unwrap() } else { None }
        })
        .await
    }

    /// Waits until the PublishedResource is refused; returns the reason given.
    pub(crate) async fn refused(&self, name: &str) -> String {
        let resources: Api<PublishedResource> = Api::all(self.site.service());
        eventually(&format!("{name} is refused"), async || {
            let status = resources.get(name).await.unwrap().status?;
            status.conditions.into_iter().find(|c| c.type_ == "Ready" && !c.is_true()).map(|c| c.message)
        })
        .await
    }

    /// The schemas of the export.
    pub(crate) async fn exported(&self) -> Vec<String> {
        let export = self.export().await;
        export.spec.resources.into_iter().map(|resource| resource.schema).collect()
    }

    pub(crate) async fn export(&self) -> APIExport {
        Api::<APIExport>::all(self.provider()).get(&self.export).await.unwrap()
    }

    /// Binds the export in `root:<workspace>`, with these claims accepted, and waits for the kind.
    pub(crate) async fn bind(&self, workspace: &str, claims: &[&str]) {
        self.site.bind(workspace, &self.export, claims).await;
        let orders = self.orders_in(workspace, None);
        eventually(&format!("{} is bound in {workspace}", self.name), async || {
            orders.list(&Default::default()).await.is_ok().then_some(())
        })
        .await;
    }

    pub(crate) fn bindings(&self, workspace: &str) -> Api<APIBinding> {
        self.site.bindings(workspace)
    }

    pub(crate) fn provider(&self) -> Client {
        self.site.workspace(PROVIDER)
    }

    /// A client in the case's workspace.
    pub(crate) fn tenant(&self) -> Client {
        self.site.workspace(&format!("root:{}", self.name))
    }

    pub(crate) fn service(&self) -> Client {
        self.site.service()
    }

    /// The orders in the namespace `default` of the case's workspace.
    pub(crate) fn orders(&self) -> Api<DynamicObject> {
        self.orders_in(&self.name, Some("default"))
    }

    /// The orders in `root:<workspace>`, in all namespaces or one.
    pub(crate) fn orders_in(&self, workspace: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let client = self.site.workspace(&format!("root:{workspace}"));
        let [api_version, kind, plural] = self.order_kind();
        api(client, namespace, &api_version, &kind, &plural)
    }

    /// The copies in all namespaces.
    pub(crate) fn copies(&self) -> Api<DynamicObject> {
        self.copies_in(None)
    }

    pub(crate) fn copies_in(&self, namespace: Option<&str>) -> Api<DynamicObject> {
        api(self.site.service(), namespace, &format!("{}/v1", self.group), "Widget", "widgets")
    }

    /// The API of one copy's namespace.
    pub(crate) fn beside(&self, copy: &DynamicObject) -> Api<DynamicObject> {
        self.copies_in(copy.namespace().as_deref())
    }

    /// Orders `name` in the namespace `default`.
    pub(crate) async fn order(&self, name: &str, spec: Value) -> DynamicObject {
        self.order_with(json!({"metadata": {"name": name}, "spec": spec})).await
    }

    /// Orders an object; its type is added.
    pub(crate) async fn order_with(&self, object: Value) -> DynamicObject {
        create(&self.orders(), self.typed(object)).await
    }

    /// The object with its apiVersion and kind.
    pub(crate) fn typed(&self, mut object: Value) -> Value {
        let [api_version, kind, _] = self.order_kind();
        object["apiVersion"] = api_version.into();
        object["kind"] = kind.into();
        object
    }

    /// Waits for the copy of the order `name` to be as expected.
    pub(crate) async fn copy(&self, name: &str, is_expected: impl Fn(&DynamicObject) -> bool) -> DynamicObject {
        self.copy_of(&self.name, name, is_expected).await
    }

    /// The same, of an order in `root:<workspace>`.
    pub(crate) async fn copy_of(
        &self,
        workspace: &str,
        name: &str,
        is_expected: impl Fn(&DynamicObject) -> bool,
    ) -> DynamicObject {
        let cluster = self.cluster(workspace).await;
        eventually(&format!("the copy of {name} in {workspace} is as expected"), async || {
            let copies = self.copies().list(&Default::default()).await.unwrap();
            copies.items.into_iter().find(|copy| {
                copy.labels().get(wire::CLUSTER_LABEL) == Some(&cluster)
                    && copy.annotations().get(wire::NAME_ANNOTATION).map(String::as_str) == Some(name)
                    && is_expected(copy)
            })
        })
        .await
    }

    /// Waits for an order to be as expected.
    pub(crate) async fn seen(&self, name: &str, is_expected: impl Fn(&DynamicObject) -> bool) -> DynamicObject {
        super::object::seen(&self.orders(), name, is_expected).await
    }

    /// Name of the logical cluster of `root:<workspace>`.
    pub(crate) async fn cluster(&self, workspace: &str) -> String {
        let client = self.site.workspace(&format!("root:{workspace}"));
        let default = namespaces(client).get("default").await.unwrap();
        default.annotations()["kcp.io/cluster"].clone()
    }

    pub(crate) fn published_resources(&self) -> Api<DynamicObject> {
        api(self.service(), None, "syncagent.kcp.io/v1alpha1", "PublishedResource", "publishedresources")
    }

    /// Makes a definition, or changes the one there is.
    pub(crate) async fn define(&self, definition: Value) {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.service());
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        let params = PatchParams::apply("case").force();
        definitions.patch(&name, &params, &Patch::Apply(&definition)).await.unwrap();
        eventually(&format!("{name} is established"), async || {
            let conditions = definitions.get(&name).await.unwrap().status?.conditions?;
            conditions.iter().any(|c| c.type_ == "Established" && c.status == "True").then_some(())
        })
        .await;
    }

    fn order_kind(&self) -> [String; 3] {
        self.offered_as.clone().unwrap_or_else(|| [format!("{}/v1", self.group), "Widget".into(), "widgets".into()])
    }
}

/// A version of a definition, which keeps whatever is in spec and status.
pub(crate) fn version(name: &str, storage: bool) -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "name": name, "served": true, "storage": storage, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": open, "status": open}}},
    })
}

/// The kind of a case: namespaced, with one version and a status subresource.
pub(crate) fn definition(group: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {
                "kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList",
                "shortNames": ["wi"], "categories": ["things"],
            },
            "versions": [version("v1", true)],
        },
    })
}
