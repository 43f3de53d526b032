//! Exports, bindings, virtual workspaces, and what else connects workspaces.

use serde_json::{Value, json};

use super::attempt::Attempt;

const HOME: &str = "/clusters/root:attacker";
const APIS: &str = "/clusters/root:attacker/apis/apis.kcp.io/v1alpha2";
const SECRETS: &str = "/api/v1/secrets";
const MERGE: &str = "application/merge-patch+json";

pub(super) fn rows() -> Vec<Attempt> {
    [virtual_workspaces(), bindings(), exports(), revisions(), references()].concat()
}

fn virtual_workspaces() -> Vec<Attempt> {
    let mut rows = Vec::new();
    let prefixes = [
        "/services/apiexport/<v>/wares/clusters/*",
        "/services/apiexport/<v>/wares/clusters/<v>",
        "/services/apiexport/<v>/wares/clusters/<a>",
        "/services/apiexport/<v>/missing/clusters/*",
        "/services/apiexport/root:victim/wares/clusters/*",
        "/services/apiexport/<a>/trap/clusters/<v>",
        "/services/apiexport/<a>/trap/clusters/root:victim",
        "/services/apiexport/<a>/wares/clusters/<v>",
        "/services/apiexport/<a>/trap/clusters/<ghost>",
        "/services/apiexport/<a>/trap/clusters/<v>,<a>",
        "/services/apiexport/<a>/trap/clusters/%2a%2f<v>",
        "/services/apiexport/<a>/..%2f..%2f<v>%2fwares/clusters/*",
        "/services/apiexport/<a>%2f..%2f<v>/wares/clusters/*",
        "/services/apiexport/<a>/../<v>/wares/clusters/*",
        "/services/apiexport//wares/clusters/*",
        "/services/apiexport/<v>//clusters/*",
        "/services/apiexport/*/wares/clusters/*",
        "/services/apiexport/*/*/clusters/*",
        "/services/apiexport/root/wares/clusters/*",
        "/services/apiexport/system:admin/wares/clusters/*",
        "/services/apiexport/<v>/wares",
        "/services/initializingworkspaces/root:universal/clusters/*",
        "/services/initializingworkspaces/root:universal/clusters/<v>",
        "/services/terminatingworkspaces/root:universal/clusters/<v>",
        "/services/apiresourceschema/<v>/clusters/*",
        "/services/replication/<v>/wares/clusters/*",
        "/services/cache/shards/root/clusters/<v>",
        "/services/migratingworkspaces/<v>/clusters/*",
        "/services/contentproxy/<v>",
        "/services",
    ];
    for prefix in prefixes {
        rows.push(Attempt::get(format!("secrets through {prefix}"), format!("{prefix}{SECRETS}")));
        rows.push(Attempt::get(format!("documents through {prefix}"), format!("{prefix}/apis")));
    }
    let own = "/services/apiexport/<a>/trap/clusters/*";
    let twin = "/services/apiexport/<a>/wares/clusters/*";
    rows.extend([
        Attempt::get("all secrets through an export of one's own", format!("{own}{SECRETS}")).gets(&[200]),
        Attempt::get(
            "all secrets through it, watched",
            format!("{own}{SECRETS}?watch=true&resourceVersion=1&timeoutSeconds=1"),
        )
        .gets(&[200]),
        Attempt::get("all secrets through it from another's token", format!("{own}{SECRETS}?continue=<token>"))
            .gets(&[200, 400]),
        Attempt::get(
            "all secrets through it from everybody's token",
            format!("{own}{SECRETS}?limit=5&continue=<wild-token>"),
        )
        .gets(&[200, 400]),
        Attempt::get("all bindings through it", format!("{own}/apis/apis.kcp.io/v1alpha2/apibindings")).gets(&[200]),
        Attempt::get("config maps that it does not claim", format!("{own}/api/v1/configmaps")),
        Attempt::get(
            "logical clusters that it does not claim",
            format!("{own}/apis/core.kcp.io/v1alpha1/logicalclusters"),
        ),
        Attempt::get("one secret across consumers", format!("{own}/api/v1/namespaces/default/secrets/hoard-77")),
        Attempt::new("a secret made across consumers", "POST", format!("{own}/api/v1/namespaces/default/secrets"))
            .json(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "planted"}})),
        Attempt::get("goods through an export of the victim's name", format!("{twin}/apis/wares.example.com/v1/goods"))
            .gets(&[200]),
        Attempt::get(
            "goods through it with the victim's identity",
            format!("{twin}/apis/wares.example.com/v1/goods:<identity>"),
        ),
        Attempt::get(
            "consumers of an export of the victim's name",
            format!("{twin}/apis/apis.kcp.io/v1alpha2/apibindings"),
        )
        .gets(&[200]),
        Attempt::get(
            "a watch on those consumers",
            format!("{twin}/apis/apis.kcp.io/v1alpha2/apibindings?watch=true&resourceVersion=1&timeoutSeconds=1"),
        )
        .gets(&[200]),
        Attempt::get("the export's content by who has no rights", format!("{own}{SECRETS}"))
            .by("stranger", &[])
            .gets(&[403]),
    ]);
    rows
}

