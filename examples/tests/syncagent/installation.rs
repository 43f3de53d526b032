//! An installation of an agent: what there is on both sides, to be compared, kept and restored.

use std::collections::BTreeMap;

use kdp_sync::wire;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    case::{CLAIMS, definition, version},
    object::{api, config_maps, create, create_config_map, create_namespace, namespaces, patch, secrets, seen, value},
    program::NAMESPACE,
    shared::eventually,
    site::{PROVIDER, Site},
    snapshot::{Snapshot, rekey},
};

/// The export of the installation.
pub(crate) const EXPORT: &str = "takeover";

pub(crate) const WORKSPACES: [&str; 2] = ["one", "two"];
/// apiVersion, kind and plural of what is in each place, in the order in which it can be restored.
pub(crate) const IN_PROVIDER: [[&str; 3]; 2] = [
    ["apis.kcp.io/v1alpha1", "APIResourceSchema", "apiresourceschemas"],
    ["apis.kcp.io/v1alpha2", "APIExport", "apiexports"],
];
pub(crate) const IN_WORKSPACE: [[&str; 3]; 6] = [
    ["v1", "Namespace", "namespaces"],
    ["v1", "Secret", "secrets"],
    ["v1", "ConfigMap", "configmaps"],
    ["takeover.example.com/v1", "Widget", "widgets"],
    ["takeover.example.com/v1", "Zone", "zones"],
    ["outer.takeover.com/v2", "Gadget", "gadgets"],
];
pub(crate) const ON_SERVICE_CLUSTER: [[&str; 3]; 7] = [
    ["v1", "Namespace", "namespaces"],
    ["syncagent.kcp.io/v1alpha1", "PublishedResource", "publishedresources"],
    ["v1", "Secret", "secrets"],
    ["v1", "ConfigMap", "configmaps"],
    ["takeover.example.com/v1", "Widget", "widgets"],
    ["takeover.example.com/v1", "Zone", "zones"],
    ["inner.takeover.com/v1", "Widget", "widgets"],
];

/// A site with an export, kinds on the service cluster, and two workspaces.
#[derive(Debug)]
pub(crate) struct Installation<'a> {
    pub(crate) site: &'a Site,
}

impl<'a> Installation<'a> {
    /// Everything that an agent needs to begin.
    pub(crate) async fn prepare(site: &'a Site, agent: &str) -> Self {
        let installation = Self::bare(site).await;
        site.create_export(EXPORT).await;
        for (name, spec) in published_resources() {
            let resource = json!({
                "apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource",
                "metadata": {"name": name, "labels": {"agent": agent}}, "spec": spec,
            });
            let [api_version, kind, plural] = ON_SERVICE_CLUSTER[1];
            create(&api(site.service(), None, api_version, kind, plural), resource).await;
        }
        installation
    }

    async fn bare(site: &'a Site) -> Self {
        create_namespace(site.service(), NAMESPACE, json!({})).await;
        let definitions = api(
            site.service(),
            None,
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
        );
        for definition in kinds() {
            let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
            create(&definitions, definition).await;
            seen(&definitions, &name, |definition| {
                let conditions = definition.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
                conditions.iter().any(|c| c["type"] == "Established" && c["status"] == "True")
            })
            .await;
        }
        for workspace in WORKSPACES {
            site.create_workspace(workspace).await;
        }
        Self { site }
    }

    /// Binds both workspaces, and orders things that are then served and edited on both sides.
    pub(crate) async fn fill(&self) {
        eventually("three schemas are offered", async || {
            let [api_version, kind, plural] = IN_PROVIDER[1];
            let exports = api(self.site.workspace(PROVIDER), None, api_version, kind, plural);
            let resources = exports.get(EXPORT).await.unwrap().data["spec"]["resources"].as_array().map_or(0, Vec::len);
            (resources == 3).then_some(())
        })
        .await;
        for workspace in WORKSPACES {
            self.bind(workspace).await;
        }
        for workspace in WORKSPACES {
            create_config_map(&self.config_maps(workspace), "settings", "first", json!({})).await;
            for name in ["kept", "doomed-ours", "doomed-go"] {
                self.order(workspace, json!({
                    "metadata": {"name": name, "labels": {"team": workspace}},
                    "spec": {"size": 1, "region": "eu", "tier": "tenant's", "settings": "settings", "list": [{"a": 1.5}, {"b": "<&>"}]},
                }))
                .await;
                let copy = self.copy(workspace, name, |_| true).await;
                let credentials = secrets(self.site.service(), &copy.namespace().unwrap());
                let secret = format!("{}-credentials", copy.name_any());
                super::object::create_secret(&credentials, &secret, "first", json!({})).await;
                let status = json!({"phase": "Inside", "nested": {"n": 1}});
                super::object::patch_status(&self.copies_beside(&copy), &copy.name_any(), status).await;
                seen(&self.orders(workspace), name, |order| order.data["status"]["phase"] == "Outside").await;
                // An edit by the operator, then one by the tenant, so that both are in the state.
                let edit = json!({"spec": {"operator": "was here", "tier": "operator's"}});
                patch(&self.copies_beside(&copy), &copy.name_any(), edit).await;
                patch(&self.orders(workspace), name, json!({"spec": {"size": 2}})).await;
                self.copy(workspace, name, |copy| copy.data["spec"]["size"] == 2).await;
                seen(&self.secrets(workspace), &format!("{name}-credentials"), |s| value(s) == "first").await;
                let handed_down = config_maps(self.site.service(), &copy.namespace().unwrap());
                seen(&handed_down, "settings", |settings| value(settings) == "first").await;
            }
            let zone = json!({
                "apiVersion": "takeover.example.com/v1", "kind": "Zone", "metadata": {"name": "zone"}, "spec": {"a": 1},
            });
            create(&self.zones(workspace), zone).await;
            let gadget = json!({
                "apiVersion": "outer.takeover.com/v2", "kind": "Gadget", "metadata": {"name": "gadget"}, "spec": {"a": 1},
            });
            create(&self.gadgets(workspace), gadget).await;
        }
        for (kind, copies) in [("zone", self.zone_copies()), ("gadget", self.gadget_copies())] {
            eventually(&format!("there are copies of each {kind}"), async || {
                let copies = copies.list(&Default::default()).await.unwrap().items.len();
                (copies == WORKSPACES.len()).then_some(())
            })
            .await;
        }
    }

