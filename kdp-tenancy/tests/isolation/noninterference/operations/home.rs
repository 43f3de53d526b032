//! What somebody does in their own workspace.

use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

use super::{
    Ask, Request, export,
    objects::{KINDS, NAMES, lists, objects, watch},
    pick, schema, send,
};
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const BINDINGS: &str = "/apis/apis.kcp.io/v1alpha2/apibindings";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// What most begin with, so that later requests find something.
pub(super) fn beginning(rng: &mut StdRng, who: &str) -> Vec<Ask> {
    let at = &format!("root:{who}");
    let mut asks = Vec::new();
    let (schemas, exports) = ("/apis/apis.kcp.io/v1alpha1/apiresourceschemas", "/apis/apis.kcp.io/v1alpha2/apiexports");
    let (group, things) = ("w.example.com", "things");
    let more = [
        Request::new("POST", at, "/api/v1/namespaces").json(&namespace("n1")),
        Request::new("POST", at, CRDS).json(&definition(
            "widgets",
            "Widget",
            "Namespaced",
            &json!({"type": "integer"}),
        )),
        Request::new("POST", at, CRDS).json(&definition("gadgets", "Gadget", "Cluster", &json!({"type": "integer"}))),
        Request::new("POST", at, BINDINGS).json(&binding("root:provider", "orders", "Accepted")),
        Request::new("POST", at, schemas).json(&schema("v1", "widgets", group)),
        Request::new("POST", at, exports).json(&export(things, "v1", "widgets", group)),
    ];
    asks.extend(more.into_iter().filter(|_| rng.random_bool(0.8)).map(Ask::Send));
    for kind in KINDS {
        for name in NAMES {
            if rng.random_bool(0.4) {
                let collection = kind.collection(rng);
                asks.push(Ask::Send(Request::new("POST", at, collection).json(&kind.object(name, 0))));
            }
        }
    }
    asks
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// One thing, in one to three requests, done in the workspace of `who` as the request number `step`.
pub(super) fn asks(rng: &mut StdRng, who: &str, step: usize) -> Vec<Ask> {
    let at = &format!("root:{who}");
    match rng.random_range(0..100) {
        0..46 => objects(rng, at, step),
        46..60 => lists(rng, at),
        60..64 => vec![Ask::Watch(watch(rng, at))],
        64..65 => vec![Ask::Unwatch],
        65..73 => definitions(rng, at),
        73..80 => sharing(rng, at),
        80..84 => rights(rng, at),
        84..87 => send([impersonation(rng, at)]),
        87..90 => send([review(rng, at)]),
        90..93 => send([document(rng, at)]),
        93..97 => workspaces(rng, at),
        _ => send([nonsense(rng, at)]),
    }
}

fn definitions(rng: &mut StdRng, at: &str) -> Vec<Ask> {
    let (plural, kind, scope) = pick(rng, &[("widgets", "Widget", "Namespaced"), ("gadgets", "Gadget", "Cluster")]);
    let size =
        pick(rng, &[json!({"type": "integer"}), json!({"type": "integer", "default": 3}), json!({"type": "text"})]);
    let definition = definition(plural, kind, scope, &size);
    let one = format!("{CRDS}/{plural}.w.example.com");
    match rng.random_range(0..10) {
        0..6 => send([Request::new("POST", at, CRDS).json(&definition)]),
        6 => {
            let patch = json!({"spec": definition["spec"]});
            send([Request::new("PATCH", at, one).body("application/merge-patch+json", patch)])
        }
        7 => send([Request::new("DELETE", at, one)]),
        8 => send([Request::new("GET", at, one)]),
        _ => send([Request::new("GET", at, CRDS)]),
    }
}

fn definition(plural: &str, kind: &str, scope: &str, size: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.w.example.com")},
        "spec": {"group": "w.example.com", "scope": scope, "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": size}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]},
    })
}

