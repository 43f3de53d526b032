//! LogicalClusters: where a workspace is in its life, and who has to finish before it goes on.
//!
//! Only the system writes them, and the controllers of workspace types: each may take its own name from the list of
//! those who are waited for. What follows from that (the phase, the labels, the Workspace that owns the logical
//! cluster) is written in the same transaction.

mod phase;
mod stage;
#[cfg(test)]
mod tests;

use kdp_core::LogicalClusterName;
use serde_json::{Value, json};

pub(crate) use self::{
    phase::validate,
    stage::{Controller, Stage, label_stages},
};
use super::{is_system, only_system, set_condition, suspension, workspace::set_phase};
use crate::{
    embedded::{
        object::{self, metadata_mut, object_at, str_at},
        registry::{Caller, Extra, Place, Registry, api_version, rules::invalid, write::Part},
        status::{FieldError, Result},
    },
    store::Change,
};

/// Holds a LogicalCluster until its content is gone.
pub(crate) const DELETION_FINALIZER: &str = "core.kcp.io/logicalcluster-deletion";
/// Holds a LogicalCluster until its terminators are done.
pub(crate) const TERMINATORS_FINALIZER: &str = "kcp.io/has-terminators";

/// Checks a change, and works out what follows from it.
pub(super) async fn update(
    registry: &Registry,
    place: &Place,
    caller: &Caller,
    part: Part,
    before: &Value,
    object: &mut Value,
    extra: &mut Extra,
) -> Result<()> {
    match Controller::acting(&caller.identity) {
        Some(controller) if part == Part::Status && !is_system(caller) => {
            if let Some(error) = controller.fault(before, object) {
                return Err(invalid(place, str_at(before, &["metadata", "name"]), vec![error]));
            }
        }
        _ => only_system(place, caller, object)?,
    }
    suspension::settle(place, before, object)?;
    advance(object);
    reflect_in_owner(registry, object, extra).await
}

/// Brings phase, labels and finalizers to what the lists of those who are waited for say.
pub(crate) fn advance(object: &mut Value) {
    let is_done = |object: &Value, stage: Stage| {
        str_at(object, &["status", "phase"]) == stage.phase() && stage.waiting(object).is_empty()
    };
    if is_done(object, Stage::Initializing) {
        set_phase(object, "Ready");
    }
    if is_done(object, Stage::Terminating) {
        set_phase(object, "Deleting");
        let left: Vec<_> = object::finalizers(object).into_iter().filter(|f| *f != TERMINATORS_FINALIZER).collect();
        let left = json!(left);
        metadata_mut(object).insert("finalizers".into(), left);
    }
    label_stages(object);
}

/// Says in the Workspace what is so in its LogicalCluster.
pub(crate) fn reflect(logical_cluster: &Value, workspace: &mut Value) {
    let phase = str_at(logical_cluster, &["status", "phase"]).to_owned();
    for stage in Stage::ALL {
        match stage.waiting(logical_cluster) {
            [] => drop(object_at(workspace, "status").remove(stage.list())),
            waiting => drop(object_at(workspace, "status").insert(stage.list().into(), waiting.into())),
        }
    }
    match Stage::Initializing.waiting(logical_cluster) {
        [] => set_condition(workspace, "WorkspaceInitialized", "True", "", ""),
        waiting => {
            let names: Vec<_> = waiting.iter().filter_map(Value::as_str).collect();
            let message = format!("initializers are not done yet: {}", names.join(", "));
            set_condition(workspace, "WorkspaceInitialized", "False", "InitializerExists", &message);
        }
    }
    if let Some(bindings) = condition(logical_cluster, BINDINGS_CONDITION) {
        let [status, reason, message] = ["status", "reason", "message"].map(|field| str_at(bindings, &[field]));
        set_condition(workspace, BINDINGS_CONDITION, status, reason, message);
    }
    if phase == "Ready" {
        set_condition(workspace, "Ready", "True", "", "");
    } else {
        let message = format!("the workspace is in phase {phase}");
        set_condition(workspace, "Ready", "False", "NotReady", &message);
    }
    set_phase(workspace, &phase);
    label_stages(workspace);
}

/// Whether a workspace has the bindings of its type.
pub(crate) const BINDINGS_CONDITION: &str = "APIBindingsInitialized";

fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

/// Adds the Workspace that owns a LogicalCluster to the transaction, if what it says of it changes.
pub(crate) async fn reflect_in_owner(registry: &Registry, logical_cluster: &Value, extra: &mut Extra) -> Result<()> {
    let owner = &logical_cluster["spec"]["owner"];
    let Ok(cluster) = str_at(owner, &["cluster"]).parse::<LogicalClusterName>() else { return Ok(()) };
    let name = str_at(owner, &["name"]);
    let found = registry.find(&cluster, "tenancy.kcp.io", "workspaces", None, name).await?;
    let Some((entry, before)) = found.filter(|(_, workspace)| workspace["metadata"]["uid"] == owner["uid"]) else {
        return Ok(());
    };
    let mut workspace = before.clone();
    reflect(logical_cluster, &mut workspace);
    if workspace == before {
        return Ok(());
    }
    workspace["apiVersion"] = api_version("tenancy.kcp.io", "v1alpha1").into();
    let key = entry.key.to_string();
    extra.conditions.push((key.clone(), Some(entry.modified)));
    extra.changes.push(Change::Put(key, object::encode(&cluster, workspace)?));
    Ok(())
}

impl Controller {
    /// Why this controller may not write that; `None` when it may.
    ///
    /// It may take its own name from the list, and say what it has to say in conditions.
    fn fault(&self, before: &Value, after: &Value) -> Option<FieldError> {
        let (stage, name) = (self.stage(), self.name());
        let field = format!("status.{}", stage.list());
        if !stage.is_waiting_for(before, &name) {
            return Some(FieldError::forbidden(field, format!("the workspace does not wait for {name:?}")));
        }
        let rest = |object: &Value| {
            let mut status = object["status"].clone();
            if let Some(fields) = status.as_object_mut() {
                fields.remove("conditions");
                fields.remove(stage.list());
            }
            status
        };
        if rest(before) != rest(after) {
            return Some(FieldError::forbidden("status", format!("only {field} and conditions may be changed here")));
        }
        let (had, has) = (stage.waiting(before), stage.waiting(after));
        let without: Vec<_> = had.iter().filter(|other| **other != *name).cloned().collect();
        (has != had && has != without).then(|| {
            let value = Value::from(has.to_vec());
            FieldError::invalid(field, value, format!("only {name:?} may be removed, and nothing added"))
        })
    }
}
