//! What somebody does in their own workspace.

use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

use super::{Ask, Request, export, pick, schema};

const NAMES: [&str; 3] = ["a", "b", "c"];
const NAMESPACES: [&str; 4] = ["default", "default", "n1", "n2"];
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const BINDINGS: &str = "/apis/apis.kcp.io/v1alpha2/apibindings";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A kind whose objects are worked with.
#[derive(Clone, Copy)]
struct Kind {
    root: &'static str,
    plural: &'static str,
    kind: &'static str,
    is_namespaced: bool,
    /// What its objects hold; two versions.
    content: fn(u8) -> Value,
}

const KINDS: [Kind; 8] = [
    Kind {
        root: "/api/v1",
        plural: "configmaps",
        kind: "ConfigMap",
        is_namespaced: true,
        content: |n| json!({"data": {"k": n.to_string(), "same": "x"}}),
    },
    Kind {
        root: "/api/v1",
        plural: "secrets",
        kind: "Secret",
        is_namespaced: true,
        content: |n| json!({"data": {"k": if n == 0 { "MA==" } else { "MQ==" }}}),
    },
    Kind {
        root: "/api/v1",
        plural: "serviceaccounts",
        kind: "ServiceAccount",
        is_namespaced: true,
        content: |_| json!({}),
    },
    Kind {
        root: "/apis/coordination.k8s.io/v1",
        plural: "leases",
        kind: "Lease",
        is_namespaced: true,
        content: |n| json!({"spec": {"holderIdentity": n.to_string()}}),
    },
    Kind { root: "/api/v1", plural: "namespaces", kind: "Namespace", is_namespaced: false, content: |_| json!({}) },
    Kind {
        root: "/apis/w.example.com/v1",
        plural: "widgets",
        kind: "Widget",
        is_namespaced: true,
        content: |n| json!({"spec": {"size": n, "unknown": 1}}),
    },
    Kind {
        root: "/apis/w.example.com/v1",
        plural: "gadgets",
        kind: "Gadget",
        is_namespaced: false,
        content: |n| json!({"spec": {"size": n}}),
    },
    Kind {
        root: "/apis/p.example.com/v1",
        plural: "orders",
        kind: "Order",
        is_namespaced: true,
        content: |n| json!({"spec": {"size": n, "note": "x"}}),
    },
];

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

fn send<const N: usize>(requests: [Request; N]) -> Vec<Ask> {
    requests.into_iter().map(Ask::Send).collect()
}

impl Kind {
    fn collection(&self, rng: &mut StdRng) -> String {
        let Self { root, plural, is_namespaced, .. } = self;
        if *is_namespaced {
            format!("{root}/namespaces/{}/{plural}", pick(rng, &NAMESPACES))
        } else {
            format!("{root}/{plural}")
        }
    }

    fn object(&self, name: &str, version: u8) -> Value {
        let api_version = self.root.trim_start_matches("/apis/").trim_start_matches("/api/");
        let mut object = json!({"apiVersion": api_version, "kind": self.kind, "metadata": {"name": name}});
        for (key, value) in (self.content)(version).as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        object
    }
}

fn objects(rng: &mut StdRng, at: &str, step: usize) -> Vec<Ask> {
    let kind = pick(rng, &KINDS);
    let collection = kind.collection(rng);
    let name = if kind.plural == "namespaces" { pick(rng, &["n1", "n2"]) } else { pick(rng, &NAMES) };
    let one = format!("{collection}/{name}");
    let mut object = kind.object(name, rng.random_range(0..2));
    if rng.random_bool(0.3) {
        object["metadata"]["labels"] = json!({"l": pick(rng, &["v", "w"])});
    }
    if rng.random_bool(0.05) {
        object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    }
    let request = |method, path: &str| Request::new(method, at, path);
    match rng.random_range(0..100) {
        0..32 => send([request("POST", &collection).json(&object)]),
        32..36 => {
            object["metadata"] = json!({"generateName": format!("gen-{step}-")});
            send([request("POST", &collection).json(&object)])
        }
        36..44 => send([request("GET", &one)]),
        44..54 => {
            object["metadata"]["resourceVersion"] = "<rv>".into();
            send([request("GET", &one), request("PUT", &one).json(&object)])
        }
        54..58 => send([request("PUT", &one).json(&object)]),
        58..72 => send([patch(rng, request("PATCH", &one))]),
        72..80 => {
            object["metadata"].as_object_mut().map(|metadata| metadata.remove("finalizers"));
            let query = pick(rng, &["?fieldManager=m1", "?fieldManager=m2", "?fieldManager=m2&force=true", ""]);
            let apply = "application/apply-patch+yaml";
            send([request("PATCH", &format!("{one}{query}")).body(apply, &object)])
        }
        80..84 => {
            let status = json!({"status": {"ready": rng.random_bool(0.5), "phase": "x"}});
            send([request("PATCH", &format!("{one}/status")).body("application/merge-patch+json", status)])
        }
        84..94 => {
            let options = pick(
                rng,
                &[
                    json!({}),
                    json!({"dryRun": ["All"]}),
                    json!({"preconditions": {"uid": "<uid>"}}),
                    json!({"preconditions": {"resourceVersion": "<rv>"}}),
                    json!({"propagationPolicy": "Foreground"}),
                ],
            );
            send([request("DELETE", &one).json(&options)])
        }
        94..97 => send([request("DELETE", &format!("{collection}?labelSelector=l%3Dv"))]),
        _ => send([request("POST", &format!("{collection}?dryRun=All&fieldValidation=Strict")).json(&object)]),
    }
}

