//! API groups that belong to the control plane: a tenant that defined kinds in one could pass off its
//! objects as those of the system.

use serde_json::Value;

use super::is_system;
use crate::embedded::{
    object::str_at,
    registry::{Caller, Place},
    status::{Result, StatusError},
    surface::Surface,
};

/// Refuses a definition in a group that is served here, or that kcp reserves. Other groups below `kcp.io`
/// are free, such as that of the kinds a sync agent installs. It need not be asked at updates: the group is
/// part of the name of a definition.
pub(super) fn check_group(place: &Place, caller: &Caller, definition: &Value) -> Result<()> {
    let group = str_at(definition, &["spec", "group"]);
    if is_system(caller) || !is_reserved(group) {
        return Ok(());
    }
    let name = str_at(definition, &["metadata", "name"]);
    Err(StatusError::forbidden(place.reference(), name, format!("{group} is a reserved group")))
}

fn is_reserved(group: &str) -> bool {
    let is_builtin = || Surface::base().each_resource().any(|served| served.resource.group == group);
    group.ends_with("apis.kcp.io") || (group.contains('.') && is_builtin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_the_control_plane_are_reserved_and_their_likes_are_not() {
        for group in ["apis.kcp.io", "core.kcp.io", "tenancy.kcp.io", "deep.apis.kcp.io", "tenancy.kdp.k8c.io"] {
            assert!(is_reserved(group), "{group}");
        }
        for group in ["syncagent.kcp.io", "kcp.io.example.com", "core.kdp.k8c.io", "kdp.k8c.io", "example.com", ""] {
            assert!(!is_reserved(group), "{group}");
        }
    }
}
