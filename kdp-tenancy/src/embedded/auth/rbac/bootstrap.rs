//! Roles and bindings that every workspace has without storing them.
//!
//! They are the part of Kubernetes' own that makes sense in a control plane without nodes, and what
//! kcp adds to it. Changing them is not possible; `admin`, `edit` and `view` take in the rules of
//! the ClusterRoles labelled for them, as in Kubernetes.

use std::sync::LazyLock;

use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::{Value, json};

use super::Policy;
use crate::embedded::auth::names::{AUTHENTICATED, KCP_ADMIN, MASTERS};

/// All of the workspace, every right.
pub const CLUSTER_ADMIN: &str = "cluster-admin";
/// Being let into a workspace, and nothing more.
pub const WORKSPACE_ACCESS: &str = "system:kcp:workspace:access";

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];
const READ_WRITE: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const RBAC: &str = "rbac.authorization.k8s.io";

static DEFINED: LazyLock<Vec<Value>> = LazyLock::new(objects);
static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| DEFINED.iter().map(with_rules).collect());
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let mut policy = Policy::default();
    for object in DEFINED.iter() {
        policy.insert(object).expect("the bootstrap objects are well-formed, as a test shows");
    }
    policy
});

/// The objects as a client may see them: ClusterRoles and ClusterRoleBindings without uid and
/// resourceVersion.
#[must_use]
pub fn bootstrap_objects() -> &'static [Value] {
    &OBJECTS
}

/// Whether a ClusterRole or ClusterRoleBinding of this name is built in, so that it cannot be
/// created, changed or deleted.
#[must_use]
pub fn is_bootstrap(kind: &str, name: &str) -> bool {
    DEFINED.iter().any(|object| object["kind"] == kind && object["metadata"]["name"] == name)
}

pub(super) fn policy() -> &'static Policy {
    &POLICY
}

/// An aggregated role with the rules that it has in every workspace.
fn with_rules(object: &Value) -> Value {
    let mut object = object.clone();
    if object.get("aggregationRule").is_some() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        // Aggregated by two ways, a rule is shown once.
        let mut rules: Vec<Value> = Vec::new();
        for rule in POLICY.cluster_role_rules(name).into_iter().flatten() {
            let rule = json!(PolicyRule::from(rule.clone()));
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        object["rules"] = rules.into();
    }
    object
}

fn objects() -> Vec<Value> {
    vec![
        role(CLUSTER_ADMIN, json!({}), &[resources(&["*"], &["*"], &["*"]), paths(&["*"], &["*"])]),
        role(WORKSPACE_ACCESS, for_services(&["developer", "member"]), &[paths(&["access"], &["/"])]),
        role(
            "system:basic-user",
            json!({}),
            &[
                resources(
                    &["create"],
                    &["authorization.k8s.io"],
                    &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
                ),
                resources(&["create"], &["authentication.k8s.io"], &["selfsubjectreviews"]),
            ],
        ),
        role(
            "system:discovery",
            json!({}),
            &[paths(
                &["get"],
                &[
                    "/api",
                    "/api/*",
                    "/apis",
                    "/apis/*",
                    "/healthz",
                    "/livez",
                    "/openapi",
                    "/openapi/*",
                    "/readyz",
                    "/version",
                    "/version/",
                ],
            )],
        ),
        aggregate("admin", json!({}), "admin"),
        aggregate_services("kdp:developer", "developer"),
        aggregate_services("kdp:member", "member"),
        aggregate("edit", label("admin"), "edit"),
        aggregate("view", label("edit"), "view"),
        role(
            "system:aggregate-to-admin",
            label("admin"),
            &[
                resources(READ_WRITE, &[RBAC], &["roles", "rolebindings"]),
                resources(&["create"], &["authorization.k8s.io"], &["localsubjectaccessreviews"]),
            ],
        ),
        role(
            "system:aggregate-to-edit",
            label("edit"),
            &[
                resources(WRITE, &[""], &["configmaps", "events"]),
                resources(READ_WRITE, &[""], &["secrets"]),
                resources(WRITE, &[""], &["serviceaccounts"]),
                resources(&["impersonate"], &[""], &["serviceaccounts"]),
                resources(&["create"], &[""], &["serviceaccounts/token"]),
                resources(READ_WRITE, &["coordination.k8s.io"], &["leases"]),
                resources(WRITE, &["events.k8s.io"], &["events"]),
            ],
        ),
        role(
            "system:aggregate-to-view",
            label("view"),
            &[
                resources(
                    READ,
                    &[""],
                    &[
                        "configmaps",
                        "events",
                        "limitranges",
                        "namespaces",
                        "namespaces/status",
                        "resourcequotas",
                        "resourcequotas/status",
                        "serviceaccounts",
                    ],
                ),
                resources(READ, &["events.k8s.io"], &["events"]),
            ],
        ),
        binding(CLUSTER_ADMIN, CLUSTER_ADMIN, &[MASTERS, KCP_ADMIN]),
        binding("system:basic-user", "system:basic-user", &[AUTHENTICATED]),
        binding("system:discovery", "system:discovery", &[AUTHENTICATED]),
    ]
}

fn role(name: &str, labels: Value, rules: &[Value]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name, "labels": bootstrapping(labels) },
        "rules": rules,
    })
}

fn aggregate(name: &str, labels: Value, purpose: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name, "labels": bootstrapping(labels) },
        "aggregationRule": { "clusterRoleSelectors": [{ "matchLabels": label(purpose) }] },
    })
}

/// A role of KDP that takes in the default roles of bound services.
fn aggregate_services(name: &str, purpose: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name, "labels": bootstrapping(json!({ "rbac.kdp.k8c.io/display": "true" })) },
        "aggregationRule": { "clusterRoleSelectors": [{ "matchLabels": for_services(&[purpose]) }] },
    })
}

fn binding(name: &str, role: &str, groups: &[&str]) -> Value {
    let subjects: Vec<Value> =
        groups.iter().map(|group| json!({ "apiGroup": RBAC, "kind": "Group", "name": group })).collect();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": name, "labels": bootstrapping(json!({})) },
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": role },
        "subjects": subjects,
    })
}

fn label(purpose: &str) -> Value {
    json!({ format!("rbac.authorization.k8s.io/aggregate-to-{purpose}"): "true" })
}

fn for_services(purposes: &[&str]) -> Value {
    purposes.iter().map(|purpose| (format!("rbac.kdp.k8c.io/aggregate-to-{purpose}"), "true")).collect()
}

fn bootstrapping(mut labels: Value) -> Value {
    labels["kubernetes.io/bootstrapping"] = "rbac-defaults".into();
    labels
}

fn resources(verbs: &[&str], groups: &[&str], resources: &[&str]) -> Value {
    json!({ "apiGroups": groups, "resources": resources, "verbs": verbs })
}

fn paths(verbs: &[&str], paths: &[&str]) -> Value {
    json!({ "nonResourceURLs": paths, "verbs": verbs })
}
