//! Lifecycles, homes, tokens of service accounts, limits, suspension: what a workspace has beyond its objects.

use serde_json::json;

use super::attempt::Attempt;

const MERGE: &str = "application/merge-patch+json";
const HOME: &str = "/clusters/root:attacker";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const TENANCY: &str = "/apis/tenancy.kcp.io/v1alpha1";
const LOGICAL_CLUSTERS: &str = "/apis/core.kcp.io/v1alpha1/logicalclusters";

pub(super) fn rows() -> Vec<Attempt> {
    [lifecycles(), types(), homes(), tokens(), warrants(), limits()].concat()
}

fn lifecycles() -> Vec<Attempt> {
    let mut rows = Vec::new();
    for kind in ["initializingworkspaces", "terminatingworkspaces"] {
        let at = |controller: &str, cluster: &str| format!("/services/{kind}/{controller}/clusters/{cluster}");
        for (whose, controller) in [
            ("the victim's type", "<v>:type-77"),
            ("the victim's type by path", "root:victim:type-77"),
            ("universal", "root:universal"),
            ("the system", "system:apibindings"),
            ("no type", "<v>:"),
        ] {
            for (what, rest) in [
                ("list", LOGICAL_CLUSTERS.to_owned()),
                ("get", format!("{LOGICAL_CLUSTERS}/cluster")),
                ("secrets", SECRETS.into()),
                ("discovery", "/api".into()),
            ] {
                for cluster in ["*", "<v>"] {
                    let name = format!("{what} in {kind} of {whose} at {cluster}");
                    rows.push(Attempt::get(name, format!("{}{rest}", at(controller, cluster))));
                }
            }
        }
        // The attacker's own type, aimed at a workspace that does not wait for it.
        for (what, rest) in [("secrets", SECRETS), ("the logical cluster", &format!("{LOGICAL_CLUSTERS}/cluster"))] {
            let target = format!("{}{rest}", at("<a>:snare", "<v>"));
            rows.push(Attempt::get(format!("{what} in {kind} of one's own type"), target));
        }
        let status = format!("{}{LOGICAL_CLUSTERS}/cluster/status", at("<a>:snare", "<v>"));
        let phase = json!({"status": {"phase": "Deleting", "initializers": [], "terminators": []}});
        rows.push(Attempt::new(format!("the phase in {kind}"), "PATCH", status).body(MERGE, phase));
        let everything = format!("{}{LOGICAL_CLUSTERS}", at("<a>:snare", "*"));
        rows.push(Attempt::get(format!("all in {kind} of one's own type"), everything).gets(&[200]));
    }
    rows
}

fn types() -> Vec<Attempt> {
    let types = format!("{HOME}{TENANCY}/workspacetypes");
    let type_ = |name: &str, spec: serde_json::Value| json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "WorkspaceType", "metadata": {"name": name}, "spec": spec});
    let workspace = |type_: serde_json::Value| {
        json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "typed"},
            "spec": {"type": type_}})
    };
    let export = json!({"defaultAPIBindings": [{"path": "root:victim", "export": "wares"}]});
    vec![
        Attempt::new("a type with the victim's export", "POST", &*types).json(&type_("t1", export)),
        Attempt::new("a workspace of the victim's type", "POST", format!("{HOME}{TENANCY}/workspaces"))
            .json(&workspace(json!({"path": "root:victim", "name": "type-77"}))),
        Attempt::new("a workspace of the victim's type by cluster", "POST", format!("{HOME}{TENANCY}/workspaces"))
            .json(&workspace(json!({"path": "<v>", "name": "type-77"}))),
        Attempt::new("the status of a type", "PATCH", format!("{types}/snare/status"))
            .body(MERGE, json!({"status": {"virtualWorkspaces": [{"url": "https://x", "type": "initializing"}]}})),
    ]
}

fn homes() -> Vec<Attempt> {
    let home = "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces/~";
    vec![
        Attempt::get("the victim's home", format!("/clusters/user:victim{SECRETS}")),
        Attempt::get("below the victim's home", format!("/clusters/user:victim:inner{SECRETS}")),
        Attempt::get("the home of nobody", format!("/clusters/user{SECRETS}")),
        Attempt::get("the home of two", format!("/clusters/user:victim:user:victim{SECRETS}")),
        Attempt::get("the victim's home, as it", home).header("Impersonate-User: victim"),
        Attempt::get("all workspaces of the root", "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces")
            .gets(&[403]),
        Attempt::get(
            "a watch of all workspaces of the root",
            "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces?watch=true",
        )
        .gets(&[403]),
    ]
}

