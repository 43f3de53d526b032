//! A tenant with every right in its own workspace gets nothing of another one.

use http::{Method, Request};
use kdp_core::{
    ControlPlane, Endpoint, Identity, LogicalClusterName, WorkspacePath,
    api::tenancy::{Workspace, WorkspaceSpec},
};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::support::{dynamic, object, refusal, system, user};

/// Two tenants, each administrator of its own workspace, and a Secret of the victim.
struct Tenants {
    control_plane: Embedded,
    victim: LogicalClusterName,
    attacker: LogicalClusterName,
}

const SECRET: &str = "top-secret";

impl Tenants {
    async fn new() -> Self {
        let control_plane = Embedded::in_memory().await.unwrap();
        let mut clusters = Vec::new();
        for name in ["victim", "attacker"] {
            let made: Api<Workspace> = Api::all(system(&control_plane, "root"));
            let workspace = Workspace::new(name, WorkspaceSpec::default());
            let workspace = made.create(&PostParams::default(), &workspace).await.unwrap();
            let group = "rbac.authorization.k8s.io";
            let client = system(&control_plane, &format!("root:{name}"));
            let bindings = dynamic(client.clone(), "", group, "v1", "ClusterRoleBinding", "clusterrolebindings");
            let admin = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "admin"},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"apiGroup": group, "kind": "User", "name": name}]});
            bindings.create(&PostParams::default(), &object(admin)).await.unwrap();
            let secrets = dynamic(client, "default", "", "v1", "Secret", "secrets");
            let secret =
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "stringData": {"k": name}});
            secrets.create(&PostParams::default(), &object(secret)).await.unwrap();
            clusters.push(workspace.spec.cluster.unwrap().parse().unwrap());
        }
        let [victim, attacker] = <[LogicalClusterName; 2]>::try_from(clusters).unwrap();
        Self { control_plane, victim, attacker }
    }

    /// The attacker's client at `endpoint`.
    fn attacker_at(&self, endpoint: &Endpoint) -> Client {
        let attacker = Identity { username: "attacker".into(), ..Identity::default() };
        self.control_plane.client(endpoint, &attacker).unwrap()
    }

    fn at_home(&self) -> Client {
        user(&self.control_plane, "root:attacker", "attacker")
    }

    /// What the attacker could have changed or learned, as the system sees it.
    async fn victims_world(&self) -> Value {
        let client = system(&self.control_plane, "root:victim");
        let mut world = Vec::new();
        for path in [
            "/api/v1/secrets",
            "/api/v1/configmaps",
            "/api/v1/namespaces",
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            "/apis/core.kcp.io/v1alpha1/logicalclusters",
        ] {
            let list: Value = client.request(Request::get(path).body(Vec::new()).unwrap()).await.unwrap();
            world.push(list["items"].clone());
        }
        world.into()
    }
}

/// Sends a request and returns its code and text.
async fn answer(client: &Client, method: &Method, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match client.request_text(request.body(body.as_bytes().to_vec()).unwrap()).await {
        Ok(text) => (200, text),
        Err(kube::Error::Api(status)) => (status.code, status.message.clone()),
        Err(other) => panic!("{method} {path}: {other}"),
    }
}

#[tokio::test]
async fn every_verb_on_another_workspace_is_forbidden() {
    let t = Tenants::new().await;
    let before = t.victims_world().await;
    let secret = format!("/api/v1/namespaces/default/secrets/{SECRET}");
    let body = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"planted","namespace":"default"}}"#;
    let requests = [
        (Method::GET, secret.as_str()),
        (Method::PUT, &secret),
        (Method::PATCH, &secret),
        (Method::DELETE, &secret),
        (Method::GET, "/api/v1/namespaces/default/secrets"),
        (Method::GET, "/api/v1/secrets?limit=1"),
        (Method::GET, "/api/v1/secrets?watch=true"),
        (Method::POST, "/api/v1/namespaces/default/secrets"),
        (Method::DELETE, "/api/v1/namespaces/default/secrets"),
        (Method::GET, "/api"),
        (Method::GET, "/apis"),
        (Method::GET, "/openapi/v2"),
        (Method::GET, "/openapi/v3"),
        (Method::GET, "/version"),
        (Method::GET, "/apis/core.kcp.io/v1alpha1/logicalclusters/cluster"),
        (Method::DELETE, "/apis/core.kcp.io/v1alpha1/logicalclusters/cluster"),
        (Method::GET, "/apis/tenancy.kcp.io/v1alpha1/workspaces"),
        (Method::POST, "/apis/authorization.k8s.io/v1/subjectaccessreviews"),
        (Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
    ];
    let places: [WorkspacePath; 3] = ["root:victim".parse().unwrap(), t.victim.path(), WorkspacePath::root()];
    for place in places {
        let client = t.attacker_at(&Endpoint::Workspace(place.clone()));
        // Into the root everybody is let, as in kcp, to find workspaces and types there, and nothing else.
        let is_open = |method: &Method, path: &str| {
            let documents = ["/api", "/apis", "/openapi/v2", "/openapi/v3", "/version"];
            let readable = ["/apis/tenancy.kcp.io/", "/apis/core.kcp.io/"].iter().any(|start| path.starts_with(start));
            let reviews = path.ends_with("/selfsubjectaccessreviews");
            place == WorkspacePath::root()
                && (method == Method::GET && (documents.contains(&path) || readable) || reviews)
        };
        for (method, path) in requests.iter().filter(|(method, path)| !is_open(method, path)) {
            let (code, text) = answer(&client, method, path, &[], body).await;
            assert_eq!(code, 403, "{method} {place} {path}: {text}");
            assert!(!text.contains("victim") || place.as_str() == "root:victim", "{text}");
        }
    }
    assert_eq!(t.victims_world().await, before);
}

