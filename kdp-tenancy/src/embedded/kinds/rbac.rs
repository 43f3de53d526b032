//! Roles and bindings: nobody grants what they do not have.

use serde_json::Value;

use crate::embedded::{
    auth::{WorkspaceAuthorizer, rbac::bootstrap::is_bootstrap_cluster_role},
    object::str_at,
    registry::{Caller, Place, Registry},
    status::{Result, StatusError},
};

pub(super) async fn check(registry: &Registry, place: &Place, caller: &Caller, object: &Value) -> Result<()> {
    let policy = registry.index.policy(&place.cluster).await?;
    let authorizer = WorkspaceAuthorizer::new(&place.cluster, policy.as_deref());
    match &*place.served.resource.plural {
        "clusterroles" if is_bootstrap_cluster_role(str_at(object, &["metadata", "name"])) => {
            Err(StatusError::already_exists(place.reference(), str_at(object, &["metadata", "name"])))
        }
        "roles" | "clusterroles" => authorizer.check_role(&caller.identity, object),
        _ => authorizer.check_binding(&caller.identity, object),
    }
}