fn binding(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": name}, "spec": spec})
}

fn bindings() -> Vec<Attempt> {
    let to = |path: &str, export: &str| json!({"reference": {"export": {"path": path, "name": export}}});
    let references = [
        ("by path", to("root:victim", "wares")),
        ("by cluster", to("<v>", "wares")),
        ("that is missing", to("root:victim", "missing")),
        ("with a colon in its name", to("root", "victim:wares")),
        ("with a wildcard path", to("*", "wares")),
        ("with a blank", to("root:victim ", "wares")),
        ("with a system path", to("system:bound-crds", "wares")),
        ("through the child's parent", to("<v>:inner", "wares")),
    ];
    let mut rows: Vec<Attempt> = references
        .iter()
        .map(|(how, spec)| {
            let name = format!("bind the victim's export {how}");
            Attempt::new(name, "POST", format!("{APIS}/apibindings")).json(&binding("stolen", spec))
        })
        .collect();
    // At home everything may be bound, and what is not there is waited for.
    let odd = binding("odd", &to("root:attacker", "../victim/wares"));
    let odd = Attempt::new("bind a name that is a path", "POST", format!("{APIS}/apibindings")).json(&odd);
    rows.push(odd.gets(&[201]).once());
    let mut bound = binding("forged", &to("root:attacker", "wares"));
    bound["status"] = json!({"phase": "Bound", "apiExportClusterName": "<v>", "boundResources": [
        {"group": "", "resource": "secrets", "schema": {"name": "x", "UID": "<uid>", "identityHash": "<identity>"}}]});
    bound["metadata"]["annotations"] =
        json!({"kcp.io/cluster": "<v>", "kcp.io/path": "root:victim", "internal.apis.kcp.io/x": "y"});
    bound["metadata"]["labels"] = json!({"internal.apis.kcp.io/export": "x", "claimed.internal.apis.kcp.io/x": "y"});
    let status = json!({"status": {"apiExportClusterName": "<v>", "phase": "Bound"}});
    let elsewhere = json!({"spec": {"reference": {"export": {"path": "root:victim"}}}});
    rows.extend([
        Attempt::new("a binding with a made-up status", "POST", format!("{APIS}/apibindings"))
            .json(&bound)
            .gets(&[201])
            .once(),
        Attempt::new("the status of a binding", "PATCH", format!("{APIS}/apibindings/trap/status"))
            .body(MERGE, &status),
        Attempt::new("a binding moved to the victim", "PATCH", format!("{APIS}/apibindings/trap"))
            .body(MERGE, &elsewhere),
        Attempt::new(
            "a binding applied onto the victim",
            "PATCH",
            format!("{APIS}/apibindings/applied?fieldManager=x&force=true"),
        )
        .body("application/apply-patch+yaml", binding("applied", &to("root:victim", "wares"))),
        Attempt::new(
            "a binding in the victim's workspace",
            "POST",
            "/clusters/<victim>/apis/apis.kcp.io/v1alpha2/apibindings",
        )
        .json(&binding("trap", &to("root:attacker", "trap"))),
        Attempt::new("a dry run that binds the victim's export", "POST", format!("{APIS}/apibindings?dryRun=All"))
            .json(&binding("stolen", &to("root:victim", "wares"))),
        Attempt::new("the old version of bindings", "POST", format!("{HOME}/apis/apis.kcp.io/v1alpha1/apibindings"))
            .json(&json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIBinding", "metadata": {"name": "old"},
                "spec": to("root:victim", "wares")})),
    ]);
    rows
}