#[tokio::test]
async fn nobody_becomes_somebody_else_by_a_header() {
    let t = Tenants::new().await;
    let victim = t.attacker_at(&Endpoint::Workspace("root:victim".parse().unwrap()));
    let secrets = "/api/v1/secrets";
    for headers in [
        &[("impersonate-user", "victim")][..],
        &[("impersonate-user", "attacker"), ("impersonate-group", "system:masters")],
        &[("impersonate-user", "system:serviceaccount:default:default")],
        &[("x-remote-user", "victim")],
        &[("x-remote-user", "victim"), ("x-remote-group", "system:masters")],
        &[("impersonate-group", "system:masters")],
        &[("impersonate-user", "kdp:system"), ("impersonate-extra-authentication.kcp.io%2fscopes", "*")],
    ] {
        let (code, text) = answer(&victim, &Method::GET, secrets, headers, "").await;
        assert!(code == 403 || code == 400, "{headers:?}: {code} {text}");
    }
    // At home the attacker may impersonate, but not beyond its workspace.
    let home = t.at_home();
    let masters = [("impersonate-user", "x"), ("impersonate-group", "system:masters")];
    assert_eq!(answer(&home, &Method::GET, secrets, &masters, "").await.0, 403);
}

#[tokio::test]
async fn wildcards_and_exports_of_others_are_closed() {
    let t = Tenants::new().await;
    let everywhere = t.attacker_at(&Endpoint::AllWorkspaces);
    for path in ["/api/v1/secrets", "/api/v1/secrets?watch=true", "/apis", "/apis/tenancy.kcp.io/v1alpha1/workspaces"] {
        assert_eq!(answer(&everywhere, &Method::GET, path, &[], "").await.0, 403, "{path}");
    }
    for consumer in [None, Some(t.victim.clone())] {
        for cluster in [t.victim.clone(), LogicalClusterName::root(), t.attacker.clone()] {
            let home = cluster == t.attacker;
            let endpoint = Endpoint::ApiExport { cluster, export: "databases".into(), consumer: consumer.clone() };
            let client = t.attacker_at(&endpoint);
            for path in ["/api/v1/secrets", "/apis/apis.kcp.io/v1alpha2/apibindings", "/apis"] {
                let (code, text) = answer(&client, &Method::GET, path, &[], "").await;
                assert_eq!(code, if home { 404 } else { 403 }, "{endpoint} {path}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn an_export_of_ones_own_reaches_nobody_who_did_not_bind_it() {
    let t = Tenants::new().await;
    let exports = dynamic(t.at_home(), "", "apis.kcp.io", "v1alpha2", "APIExport", "apiexports");
    let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "trap"},
        "spec": {"permissionClaims": [{"group": "", "resource": "secrets", "verbs": ["*"]}]}});
    exports.create(&PostParams::default(), &object(export)).await.unwrap();
    let status = json!({"status": {"identityHash": "forged", "conditions": []}});
    assert_eq!(refusal(exports.patch_status("trap", &PatchParams::default(), &Patch::Merge(&status)).await).0, 403);
    let endpoint = |consumer| Endpoint::ApiExport { cluster: t.attacker.clone(), export: "trap".into(), consumer };
    let (code, text) = answer(&t.attacker_at(&endpoint(None)), &Method::GET, "/api/v1/secrets", &[], "").await;
    let list: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &list["items"]), (200, &json!([])));
    let inside = t.attacker_at(&endpoint(Some(t.victim.clone())));
    assert_eq!(answer(&inside, &Method::GET, "/api/v1/secrets", &[], "").await.0, 404);

    // A binding of its own does not open the workspace of another one, whatever it writes into it.
    let bindings = dynamic(t.at_home(), "", "apis.kcp.io", "v1alpha2", "APIBinding", "apibindings");
    let binding = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "trap"},
        "spec": {"reference": {"export": {"path": "root:attacker", "name": "trap"}}, "permissionClaims": [
            {"group": "", "resource": "secrets", "verbs": ["*"], "selector": {"matchAll": true}, "state": "Accepted"}]},
        "status": {"phase": "Bound", "apiExportClusterName": t.victim.as_str()}});
    let bound = bindings.create(&PostParams::default(), &object(binding)).await.unwrap();
    assert_eq!(bound.data["status"]["apiExportClusterName"], t.attacker.as_str());
    let forged = json!({"status": {"apiExportClusterName": t.victim.as_str()}});
    assert_eq!(refusal(bindings.patch_status("trap", &PatchParams::default(), &Patch::Merge(&forged)).await).0, 403);
    let (_, text) = answer(&t.attacker_at(&endpoint(None)), &Method::GET, "/api/v1/secrets", &[], "").await;
    let list: Value = serde_json::from_str(&text).unwrap();
    let clusters: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|s| &s["metadata"]["annotations"]["kcp.io/cluster"]).collect();
    assert!(
        !clusters.is_empty() && clusters.iter().all(|cluster| **cluster == json!(t.attacker.as_str())),
        "{clusters:?}"
    );
}

