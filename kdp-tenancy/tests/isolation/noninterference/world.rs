//! A control plane with a tenant, a provider and maybe others, and what the tenant sees in it.

use std::{
    collections::HashMap,
    slice,
    sync::{Arc, LazyLock},
};

use futures::FutureExt;
use http_body_util::BodyExt;
use kdp_core::{ControlPlane, ControlPlaneExt, Endpoint, Identity, LogicalClusterName};
use kdp_tenancy::{
    Embedded, EmbeddedOptions,
    embedded::pki::Pki,
    store::{MemoryStore, SharedStore},
};
use kube::client::Body;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::operations::{Actor, Ask, At, OTHERS, Request, Step};

/// How many watches somebody may have open at once.
const WATCHES: usize = 4;

/// Where the certificate authority of all worlds is kept, which every namespace shows.
static AUTHORITY: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    Pki::load_or_create(dir.path()).unwrap();
    dir
});

/// What the tenant saw.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) observations: Vec<Observation>,
    /// The names of the logical clusters of this world.
    pub(super) clusters: Vec<String>,
}

/// One answer to the tenant.
#[derive(Debug)]
pub(super) struct Observation {
    /// Position of the request.
    pub(super) step: usize,
    pub(super) code: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) answer: Answer,
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Answer {
    Text(String),
    Json {
        text: String,
        value: Value,
    },
    /// The new events of each open watch.
    Events(Vec<Vec<Value>>),
}

impl Answer {
    fn of(text: String) -> Self {
        match serde_json::from_str(&text) {
            Ok(value) => Self::Json { text, value },
            Err(_) => Self::Text(text),
        }
    }

    /// All JSON in it.
    pub(super) fn json(&self) -> Box<dyn Iterator<Item = &Value> + '_> {
        match self {
            Self::Text(_) => Box::new(std::iter::empty()),
            Self::Json { value, .. } => Box::new(slice::from_ref(value).iter()),
            Self::Events(watches) => Box::new(watches.iter().flatten()),
        }
    }
}

/// What somebody remembers of the answers so far, by the token that stands for it in a request.
type Memory = HashMap<&'static str, String>;

/// See the module.
pub(super) struct World {
    control_plane: Embedded,
    store: SharedStore,
    is_crowded: bool,
    /// The names of logical clusters, by the token that stands for each in a request.
    clusters: Vec<(String, String)>,
    memories: HashMap<Actor, Memory>,
    watches: HashMap<Actor, Vec<Watch>>,
    clients: HashMap<(Endpoint, Actor), kube::Client>,
}

#[derive(Debug)]
struct Watch {
    body: Body,
    /// The beginning of an event whose end has not come yet.
    rest: Vec<u8>,
}

impl World {
    /// What the tenant sees of these requests among others.
    pub(super) async fn crowded(steps: &[Step]) -> Observed {
        Self::run(true, steps).await
    }

    /// What the tenant sees of them when there are no others.
    pub(super) async fn alone(steps: &[Step]) -> Observed {
        Self::run(false, steps).await
    }

    async fn run(is_crowded: bool, steps: &[Step]) -> Observed {
        let mut world = Self::new(is_crowded).await;
        let mut observations = Vec::new();
        for (i, step) in steps.iter().enumerate() {
            if matches!(step.actor, Actor::Other(_)) && !is_crowded {
                continue;
            }
            let (code, headers, answer) = world.perform(step).await;
            world.settle().await;
            if matches!(step.actor, Actor::Tenant | Actor::Guest) {
                observations.push(Observation { step: i, code, headers, answer });
                let events = world.events(Actor::Tenant);
                observations.push(Observation { step: i, code: 0, headers: Vec::new(), answer: events });
            }
        }
        let clusters = world.clusters.iter().map(|(_, name)| name.clone()).collect();
        world.control_plane.close().await.unwrap();
        Observed { observations, clusters }
    }

    async fn new(is_crowded: bool) -> Self {
        let store: SharedStore = Arc::new(MemoryStore::new());
        let pki = Pki::load_or_create(AUTHORITY.path()).unwrap();
        let control_plane = Embedded::start(store.clone(), pki, EmbeddedOptions::new()).await.unwrap();
        let mut world = Self {
            control_plane,
            store,
            is_crowded,
            clusters: Vec::new(),
            memories: HashMap::new(),
            watches: HashMap::new(),
            clients: HashMap::new(),
        };
        world.add_workspace("provider").await;
        for (path, object) in super::operations::provider_objects() {
            world.system("root:provider", path, &object).await;
        }
        world.add_workspace("tenant").await;
        for i in 0..OTHERS {
            world.add_workspace(&format!("other{i}")).await;
        }
        world.settle().await;
        world
    }

