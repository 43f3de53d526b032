//! The end of an order: related objects first, then the copy, then the order itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Batch, Command, Evidence, Facts, Next, ObjectKey, OrderKey, Part, Propagation, Stop,
    decide::{Order, act, key_of_copy, remove_finalizer, tell, workspace_path},
    plan::Plan,
    related::owner_mark,
    state::{Entry, State},
};
use crate::{api::Side, object, wire};

/// How far the removal of a related copy is.
pub(super) enum Removal {
    Act(Vec<Command>),
    Wait,
    Done,
}

/// The next step of removing everything that was made for an order.
pub(super) fn teardown(
    plan: &Plan,
    key: &OrderKey,
    order: &Value,
    facts: &Facts<'_>,
    failed: &BTreeSet<Part>,
) -> Result<Next, Stop> {
    let state = State::load(plan, key, facts)?;
    let mut is_waiting = false;
    for entry in entries(plan, key, order, &state, facts)? {
        let part = part_of(plan, &entry);
        if failed.contains(&part) {
            is_waiting = true;
            continue;
        }
        match remove(plan, &entry, key, &state, facts)? {
            Removal::Act(commands) => return Ok(Next::Act(Batch { part, commands })),
            Removal::Wait => is_waiting = true,
            Removal::Done => {}
        }
    }
    if is_waiting {
        return Ok(Next::Settled(Vec::new()));
    }
    for evidence in [Evidence::Heard, Evidence::Seen] {
        let copies = facts.copies(key, evidence)?;
        if let Some(copy) = copies.iter().find(|copy| !object::is_deleting(copy)) {
            let delete = delete(key_of_copy(plan, copy), copy, propagation(order));
            return Ok(act(vec![delete, tell("ObjectCleanup", "the copy on the service cluster is being deleted")]));
        }
        if !copies.is_empty() {
            return Ok(Next::Settled(Vec::new()));
        }
    }
    if let Some(command) = state.delete() {
        return Ok(act(vec![command]));
    }
    let deleted = tell("ObjectDeleted", "everything made for the order is gone");
    Ok(act(vec![deleted, remove_finalizer(plan.order_object(key), order)]))
}

/// The related copies to remove: those recorded, those an agent without records has made, and
/// those only the order itself still tells of, because the records and its copy were lost.
fn entries(plan: &Plan, key: &OrderKey, order: &Value, state: &State, facts: &Facts<'_>) -> Result<Vec<Entry>, Stop> {
    let mut entries = state.inventory();
    let copies = facts.copies(key, Evidence::Heard)?;
    if let Some(copy) = copies.first() {
        let path = match workspace_path(plan, key, facts) {
            Err(look @ Stop::Look(_)) => return Err(look),
            path => path.unwrap_or_default(),
        };
        let order = Order { plan, key, path: &path, order, copy };
        for related in &plan.related {
            let pairs = match related.resolve(&order, facts) {
                Ok(pairs) => pairs,
                Err(look @ Stop::Look(_)) => return Err(look),
                // What cannot be resolved now was not either when it was recorded.
                Err(Stop::Failed(_)) => continue,
            };
            add_unknown(&mut entries, pairs.into_iter().map(|pair| related.entry(pair)));
        }
    }
    for related in &plan.related {
        add_unknown(&mut entries, related.listed_on(order));
    }
    // The published resource has the last word on what is cleaned up, if it still knows the entry.
    entries.retain(|entry| {
        let related = plan.related.iter().find(|related| related.identifier == entry.identifier);
        related.map_or(entry.cleanup, |related| related.cleanup)
    });
    Ok(entries)
}

fn add_unknown(entries: &mut Vec<Entry>, found: impl IntoIterator<Item = Entry>) {
    for entry in found {
        if !entries.iter().any(|known| (&known.identifier, &known.to) == (&entry.identifier, &entry.to)) {
            entries.push(entry);
        }
    }
}

fn part_of(plan: &Plan, entry: &Entry) -> Part {
    let at = plan.related.iter().position(|related| related.identifier == entry.identifier);
    at.map_or(Part::Primary, Part::Related)
}

/// The next step of removing the copy of a related object and letting go of the original.
pub(super) fn remove(
    plan: &Plan,
    entry: &Entry,
    order: &OrderKey,
    state: &State,
    facts: &Facts<'_>,
) -> Result<Removal, Stop> {
    let (from, to) = (entry.original(order), entry.copy(order));
    for evidence in [Evidence::Heard, Evidence::Seen] {
        let Some(copy) = facts.get(&to, evidence)? else { continue };
        let is_legacy = state.has_legacy_related(&from) && object::annotation(&copy, wire::RELATED_OWNER).is_none();
        if !is_legacy && !is_own(plan, &copy, order, &entry.identifier) {
            break;
        }
        if object::is_deleting(&copy) {
            return Ok(Removal::Wait);
        }
        let propagation = match entry.origin {
            Side::Kcp => facts.get(&from, Evidence::Heard)?.map(|from| propagation(&from)).unwrap_or_default(),
            Side::Service => Propagation::Background,
        };
        return Ok(Removal::Act(vec![delete(to, &copy, propagation)]));
    }
    if entry.origin == Side::Kcp
        && let Some(source) = facts.get(&from, Evidence::Heard)?
        && object::has_finalizer(&source, wire::FINALIZER)
    {
        return Ok(Removal::Act(vec![remove_finalizer(from, &source)]));
    }
    Ok(Removal::Done)
}

/// Whether the copy of a related object was made for this entry of this order.
pub(super) fn is_own(plan: &Plan, copy: &Value, order: &OrderKey, identifier: &str) -> bool {
    object::annotation(copy, wire::RELATED_OWNER) == Some(&owner_mark(plan, order, identifier))
}

fn delete(key: ObjectKey, object: &Value, propagation: Propagation) -> Command {
    Command::Delete { key, uid: object::uid(object).map(Into::into), propagation }
}

/// How the owner of an object wants its copy to be deleted.
fn propagation(object: &Value) -> Propagation {
    match object::annotation(object, wire::DELETION_PROPAGATION) {
        Some("foreground") => Propagation::Foreground,
        Some("orphan") => Propagation::Orphan,
        _ => Propagation::Background,
    }
}