#[tokio::test]
async fn a_workspace_cannot_be_pointed_at_somebody_elses_logical_cluster() {
    let t = Tenants::new().await;
    let workspaces: Api<Workspace> = Api::all(t.at_home());
    let spec = WorkspaceSpec { cluster: Some(t.victim.to_string()), ..WorkspaceSpec::default() };
    assert_eq!(refusal(workspaces.create(&PostParams::default(), &Workspace::new("x", spec)).await).0, 422);
    workspaces.create(&PostParams::default(), &Workspace::new("mine", WorkspaceSpec::default())).await.unwrap();
    let steal = json!({"spec": {"cluster": t.victim.as_str()}});
    assert_eq!(refusal(workspaces.patch("mine", &PatchParams::default(), &Patch::Merge(&steal)).await).0, 422);
    let free = json!({"metadata": {"finalizers": []}});
    assert_eq!(refusal(workspaces.patch("mine", &PatchParams::default(), &Patch::Merge(&free)).await).0, 403);
    let type_ = json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "y"}, "spec": {"type": "text"}});
    let path = "/apis/tenancy.kcp.io/v1alpha1/workspaces";
    assert_eq!(answer(&t.at_home(), &Method::POST, path, &[], &type_.to_string()).await.0, 422);
    let clusters = dynamic(t.at_home(), "", "core.kcp.io", "v1alpha1", "LogicalCluster", "logicalclusters");
    let move_away = json!({"metadata": {"annotations": {"kcp.io/path": "root:victim"}}});
    assert_eq!(refusal(clusters.patch("cluster", &PatchParams::default(), &Patch::Merge(&move_away)).await).0, 403);
    assert_eq!(refusal(clusters.delete("cluster", &DeleteParams::default()).await).0, 403);
}

#[tokio::test]
async fn a_token_or_revision_of_another_workspace_leads_nowhere() {
    let t = Tenants::new().await;
    let theirs = system(&t.control_plane, "root:victim");
    for name in ["a", "b"] {
        let secrets = dynamic(theirs.clone(), "default", "", "v1", "Secret", "secrets");
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
        secrets.create(&PostParams::default(), &object(secret)).await.unwrap();
    }
    let first: Value = theirs.request(Request::get("/api/v1/secrets?limit=1").body(Vec::new()).unwrap()).await.unwrap();
    let token = first["metadata"]["continue"].as_str().unwrap();
    for query in [format!("continue={token}"), "resourceVersion=1&resourceVersionMatch=NotOlderThan".into()] {
        let (code, text) = answer(&t.at_home(), &Method::GET, &format!("/api/v1/secrets?{query}"), &[], "").await;
        assert_eq!(code, 200, "{text}");
        assert!(!text.contains(t.victim.as_str()), "{text}");
    }
}

