//! Roles and bindings that every workspace has without storing them.
//!
//! They are the part of Kubernetes' own that makes sense in a control plane without nodes, and what
//! kcp adds to it. Changing them is not possible; `admin`, `edit` and `view` take in the rules of
//! the ClusterRoles labelled for them, as in Kubernetes.

use std::sync::LazyLock;

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

static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(objects);
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let mut policy = Policy::default();
    for object in OBJECTS.iter() {
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

/// Whether a ClusterRole of this name is built in, so that none can be created.
#[must_use]
pub fn is_bootstrap_cluster_role(name: &str) -> bool {
    OBJECTS.iter().any(|object| object["kind"] == "ClusterRole" && object["metadata"]["name"] == name)
}

pub(super) fn policy() -> &'static Policy {
    &POLICY
}

fn objects() -> Vec<Value> {
    vec![
        role(CLUSTER_ADMIN, json!({}), &[resources(&["*"], &["*"], &["*"]), paths(&["*"], &["*"])]),
        role(WORKSPACE_ACCESS, json!({}), &[paths(&["access"], &["/"])]),
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
