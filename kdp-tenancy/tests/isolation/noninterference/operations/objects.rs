//! Work with the objects of any kind.

use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

use super::{Ask, Request, pick, send};

pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];

const NAMESPACES: [&str; 4] = ["default", "default", "n1", "n2"];

/// A kind whose objects are worked with.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    root: &'static str,
    plural: &'static str,
    kind: &'static str,
    is_namespaced: bool,
    /// What its objects hold; two versions.
    content: fn(u8) -> Value,
}

pub(super) const KINDS: [Kind; 8] = [
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

impl Kind {
    pub(super) fn collection(&self, rng: &mut StdRng) -> String {
        let Self { root, plural, is_namespaced, .. } = self;
        if *is_namespaced {
            format!("{root}/namespaces/{}/{plural}", pick(rng, &NAMESPACES))
        } else {
            format!("{root}/{plural}")
        }
    }

    pub(super) fn object(&self, name: &str, version: u8) -> Value {
        let api_version = self.root.trim_start_matches("/apis/").trim_start_matches("/api/");
        let mut object = json!({"apiVersion": api_version, "kind": self.kind, "metadata": {"name": name}});
        for (key, value) in (self.content)(version).as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        object
    }
}

pub(super) fn objects(rng: &mut StdRng, at: &str, step: usize) -> Vec<Ask> {
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

pub(super) fn lists(rng: &mut StdRng, at: &str) -> Vec<Ask> {
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

pub(super) fn watch(rng: &mut StdRng, at: &str) -> Request {
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
