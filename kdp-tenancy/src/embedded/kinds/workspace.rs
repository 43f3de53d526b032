//! Workspaces: each is a logical cluster of its own, made in the same transaction.

use kdp_core::{
    LogicalClusterName, WorkspacePath,
    api::{
        PATH_ANNOTATION,
        core::LOGICAL_CLUSTER_NAME,
        tenancy::{LOGICAL_CLUSTER_FINALIZER, PHASE_LABEL},
    },
};
use rand::Rng;
use serde_json::{Value, json};

use super::{is_system, namespace, put_new, service_account, set_condition};
use crate::{
    embedded::{
        key::{ResourceKey, cluster_prefix},
        object::{metadata_mut, object_at, str_at},
        registry::{Caller, Extra, Place, Registry, rules::invalid},
        status::{FieldError, Result},
    },
    store::{Change, RangeQuery},
};

const OWNER_ANNOTATION: &str = "experimental.tenancy.kcp.io/owner";
const CLUSTER_ANNOTATION: &str = "internal.tenancy.kcp.io/cluster";
const TYPE_ANNOTATION: &str = "internal.tenancy.kcp.io/type";
const NAME_LENGTH: usize = 16;

pub(super) async fn create(
    registry: &Registry,
    place: &Place,
    caller: &Caller,
    workspace: &mut Value,
    extra: &mut Extra,
) -> Result<()> {
    let name = str_at(workspace, &["metadata", "name"]).to_owned();
    for field in ["cluster", "URL"] {
        if !str_at(workspace, &["spec", field]).is_empty() && !is_system(caller) {
            let error = FieldError::forbidden(format!("spec.{field}"), "only the system may set it");
            return Err(invalid(place, &name, vec![error]));
        }
    }
    let child = free_cluster_name(registry).await?;
    let path =
        registry.index.path(&place.cluster).join(&name).map_err(|e| {
            invalid(place, &name, vec![FieldError::invalid("metadata.name", name.as_str(), e.to_string())])
        })?;
    let user = serde_json::to_value(&caller.identity).unwrap_or_default();
    let spec = object_at(workspace, "spec");
    let type_ = spec.entry("type").or_insert_with(|| json!({"name": "universal", "path": "root"}));
    if let Some(type_) = type_.as_object_mut().filter(|type_| !type_.contains_key("path")) {
        type_.insert("path".into(), "root".into());
    }
    let type_name = format!("{}:{}", str_at(type_, &["path"]), str_at(type_, &["name"]));
    spec.insert("cluster".into(), child.as_str().into());
    spec.insert("URL".into(), registry.urls.workspace(&path).into());
    let metadata = metadata_mut(workspace);
    metadata.insert("finalizers".into(), json!([LOGICAL_CLUSTER_FINALIZER]));
    let annotations = object_at(&mut workspace["metadata"], "annotations");
    annotations.insert(CLUSTER_ANNOTATION.into(), child.as_str().into());
    if !is_system(caller) {
        annotations.insert(OWNER_ANNOTATION.into(), user.to_string().into());
    }
    for condition in ["WorkspaceScheduled", "WorkspaceInitialized", "Ready"] {
        set_condition(workspace, condition, "True", "", "");
    }
    set_phase(workspace, "Ready");
    extra
        .conditions
        .push((ResourceKey::new(&child, "core.kcp.io", "logicalclusters").object(None, LOGICAL_CLUSTER_NAME), None));
    let owner = json!({
        "apiVersion": "tenancy.kcp.io/v1alpha1", "resource": "workspaces", "name": name,
        "cluster": place.cluster.as_str(), "uid": workspace["metadata"]["uid"],
    });
    extra.changes.extend(content(
        registry,
        &child,
        &path,
        Some(owner),
        Some(&type_name),
        Some(&caller.identity.username),
    )?);
    Ok(())
}

/// What every logical cluster holds from its first moment.
pub(crate) fn content(
    registry: &Registry,
    cluster: &LogicalClusterName,
    path: &WorkspacePath,
    owner: Option<Value>,
    type_: Option<&str>,
    admin: Option<&str>,
) -> Result<Vec<Change>> {
    let mut logical_cluster = json!({
        "kind": "LogicalCluster",
        "metadata": {
            "name": LOGICAL_CLUSTER_NAME,
            "annotations": {PATH_ANNOTATION: path.as_str()},
        },
        "spec": {"directlyDeletable": false},
        "status": {"URL": registry.urls.workspace(&cluster.path())},
    });
    if let Some(type_) = type_ {
        logical_cluster["metadata"]["annotations"][TYPE_ANNOTATION] = type_.into();
    }
    if let Some(owner) = owner {
        logical_cluster["spec"]["owner"] = owner;
    }
    set_phase(&mut logical_cluster, "Ready");
    let mut changes = vec![
        put_new(cluster, "core.kcp.io", "logicalclusters", "v1alpha1", logical_cluster)?,
        put_new(cluster, "", "namespaces", "v1", namespace::new("default"))?,
    ];
    changes.extend(service_account::namespace_content(registry, cluster, "default")?);
    if let Some(admin) = admin {
        let binding = json!({
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "workspace-admin"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": admin}],
        });
        changes.push(put_new(cluster, "rbac.authorization.k8s.io", "clusterrolebindings", "v1", binding)?);
    }
    Ok(changes)
}

pub(super) fn update(place: &Place, caller: &Caller, before: &Value, workspace: &Value) -> Result<()> {
    let changed = |field: &str| before["spec"][field] != workspace["spec"][field];
    let errors: Vec<_> = ["cluster", "URL"]
        .into_iter()
        .filter(|field| changed(field) && !is_system(caller))
        .map(|field| FieldError::forbidden(format!("spec.{field}"), "only the system may change it"))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(invalid(place, str_at(before, &["metadata", "name"]), errors)) }
}

/// Sets the phase in the status and in the label that goes with it.
pub(crate) fn set_phase(object: &mut Value, phase: &str) {
    object_at(object, "status").insert("phase".into(), phase.into());
    object_at(&mut object["metadata"], "labels").insert(PHASE_LABEL.into(), phase.into());
}

/// Removes whatever is left in the logical cluster together with its workspace.
pub(super) async fn remove(registry: &Registry, workspace: &Value, extra: &mut Extra) -> Result<()> {
    let Ok(child) = str_at(workspace, &["spec", "cluster"]).parse::<LogicalClusterName>() else { return Ok(()) };
    let left = registry.store.range(RangeQuery::prefix(cluster_prefix(&child))).await?;
    extra.changes.extend(left.entries.iter().map(|entry| Change::Delete(entry.key.to_string())));
    Ok(())
}

/// A name that no logical cluster has.
async fn free_cluster_name(registry: &Registry) -> Result<LogicalClusterName> {
    loop {
        let name = cluster_name(&mut rand::rng());
        let key = ResourceKey::new(&name, "core.kcp.io", "logicalclusters").object(None, LOGICAL_CLUSTER_NAME);
        if registry.store.get(&key).await?.is_none() {
            return Ok(name);
        }
    }
}

fn cluster_name(random: &mut impl Rng) -> LogicalClusterName {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let name: String = (0..NAME_LENGTH).map(|_| char::from(DIGITS[random.random_range(0..DIGITS.len())])).collect();
    name.parse().expect("letters and digits make a logical cluster name")
}
