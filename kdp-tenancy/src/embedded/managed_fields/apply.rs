//! Server-side apply: the configuration laid over the live object, and what it gives up removed.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::check::faults;
use super::compare::Comparison;
use super::conflict::Conflicts;
use super::fields::FieldSet;
use super::last_applied;
use super::merge::merge;
use super::owners::{Operation, Owners, Share};
use super::schema_types::Type;
use super::typed::{collapse_atomics, fields_of, remove, with_declared_parents};
use super::update::record;
use super::values::same;
use super::{Manager, never_tracked};
use crate::embedded::status::{Result, StatusError};

/// Owner of what an object had before it was first applied to, when nobody was recorded.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// See [`super::apply()`].
pub(super) fn apply(
    live: Option<&Value>,
    applied: &Value,
    ty: Type<'_>,
    manager: &Manager<'_>,
    force: bool,
) -> Result<Value> {
    check_request(live, applied, manager)?;
    let config = configuration(applied, manager.reset);
    check_type(ty, &config)?;

    let nothing = json!({});
    let base = live.unwrap_or(&nothing);
    let known = Owners::of(base)
        .map_err(|error| StatusError::internal(format_args!("failed to decode managed fields: {error}")))?;
    let mut owners = known.clone();
    owners.update_fields(|_, fields| collapse_atomics(ty, fields));
    if owners.is_empty() {
        let before = Manager { name: BEFORE_FIRST_APPLY, ..*manager };
        record(&mut owners, ty, &nothing, base, &before);
    }

    let is_kubectl = manager.name == last_applied::KUBECTL;
    let (mut object, mut owners) = match lay_over(ty, base, &config, &owners, manager, force) {
        Err(mut conflicts) if is_kubectl => {
            // What client-side apply set, kubectl may take over when it moves to the server side.
            if let Some(allowed) = last_applied::still_as_last_applied(ty, base, manager.api_version) {
                conflicts.allow(&allowed);
            }
            if !conflicts.is_empty() {
                return Err(conflicts.into());
            }
            lay_over(ty, base, &config, &owners, manager, true)?
        }
        outcome => outcome?,
    };
    if is_kubectl {
        last_applied::refresh(&mut object, applied);
    }
    if let Some(live) = live
        && owners == known
        && same(&object, live)
    {
        return Ok(live.clone());
    }
    let owner = manager.owner(Operation::Apply);
    if let Some(mut share) = owners.get(&owner).cloned() {
        share.time = Some(manager.time);
        owners.set(owner, share);
    }
    owners.write_to(&mut object);
    Ok(object)
}

/// The merged and pruned object, and who owns its fields then. The object still has the managed
/// fields of `live`, the applier's share its old time.
fn lay_over(
    ty: Type<'_>,
    live: &Value,
    config: &Value,
    owners: &Owners,
    manager: &Manager<'_>,
    force: bool,
) -> Result<(Value, Owners), Conflicts> {
    let owner = manager.owner(Operation::Apply);
    let others = || owners.iter().filter(|(other, _)| **other != owner);
    let last = owners.get(&owner).cloned();
    let mut fields = fields_of(ty, config);
    let mut object = merge(ty, live, config);
    if let Some(last) = &last
        && !last.fields.is_subset(&fields)
    {
        let mut owned = fields.clone();
        for (_, share) in others() {
            owned.extend(&share.fields);
        }
        prune(ty, &mut object, &last.fields, owned);
    }

    // What changes only matters to other owners.
    let diff = if others().next().is_none() { Comparison::default() } else { Comparison::of(ty, live, &object) };
    let changed = diff.set();
    let mut conflicts = Conflicts::default();
    for (other, share) in others() {
        conflicts.add(other, share.fields.intersection(&changed));
    }
    if !force && !conflicts.is_empty() {
        return Err(conflicts);
    }
    let mut owners = owners.clone();
    owners.update_fields(|other, fields| {
        if *other != owner {
            fields.subtract(&changed);
            fields.subtract(&diff.removed);
        }
    });
    fields.subtract(never_tracked());
    let time = last.and_then(|last| last.time);
    owners.set(owner, Share { api_version: manager.api_version.into(), time, fields });
    Ok((object, owners))
}

/// Removes from `merged` what the applier had in `last` and nobody has in `owned`.
///
/// A map entry or list item goes with everything in it, unless the entry itself is owned.
fn prune(ty: Type<'_>, merged: &mut Value, last: &FieldSet, owned: FieldSet) {
    let last = with_declared_parents(ty, last.clone());
    let all = with_declared_parents(ty, fields_of(ty, merged));

    // Dropping all of `last` takes more than it should: put back what is owned.
    let mut unowned = all.clone();
    unowned.subtract(&all.after_removal(&last));
    unowned.subtract(&with_declared_parents(ty, owned));

    // Of what is missing then, drop only what was in `last`: fields without any owner stay.
    let mut gone = all.clone();
    gone.subtract(&all.after_removal(&unowned));
    remove(ty, merged, &gone.intersection(&last));
}

/// `applied` without what this endpoint does not write.
fn configuration<'v>(applied: &'v Value, reset: &[&str]) -> Cow<'v, Value> {
    // Generated manifests have `creationTimestamp: null`, which asks for nothing.
    let has_null_time = applied.pointer("/metadata/creationTimestamp").is_some_and(Value::is_null);
    if !has_null_time && reset.iter().all(|name| applied.get(name).is_none()) {
        return Cow::Borrowed(applied);
    }
    let mut config = applied.clone();
    if let Value::Object(fields) = &mut config {
        fields.retain(|name, _| !reset.contains(&name.as_str()));
        if let Some(Value::Object(metadata)) = fields.get_mut("metadata").filter(|_| has_null_time) {
            metadata.remove("creationTimestamp");
        }
    }
    Cow::Owned(config)
}

fn check_request(live: Option<&Value>, applied: &Value, manager: &Manager<'_>) -> Result<()> {
    let text = |name| applied.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_live_kind = live.and_then(|live| live.get("kind")).is_none_or(|kind| kind == text("kind"));
    if text("apiVersion") != manager.api_version || !is_live_kind {
        return Err(StatusError::bad_request(format!("invalid object type: {}", kind_of(applied))));
    }
    if applied.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(StatusError::bad_request("metadata.managedFields must be nil"));
    }
    Ok(())
}

/// 400 where Kubernetes reports the same text as a failure of its own, which would make clients
/// try again what cannot work.
fn check_type(ty: Type<'_>, config: &Value) -> Result<()> {
    let found = faults(ty, config);
    if found.is_empty() {
        return Ok(());
    }
    let list = if let [fault] = &found[..] { fault.clone() } else { format!("errors:\n  {}", found.join("\n  ")) };
    let metadata = |name| config.pointer(name).and_then(Value::as_str).unwrap_or_default();
    Err(StatusError::bad_request(format!(
        "failed to create typed patch object ({}/{}; {}): {list}",
        metadata("/metadata/namespace"),
        metadata("/metadata/name"),
        kind_of(config),
    )))
}

/// `apps/v1, Kind=Deployment`, and `/v1, Kind=Secret` in the core group.
fn kind_of(object: &Value) -> String {
    let text = |name| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let api_version = text("apiVersion");
    let slash = if api_version.contains('/') { "" } else { "/" };
    format!("{slash}{api_version}, Kind={}", text("kind"))
}
