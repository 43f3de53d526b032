//! What the cases stand on: workspaces of their own, users, and waiting.

use std::{fmt, future::Future, time::Duration};

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    ControlPlane, ControlPlaneExt, Endpoint, Identity, LogicalClusterName, WorkspacePath,
    api::tenancy::{Workspace, WorkspacePhase},
};

const DEADLINE: Duration = Duration::from_secs(120);
/// How long a workspace, which may hold many, may take to be deleted.
const DELETION_DEADLINE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

pub(super) type Outcome<T = ()> = Result<T, Failure>;

/// Why a case does not hold.
#[derive(Debug)]
pub(super) struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        Self(format!("a request failed: {error:?}"))
    }
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::workspace::ParseError> for Failure {
    fn from(error: crate::workspace::ParseError) -> Self {
        Self(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("not the expected JSON: {error}"))
    }
}

/// The control plane under test, and the workspace below which everything is made.
pub(super) struct Stand<'a> {
    pub(super) control_plane: &'a dyn ControlPlane,
    top: Place,
    made: std::sync::atomic::AtomicUsize,
}

/// A workspace that is ready.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: WorkspacePath,
    pub(super) cluster: LogicalClusterName,
}

impl<'a> Stand<'a> {
    pub(super) async fn set_up(control_plane: &'a dyn ControlPlane) -> Outcome<Self> {
        let name = format!("conformance-{:08x}", rand::random::<u32>());
        let top = make(control_plane, &WorkspacePath::root(), &name).await?;
        Ok(Self { control_plane, top, made: 0.into() })
    }

    pub(super) async fn tear_down(&mut self) -> Outcome {
        self.delete(&self.top).await
    }

    /// A new workspace.
    pub(super) async fn place(&self) -> Outcome<Place> {
        let number = self.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.place_in(&self.top, &format!("w{number}")).await
    }

    /// A new workspace in another one.
    pub(super) async fn place_in(&self, parent: &Place, name: &str) -> Outcome<Place> {
        make(self.control_plane, &parent.path, name).await
    }

    /// Deletes a workspace and waits until it is gone.
    pub(super) async fn delete(&self, place: &Place) -> Outcome {
        let api = self.siblings(place)?;
        api.delete(place.path.base(), &DeleteParams::default()).await?;
        within(DELETION_DEADLINE, "the workspace is gone", async || {
            Ok(api.get_opt(place.path.base()).await?.is_none().then_some(()))
        })
        .await
    }

    /// The workspaces of the parent of `place`.
    pub(super) fn siblings(&self, place: &Place) -> Outcome<Api<Workspace>> {
        let parent = place.path.parent().expect("places are below root");
        Ok(Api::all(self.control_plane.system_client(&parent)?))
    }

    /// A client with every right in `place`.
    pub(super) fn system(&self, place: &Place) -> Outcome<Client> {
        Ok(self.control_plane.system_client(&place.path)?)
    }

    /// A client of a user without groups, at any path.
    pub(super) fn user(&self, path: &WorkspacePath, name: &str) -> Outcome<Client> {
        let identity = Identity { username: name.into(), ..Identity::default() };
        Ok(self.control_plane.client(&Endpoint::Workspace(path.clone()), &identity)?)
    }

    /// Grants rights to a user in `place`, with the access to it that kcp asks for.
    pub(super) async fn grant(&self, place: &Place, user: &str, rules: Value) -> Outcome {
        let client = self.system(place)?;
        let name = format!("{user}-{:08x}", rand::random::<u32>());
        let access = json!({"nonResourceURLs": ["*"], "verbs": ["access", "get"]});
        let rules: Vec<Value> = rules.as_array().cloned().unwrap_or_default().into_iter().chain([access]).collect();
        let role = from(json!({"metadata": {"name": name}, "rules": rules}))?;
        Api::<ClusterRole>::all(client.clone()).create(&PostParams::default(), &role).await?;
        let binding = from(json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }))?;
        Api::<ClusterRoleBinding>::all(client).create(&PostParams::default(), &binding).await?;
        Ok(())
    }
}