fn export(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": name}, "spec": spec})
}

fn exports() -> Vec<Attempt> {
    let post = |name: &str, object: &Value| Attempt::new(name, "POST", format!("{APIS}/apiexports")).json(object);
    let secret =
        |namespace: &str, name: &str| json!({"identity": {"secretRef": {"namespace": namespace, "name": name}}});
    let schema = json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema", "metadata": {"name": "v1.secrets.core"},
        "spec": {"group": "", "scope": "Namespaced", "names": {"plural": "secrets", "kind": "Secret", "singular": "secret", "listKind": "SecretList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]}});
    let resource = json!({"name": "goods", "group": "wares.example.com", "schema": "v1.goods.wares.example.com", "storage": {"crd": {}}});
    let foreign_claim = json!({"permissionClaims": [{"group": "wares.example.com", "resource": "goods", "identityHash": "<identity>", "verbs": ["*"]}]});
    let slice = json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIExportEndpointSlice", "metadata": {"name": "stolen"},
        "spec": {"export": {"path": "root:victim", "name": "wares"}}});
    vec![
        post("an export whose identity is a secret elsewhere", &export("t1", &secret("../../<v>/-/secrets/default", "hoard-77"))).gets(&[422]),
        post("an export whose identity is named by a path", &export("t2", &secret("default", "../hoard-77"))).gets(&[422]),
        post("an export whose identity is the victim's name", &export("t3", &secret("default", "another"))).gets(&[201]).once(),
        post("an export that claims the victim's goods", &export("t4", &foreign_claim)).gets(&[201]).once(),
        post("an export of a schema of the victim", &export("t5", &json!({"resources": [resource]}))).gets(&[201]).once(),
        Attempt::get("goods of that claim", "/services/apiexport/<a>/t4/clusters/*/apis/wares.example.com/v1/goods")
            .gets(&[200]),
        Attempt::new("the status of an export", "PATCH", format!("{APIS}/apiexports/trap/status"))
            .body(MERGE, json!({"status": {"identityHash": "<identity>"}})),
        Attempt::new("the identity of an export", "PATCH", format!("{APIS}/apiexports/trap"))
            .body(MERGE, json!({"status": {"identityHash": "<identity>"}, "metadata": {"annotations": {"kcp.io/path": "root:victim"}}}))
            .gets_anything()
            .once(),
        Attempt::new("a schema in the place of secrets", "POST", format!("{HOME}/apis/apis.kcp.io/v1alpha1/apiresourceschemas"))
            .json(&schema)
            .gets_anything()
            .once(),
        Attempt::new("an export of secrets", "POST", format!("{APIS}/apiexports"))
            .json(&export("t6", &json!({"resources": [{"name": "secrets", "group": "", "schema": "v1.secrets.core", "storage": {"crd": {}}}]})))
            .gets_anything()
            .once(),
        Attempt::get("secrets through that export", "/services/apiexport/<a>/t6/clusters/*/api/v1/secrets").gets(&[200, 404]),
        Attempt::get("secrets of the victim through that export", "/services/apiexport/<a>/t6/clusters/<v>/api/v1/secrets"),
        Attempt::new("an endpoint slice for the victim's export", "POST", format!("{HOME}/apis/apis.kcp.io/v1alpha1/apiexportendpointslices"))
            .json(&slice)
            .gets_anything()
            .once(),
        Attempt::get("what became of that slice", format!("{HOME}/apis/apis.kcp.io/v1alpha1/apiexportendpointslices")).gets(&[200]),
        Attempt::get("the identity key under the victim's name", format!("{HOME}/api/v1/namespaces/kcp-system/secrets/wares")).gets(&[200]),
    ]
}

