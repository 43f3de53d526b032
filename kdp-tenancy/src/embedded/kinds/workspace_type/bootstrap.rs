//! What the root workspace holds from its first moment: the builtin types, and who may use them.
//!
//! As kcp's, with three differences. Workspaces in the root are not shown to everybody. The kinds of `tenancy.kcp.io` and `topology.kcp.io` are builtin here, so there
//! are no exports of them and `universal` binds nothing. And what kcp's initializer of `universal` makes is written
//! in the transaction of the workspace itself, so that `universal` needs no initializer.

use kdp_core::{
    Identity, LogicalClusterName,
    api::{core::LOGICAL_CLUSTER_NAME, tenancy::TYPE_ANNOTATION},
};
use serde_json::{Value, json};

use super::complete;
use crate::{
    embedded::{
        kinds::{put_new, workspace::NewCluster},
        object::{self, object_at, str_at},
        registry::Registry,
        status::Result,
    },
    store::{Change, Transaction},
};

const RBAC: &str = "rbac.authorization.k8s.io";
/// The type of the root workspace.
const ROOT_TYPE: &str = "root:root";

/// Makes the root workspace, or completes one that was made before there were types.
///
/// Done once: what an administrator changes afterwards stays changed. Losing to another replica is no error.
pub(crate) async fn bootstrap(registry: &Registry) -> Result<()> {
    let root = LogicalClusterName::root();
    let found = registry.find(&root, "core.kcp.io", "logicalclusters", None, LOGICAL_CLUSTER_NAME).await?;
    let transaction = match found {
        Some((_, object)) if !str_at(&object, &["metadata", "annotations", TYPE_ANNOTATION]).is_empty() => {
            return Ok(());
        }
        Some((entry, mut object)) => {
            let annotations = object_at(&mut object["metadata"], "annotations");
            annotations.insert(TYPE_ANNOTATION.into(), ROOT_TYPE.into());
            let key = entry.key.to_string();
            let mut changes = vec![Change::Put(key.clone(), object::encode(&root, object)?)];
            changes.extend(objects(registry, &root)?);
            Transaction { conditions: vec![(key, Some(entry.modified))], changes }
        }
        None => {
            let creator = Identity::system_masters();
            let new = NewCluster::new(&root, root.as_str(), ROOT_TYPE, &creator).without_admin();
            let mut changes = new.changes(registry)?;
            changes.extend(objects(registry, &root)?);
            Transaction { conditions: vec![new.is_free()], changes }
        }
    };
    registry.commit(transaction, false).await.map(drop)
}

fn objects(registry: &Registry, root: &LogicalClusterName) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for mut type_ in types() {
        complete(registry, root, &mut type_);
        changes.push(put_new(root, "tenancy.kcp.io", "workspacetypes", "v1alpha1", type_)?);
    }
    for (name, rules) in roles() {
        let role = json!({"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
        changes.push(put_new(root, RBAC, "clusterroles", "v1", role)?);
    }
    for (name, role) in BINDINGS {
        let binding = json!({
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"}],
        });
        changes.push(put_new(root, RBAC, "clusterrolebindings", "v1", binding)?);
    }
    Ok(changes)
}

fn types() -> Vec<Value> {
    let reference = |name: &str| json!({"name": name, "path": "root"});
    let only = |names: &[&str]| json!({"types": names.iter().map(|name| reference(name)).collect::<Vec<_>>()});
    let type_ = |name: &str, child: &str, limits: Value| {
        let mut spec = limits;
        spec["defaultChildWorkspaceType"] = reference(child);
        if name != "universal" {
            spec["extend"] = json!({"with": [reference("universal")]});
        }
        json!({"kind": "WorkspaceType", "metadata": {"name": name}, "spec": spec})
    };
    vec![
        type_("universal", "universal", json!({})),
        type_("root", "organization", json!({"limitAllowedParents": {"none": true}})),
        type_(
            "organization",
            "universal",
            json!({"limitAllowedChildren": only(&["universal"]), "limitAllowedParents": only(&["root"])}),
        ),
        type_("team", "universal", json!({"limitAllowedParents": only(&["organization", "team"])})),
        type_("home", "universal", json!({"limitAllowedParents": {"none": true}})),
    ]
}

fn roles() -> Vec<(&'static str, Value)> {
    let read = ["get", "list", "watch"];
    vec![
        (
            "system:kcp:tenancy:reader",
            json!([
                {"apiGroups": ["tenancy.kcp.io"], "resources": ["workspaces", "workspacetypes"], "verbs": read},
                {"apiGroups": ["core.kcp.io"], "resources": ["logicalclusters"], "verbs": read},
            ]),
        ),
        (
            "kdp:workspacetypes:reader",
            json!([
                {"apiGroups": ["tenancy.kcp.io"], "resources": ["workspacetypes"], "verbs": read},
                {"apiGroups": ["core.kcp.io"], "resources": ["logicalclusters"], "verbs": read},
            ]),
        ),
        (
            "system:kcp:universal-workspacetype-use",
            json!([{"apiGroups": ["tenancy.kcp.io"], "resources": ["workspacetypes"],
                "resourceNames": ["universal", "organization", "team"], "verbs": ["use"]}]),
        ),
        (
            "system:kcp:home-clusterworkspace-create",
            json!([{"apiGroups": ["tenancy.kcp.io"], "resources": ["workspaces"], "resourceNames": ["~"],
                "verbs": ["get", "create"]}]),
        ),
    ]
}

/// Bindings of everybody who is authenticated, and the role of each.
///
/// kcp binds `system:kcp:tenancy:reader` to them too. It is not bound here, because it shows to every
/// tenant which others there are, and who owns them.
const BINDINGS: [(&str, &str); 4] = [
    ("system:kcp:tenancy:authenticated:access", "system:kcp:workspace:access"),
    ("kdp:authenticated:workspacetypes:reader", "kdp:workspacetypes:reader"),
    ("system:kcp:authenticated:universal-workspacetype-use", "system:kcp:universal-workspacetype-use"),
    ("system:kcp:configured-group:home-clusterworkspace-create", "system:kcp:home-clusterworkspace-create"),
];
