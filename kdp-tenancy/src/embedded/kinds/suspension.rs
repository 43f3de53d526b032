//! Suspension of a workspace: an annotation of its LogicalCluster, which only the system writes.

use serde_json::Value;

use super::workspace::set_phase;
use crate::embedded::{
    auth::is_marked_inactive,
    object::str_at,
    registry::Place,
    status::{Result, StatusError},
};

/// Makes the phase of a LogicalCluster follow its annotation.
///
/// As in kcp, only a workspace that is ready can be suspended: initializers and terminators need
/// it open.
pub(super) fn settle(place: &Place, before: &Value, object: &mut Value) -> Result<()> {
    let (was_suspended, is_suspended) = (is_suspended(before), is_suspended(object));
    match (is_suspended, str_at(object, &["status", "phase"])) {
        (true, "Ready") => set_phase(object, "Inactive"),
        (false, "Inactive") => set_phase(object, "Ready"),
        (true, phase) if !was_suspended => {
            let message =
                format!("LogicalCluster can only be marked inactive in phase \"Ready\", but is in phase {phase:?}");
            return Err(StatusError::forbidden(place.reference(), str_at(before, &["metadata", "name"]), message));
        }
        _ => {}
    }
    Ok(())
}

fn is_suspended(logical_cluster: &Value) -> bool {
    is_marked_inactive(|key| logical_cluster["metadata"]["annotations"][key].as_str())
}
