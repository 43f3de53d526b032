//! Random requests, the same for the same seed.

mod crowd;
mod home;
mod objects;

use std::fmt;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

/// How many others there are.
pub(super) const OTHERS: usize = 3;
/// How many requests a case has.
const STEPS: usize = 500;

/// Who makes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Actor {
    /// Who is watched for what it sees.
    Tenant,
    /// Somebody whom the tenant lets in, or not.
    Guest,
    /// Who has the export that the tenant binds.
    Provider,
    /// Of whom the tenant must not notice anything.
    Other(usize),
}

/// One request of somebody.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) actor: Actor,
    pub(super) ask: Ask,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Send(Request),
    /// Send it, and go on reading the answer.
    Watch(Request),
    /// Close all watches.
    Unwatch,
}

/// A request in which `<…>` stands for what is known only when it is sent.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) at: At,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub(super) enum At {
    Workspace(String),
    Everywhere,
    Export { cluster: String, export: String, consumer: Option<String> },
}

impl Request {
    pub(super) fn new(method: &'static str, workspace: &str, path: impl Into<String>) -> Self {
        let at = At::Workspace(workspace.into());
        Self { method, at, path: path.into(), headers: Vec::new(), body: String::new() }
    }

    pub(super) fn at(self, at: At) -> Self {
        Self { at, ..self }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(self, content_type: &str, body: impl fmt::Display) -> Self {
        Self { body: body.to_string(), ..self }.header("content-type", content_type)
    }

    pub(super) fn json(self, body: &Value) -> Self {
        self.body("application/json", body)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, at, path, headers, body } = self;
        write!(f, "{method} {at:?} {path} {headers:?} {:.300}", body)
    }
}

/// What the provider has from the beginning: an export that everybody may bind.
pub(super) fn provider_objects() -> Vec<(&'static str, Value)> {
    let (apis, rbac) = ("apis.kcp.io", "rbac.authorization.k8s.io");
    vec![
        ("/apis/apis.kcp.io/v1alpha1/apiresourceschemas", schema("v1", "orders", "p.example.com")),
        ("/apis/apis.kcp.io/v1alpha1/apiresourceschemas", schema("v2", "orders", "p.example.com")),
        ("/apis/apis.kcp.io/v1alpha2/apiexports", export("orders", "v1", "orders", "p.example.com")),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": "bind"},
                "rules": [{"apiGroups": [apis], "resources": ["apiexports"], "verbs": ["bind"]}]}),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "bind"},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "bind"},
                "subjects": [{"apiGroup": rbac, "kind": "Group", "name": "system:authenticated"}]}),
        ),
    ]
}

fn schema(prefix: &str, plural: &str, group: &str) -> Value {
    let kind = match plural {
        "orders" => "Order",
        _ => "Widget",
    };
    json!({
        "apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
        "metadata": {"name": format!("{prefix}.{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": {
                "type": "object", "description": prefix, "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "note": {"type": "string"}}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                },
            }}],
        },
    })
}

fn export(name: &str, prefix: &str, plural: &str, group: &str) -> Value {
    json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": name}, "spec": {
        "resources": [{"name": plural, "group": group, "schema": format!("{prefix}.{plural}.{group}"), "storage": {"crd": {}}}],
        "permissionClaims": [{"group": "", "resource": "configmaps", "verbs": ["*"]}],
    }})
}

/// The requests of a seed.
pub(super) fn steps(seed: u64) -> Vec<Step> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut steps = Vec::with_capacity(STEPS);
    let homes = (0..OTHERS).map(|i| (Actor::Other(i), format!("other{i}"))).chain([(Actor::Tenant, "tenant".into())]);
    for (actor, who) in homes {
        steps.extend(home::beginning(&mut rng, &who).into_iter().map(|ask| Step { actor, ask }));
    }
    while steps.len() < STEPS {
        let (actor, asks) = match rng.random_range(0..100) {
            0..40 => (Actor::Tenant, home::asks(&mut rng, "tenant", steps.len())),
            40..43 => (Actor::Tenant, crowd::looking_around(&mut rng)),
            43..47 => (Actor::Guest, home::guest(&mut rng)),
            47..53 => (Actor::Provider, crowd::provider(&mut rng)),
            53..80 => {
                let i = rng.random_range(0..OTHERS);
                (Actor::Other(i), home::asks(&mut rng, &format!("other{i}"), steps.len()))
            }
            _ => {
                let i = rng.random_range(0..OTHERS);
                (Actor::Other(i), crowd::intruding(&mut rng, i))
            }
        };
        steps.extend(asks.into_iter().map(|ask| Step { actor, ask }));
    }
    steps
}

/// One of some.
fn pick<T: Clone>(rng: &mut StdRng, some: &[T]) -> T {
    some[rng.random_range(0..some.len())].clone()
}

fn send<const N: usize>(requests: [Request; N]) -> Vec<Ask> {
    requests.into_iter().map(Ask::Send).collect()
}