/// Revisions and tokens of others.
fn revisions() -> Vec<Attempt> {
    let queries = [
        ("continue with the victim's token", "continue=<token>", &[200][..]),
        ("continue with everybody's token", "continue=<wild-token>", &[200]),
        ("continue with it in pages", "limit=1&continue=<wild-token>", &[200]),
        ("a list at the victim's revision", "resourceVersion=<rv>&resourceVersionMatch=Exact", &[200]),
        ("a list not older than it", "resourceVersion=<rv>&resourceVersionMatch=NotOlderThan", &[200]),
        ("a list at the first revision", "resourceVersion=1&resourceVersionMatch=Exact", &[200]),
        ("a list in the future", "resourceVersion=9223372036854775807&resourceVersionMatch=Exact", &[504]),
        ("a list at a revision too large", "resourceVersion=99999999999999999999&resourceVersionMatch=Exact", &[400]),
        ("a list at a negative revision", "resourceVersion=-1", &[400]),
        ("a watch from the victim's revision", "watch=true&resourceVersion=<rv>&timeoutSeconds=1", &[200]),
        ("a watch from the first revision", "watch=true&resourceVersion=1&timeoutSeconds=1", &[200]),
        ("a watch of one name", "watch=true&fieldSelector=metadata.name%3Dhoard-77&timeoutSeconds=1", &[200]),
        (
            "a token that is a path",
            "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi8uLi8uLi8ifQ",
            &[200],
        ),
        (
            "a token with a cluster",
            "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwiYyI6InJvb3QiLCJzdGFydCI6ImEifQ",
            &[200],
        ),
        ("a token of nonsense", "continue=AAAA", &[400]),
    ];
    let row = |(name, query, codes): (&str, &str, &[u16])| {
        let target = format!("{HOME}{SECRETS}?{query}");
        Attempt::get(name, target).gets(codes).once()
    };
    queries.into_iter().map(row).collect()
}