    /// Makes a workspace whose administrators are the user of the same name and whoever that makes a
    /// helper by impersonation; where it is not to exist, something
    /// stands for the name of its logical cluster all the same.
    async fn add_workspace(&mut self, name: &str) {
        let token = format!("<cluster:{name}>");
        if name.starts_with("other") && !self.is_crowded {
            self.clusters.push((token, format!("nowhere00{name:0>7}")));
            return;
        }
        let workspace =
            json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}});
        let made = self.system("root", "/apis/tenancy.kcp.io/v1alpha1/workspaces", &workspace).await;
        self.clusters.push((token, made["spec"]["cluster"].as_str().unwrap().to_owned()));
        let group = "rbac.authorization.k8s.io";
        let admin = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "admin"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": name}, {"apiGroup": group, "kind": "Group", "name": "helpers"}]});
        self.system(&format!("root:{name}"), &format!("/apis/{group}/v1/clusterrolebindings"), &admin).await;
    }

    async fn system(&self, workspace: &str, path: &str, object: &Value) -> Value {
        let client = self.control_plane.system_client(&workspace.parse().unwrap()).unwrap();
        let request = http::Request::post(path).header("content-type", "application/json");
        client.request(request.body(object.to_string().into_bytes()).unwrap()).await.unwrap()
    }

    /// Waits until the control plane has done what it does by itself.
    ///
    /// All of it runs on this thread, so it has had its turn when others have had theirs.
    async fn settle(&self) {
        let (mut calm, mut revision) = (0, self.store.revision());
        while calm < 3 {
            for _ in 0..16 {
                tokio::task::yield_now().await;
            }
            let now = self.store.revision();
            calm = if now == revision { calm + 1 } else { 0 };
            revision = now;
        }
    }

    async fn perform(&mut self, step: &Step) -> (u16, Vec<(String, String)>, Answer) {
        let request = match &step.ask {
            Ask::Send(request) | Ask::Watch(request) => request,
            Ask::Unwatch => {
                self.watches.remove(&step.actor);
                return (0, Vec::new(), Answer::Text(String::new()));
            }
        };
        let response = self.send(step.actor, request).await;
        let (parts, body) = response.into_parts();
        let headers =
            parts.headers.iter().map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect::<Vec<_>>();
        if matches!(step.ask, Ask::Watch(_)) && parts.status.is_success() {
            let watches = self.watches.entry(step.actor).or_default();
            watches.push(Watch { body, rest: Vec::new() });
            if watches.len() > WATCHES {
                watches.remove(0);
            }
            return (parts.status.as_u16(), headers, Answer::Text(String::new()));
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Answer::of(String::from_utf8_lossy(&bytes).into_owned());
        self.remember(step.actor, &answer);
        (parts.status.as_u16(), headers, answer)
    }

    async fn send(&mut self, actor: Actor, request: &Request) -> http::Response<Body> {
        let (endpoint, path, body) = (self.endpoint(actor, &request.at), &request.path, &request.body);
        let mut sent = http::Request::builder().method(request.method).uri(self.filled(actor, path));
        for (name, value) in &request.headers {
            sent = sent.header(*name, self.filled(actor, value));
        }
        let sent = sent.body(Body::from(self.filled(actor, body).into_bytes())).unwrap();
        let control_plane = &self.control_plane;
        let client = self.clients.entry((endpoint.clone(), actor)).or_insert_with(|| {
            let username = match actor {
                Actor::Tenant => "tenant".into(),
                Actor::Guest => "guest".into(),
                Actor::Provider => "provider".into(),
                Actor::Other(i) => format!("other{i}"),
            };
            control_plane.client(&endpoint, &Identity { username, ..Identity::default() }).unwrap()
        });
        client.send(sent).await.unwrap()
    }

    fn endpoint(&self, actor: Actor, at: &At) -> Endpoint {
        match at {
            At::Workspace(path) => Endpoint::Workspace(self.filled(actor, path).parse().unwrap()),
            At::Everywhere => Endpoint::AllWorkspaces,
            At::Export { cluster, export, consumer } => {
                let named = |name: &str| self.filled(actor, name).parse::<LogicalClusterName>().unwrap();
                let consumer = consumer.as_deref().map(named);
                Endpoint::ApiExport { cluster: named(cluster), export: export.clone(), consumer }
            }
        }
    }

    /// The text with what its tokens stand for.
    fn filled(&self, actor: Actor, text: &str) -> String {
        let mut text = text.to_owned();
        if !text.contains('<') {
            return text;
        }
        for (token, name) in &self.clusters {
            text = text.replace(token, name);
        }
        for (prefix, actor) in [("<", actor), ("<tenant-", Actor::Tenant)] {
            for token in ["rv>", "list-rv>", "uid>", "continue>"] {
                let known = self.memories.get(&actor).and_then(|memory| memory.get(token));
                text = text.replace(&format!("{prefix}{token}"), known.map_or("", String::as_str));
            }
        }
        text
    }

    fn remember(&mut self, actor: Actor, answer: &Answer) {
        let Answer::Json { value, .. } = answer else { return };
        let metadata = &value["metadata"];
        let revision = if metadata["uid"].is_null() { "list-rv>" } else { "rv>" };
        let memory = self.memories.entry(actor).or_default();
        for (token, field) in [(revision, "resourceVersion"), ("uid>", "uid"), ("continue>", "continue")] {
            if let Some(text) = metadata[field].as_str() {
                memory.insert(token, text.to_owned());
            }
        }
    }

    /// What has come on the open watches.
    fn events(&mut self, actor: Actor) -> Answer {
        let watches = self.watches.entry(actor).or_default();
        Answer::Events(watches.iter_mut().map(Watch::new_events).collect())
    }
}

impl Watch {
    fn new_events(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            match self.body.frame().now_or_never() {
                Some(Some(frame)) => self.rest.extend(frame.unwrap().into_data().unwrap_or_default()),
                Some(None) => {
                    events.push("the end".into());
                    break;
                }
                None => break,
            }
        }
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            events.push(serde_json::from_slice(&line).unwrap());
        }
        events
    }
}