fn claims(state: &str) -> Value {
    json!([{"group": "", "resource": "configmaps", "verbs": ["*"], "selector": {"matchAll": true}, "state": state}])
}

fn binding(path: &str, name: &str, state: &str) -> Value {
    json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": name},
        "spec": {"reference": {"export": {"path": path, "name": name}}, "permissionClaims": claims(state)}})
}

/// Exports, and bindings to the provider's and to one's own.
fn sharing(rng: &mut StdRng, at: &str) -> Vec<Ask> {
    let (v1, v2) = ("/apis/apis.kcp.io/v1alpha1", "/apis/apis.kcp.io/v1alpha2");
    let (path, name) = pick(rng, &[("root:provider", "orders"), ("root:provider", "orders"), (at, "things")]);
    let state = pick(rng, &["Accepted", "Rejected"]);
    let merge = "application/merge-patch+json";
    match rng.random_range(0..20) {
        0..7 => send([Request::new("POST", at, BINDINGS).json(&binding(path, name, state))]),
        7..9 => {
            let patch = json!({"spec": {"permissionClaims": claims(state)}});
            send([Request::new("PATCH", at, format!("{BINDINGS}/{name}")).body(merge, patch)])
        }
        9 => send([Request::new("DELETE", at, format!("{BINDINGS}/{name}"))]),
        10 => send([Request::new("GET", at, BINDINGS)]),
        11..13 => {
            let schema = schema(pick(rng, &["v1", "v2"]), "widgets", "w.example.com");
            send([Request::new("POST", at, format!("{v1}/apiresourceschemas")).json(&schema)])
        }
        13..15 => {
            let export = export("things", pick(rng, &["v1", "v2"]), "widgets", "w.example.com");
            send([Request::new("POST", at, format!("{v2}/apiexports")).json(&export)])
        }
        15 => send([Request::new("DELETE", at, format!("{v2}/apiexports/things"))]),
        16 => send([Request::new("DELETE", at, format!("{v1}/apiresourceschemas/v1.widgets.w.example.com"))]),
        17 => send([Request::new("GET", at, format!("{v1}/apiexportendpointslices"))]),
        18 => send([Request::new("GET", at, format!("{v2}/apiexports"))]),
        _ => send([Request::new("GET", at, "/api/v1/namespaces/kcp-system/secrets")]),
    }
}

fn rights(rng: &mut StdRng, at: &str) -> Vec<Ask> {
    let group = "rbac.authorization.k8s.io";
    let role = pick(rng, &["cluster-admin", "view", "system:kcp:workspace:access", "missing"]);
    let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "guest"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "guest"}]});
    match rng.random_range(0..4) {
        0..2 => send([Request::new("POST", at, format!("{RBAC}/clusterrolebindings")).json(&binding)]),
        2 => send([Request::new("DELETE", at, format!("{RBAC}/clusterrolebindings/guest"))]),
        _ => send([Request::new("GET", at, format!("{RBAC}/clusterrolebindings"))]),
    }
}

fn impersonation(rng: &mut StdRng, at: &str) -> Request {
    let user = pick(rng, &["guest", "other0", "tenant", "system:serviceaccount:default:a", "kdp:system"]);
    let request = Request::new("GET", at, "/api/v1/configmaps").header("impersonate-user", user);
    match pick(rng, &["", "", "system:masters", "developers"]) {
        "" => request,
        group => request.header("impersonate-group", group),
    }
}