/// Objects that refer to objects of others.
fn references() -> Vec<Attempt> {
    let config_map = |name: &str, metadata: &Value| {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata.clone()});
        object["metadata"]["name"] = name.into();
        Attempt::new(format!("a config map {name}"), "POST", format!("{HOME}/api/v1/namespaces/default/configmaps"))
            .json(&object)
    };
    let owner = json!({"apiVersion": "v1", "kind": "Secret", "name": "hoard-77", "uid": "<uid>", "blockOwnerDeletion": true, "controller": true});
    let workspace = |spec: Value| json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "victim"}, "spec": spec});
    let workspaces = format!("{HOME}/apis/tenancy.kcp.io/v1alpha1/workspaces");
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "x",
        "involvedObject": {"kind": "Secret", "namespace": "default", "name": "hoard-77", "uid": "<uid>"}});
    let review = |user: &str, path: &str| {
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": user, "nonResourceAttributes": {"path": path, "verb": "get"}}})
    };
    let cluster = json!({"metadata": {"annotations": {"kcp.io/path": "root:victim", "kcp.io/cluster": "<v>"}},
        "spec": {"owner": {"cluster": "<v>", "uid": "<uid>"}}});
    vec![
        config_map("owned-by-the-victim", &json!({"ownerReferences": [owner]})).gets(&[201]).once(),
        config_map("in-another-cluster", &json!({"annotations": {"kcp.io/cluster": "<v>"}})).gets(&[201]).once(),
        config_map("with-a-cluster-name", &json!({"clusterName": "<v>", "zz_clusterName": "<v>"})).gets_anything().once(),
        config_map("with-a-uid", &json!({"uid": "<uid>", "selfLink": "/clusters/root:victim"})).gets(&[201]).once(),
        config_map("with-a-revision", &json!({"resourceVersion": "<rv>"})).gets(&[400]),
        config_map("with-a-finalizer-of-the-system", &json!({"finalizers": ["core.kcp.io/logicalcluster"]})).gets_anything().once(),
        config_map("with-a-manager-of-the-system", &json!({"managedFields": [{"manager": "kdp", "operation": "Apply", "apiVersion": "v1"}]}))
            .gets_anything()
            .once(),
        config_map("in-another-namespace", &json!({"namespace": "../<v>"})),
        Attempt::get("what became of another cluster", format!("{HOME}/api/v1/configmaps?fieldSelector=metadata.name%3Din-another-cluster"))
            .gets(&[200]),
        Attempt::new("a deletion with the victim's uid", "DELETE", format!("{HOME}/api/v1/namespaces/default/secrets/mine"))
            .json(&json!({"preconditions": {"uid": "<uid>"}}))
            .gets(&[409])
            .once(),
        Attempt::new("a deletion in the foreground of the owner", "DELETE", format!("{HOME}/api/v1/namespaces/default/configmaps/owned-by-the-victim"))
            .json(&json!({"propagationPolicy": "Foreground"}))
            .gets(&[200])
            .once(),
        Attempt::new("an event about the victim's secret", "POST", format!("{HOME}/api/v1/namespaces/default/events")).json(&event).gets_anything().once(),
        Attempt::new("a review about the victim at home", "POST", format!("{HOME}/apis/authorization.k8s.io/v1/subjectaccessreviews"))
            .json(&review("keeper", "/clusters/root:victim/api"))
            .gets(&[201]),
        Attempt::new("a review about a right to enter", "POST", format!("{HOME}/apis/authorization.k8s.io/v1/subjectaccessreviews"))
            .json(&review("victim", "/"))
            .gets(&[201]),
        Attempt::new("a workspace with the victim's cluster", "POST", &*workspaces).json(&workspace(json!({"cluster": "<v>"}))),
        Attempt::new("a workspace with the victim's URL", "POST", &*workspaces).json(&workspace(json!({"URL": "https://localhost/clusters/root:victim"}))),
        Attempt::new("a workspace of the victim's name", "POST", &*workspaces).json(&workspace(json!({}))).gets(&[201]).once(),
        Attempt::new("a workspace mounted on the victim", "POST", &*workspaces)
            .json(&json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "mount"},
                "spec": {"mount": {"ref": {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "name": "root:victim"}}}}))
            .gets_anything()
            .once(),
        Attempt::new("a child moved to the victim's cluster", "PATCH", format!("{workspaces}/kid")).body(MERGE, json!({"spec": {"cluster": "<v>"}})),
        Attempt::new("a child's status moved", "PATCH", format!("{workspaces}/kid/status"))
            .body(MERGE, json!({"spec": {"cluster": "<v>"}, "status": {"phase": "Ready"}}))
            .gets_anything()
            .once(),
        Attempt::new("a child's finalizer", "PATCH", format!("{workspaces}/kid")).body(MERGE, json!({"metadata": {"finalizers": []}})),
        Attempt::new("one's own logical cluster renamed", "PATCH", format!("{HOME}/apis/core.kcp.io/v1alpha1/logicalclusters/cluster")).body(MERGE, &cluster),
        Attempt::new("a logical cluster made", "POST", format!("{HOME}/apis/core.kcp.io/v1alpha1/logicalclusters"))
            .json(&json!({"apiVersion": "core.kcp.io/v1alpha1", "kind": "LogicalCluster", "metadata": {"name": "<v>"}})),
        Attempt::new("one's own workspace in the root", "DELETE", "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces/attacker").gets(&[403]),
        Attempt::new("the victim's workspace in the root", "DELETE", "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces/victim").gets(&[403]),
        Attempt::get("one's own home in the root", "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces/~"),
    ]
}