fn patch(rng: &mut StdRng, request: Request) -> Request {
    let merge = "application/merge-patch+json";
    let choices = [
        (merge, json!({"metadata": {"labels": {"l": "v"}}})),
        (merge, json!({"metadata": {"labels": {"l": null}, "resourceVersion": "<rv>"}})),
        (merge, json!({"metadata": {"finalizers": ["example.com/hold"]}})),
        (merge, json!({"metadata": {"finalizers": null}})),
        (merge, json!({"metadata": {"finalizers": null, "annotations": {"kcp.io/cluster": "forged"}}})),
        (merge, json!({"spec": {"size": "not a number"}})),
        (merge, json!({"spec": {"size": 7}, "data": {"k": "merged"}})),
        ("application/json-patch+json", json!([{"op": "add", "path": "/metadata/labels", "value": {"l": "w"}}])),
        ("application/json-patch+json", json!([{"op": "test", "path": "/metadata/name", "value": "a"}])),
        ("application/strategic-merge-patch+json", json!({"data": {"k": "strategic", "same": null}})),
        (
            "application/strategic-merge-patch+json",
            json!({"metadata": {"ownerReferences": [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "<uid>"},
            ]}}),
        ),
        ("text/plain", json!({})),
    ];
    let (content_type, body) = pick(rng, &choices);
    request.body(content_type, body)
}

fn lists(rng: &mut StdRng, at: &str) -> Vec<Ask> {
    let kind = pick(rng, &KINDS);
    let everywhere = format!("{}/{}", kind.root, kind.plural);
    let collection = if rng.random_bool(0.5) { everywhere } else { kind.collection(rng) };
    let query = pick(
        rng,
        &[
            "",
            "?limit=2",
            "?limit=2&continue=<continue>",
            "?limit=1&labelSelector=l%3Dv",
            "?labelSelector=l+in+(v,w),!x",
            "?fieldSelector=metadata.name%3Da",
            "?fieldSelector=metadata.namespace!%3Ddefault",
            "?fieldSelector=spec.nothing%3Da",
            "?resourceVersion=<list-rv>&resourceVersionMatch=Exact",
            "?resourceVersion=<list-rv>&resourceVersionMatch=NotOlderThan",
            "?resourceVersion=0",
            "?resourceVersion=9007199254740991",
            "?resourceVersion=x",
            "?limit=x",
            "?continue=forged",
            "?labelSelector=l%3D%3D%3Dv",
        ],
    );
    let mut request = Request::new("GET", at, format!("{collection}{query}"));
    if rng.random_bool(0.3) {
        let accepted = [
            "application/json;as=Table;g=meta.k8s.io;v=v1",
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            "application/vnd.kubernetes.protobuf",
        ];
        request = request.header("accept", pick(rng, &accepted));
    }
    if query != "?limit=2" {
        return send([request]);
    }
    send([request, Request::new("GET", at, format!("{collection}?limit=2&continue=<continue>"))])
}

fn watch(rng: &mut StdRng, at: &str) -> Request {
    let kind = pick(rng, &KINDS);
    let collection = if rng.random_bool(0.6) { format!("{}/{}", kind.root, kind.plural) } else { kind.collection(rng) };
    let from = pick(
        rng,
        &[
            "",
            "&resourceVersion=0",
            "&resourceVersion=1",
            "&resourceVersion=<list-rv>",
            "&resourceVersion=<rv>&allowWatchBookmarks=true",
            "&resourceVersion=9007199254740991",
            "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
            "&labelSelector=l%3Dv",
        ],
    );
    Request::new("GET", at, format!("{collection}?watch=true{from}"))
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