async fn make(control_plane: &dyn ControlPlane, parent: &WorkspacePath, name: &str) -> Outcome<Place> {
    let api: Api<Workspace> = Api::all(control_plane.system_client(parent)?);
    api.create(&PostParams::default(), &Workspace::new(name, Default::default())).await?;
    ready(&api, parent, name).await
}

/// Waits until the workspace `name` of `parent` is ready.
pub(super) async fn ready(api: &Api<Workspace>, parent: &WorkspacePath, name: &str) -> Outcome<Place> {
    let waited = eventually("the workspace is ready", async || {
        let workspace = api.get(name).await?;
        let ready = workspace.status.as_ref().is_some_and(|status| status.phase == WorkspacePhase::Ready);
        Ok(ready.then_some(workspace))
    });
    let workspace = match waited.await {
        Ok(workspace) => workspace,
        Err(failure) => {
            let conditions = api.get(name).await?.status.unwrap_or_default().conditions;
            return Err(format!("{failure}; its conditions are {conditions:?}").into());
        }
    };
    let Some(cluster) = workspace.spec.cluster else {
        return Err("a ready workspace names no logical cluster".to_owned().into());
    };
    Ok(Place { path: parent.join(name)?, cluster: cluster.parse()? })
}

/// Asks until there is an answer, or the deadline has passed.
pub(super) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Outcome<Option<T>>) -> Outcome<T> {
    within(DEADLINE, what, ask).await
}

async fn within<T>(deadline: Duration, what: &str, ask: impl AsyncFn() -> Outcome<Option<T>>) -> Outcome<T> {
    let started = Instant::now();
    let mut pause = PAUSE;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if started.elapsed() > deadline {
            return Err(format!("it was waited in vain until {what}").into());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The next of a stream, or a failure when none comes in time.
pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Outcome<T> {
    tokio::time::timeout(DEADLINE, future).await.map_err(|_| format!("it was waited in vain for {what}").into())
}

/// The status with which a request was refused.
pub(super) fn refusal<T: fmt::Debug>(what: &str, result: kube::Result<T>) -> Outcome<kube::core::Status> {
    match result {
        Err(kube::Error::Api(status)) => Ok(*status),
        Err(error) => Err(format!("{what}: no status was answered but {error:?}").into()),
        Ok(answer) => Err(format!("{what}: it was not refused but answered {answer:?}").into()),
    }
}

/// Fails unless a request was refused with one of `codes`.
pub(super) fn refused<T: fmt::Debug>(what: &str, result: kube::Result<T>, codes: &[u16]) -> Outcome {
    let status = refusal(what, result)?;
    if codes.contains(&status.code) {
        return Ok(());
    }
    Err(format!("{what}: refused with {} {} ({}) instead of {codes:?}", status.code, status.reason, status.message)
        .into())
}

/// An object from JSON.
pub(super) fn from<T: DeserializeOwned>(value: Value) -> Outcome<T> {
    Ok(serde_json::from_value(value)?)
}

/// The objects of the suite's own kind, in the namespace `default`.
pub(super) fn widgets(client: Client, group: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client, "default", &widget_resource(group))
}

/// The same in all namespaces.
pub(super) fn all_widgets(client: Client, group: &str) -> Api<DynamicObject> {
    Api::all_with(client, &widget_resource(group))
}

fn widget_resource(group: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", "Widget"), "widgets")
}

/// One of them.
pub(super) fn widget(name: &str, group: &str) -> Outcome<DynamicObject> {
    from(json!({
        "apiVersion": format!("{group}/v1"), "kind": "Widget",
        "metadata": {"name": name, "namespace": "default"}, "spec": {"size": 1},
    }))
}

/// The schema of the kind.
pub(super) fn widget_schema() -> Value {
    json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}},
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    }})
}

/// The names of the API groups that are served.
pub(super) async fn groups(client: &Client) -> Outcome<Vec<String>> {
    Ok(client.list_api_groups().await?.groups.into_iter().map(|group| group.name).collect())
}