fn review(rng: &mut StdRng, at: &str) -> Request {
    let attributes = json!({"verb": "get", "resource": "configmaps", "namespace": "default"});
    let authorization = "authorization.k8s.io/v1";
    let (path, body) = pick(
        rng,
        &[
            (
                "authorization.k8s.io/v1/selfsubjectaccessreviews",
                json!({"apiVersion": authorization, "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}),
            ),
            (
                "authorization.k8s.io/v1/subjectaccessreviews",
                json!({"apiVersion": authorization, "kind": "SubjectAccessReview", "spec": {"user": "guest", "resourceAttributes": attributes}}),
            ),
            (
                "authorization.k8s.io/v1/subjectaccessreviews",
                json!({"apiVersion": authorization, "kind": "SubjectAccessReview", "spec": {"user": "other0", "resourceAttributes": attributes}}),
            ),
            (
                "authorization.k8s.io/v1/selfsubjectrulesreviews",
                json!({"apiVersion": authorization, "kind": "SelfSubjectRulesReview", "spec": {"namespace": "default"}}),
            ),
            (
                "authentication.k8s.io/v1/selfsubjectreviews",
                json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}),
            ),
            (
                "authentication.k8s.io/v1/tokenreviews",
                json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "x"}}),
            ),
        ],
    );
    Request::new("POST", at, format!("/apis/{path}")).json(&body)
}

fn document(rng: &mut StdRng, at: &str) -> Request {
    let paths = [
        "/api",
        "/apis",
        "/api/v1",
        "/apis/w.example.com",
        "/apis/w.example.com/v1",
        "/apis/p.example.com/v1",
        "/version",
        "/openapi/v3/apis/w.example.com/v1",
        "/openapi/v3/apis/p.example.com/v1",
        "/openapi/v3",
        "/healthz",
        "/metrics",
    ];
    let request = Request::new("GET", at, pick(rng, &paths));
    if rng.random_bool(0.3) {
        return request.header("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    }
    request
}

fn workspaces(rng: &mut StdRng, at: &str) -> Vec<Ask> {
    const PATH: &str = "/apis/tenancy.kcp.io/v1alpha1/workspaces";
    let name = pick(rng, &["c1", "c2"]);
    let child = format!("{at}:{name}");
    let workspace = json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}});
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inside"}});
    let config_maps = "/api/v1/namespaces/default/configmaps";
    match rng.random_range(0..12) {
        0..4 => send([Request::new("POST", at, PATH).json(&workspace)]),
        4 => send([Request::new("DELETE", at, format!("{PATH}/{name}"))]),
        5 => send([Request::new("GET", at, format!("{PATH}/{name}"))]),
        6 => send([Request::new("GET", at, PATH)]),
        7..9 => send([Request::new("POST", &child, config_maps).json(&object)]),
        9 => send([Request::new("GET", &child, "/apis/core.kcp.io/v1alpha1/logicalclusters/cluster")]),
        10 => send([Request::new("GET", at, "/apis/core.kcp.io/v1alpha1/logicalclusters")]),
        _ => send([Request::new("GET", &child, "/api/v1/configmaps")]),
    }
}

fn nonsense(rng: &mut StdRng, at: &str) -> Request {
    let post =
        |body: &str| Request::new("POST", at, "/api/v1/namespaces/default/configmaps").body("application/json", body);
    let choices = [
        post("{"),
        post("[]"),
        post(r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}"#),
        post(r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"UPPER"}}"#),
        post(r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":1}}"#),
        post(&format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"big"}},"data":{{"k":"{}"}}}}"#,
            "x".repeat(50_000)
        )),
        Request::new("PUT", at, "/api/v1/namespaces/default/configmaps"),
        Request::new("GET", at, "/apis/missing.example.com/v1/things"),
        Request::new("GET", at, "/api/v1/namespaces/missing/configmaps/a"),
        Request::new("POST", at, "/api/v1/namespaces/missing/configmaps")
            .json(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})),
        Request::new("PATCH", at, "/clusters/root:provider/api/v1/secrets"),
        Request::new("GET", at, "/api/v1/secrets?dryRun=x"),
    ];
    pick(rng, &choices)
}

/// What the tenant's guest tries.
pub(super) fn guest(rng: &mut StdRng) -> Vec<Ask> {
    match rng.random_range(0..4) {
        0 => lists(rng, "root:tenant"),
        1 => send([document(rng, "root:tenant")]),
        2 => send([review(rng, "root:tenant")]),
        _ => objects(rng, "root:tenant", 0),
    }
}
