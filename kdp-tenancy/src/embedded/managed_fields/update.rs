//! Ownership after a create, update or patch that is not an apply: who changes a field has it.

use serde_json::{Value, json};

use super::compare::Comparison;
use super::owners::{Operation, Owners, Share};
use super::schema_types::Type;
use super::typed::collapse_atomics;
use super::{Manager, never_tracked};

/// See [`super::track_update`].
pub(super) fn track(old: Option<&Value>, new: &mut Value, ty: Type<'_>, manager: &Manager<'_>) {
    let mut owners = owners_to_start_from(old, new, manager);
    if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    // An object whose managed fields were cleared stays without until it is applied to.
    if old.is_none() || !owners.is_empty() {
        owners.update_fields(|_, fields| collapse_atomics(ty, fields));
        let nothing = json!({});
        record(&mut owners, ty, old.unwrap_or(&nothing), new, manager);
    }
    owners.write_to(new);
}

/// Gives `manager` what changed from `old` to `new`, and takes it from everybody else.
pub(super) fn record(owners: &mut Owners, ty: Type<'_>, old: &Value, new: &Value, manager: &Manager<'_>) {
    let mut diff = Comparison::of(ty, old, new);
    diff.forget(manager.reset);
    let mut changed = diff.set();
    owners.update_fields(|_, fields| {
        fields.subtract(&changed);
        fields.subtract(&diff.removed);
    });
    changed.subtract(never_tracked());
    if !changed.is_empty() {
        let share = Share { api_version: manager.api_version.into(), time: Some(manager.time), fields: changed };
        owners.add(manager.owner(Operation::Update), share);
    }
    owners.cap();
}

/// The owners the request states, if it may and does; else those of the stored object.
fn owners_to_start_from(old: Option<&Value>, new: &Value, manager: &Manager<'_>) -> Owners {
    let stored = || old.and_then(|old| Owners::of(old).ok()).unwrap_or_default();
    if manager.subresource.is_some() {
        return stored();
    }
    match new.pointer("/metadata/managedFields").and_then(Value::as_array).map(Vec::as_slice) {
        Some([]) => Owners::default(),
        Some([Value::Object(entry)]) if entry.is_empty() => Owners::default(),
        _ => Owners::of(new).ok().filter(|owners| !owners.is_empty()).unwrap_or_else(stored),
    }
}
