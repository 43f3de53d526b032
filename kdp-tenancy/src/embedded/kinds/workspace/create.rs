//! Creating a workspace: which type it is, whether that is allowed, and what is written with it.

use kdp_core::{
    LogicalClusterName, WorkspacePath,
    api::{
        core::LOGICAL_CLUSTER_NAME,
        tenancy::{
            LOGICAL_CLUSTER_FINALIZER, OWNER_ANNOTATION, REQUIRED_GROUPS_ANNOTATION, TYPE_ANNOTATION,
            WorkspaceTypeReference,
        },
    },
};
use rand::Rng;
use serde_json::{Value, json};

use super::{CLUSTER_ANNOTATION, NewCluster};
use crate::embedded::{
    key::ResourceKey,
    kinds::{
        is_system, logical_cluster,
        logical_cluster::Stage,
        set_condition,
        workspace_type::{self, Lineage},
    },
    object::{self, object_at, str_at},
    registry::{Caller, Extra, Place, Registry, rules::invalid},
    status::{FieldError, Result, StatusError},
};

const NAME_LENGTH: usize = 16;

/// Completes a workspace that is about to be created, and adds its logical cluster to the transaction.
pub(in crate::embedded::kinds) async fn create(
    registry: &Registry,
    place: &Place,
    caller: &Caller,
    workspace: &mut Value,
    extra: &mut Extra,
) -> Result<()> {
    let name = str_at(workspace, &["metadata", "name"]).to_owned();
    let asked = check_fields(place, caller, &name, workspace)?;
    let parent = registry.find(&place.cluster, "core.kcp.io", "logicalclusters", None, LOGICAL_CLUSTER_NAME).await?;
    let (_, parent) = parent.ok_or_else(StatusError::page_not_found)?;
    let lineage = type_of(registry, place, caller, &name, asked, &parent).await?;
    let type_ = lineage.itself();
    let child = free_cluster_name(registry).await?;
    let path =
        registry.index.path(&place.cluster).join(&name).map_err(|e| {
            invalid(place, &name, vec![FieldError::invalid("metadata.name", name.as_str(), e.to_string())])
        })?;
    let groups = required_groups(caller, workspace, &parent);

    let spec = object_at(workspace, "spec");
    spec.insert("type".into(), json!({"name": type_.name, "path": type_.path.as_str()}));
    spec.insert("cluster".into(), child.as_str().into());
    spec.insert("URL".into(), registry.urls.workspace(&path).into());
    object::add_finalizer(workspace, LOGICAL_CLUSTER_FINALIZER);
    let annotations = object_at(&mut workspace["metadata"], "annotations");
    annotations.insert(CLUSTER_ANNOTATION.into(), child.as_str().into());
    annotations.remove(REQUIRED_GROUPS_ANNOTATION);
    if let Some(groups) = &groups {
        annotations.insert(REQUIRED_GROUPS_ANNOTATION.into(), groups.as_str().into());
    }
    if !is_system(caller) {
        let owner = serde_json::to_string(&caller.identity).map_err(StatusError::internal)?;
        annotations.insert(OWNER_ANNOTATION.into(), owner.into());
    }
    let labels = object_at(&mut workspace["metadata"], "labels");
    labels.retain(|key, _| !Stage::ALL.iter().any(|stage| stage.owns_label(key)));
    for (key, value) in &type_.spec.additional_workspace_labels {
        labels.entry(key.as_str()).or_insert_with(|| value.as_str().into());
    }

    let owner = json!({
        "apiVersion": "tenancy.kcp.io/v1alpha1", "resource": "workspaces", "name": name,
        "cluster": place.cluster.as_str(), "uid": workspace["metadata"]["uid"],
    });
    let qualified = type_.qualified();
    let new = NewCluster::new(&child, path.as_str(), &qualified, &caller.identity)
        .with_type_cluster(&type_.cluster)
        .with_owner(owner)
        .with_required_groups(groups.as_deref())
        .with_controllers(lineage.controllers(Stage::Initializing), lineage.controllers(Stage::Terminating));
    set_condition(workspace, "WorkspaceScheduled", "True", "", "");
    logical_cluster::reflect(&new.logical_cluster(registry), workspace);
    extra.conditions.push(new.is_free());
    extra.changes.extend(new.changes(registry)?);
    Ok(())
}