    async fn bind(&self, workspace: &str) {
        self.site.bind(workspace, EXPORT, &CLAIMS).await;
        for [api_version, kind, plural] in &IN_WORKSPACE[3..] {
            let api = api(self.site.workspace(&path(workspace)), None, api_version, kind, plural);
            eventually(&format!("{plural} are served in {workspace}"), async || {
                api.list(&Default::default()).await.is_ok().then_some(())
            })
            .await;
        }
    }

    pub(crate) async fn order(&self, workspace: &str, mut object: Value) {
        object["apiVersion"] = "takeover.example.com/v1".into();
        object["kind"] = "Widget".into();
        create(&self.orders(workspace), object).await;
    }

    pub(crate) fn orders(&self, workspace: &str) -> Api<DynamicObject> {
        let client = self.site.workspace(&path(workspace));
        api(client, Some("default"), "takeover.example.com/v1", "Widget", "widgets")
    }

    pub(crate) fn zones(&self, workspace: &str) -> Api<DynamicObject> {
        api(self.site.workspace(&path(workspace)), None, "takeover.example.com/v1", "Zone", "zones")
    }

    pub(crate) fn gadgets(&self, workspace: &str) -> Api<DynamicObject> {
        api(self.site.workspace(&path(workspace)), Some("default"), "outer.takeover.com/v2", "Gadget", "gadgets")
    }

    pub(crate) fn secrets(&self, workspace: &str) -> Api<DynamicObject> {
        secrets(self.site.workspace(&path(workspace)), "default")
    }

    pub(crate) fn config_maps(&self, workspace: &str) -> Api<DynamicObject> {
        config_maps(self.site.workspace(&path(workspace)), "default")
    }

    pub(crate) fn zone_copies(&self) -> Api<DynamicObject> {
        api(self.site.service(), None, "takeover.example.com/v1", "Zone", "zones")
    }

    fn gadget_copies(&self) -> Api<DynamicObject> {
        api(self.site.service(), None, "inner.takeover.com/v1", "Widget", "widgets")
    }

    pub(crate) fn copies_beside(&self, copy: &DynamicObject) -> Api<DynamicObject> {
        let namespace = copy.namespace();
        api(self.site.service(), namespace.as_deref(), "takeover.example.com/v1", "Widget", "widgets")
    }

    /// Waits for the copy of an order to be as expected.
    pub(crate) async fn copy(
        &self,
        workspace: &str,
        name: &str,
        is_expected: impl Fn(&DynamicObject) -> bool,
    ) -> DynamicObject {
        let cluster = self.cluster(workspace).await;
        let copies = api(self.site.service(), None, "takeover.example.com/v1", "Widget", "widgets");
        eventually(&format!("the copy of {name} in {workspace} is as expected"), async || {
            let copies = copies.list(&Default::default()).await.unwrap();
            copies.items.into_iter().find(|copy| {
                copy.labels().get(wire::CLUSTER_LABEL) == Some(&cluster)
                    && copy.annotations().get(wire::NAME_ANNOTATION).map(String::as_str) == Some(name)
                    && is_expected(copy)
            })
        })
        .await
    }

    pub(crate) async fn cluster(&self, workspace: &str) -> String {
        let default = namespaces(self.site.workspace(&path(workspace))).get("default").await.unwrap();
        default.annotations()["kcp.io/cluster"].clone()
    }

