//! Roles and bindings: nobody grants what they do not have.

use serde_json::Value;

use crate::embedded::{
    auth::{WorkspaceAuthorizer, rbac::bootstrap::is_bootstrap},
    object::str_at,
    registry::{Caller, Place, Registry},
    roles::is_synced,
    status::{Result, StatusError},
};

pub(super) async fn check_create(registry: &Registry, place: &Place, caller: &Caller, object: &Value) -> Result<()> {
    if is_builtin(place, object) {
        return Err(StatusError::already_exists(place.reference(), name(object)));
    }
    check(registry, place, caller, object).await
}

pub(super) async fn check_update(registry: &Registry, place: &Place, caller: &Caller, object: &Value) -> Result<()> {
    check_delete(place, object)?;
    check(registry, place, caller, object).await
}

/// What every workspace has without storing it stays as it is.
pub(super) fn check_delete(place: &Place, object: &Value) -> Result<()> {
    if is_builtin(place, object) {
        return Err(StatusError::forbidden(place.reference(), name(object), "it is built in and cannot be changed"));
    }
    Ok(())
}

async fn check(registry: &Registry, place: &Place, caller: &Caller, object: &Value) -> Result<()> {
    let policy = registry.index.policy(&place.cluster).await?;
    let authorizer = WorkspaceAuthorizer::new(&place.cluster, policy.as_deref());
    let plural = &*place.served.resource.plural;
    if matches!(plural, "clusterroles" | "clusterrolebindings")
        && is_synced(object)
        && !authorizer.has_every_right(&caller.identity)
    {
        // It counts in every workspace below, where rights held here say nothing.
        let message = "must have cluster-admin privileges to have it copied to the workspaces below";
        return Err(StatusError::forbidden(place.reference(), name(object), message));
    }
    match plural {
        "roles" | "clusterroles" => authorizer.check_role(&caller.identity, object),
        _ => authorizer.check_binding(&caller.identity, object),
    }
}

fn is_builtin(place: &Place, object: &Value) -> bool {
    is_bootstrap(&place.served.resource.kind, name(object))
}

fn name(object: &Value) -> &str {
    str_at(object, &["metadata", "name"])
}