/// Checks what the schema is too late for, since the server fills it in. Returns the type that is asked for, if any.
fn check_fields(
    place: &Place,
    caller: &Caller,
    name: &str,
    workspace: &Value,
) -> Result<Option<WorkspaceTypeReference>> {
    let mut errors = Vec::new();
    let spec = &workspace["spec"];
    if !spec.is_null() && !spec.is_object() {
        errors.push(FieldError::invalid("spec", spec.clone(), "must be an object"));
    }
    let type_: Option<WorkspaceTypeReference> = serde_json::from_value(spec["type"].clone()).unwrap_or_else(|_| {
        errors.push(FieldError::invalid("spec.type", spec["type"].clone(), "must be an object with a name"));
        None
    });
    for field in ["cluster", "URL"] {
        if !str_at(workspace, &["spec", field]).is_empty() && !is_system(caller) {
            errors.push(FieldError::forbidden(format!("spec.{field}"), "only the system may set it"));
        }
    }
    if !workspace["spec"]["mount"].is_null() {
        errors.push(FieldError::forbidden("spec.mount", "mounts are not supported by this control plane"));
    }
    if errors.is_empty() { Ok(type_) } else { Err(invalid(place, name, errors)) }
}

/// The type of the workspace, which the caller may use and which may stand here.
async fn type_of(
    registry: &Registry,
    place: &Place,
    caller: &Caller,
    name: &str,
    asked: Option<WorkspaceTypeReference>,
    parent: &Value,
) -> Result<Lineage> {
    let forbidden = |message: String| StatusError::forbidden(place.reference(), name, message);
    let parent_type = str_at(parent, &["metadata", "annotations", TYPE_ANNOTATION]);
    let parent_lineage = workspace_type::of(registry, parent).await?;
    let parent_lineage =
        parent_lineage.ok_or_else(|| forbidden("the type of the workspace it is created in is gone".into()))?;
    let reference = match asked {
        Some(reference) => reference,
        None => {
            let default = parent_lineage.itself().spec.default_child_workspace_type.clone();
            default
                .ok_or_else(|| forbidden(format!("spec.type must be set: {parent_type} has no default child type")))?
        }
    };
    let found = match workspace_type::resolve(registry, &place.cluster, &reference).await? {
        Some(type_) => workspace_type::lineage(registry, type_).await?,
        None => None,
    };
    let usable = match found {
        Some(lineage) if lineage.may_be_used(registry, &caller.identity).await? => Some(lineage),
        _ => None,
    };
    // What does not exist and what may not be used look the same: types of others cannot be probed.
    let lineage = usable.ok_or_else(|| {
        let path = reference.path.as_ref().map(|path| format!("{path}:")).unwrap_or_default();
        forbidden(format!(
            "unable to use workspace type {path}{}: it or a type that it extends does not exist, or the verb use on \
             it is not permitted",
            reference.name
        ))
    })?;
    let cluster_of = |reference: &WorkspaceTypeReference| {
        registry.index.resolve(&reference.path.as_deref()?.parse::<WorkspacePath>().ok()?)
    };
    match workspace_type::refusal(&parent_lineage, &lineage, cluster_of) {
        Some(reason) => Err(forbidden(reason)),
        None => Ok(lineage),
    }
}

/// The groups that are needed to be let in: as in the parent, unless the system says otherwise.
fn required_groups(caller: &Caller, workspace: &Value, parent: &Value) -> Option<String> {
    let of = |object: &Value| {
        let groups = str_at(object, &["metadata", "annotations", REQUIRED_GROUPS_ANNOTATION]);
        (!groups.is_empty()).then(|| groups.to_owned())
    };
    of(workspace).filter(|_| is_system(caller)).or_else(|| of(parent))
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
