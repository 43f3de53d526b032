//! The victim with all it has, and the attacker with all rights at home.

use std::{
    collections::{BTreeSet, HashMap},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::Request;
use kdp_core::{ControlPlaneExt, Endpoint, Identity, Platform, RunningPlatform};
use kdp_tenancy::Embedded;
use kube::Client;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_rustls::TlsConnector;

use super::{
    attempt::{Attempt, Message, Who},
    wire::{self, Answer},
};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const WORKSPACE_TYPES: &str = "/apis/tenancy.kcp.io/v1alpha1/workspacetypes";
const WORKSPACES: &str = "/apis/tenancy.kcp.io/v1alpha1/workspaces";
/// What the victim's Secrets hold, and how that looks in an object.
const VALUES: [&str; 2] = ["dont-tell-77", "ZG9udC10ZWxsLTc3"];
/// Names of objects that only the victim has.
const NAMES: [&str; 4] = ["hoard-77", "ledger-77", "gem-77", "keeper-77"];
/// Stands for the logical cluster of a workspace that does not exist; as long as a real name.
const NOWHERE: &str = "nobodycluster000";

/// Whom an attempt is made against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Victim,
    /// A workspace that does not exist, whose name is as long.
    Nobody,
}

/// See the module.
pub(super) struct Tenants {
    control_plane: Embedded,
    address: SocketAddr,
    tokens: HashMap<&'static str, String>,
    secrets: BTreeSet<String>,
    lists: Vec<String>,
    clients: Mutex<HashMap<(Who, &'static str), TlsConnector>>,
    _running: RunningPlatform,
}

impl Tenants {
    pub(super) async fn new() -> Self {
        let control_plane = Embedded::in_memory().await.unwrap();
        let server = control_plane.server(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let address = server.local_addr();
        let platform = Platform::builder(Arc::new(control_plane.clone())).component(server);
        let _running = platform.start().await.unwrap();
        let mut tenants = Self {
            control_plane,
            address,
            tokens: HashMap::new(),
            secrets: BTreeSet::new(),
            lists: Vec::new(),
            clients: Mutex::default(),
            _running,
        };
        tenants.furnish_victim().await;
        tenants.furnish_attacker().await;
        tenants.replace_ghost().await;
        tenants.learn_secrets().await;
        tenants
    }

    /// Makes an attempt.
    pub(super) async fn make(&self, attempt: &Attempt, subject: Subject) -> Answer {
        let fill = |text: &str| self.filled(text, subject);
        match &attempt.message {
            Message::Request { method, target, headers, body } => {
                let (target, body) = (fill(target), fill(body));
                let headers: String = headers.iter().map(|line| format!("{}\r\n", fill(line))).collect();
                let length =
                    if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
                let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
                let text = format!("{head}{headers}{length}\r\n{body}");
                wire::exchange(&self.client(&attempt.who, "http/1.1"), self.address, text.as_bytes()).await
            }
            Message::Raw(text) => {
                let text = fill(text);
                wire::exchange(&self.client(&attempt.who, "http/1.1"), self.address, text.as_bytes()).await
            }
            Message::Http2(fields) => {
                let fields: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), fill(value))).collect();
                wire::exchange_http2(&self.client(&attempt.who, "h2"), self.address, &fields).await
            }
        }
    }

    pub(super) fn names_the_victim(&self, attempt: &Attempt) -> bool {
        let filled = |subject| attempt.texts().into_iter().map(|text| self.filled(text, subject)).collect::<String>();
        filled(Subject::Victim) != filled(Subject::Nobody)
    }

    /// The answer without its date, and without the names that differ between the subjects.
    pub(super) fn anonymous(&self, answer: &Answer) -> String {
        let lines = answer.text().split_inclusive('\n').filter(|line| !line.starts_with("date: "));
        let text: String = lines.collect();
        let text = text.replace(&self.tokens["<v>"], "CLUSTER").replace(NOWHERE, "CLUSTER");
        text.replace("victim", "NAME").replace("nobody", "NAME")
    }

    /// What must not be in the answer to an attempt: all that is the victim's, unless the attempt
    /// itself says it.
    pub(super) fn secrets_beyond(&self, attempt: &Attempt) -> Vec<String> {
        let said: Vec<String> = attempt.texts().into_iter().map(|text| self.filled(text, Subject::Victim)).collect();
        self.secrets.iter().filter(|secret| !said.iter().any(|text| text.contains(&***secret))).cloned().collect()
    }

    /// Every object of the victim, of the consumer of its export, and of the top of the tree.
    pub(super) async fn dump(&self) -> Vec<String> {
        let mut dump = Vec::new();
        for workspace in ["root", "root:victim", "root:victim:inner", "root:neighbour", "root:ghost"] {
            let client = self.system(workspace);
            for path in &self.lists {
                let list = client.request_text(Request::get(path).body(Vec::new()).unwrap()).await;
                let list: Value = list.map_or(Value::Null, |list| serde_json::from_str(&list).unwrap());
                dump.push(format!("{workspace}{path} {}", list["items"]));
            }
        }
        dump
    }

    /// The text with what stands for it: `<victim>`, its logical cluster `<v>`, the attacker's `<a>`,
    /// the one `<ghost>` that the attacker once had; the UID `<uid>` and revision `<rv>` of a Secret
    /// of the victim, tokens `<token>` and `<wild-token>` of its list there and of one of all
    /// workspaces, and the identity hash `<identity>` of its export.
    fn filled(&self, text: &str, subject: Subject) -> String {
        let mut text = text.replace("<victim>", "root:victim");
        if subject == Subject::Nobody {
            text = text.replace("<v>", NOWHERE).replace("victim", "nobody");
        }
        for (token, value) in &self.tokens {
            text = text.replace(token, value);
        }
        text
    }

    fn client(&self, who: &Who, protocol: &'static str) -> TlsConnector {
        let make = || {
            let (identity, is_certified) = match who {
                Who::Certified { user, groups } => {
                    let identity = Identity { username: user.clone(), groups: groups.clone(), ..Identity::default() };
                    (identity, true)
                }
                Who::Nobody => (Identity { username: "unused".into(), ..Identity::default() }, false),
            };
            let endpoint = Endpoint::Workspace("root:attacker".parse().unwrap());
            let kubeconfig = self.control_plane.kubeconfig(&endpoint, &identity).unwrap();
            wire::client(&kubeconfig, is_certified, protocol)
        };
        self.clients.lock().entry((who.clone(), protocol)).or_insert_with(make).clone()
    }

    fn system(&self, workspace: &str) -> Client {
        self.control_plane.system_client(&workspace.parse().unwrap()).unwrap()
    }

    async fn post(&self, workspace: &str, path: &str, object: Value) -> Value {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(object.to_string().into_bytes()).unwrap();
        self.system(workspace).request(request).await.unwrap()
    }

    async fn get(&self, client: &Client, path: &str) -> Value {
        client.request(Request::get(path).body(Vec::new()).unwrap()).await.unwrap()
    }

    /// Makes a workspace whose administrator is `admin`; the name of its logical cluster.
    async fn add_workspace(&self, parent: &str, name: &str, admin: &str) -> String {
        let workspace =
            json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}});
        let made = self.post(parent, WORKSPACES, workspace).await;
        let path = format!("{parent}:{name}");
        self.post(&path, &format!("{RBAC}/clusterrolebindings"), grant("admin", "cluster-admin", &[admin])).await;
        made["spec"]["cluster"].as_str().unwrap().to_owned()
    }

    async fn add_secret(&self, workspace: &str, name: &str, value: &str) -> Value {
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"k": value}});
        self.post(workspace, SECRETS, secret).await
    }

    async fn add_export(&self, workspace: &str, name: &str, group: &str) -> Value {
        let schema = json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
            "metadata": {"name": format!("v1.goods.{group}")}, "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": "goods", "kind": "Good", "singular": "good", "listKind": "GoodList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"type": "object"}}]}});
        self.post(workspace, "/apis/apis.kcp.io/v1alpha1/apiresourceschemas", schema).await;
        let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": name}, "spec": {
            "resources": [{"name": "goods", "group": group, "schema": format!("v1.goods.{group}"), "storage": {"crd": {}}}],
            "permissionClaims": [{"group": "", "resource": "secrets", "verbs": ["*"]}]}});
        self.post(workspace, "/apis/apis.kcp.io/v1alpha2/apiexports", export).await
    }

    async fn bind(&self, workspace: &str, path: &str, name: &str) {
        let binding = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": name},
            "spec": {"reference": {"export": {"path": path, "name": name}}, "permissionClaims": [
                {"group": "", "resource": "secrets", "verbs": ["*"], "selector": {"matchAll": true}, "state": "Accepted"}]}});
        self.post(workspace, "/apis/apis.kcp.io/v1alpha2/apibindings", binding).await;
    }

    async fn furnish_victim(&mut self) {
        let cluster = self.add_workspace("root", "victim", "victim").await;
        self.tokens.insert("<v>", cluster);
        let victim = "root:victim";
        let secret = self.add_secret(victim, "hoard-77", VALUES[0]).await;
        self.tokens.insert("<uid>", secret["metadata"]["uid"].as_str().unwrap().into());
        self.tokens.insert("<rv>", secret["metadata"]["resourceVersion"].as_str().unwrap().into());
        self.add_secret(victim, "another", VALUES[0]).await;
        let data = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ledger-77"}, "data": {"k": VALUES[0]}});
        self.post(victim, "/api/v1/namespaces/default/configmaps", data).await;
        let account = |name: &str| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
        self.post(victim, "/api/v1/namespaces/default/serviceaccounts", account("keeper-77")).await;
        self.post(victim, "/api/v1/namespaces/default/serviceaccounts", account("robot")).await;
        let mut robot = grant("robot", "cluster-admin", &[]);
        robot["subjects"] = json!([{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}]);
        self.post(victim, &format!("{RBAC}/clusterrolebindings"), robot).await;
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "treasures.victim.example.com"}, "spec": {"group": "victim.example.com", "scope": "Cluster",
            "names": {"plural": "treasures", "kind": "Treasure"}, "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
        self.post(victim, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).await;
        let gem = json!({"apiVersion": "victim.example.com/v1", "kind": "Treasure", "metadata": {"name": "gem-77"}});
        self.post(victim, "/apis/victim.example.com/v1/treasures", gem).await;
        let export = self.add_export(victim, "wares", "wares.example.com").await;
        self.tokens.insert("<identity>", export["status"]["identityHash"].as_str().unwrap().into());
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota-77"}, "spec": {"hard": {"secrets": "1000"}}});
        self.post(victim, "/api/v1/namespaces/default/resourcequotas", quota).await;
        self.post(victim, WORKSPACE_TYPES, workspace_type("type-77")).await;
        let issuer = json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "WorkspaceAuthenticationConfiguration",
            "metadata": {"name": "issuer-77"}, "spec": {"jwt": [{"issuer": {"url": "https://issuer-77.example.com", "audiences": ["a"]},
                "claimMappings": {"username": {"claim": "sub", "prefix": "oidc:"}}}]}});
        self.post(victim, "/apis/tenancy.kcp.io/v1alpha1/workspaceauthenticationconfigurations", issuer).await;
        let limits = json!({"apiVersion": "tenancy.kdp.k8c.io/v1alpha1", "kind": "WorkspaceLimits", "metadata": {"name": "inner"},
            "spec": {"objects": 1000}});
        self.post(victim, "/apis/tenancy.kdp.k8c.io/v1alpha1/workspacelimits", limits).await;
        self.add_workspace(victim, "inner", "victim").await;
        self.add_secret("root:victim:inner", "hoard-77", VALUES[0]).await;
        self.add_workspace("root", "neighbour", "victim").await;
        self.add_secret("root:neighbour", "hoard-77", VALUES[0]).await;
        self.bind("root:neighbour", victim, "wares").await;
        for (token, client) in
            [("<token>", self.system(victim)), ("<wild-token>", self.control_plane.wildcard_client().unwrap())]
        {
            let list = self.get(&client, "/api/v1/secrets?limit=1").await;
            self.tokens.insert(token, list["metadata"]["continue"].as_str().unwrap().into());
        }
    }

    async fn furnish_attacker(&mut self) {
        let cluster = self.add_workspace("root", "attacker", "attacker").await;
        self.tokens.insert("<a>", cluster);
        let home = "root:attacker";
        self.add_secret(home, "mine", "mine").await;
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
        self.post(home, "/api/v1/namespaces/default/serviceaccounts", account).await;
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let issued = self.post(home, "/api/v1/namespaces/default/serviceaccounts/robot/token", request).await;
        self.tokens.insert("<bearer>", issued["status"]["token"].as_str().unwrap().into());
        self.post(home, WORKSPACE_TYPES, workspace_type("snare")).await;
        // Whom the attacker makes up at home has every right there.
        let everybody = ["victim", "nobody", "admin", "attacker"];
        self.post(home, &format!("{RBAC}/clusterrolebindings"), grant("made-up", "cluster-admin", &everybody)).await;
        self.add_export(home, "trap", "trap.example.com").await;
        self.add_export(home, "wares", "wares.example.com").await;
        self.bind(home, home, "trap").await;
        self.add_workspace(home, "kid", "attacker").await;
    }

    /// A workspace of the attacker is deleted, and its name is given to the victim.
    async fn replace_ghost(&mut self) {
        let old = self.add_workspace("root", "ghost", "attacker").await;
        self.tokens.insert("<ghost>", old);
        self.add_secret("root:ghost", "old", "old").await;
        let (root, ghost) = (self.system("root"), format!("{WORKSPACES}/ghost"));
        let deletion = Request::delete(&ghost).header("content-type", "application/json").body(Vec::new()).unwrap();
        root.request_text(deletion).await.unwrap();
        let is_there = async || root.request_text(Request::get(&ghost).body(Vec::new()).unwrap()).await.is_ok();
        let gone = async {
            while is_there().await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the workspace is never gone");
        self.add_workspace("root", "ghost", "victim").await;
        self.add_secret("root:ghost", "hoard-77", VALUES[0]).await;
    }

    /// Collects what nobody may learn.
    async fn learn_secrets(&mut self) {
        let victim = self.system("root:victim");
        let groups = self.get(&victim, "/apis").await;
        let versions = groups["groups"].as_array().unwrap().iter().flat_map(|g| g["versions"].as_array().unwrap());
        let roots =
            versions.map(|v| format!("/apis/{}", v["groupVersion"].as_str().unwrap())).chain(["/api/v1".into()]);
        for root in roots {
            for resource in self.get(&victim, &root).await["resources"].as_array().unwrap() {
                let name = resource["name"].as_str().unwrap();
                if resource["verbs"].as_array().unwrap().contains(&json!("list")) {
                    self.lists.push(format!("{root}/{name}"));
                }
            }
        }
        self.secrets.extend(VALUES.iter().chain(&NAMES).map(|&text| text.to_owned()));
        for line in self.dump().await {
            let (place, items) = line.split_once(' ').unwrap();
            // Of the root, everybody may know that it is there.
            let is_root = place.starts_with("root/");
            learn(&serde_json::from_str(items).unwrap(), is_root, &mut self.secrets);
        }
        for own in ["<a>", "<ghost>"] {
            self.secrets.remove(&self.tokens[own]);
        }
    }
}

/// The UIDs and the names of logical clusters in a value.
fn learn(value: &Value, is_root: bool, secrets: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| match value {
            Value::String(text) if key == "uid" || !is_root && key == "kcp.io/cluster" => {
                _ = secrets.insert(text.clone())
            }
            value => learn(value, is_root, secrets),
        }),
        Value::Array(items) => items.iter().for_each(|item| learn(item, is_root, secrets)),
        _ => {}
    }
}

/// A type that a controller has to initialize and to terminate.
fn workspace_type(name: &str) -> Value {
    json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "WorkspaceType", "metadata": {"name": name},
        "spec": {"initializer": true, "terminator": true}})
}

fn grant(name: &str, role: &str, users: &[&str]) -> Value {
    let group = "rbac.authorization.k8s.io";
    let subjects: Vec<Value> =
        users.iter().map(|user| json!({"apiGroup": group, "kind": "User", "name": user})).collect();
    json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role}, "subjects": subjects})
}