    /// The installation of a snapshot, on a site of its own; what the server gives is new.
    pub(crate) async fn restore(site: &'a Site, snapshot: &Snapshot) -> Self {
        let installation = Self::bare(site).await;
        let mut text = snapshot.to_json();
        let mut clusters = BTreeMap::new();
        for workspace in ["provider"].into_iter().chain(WORKSPACES) {
            let now = installation.cluster(workspace).await;
            clusters.insert(snapshot.clusters[workspace].clone(), now);
        }
        for (then, now) in &clusters {
            text = text.replace(then, now);
        }
        let snapshot = Snapshot::from_json(&text);
        installation.recreate("provider", &IN_PROVIDER, &snapshot.in_place("provider")).await;
        for workspace in WORKSPACES {
            installation.bind(workspace).await;
            installation.recreate(workspace, &IN_WORKSPACE, &snapshot.in_place(workspace)).await;
        }
        let mut on_service = snapshot.in_place("service");
        for object in on_service.iter_mut().filter(|object| object["metadata"]["labels"][wire::STATE_LABEL] == "true") {
            rekey(object, &clusters);
        }
        installation.recreate("service", &ON_SERVICE_CLUSTER, &on_service).await;
        installation
    }

    async fn recreate(&self, place: &str, kinds: &[[&str; 3]], objects: &[Value]) {
        let client = self.client(place);
        for [api_version, kind, plural] in kinds {
            let of_kind = objects.iter().filter(|o| o["apiVersion"] == *api_version && o["kind"] == *kind);
            for object in of_kind {
                let name = object["metadata"]["name"].as_str().unwrap();
                let api = api(client.clone(), object["metadata"]["namespace"].as_str(), api_version, kind, plural);
                let mut stripped = object.clone();
                let metadata = stripped["metadata"].as_object_mut().unwrap();
                for given in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
                    metadata.remove(given);
                }
                if api.get_opt(name).await.unwrap().is_some() {
                    let mark = json!({"metadata": {
                        "labels": stripped["metadata"]["labels"], "annotations": stripped["metadata"]["annotations"],
                    }});
                    patch(&api, name, mark).await;
                    continue;
                }
                create(&api, stripped.clone()).await;
                if object["status"].is_object() && *kind != "APIExport" {
                    let status = Patch::Merge(json!({"status": stripped["status"]}));
                    api.patch_status(name, &PatchParams::default(), &status).await.unwrap();
                }
            }
        }
    }

    pub(crate) fn client(&self, place: &str) -> kube::Client {
        if place == "service" { self.site.service() } else { self.site.workspace(&path(place)) }
    }
}

fn path(workspace: &str) -> String {
    format!("root:{workspace}")
}

/// The kinds on the service cluster.
fn kinds() -> [Value; 3] {
    let mut zones = definition("takeover.example.com");
    zones["metadata"]["name"] = "zones.takeover.example.com".into();
    zones["spec"]["scope"] = "Cluster".into();
    zones["spec"]["names"] = json!({"kind": "Zone", "plural": "zones", "singular": "zone", "listKind": "ZoneList"});
    let mut widgets = definition("takeover.example.com");
    widgets["spec"]["versions"] = json!([version("v1alpha1", false), version("v1", true)]);
    [widgets, zones, definition("inner.takeover.com")]
}

/// What is published: a kind with all that can be asked for, one that is cluster-scoped, and one
/// by other names.
fn published_resources() -> [(&'static str, Value); 3] {
    [
        (
            "widgets",
            json!({
                "resource": {"apiGroup": "takeover.example.com", "kind": "Widget", "versions": ["v1"]},
                "naming": {"name": "{{ .Object.metadata.namespace }}-{{ .Object.metadata.name }}-{{ .Object.metadata.name | sha3short }}"},
                "mutation": {
                    "spec": [{"regex": {"path": "spec.region", "pattern": "^(..)$", "replacement": "region-$1"}}],
                    "status": [{"regex": {"path": "status.phase", "pattern": "^In", "replacement": "Out"}}],
                },
                "related": [
                    {
                        "identifier": "credentials", "origin": "service", "kind": "Secret", "cleanup": true,
                        "object": {"template": {"template": "{{ .Object.metadata.name }}-credentials"}},
                    },
                    {
                        "identifier": "settings", "origin": "kcp", "kind": "ConfigMap",
                        "object": {"reference": {"path": "spec.settings"}},
                    },
                ],
            }),
        ),
        (
            "zones",
            json!({
                "resource": {"apiGroup": "takeover.example.com", "kind": "Zone"},
                "enableWorkspacePaths": true,
                "naming": {"name": "{{ .ClusterName }}-{{ .Object.metadata.name }}"},
            }),
        ),
        (
            "gadgets",
            json!({
                "resource": {"apiGroup": "inner.takeover.com", "kind": "Widget"},
                "projection": {"group": "outer.takeover.com", "kind": "Gadget", "versions": {"v1": "v2"}},
            }),
        ),
    ]
}
