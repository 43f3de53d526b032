//! A control plane with a kind `Thing` in one workspace, and a runner of it.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Event, Secret};
use kdp_core::{
    Component, ComponentContext, ControlPlaneExt, Error, Identity, SharedControlPlane, WorkspacePath,
    api::install_crd,
    condition::{Condition, find_condition},
    runner::{Deadlines, Home, Reach, Runner, RunnerOptions},
    workspace::ensure_workspace,
};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::shelf::Shelf;

/// Long enough for a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(60);
pub(crate) const HOME: &str = "root:home";
pub(crate) const PLACE: &str = "root:a";

pub(crate) struct Site {
    pub(crate) control_plane: Embedded,
    pub(crate) shelf: Shelf,
}

/// A runner at work.
pub(crate) struct Running {
    pub(crate) task: JoinHandle<Result<(), Error>>,
    pub(crate) stop: CancellationToken,
}

impl Running {
    /// Ends it as a dying process does.
    pub(crate) async fn kill(self) {
        self.task.abort();
        drop(self.task.await);
    }

    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.stop.cancel();
        within(self.task).await.unwrap()
    }
}

impl Site {
    pub(crate) async fn new() -> Self {
        let site = Self { control_plane: Embedded::in_memory().await.unwrap(), shelf: Shelf::default() };
        for path in [HOME, PLACE] {
            site.add_workspace(path).await;
        }
        let definition = serde_json::from_value(definition()).unwrap();
        install_crd(&site.system(PLACE), &definition, "test").await.unwrap();
        site
    }

    pub(crate) async fn add_workspace(&self, path: &str) {
        let path: WorkspacePath = path.parse().unwrap();
        ensure_workspace(&self.control_plane, &path, &Identity::system_masters()).await.unwrap();
    }

    pub(crate) fn system(&self, path: &str) -> Client {
        self.control_plane.system_client(&path.parse().unwrap()).unwrap()
    }

    pub(crate) fn shared(&self) -> SharedControlPlane {
        Arc::new(self.control_plane.clone())
    }

    /// A runner that reaches everything through `control_plane`.
    pub(crate) fn runner_through(&self, control_plane: &SharedControlPlane, options: RunnerOptions) -> Runner {
        let path = |path: &str| path.parse::<WorkspacePath>().unwrap();
        let home = Home::new(control_plane.system_client(&path(HOME)).unwrap(), "default");
        let reach = Reach::endpoint(path(PLACE).into(), Identity::system_masters());
        Runner::new("things", self.shelf.clone(), kind(), reach, home).with_options(options)
    }

    pub(crate) fn run(&self, options: RunnerOptions) -> Running {
        let control_plane = self.shared();
        start(self.runner_through(&control_plane, options), control_plane)
    }

    pub(crate) fn things(&self) -> Api<DynamicObject> {
        things(self.system(PLACE))
    }

    /// Places an order, and returns its UID.
    pub(crate) async fn order(&self, name: &str, spec: Value) -> String {
        self.order_with(name, spec, json!({})).await
    }

    pub(crate) async fn order_with(&self, name: &str, spec: Value, annotations: Value) -> String {
        let thing = thing(name, &spec, &annotations);
        self.things().create(&PostParams::default(), &thing).await.unwrap().uid().unwrap()
    }

    pub(crate) async fn change(&self, name: &str, spec: Value) {
        self.patch(name, json!({"spec": spec})).await;
    }

    pub(crate) async fn annotate(&self, name: &str, annotation: &str, value: &str) {
        self.patch(name, json!({"metadata": {"annotations": {annotation: value}}})).await;
    }

    async fn patch(&self, name: &str, patch: Value) {
        self.things().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.things().delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub(crate) async fn is_gone(&self, name: &str) {
        eventually(name, async || self.things().get_opt(name).await.unwrap().is_none().then_some(())).await;
    }

    /// The status, once its current generation is in this phase.
    pub(crate) async fn phase(&self, name: &str, phase: &str) -> Value {
        eventually(&format!("{name} is {phase}"), async || {
            let thing = self.things().get(name).await.unwrap();
            let status = thing.data["status"].clone();
            let is_current = status["observedGeneration"] == json!(thing.metadata.generation);
            (is_current && status["phase"] == phase).then_some(status)
        })
        .await
    }

    pub(crate) async fn secret(&self, name: &str) -> Option<Secret> {
        Api::<Secret>::namespaced(self.system(PLACE), "default").get_opt(name).await.unwrap()
    }

    /// The records of the runner.
    pub(crate) async fn records(&self) -> Vec<Secret> {
        let list = ListParams::default().labels("orders.kdp.k8c.io/runner=things");
        Api::<Secret>::namespaced(self.system(HOME), "default").list(&list).await.unwrap().items
    }

    pub(crate) async fn events(&self, name: &str) -> Vec<String> {
        let events = Api::<Event>::namespaced(self.system(PLACE), "default");
        let events = events.list(&ListParams::default()).await.unwrap().items;
        let about = events.into_iter().filter(|event| event.involved_object.name.as_deref() == Some(name));
        about.map(|event| format!("{}: {}", event.reason.unwrap(), event.message.unwrap())).collect()
    }
}

pub(crate) fn start(runner: Runner, control_plane: SharedControlPlane) -> Running {
    let stop = CancellationToken::new();
    let (context, _) = ComponentContext::new(control_plane, stop.clone());
    Running { task: tokio::spawn(async move { Box::new(runner).run(context).await }), stop }
}

/// Options with which little is waited for.
pub(crate) fn options() -> RunnerOptions {
    let deadlines = Deadlines::default().with_grace(Duration::from_millis(100));
    RunnerOptions::default().with_deadlines(deadlines).with_drain(Duration::from_millis(500))
}

pub(crate) fn kind() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("things.example.com", "v1", "Thing"))
}

pub(crate) fn things(client: Client) -> Api<DynamicObject> {
    Api::namespaced_with(client, "default", &kind())
}

pub(crate) fn thing(name: &str, spec: &Value, annotations: &Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "things.example.com/v1", "kind": "Thing",
        "metadata": {"name": name, "annotations": annotations}, "spec": spec,
    }))
    .unwrap()
}

pub(crate) fn schema() -> Value {
    json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "colour": {"type": "string"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }})
}

fn definition() -> Value {
    json!({
        "metadata": {"name": "things.things.example.com"},
        "spec": {
            "group": "things.example.com", "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema()},
            }],
        },
    })
}

pub(crate) fn condition(status: &Value, type_: &str) -> Condition {
    let conditions: Vec<Condition> = serde_json::from_value(status["conditions"].clone()).unwrap();
    find_condition(&conditions, type_).cloned().unwrap_or_default()
}

pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asked).await.unwrap_or_else(|_| panic!("it was waited in vain until {what}"))
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("it takes too long")
}