#[tokio::test]
async fn a_definition_cannot_take_the_place_of_a_kind_of_the_system() {
    let t = Tenants::new().await;
    let crds =
        dynamic(t.at_home(), "", "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");
    for (group, plural, kind) in [
        ("tenancy.kcp.io", "workspaces", "Workspace"),
        ("core.kcp.io", "logicalclusters", "LogicalCluster"),
        ("apis.kcp.io", "apibindings", "APIBinding"),
    ] {
        let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {"group": group, "scope": "Cluster", "names": {"plural": plural, "kind": kind},
                "versions": [{"name": "v9", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
        if let Ok(made) = crds.create(&PostParams::default(), &object(crd)).await {
            let conditions = made.data["status"]["conditions"].as_array().unwrap();
            assert!(
                conditions.iter().any(|c| c["type"] == "Established" && c["status"] == "False"),
                "{}",
                made.name_any()
            );
        }
        let path = format!("/apis/{group}/v9/{plural}");
        assert_eq!(answer(&t.at_home(), &Method::GET, &path, &[], "").await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn hostile_shapes_of_builtin_objects_are_refused_and_nothing_breaks() {
    let t = Tenants::new().await;
    let home = t.at_home();
    let apis = [
        ("/api/v1/namespaces", "v1", "Namespace"),
        ("/api/v1/namespaces/default/secrets", "v1", "Secret"),
        ("/api/v1/namespaces/default/configmaps", "v1", "ConfigMap"),
        ("/apis/tenancy.kcp.io/v1alpha1/workspaces", "tenancy.kcp.io/v1alpha1", "Workspace"),
        ("/apis/apis.kcp.io/v1alpha2/apiexports", "apis.kcp.io/v1alpha2", "APIExport"),
        ("/apis/apis.kcp.io/v1alpha2/apibindings", "apis.kcp.io/v1alpha2", "APIBinding"),
        ("/apis/apis.kcp.io/v1alpha1/apiresourceschemas", "apis.kcp.io/v1alpha1", "APIResourceSchema"),
        (
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
        ),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "rbac.authorization.k8s.io/v1", "ClusterRole"),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
        ),
    ];
    for (path, api_version, kind) in apis {
        for hostile in [json!("text"), json!(7), json!([1]), json!([null]), json!(true), json!({"a": null})] {
            for field in ["metadata", "spec", "status", "data", "stringData", "rules", "subjects", "roleRef"] {
                let mut body = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}});
                body[field] = hostile.clone();
                let (code, text) = answer(&home, &Method::POST, path, &[], &body.to_string()).await;
                assert!(code < 500, "{path} {body}: {code} {text}");
                if code == 200 {
                    answer(&home, &Method::DELETE, &format!("{path}/x"), &[], "").await;
                }
            }
            for field in ["labels", "annotations", "finalizers", "ownerReferences", "managedFields", "generateName"] {
                let mut body = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}});
                body["metadata"][field] = hostile.clone();
                let (code, text) = answer(&home, &Method::POST, path, &[], &body.to_string()).await;
                assert!(code < 500, "{path} {body}: {code} {text}");
                if code == 200 {
                    answer(&home, &Method::DELETE, &format!("{path}/x"), &[], "").await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_service_account_of_another_workspace_does_not_learn_the_rights_of_the_local_one() {
    let t = Tenants::new().await;
    let group = "rbac.authorization.k8s.io";
    let theirs = system(&t.control_plane, "root:victim");
    let bindings = dynamic(theirs, "", group, "v1", "ClusterRoleBinding", "clusterrolebindings");
    let foreign = format!("system:kcp:serviceaccount:{}:default:robot", t.attacker);
    for (name, role, subject) in [
        ("local", "cluster-admin", json!({"kind": "ServiceAccount", "namespace": "default", "name": "robot"})),
        ("foreign", "system:kcp:workspace:access", json!({"apiGroup": group, "kind": "User", "name": foreign})),
    ] {
        let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role}, "subjects": [subject]});
        bindings.create(&PostParams::default(), &object(binding)).await.unwrap();
    }
    let home = ("authentication.kcp.io/cluster-name".to_owned(), vec![t.attacker.to_string()]);
    let robot = Identity {
        username: "system:serviceaccount:default:robot".into(),
        extra: [home].into(),
        ..Identity::default()
    };
    let client = t.control_plane.client(&Endpoint::Workspace("root:victim".parse().unwrap()), &robot).unwrap();
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "default"}});
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let (code, text) = answer(&client, &Method::POST, path, &[], &review.to_string()).await;
    let review: Value = serde_json::from_str(&text).unwrap();
    let rules = review["status"]["resourceRules"].as_array().unwrap();
    assert_eq!(code, 200);
    assert!(!rules.iter().any(|rule| rule["verbs"] == json!(["*"])), "{rules:?}");
}

#[tokio::test]
async fn a_watch_that_asks_for_more_time_than_there_is_gets_what_there_is() {
    let t = Tenants::new().await;
    for seconds in [i64::MAX, i64::MAX / 2, i64::from(u32::MAX)] {
        let path = format!("/api/v1/secrets?watch=true&timeoutSeconds={seconds}");
        let lines = t.at_home().request_stream(Request::get(path).body(Vec::new()).unwrap()).await;
        assert!(lines.is_ok(), "{seconds}");
    }
}