fn tokens() -> Vec<Attempt> {
    let bearer = "Authorization: Bearer <bearer>";
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let filled = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "grab", "annotations": {"kubernetes.io/service-account.name": "keeper-77"}}});
    let review = |token: &str| json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
    let mut rows = vec![
        Attempt::new("a token of the victim's account", "POST", format!("/clusters/<victim>{accounts}/robot/token"))
            .json(&request)
            .gets(&[403]),
        Attempt::new(
            "a token of the victim's account by cluster",
            "POST",
            format!("/clusters/<v>{accounts}/robot/token"),
        )
        .json(&request)
        .gets(&[403]),
        Attempt::new("a Secret with a token of an account that is only there", "POST", format!("{HOME}{SECRETS}"))
            .json(&filled)
            .gets(&[422]),
        Attempt::get("the issuer, at the victim", "/clusters/<victim>/.well-known/openid-configuration").gets(&[200]),
        Attempt::get("the keys, at the victim", "/clusters/<victim>/openid/v1/jwks").gets(&[200]),
        Attempt::get("where a token is at home", SECRETS).by_nobody().header(bearer).gets(&[200, 403]),
        Attempt::new(
            "a review of a token with a broken end",
            "POST",
            format!("{HOME}/apis/authentication.k8s.io/v1/tokenreviews"),
        )
        .json(&review("<bearer>x"))
        .gets(&[201]),
    ];
    for (how, place) in
        [("path", "/clusters/<victim>"), ("cluster", "/clusters/<v>"), ("child", "/clusters/<victim>:inner")]
    {
        for (what, rest) in [
            ("secrets", SECRETS),
            ("discovery", "/apis"),
            ("a token", "/api/v1/namespaces/default/serviceaccounts/robot/token"),
        ] {
            for (whose, header) in [
                ("a namesake", bearer.to_owned()),
                ("a broken token", format!("{bearer}x")),
                ("no signature", "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6ZGVmYXVsdDpyb2JvdCJ9.".into()),
            ] {
                let target = format!("{place}{rest}");
                rows.push(Attempt::get(format!("{what} by {how} with {whose}"), target).by_nobody().header(header));
            }
        }
    }
    rows
}

fn warrants() -> Vec<Attempt> {
    let warrant = r#"{"user":"kdp:system","groups":["system:masters"]}"#;
    let extra =
        |key: &str, value: &str| [format!("Impersonate-Extra-{key}: {value}"), "Impersonate-User: attacker".into()];
    [
        ("a warrant of masters", extra("authorization.kcp.io%2fwarrant", warrant)),
        ("a home at the victim", extra("authentication.kcp.io%2fcluster-name", "<v>")),
        ("a scope at the victim", extra("authentication.kcp.io%2fscopes", "cluster:<v>")),
    ]
    .into_iter()
    .flat_map(|(what, headers)| {
        ["/clusters/<victim>", "/clusters/<v>", "/clusters/*"].map(|place| {
            let attempt = Attempt::get(format!("{what} at {place}"), format!("{place}/api/v1/secrets"));
            headers.iter().fold(attempt, |attempt, header| attempt.header(header))
        })
    })
    .collect()
}

fn limits() -> Vec<Attempt> {
    let limits = "/apis/tenancy.kdp.k8c.io/v1alpha1/workspacelimits";
    let none = |name: &str| {
        json!({"apiVersion": "tenancy.kdp.k8c.io/v1alpha1", "kind": "WorkspaceLimits", "metadata": {"name": name},
            "spec": {"objects": 0}})
    };
    let own = format!("{HOME}{LOGICAL_CLUSTERS}/cluster");
    let annotation = |key: &str, value: &str| json!({"metadata": {"annotations": {key: value}}});
    vec![
        Attempt::get("limits of all", format!("/clusters/root{limits}")).gets(&[403]),
        Attempt::get("the limit of the victim", format!("/clusters/root{limits}/victim")).gets(&[403]),
        Attempt::new("no room for the victim", "POST", format!("/clusters/root{limits}"))
            .json(&none("victim"))
            .gets(&[403]),
        Attempt::new("no room for a name of the victim", "POST", format!("{HOME}{limits}"))
            .json(&none("victim"))
            .gets(&[201])
            .once(),
        Attempt::new("one's own suspension", "PATCH", &*own).body(MERGE, annotation("core.kcp.io/inactive", "true")),
        Attempt::new("one's own groups", "PATCH", &*own)
            .body(MERGE, annotation("authorization.kcp.io/required-groups", "x")),
        Attempt::new("one's own total", "PATCH", &*own).body(MERGE, annotation("core.kcp.io/max-total-objects", "9")),
        Attempt::new("one's own path", "PATCH", &*own).body(MERGE, annotation("kcp.io/path", "root:victim")),
        Attempt::new(
            "a right for all workspaces",
            "POST",
            format!("{HOME}/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
        )
        .json(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": "everywhere", "annotations": {"kdp.k8c.io/sync-to-workspaces": "*"}},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "attacker"}]}))
        .gets(&[201])
        .once(),
        Attempt::get("secrets, with that right", format!("/clusters/<victim>{SECRETS}")).gets(&[403]),
        Attempt::get("secrets of the child, with that right", format!("/clusters/<victim>:inner{SECRETS}"))
            .gets(&[403]),
    ]
}
