//! Default roles of an APIBinding: one for who develops with the API, one for who looks on.

use kdp_core::LogicalClusterName;
use serde_json::{Value, json};

use super::GROUP;
use crate::{
    embedded::{
        consumers::bound_export,
        key::ResourceKey,
        kinds, object,
        object::str_at,
        registry::{Extra, Registry},
        status::Result,
    },
    store::Change,
};

/// On an APIBinding: asks for the roles, while it is `true`.
const LABEL: &str = "rbac.kdp.k8c.io/create-default-clusterroles";
/// On a role: the binding it was made for, so that nobody else's role of the name is touched.
const BINDING: &str = "rbac.kdp.k8c.io/apibinding";

/// A default role: the end of its name, the role it is aggregated into, its verbs.
const ROLES: [(&str, &str, &[&str]); 2] = [
    ("developer", "developer", &["get", "list", "watch", "create", "update", "patch", "delete"]),
    ("viewer", "member", &["get", "list", "watch"]),
];

/// Writes the default roles of a binding along with it, or removes those it should not have.
pub(in super::super) async fn settle(
    registry: &Registry,
    cluster: &LogicalClusterName,
    binding: &Value,
    extra: &mut Extra,
) -> Result<()> {
    let wanted = binding["metadata"]["labels"][LABEL] == "true"
        && bound_export(binding).is_some()
        && binding["metadata"]["deletionTimestamp"].is_null();
    for (end, purpose, verbs) in ROLES {
        let role = role(binding, end, purpose, verbs);
        settle_role(registry, cluster, role, wanted, extra).await?;
    }
    Ok(())
}

/// Removes the default roles together with their binding.
pub(in super::super) async fn remove(
    registry: &Registry,
    cluster: &LogicalClusterName,
    binding: &Value,
    extra: &mut Extra,
) -> Result<()> {
    for (end, purpose, verbs) in ROLES {
        settle_role(registry, cluster, role(binding, end, purpose, verbs), false, extra).await?;
    }
    Ok(())
}

async fn settle_role(
    registry: &Registry,
    cluster: &LogicalClusterName,
    mut role: Value,
    wanted: bool,
    extra: &mut Extra,
) -> Result<()> {
    let name = str_at(&role, &["metadata", "name"]).to_owned();
    let key = ResourceKey::new(cluster, GROUP, "clusterroles").object(None, &name);
    let present = registry.find(cluster, GROUP, "clusterroles", None, &name).await?;
    let mark = |role: &Value| role["metadata"]["annotations"][BINDING].clone();
    let change = match &present {
        None if wanted => kinds::put_new(cluster, GROUP, "clusterroles", "v1", role)?,
        Some((_, present)) if mark(present) != mark(&role) => return Ok(()),
        Some((_, present)) if wanted && present["rules"] != role["rules"] => {
            role["metadata"]["uid"] = present["metadata"]["uid"].clone();
            role["metadata"]["creationTimestamp"] = present["metadata"]["creationTimestamp"].clone();
            Change::Put(key.clone(), object::encode(cluster, role)?)
        }
        Some(_) if !wanted => Change::Delete(key.clone()),
        None | Some(_) => return Ok(()),
    };
    extra.conditions.push((key, present.map(|(entry, _)| entry.modified)));
    extra.changes.push(change);
    Ok(())
}

fn role(binding: &Value, end: &str, purpose: &str, verbs: &[&str]) -> Value {
    let export = str_at(binding, &["spec", "reference", "export", "name"]);
    let bound = binding["status"]["boundResources"].as_array();
    let rules: Vec<Value> = bound
        .into_iter()
        .flatten()
        .map(|bound| json!({"apiGroups": [bound["group"]], "resources": [bound["resource"]], "verbs": verbs}))
        .collect();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {
            "name": format!("services:{export}:{end}"),
            "labels": {
                format!("rbac.kdp.k8c.io/aggregate-to-{purpose}"): "true",
                "rbac.kdp.k8c.io/display": "true",
            },
            "annotations": {BINDING: binding["metadata"]["name"]},
        },
        "rules": rules,
    })
}
