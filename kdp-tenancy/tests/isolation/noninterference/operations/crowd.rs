//! What people do beyond their own workspace.

use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

use super::{Ask, At, Request, pick};

const RESOURCES: [&str; 6] = [
    "/api/v1/secrets",
    "/api/v1/namespaces/default/configmaps",
    "/apis/w.example.com/v1/widgets",
    "/apis/tenancy.kcp.io/v1alpha1/workspaces",
    "/apis/core.kcp.io/v1alpha1/logicalclusters/cluster",
    "/apis/apis.kcp.io/v1alpha2/apibindings",
];
const MERGE: &str = "application/merge-patch+json";

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

fn binding(name: &str, path: &str) -> Value {
    json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": name},
        "spec": {"reference": {"export": {"path": path, "name": name}}}})
}

fn of_export(cluster: &str, export: &str, consumer: Option<&str>) -> At {
    let cluster = format!("<cluster:{cluster}>");
    At::Export { cluster, export: export.into(), consumer: consumer.map(|name| format!("<cluster:{name}>")) }
}

/// The tenant looks for others, who are there or not.
pub(super) fn looking_around(rng: &mut StdRng) -> Vec<Ask> {
    let places = ["root", "root:other0", "root:other1:c1", "root:missing", "<cluster:other0>", "<cluster:other1>:c1"];
    let place = pick(rng, &places);
    let path = pick(rng, &[RESOURCES.as_slice(), &["/api", "/apis", "/openapi/v3", "/version"]].concat());
    let request = match rng.random_range(0..10) {
        0..5 => Request::new("GET", place, path),
        5 => Request::new("DELETE", place, path),
        6 => Request::new("POST", place, "/api/v1/namespaces/default/configmaps").json(&config_map("planted")),
        7 => Request::new("GET", place, path).at(At::Everywhere),
        8 => {
            let consumer = pick(rng, &[None, Some("tenant"), Some("other1")]);
            let export = pick(rng, &["things", "missing"]);
            Request::new("GET", place, path).at(of_export("other0", export, consumer))
        }
        _ => {
            let bindings = "/apis/apis.kcp.io/v1alpha2/apibindings";
            let export = binding("things", pick(rng, &["root:other0", "root:missing", "<cluster:other0>"]));
            Request::new("POST", "root:tenant", bindings).json(&export)
        }
    };
    vec![Ask::Send(request)]
}

/// The provider changes its export, and works in the workspaces of who binds it.
pub(super) fn provider(rng: &mut StdRng) -> Vec<Ask> {
    let at = "root:provider";
    let export = "/apis/apis.kcp.io/v1alpha2/apiexports/orders";
    let orders = "/apis/p.example.com/v1/namespaces/default/orders/a";
    let inside = of_export("provider", "orders", Some("tenant"));
    let request = match rng.random_range(0..9) {
        0 => {
            let verbs = pick(rng, &[json!(["*"]), json!(["get", "list"])]);
            let claims =
                json!({"spec": {"permissionClaims": [{"group": "", "resource": "configmaps", "verbs": verbs}]}});
            Request::new("PATCH", at, export).body(MERGE, claims)
        }
        1 => {
            let schema = pick(rng, &["v1.orders.p.example.com", "v2.orders.p.example.com"]);
            let resources = json!({"spec": {"resources": [
                {"name": "orders", "group": "p.example.com", "schema": schema, "storage": {"crd": {}}}]}});
            Request::new("PATCH", at, export).body(MERGE, resources)
        }
        2..5 => {
            let status = json!({"status": {"phase": pick(rng, &["made", "gone"])}});
            Request::new("PATCH", at, format!("{orders}/status")).at(inside).body(MERGE, status)
        }
        5 => Request::new("DELETE", at, orders).at(inside),
        6 => Request::new("POST", at, "/api/v1/namespaces/default/configmaps").at(inside).json(&config_map("given")),
        7 => Request::new("PATCH", at, "/api/v1/namespaces/default/configmaps/a")
            .at(inside)
            .body(MERGE, json!({"data": {"from": "provider"}})),
        _ => Request::new("GET", at, "/apis/p.example.com/v1/orders").at(of_export("provider", "orders", None)),
    };
    vec![Ask::Send(request)]
}

/// Another one tries to reach the tenant, or to be in its way.
pub(super) fn intruding(rng: &mut StdRng, i: usize) -> Vec<Ask> {
    let home = format!("root:other{i}");
    let place = pick(rng, &["root:tenant", "<cluster:tenant>", "root:tenant:c1", "root:provider", "root"]);
    let path = pick(rng, &RESOURCES);
    let config_maps = "/api/v1/namespaces/default/configmaps";
    let as_tenant =
        |request: Request| request.header("impersonate-user", "tenant").header("impersonate-group", "helpers");
    let bindings = "/apis/apis.kcp.io/v1alpha2/apibindings";
    let one = |request| vec![Ask::Send(request)];
    match rng.random_range(0..20) {
        0 => one(Request::new("GET", place, path)),
        1 => one(Request::new("DELETE", place, path)),
        2 => one(Request::new("POST", place, config_maps).json(&config_map("planted"))),
        3 => {
            one(Request::new("PATCH", place, format!("{config_maps}/a")).body(MERGE, json!({"data": {"k": "stolen"}})))
        }
        4 => one(as_tenant(Request::new("GET", place, path))),
        5 => one(as_tenant(Request::new("DELETE", &home, path))),
        6 => one(Request::new("POST", &home, bindings).json(&binding("things", "root:tenant"))),
        7 => one(as_tenant(Request::new("POST", &home, bindings).json(&binding("things", "root:tenant")))),
        8 => one(Request::new("POST", &home, bindings).json(&binding("orders", "root:provider"))),
        9 => {
            one(Request::new("GET", &home, path).at(of_export("tenant", "things", pick(rng, &[None, Some("tenant")]))))
        }
        10 => {
            let inside = of_export(&format!("other{i}"), "things", Some("tenant"));
            one(Request::new("POST", &home, config_maps).at(inside).json(&config_map("planted")))
        }
        11 => {
            let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "<tenant-uid>"});
            let mut owned = config_map("owned");
            owned["metadata"]["ownerReferences"] = json!([owner]);
            one(Request::new("POST", &home, config_maps).json(&owned))
        }
        12 => one(Request::new("GET", &home, "/api/v1/configmaps?limit=2&continue=<tenant-continue>")),
        13 => vec![Ask::Watch(Request::new("GET", &home, "/api/v1/configmaps?watch=true&resourceVersion=<tenant-rv>"))],
        14 => vec![Ask::Watch(Request::new("GET", &home, "/api/v1/configmaps?watch=true").at(At::Everywhere))],
        15 => {
            let workspace = json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "tenant"},
                "spec": {"cluster": pick(rng, &["", "<cluster:tenant>"])}});
            one(Request::new("POST", &home, "/apis/tenancy.kcp.io/v1alpha1/workspaces").json(&workspace))
        }
        16..18 => {
            let storm =
                (0..20).map(|n| Request::new("POST", &home, config_maps).json(&config_map(&format!("storm-{n}"))));
            storm.map(Ask::Send).collect()
        }
        18 => vec![
            Ask::Send(Request::new("GET", &home, "/api/v1/configmaps")),
            Ask::Send(Request::new("DELETE", &home, config_maps)),
        ],
        _ => {
            let body = format!(
                r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"big"}},"data":{{"k":"{}"}}}}"#,
                "y".repeat(200_000)
            );
            one(Request::new("POST", &home, config_maps).body("application/json", body))
        }
    }
}
