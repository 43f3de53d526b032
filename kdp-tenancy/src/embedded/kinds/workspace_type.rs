//! WorkspaceTypes: what may be said in one, and who may say it.

pub(crate) mod bootstrap;
mod limits;
mod lineage;
#[cfg(test)]
mod tests;

use kdp_core::{
    LogicalClusterName, WorkspacePath,
    api::{PATH_ANNOTATION, tenancy::WorkspaceTypeSpec},
};
use serde_json::{Value, json};

pub(crate) use self::{
    limits::refusal,
    lineage::{Lineage, TYPE_CLUSTER_ANNOTATION, Type, find, lineage, of, place, resolve},
};
use super::{is_system, logical_cluster::Stage, set_condition};
use crate::embedded::{
    auth::{Attributes, ResourceAttributes},
    object::{object_at, str_at},
    registry::{Caller, Place, Registry},
    status::{FieldError, Result, StatusError},
};

/// Names that mean something else where a type is named.
const RESERVED: [&str; 2] = ["any", "system"];
const ROOT_TYPE: &str = "root";
/// Lists of a type, and how long each may be: all of it is looked up when a workspace is created, and the
/// configurations whenever somebody shows a token.
const MOST: [(&str, usize); 5] = [
    ("/extend/with", 32),
    ("/authenticationConfigurations", 16),
    ("/defaultAPIBindings", 256),
    ("/limitAllowedChildren/types", 256),
    ("/limitAllowedParents/types", 256),
];

/// Completes a type that is about to be created.
pub(super) async fn create(registry: &Registry, place: &Place, caller: &Caller, type_: &mut Value) -> Result<()> {
    check_bindings(registry, place, caller, &Value::Null, type_).await?;
    complete(registry, &place.cluster, type_);
    Ok(())
}

/// Completes a type that is about to be changed. Exports that it had before need no right to bind any more.
pub(super) async fn update(
    registry: &Registry,
    place: &Place,
    caller: &Caller,
    before: &Value,
    type_: &mut Value,
) -> Result<()> {
    check_bindings(registry, place, caller, before, type_).await?;
    complete(registry, &place.cluster, type_);
    Ok(())
}

/// Fills in what the server decides.
fn complete(registry: &Registry, cluster: &LogicalClusterName, type_: &mut Value) {
    let path = registry.index.path(cluster);
    object_at(&mut type_["metadata"], "annotations").insert(PATH_ANNOTATION.into(), path.as_str().into());
    let controller = format!("{cluster}:{}", str_at(type_, &["metadata", "name"]));
    let workspaces: Vec<Value> = Stage::ALL
        .iter()
        .map(|stage| json!({"url": registry.urls.lifecycle(*stage, &controller), "type": stage.url_type()}))
        .collect();
    object_at(type_, "status").insert("virtualWorkspaces".into(), workspaces.into());
    for condition in ["VirtualWorkspaceURLsReady", "Ready"] {
        set_condition(type_, condition, "True", "", "");
    }
}

/// The rules that the schema cannot say.
pub(super) fn validate(cluster: &LogicalClusterName, type_: &Value) -> Vec<FieldError> {
    let name = str_at(type_, &["metadata", "name"]);
    let mut errors = Vec::new();
    if RESERVED.contains(&name) {
        errors.push(FieldError::invalid("metadata.name", name, "is a reserved name"));
    }
    if name == ROOT_TYPE && *cluster != LogicalClusterName::root() {
        errors.push(FieldError::forbidden("metadata.name", "the type root may only be defined in the root workspace"));
    }
    let spec = &type_["spec"];
    for (field, most) in MOST {
        let list = spec.pointer(field).and_then(Value::as_array).map_or(0, Vec::len);
        if list > most {
            let field = format!("spec{}", field.replace('/', "."));
            errors.push(FieldError::invalid(field, list, format!("must have at most {most} items")));
        }
    }
    let mut needs_path = |field: String, reference: &Value| {
        if str_at(reference, &["path"]).is_empty() {
            errors.push(FieldError::required(format!("{field}.path"), "must say which workspace defines the type"));
        }
    };
    if !spec["defaultChildWorkspaceType"].is_null() {
        needs_path("spec.defaultChildWorkspaceType".into(), &spec["defaultChildWorkspaceType"]);
    }
    for limit in ["limitAllowedChildren", "limitAllowedParents"] {
        for (i, reference) in spec[limit]["types"].as_array().into_iter().flatten().enumerate() {
            needs_path(format!("spec.{limit}.types[{i}]"), reference);
        }
    }
    errors
}

/// Whoever writes a type needs the right to bind its exports, since the server binds them in the name of nobody.
async fn check_bindings(
    registry: &Registry,
    place: &Place,
    caller: &Caller,
    before: &Value,
    type_: &Value,
) -> Result<()> {
    if is_system(caller) {
        return Ok(());
    }
    let bindings = |type_: &Value| type_["spec"]["defaultAPIBindings"].as_array().cloned().unwrap_or_default();
    let known = bindings(before);
    for reference in bindings(type_).iter().filter(|reference| !known.contains(reference)) {
        let (path, export) = (str_at(reference, &["path"]), str_at(reference, &["export"]));
        let allowed = match cluster_of_export(registry, &place.cluster, path) {
            Some(cluster) => {
                let attributes = Attributes::Resource(ResourceAttributes {
                    verb: "bind",
                    group: "apis.kcp.io",
                    resource: "apiexports",
                    name: export,
                    ..ResourceAttributes::default()
                });
                registry.authorizer.has_right(&caller.identity, &cluster, &attributes).await?
            }
            None => false,
        };
        if !allowed {
            // A workspace or an export that does not exist must look the same.
            let message = format!("no permission to bind to export {path}:{export}");
            return Err(StatusError::forbidden(place.reference(), str_at(type_, &["metadata", "name"]), message));
        }
    }
    Ok(())
}

/// Where an export is that a type in `cluster` refers to.
pub(crate) fn cluster_of_export(
    registry: &Registry,
    cluster: &LogicalClusterName,
    path: &str,
) -> Option<LogicalClusterName> {
    match path {
        "" => Some(cluster.clone()),
        path => registry.index.resolve(&path.parse::<WorkspacePath>().ok()?),
    }
}

/// The spec of a stored type.
fn spec(type_: &Value) -> Result<WorkspaceTypeSpec> {
    serde_json::from_value(type_["spec"].clone()).or_else(|error| match &type_["spec"] {
        Value::Null => Ok(WorkspaceTypeSpec::default()),
        _ => Err(StatusError::internal(format_args!("a stored WorkspaceType is malformed: {error}"))),
    })
}
