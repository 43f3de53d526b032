//! The end of an order: related objects first, then the copy, then the order itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Batch, Command, Evidence, Facts, Next, ObjectKey, OrderKey, Part, Propagation, Stop, claims,
    decide::{Order, act, workspace_path},
    ownership::{self, Held, is_legacy_related, is_own_related},
    plan::Plan,
    primary::{key_of_copy, tell},
    related::former,
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
    held: Held,
    state: &State,
    facts: &Facts<'_>,
    failed: &BTreeSet<Part>,
) -> Result<Next, Stop> {
    let nothing = Ok(Next::Settled(Vec::new()));
    if held == Held::No || (plan.policies.waits_for_finalizers && ownership::is_held_by_others(order)) {
        return nothing;
    }
    let known = match known_entries(plan, key, order, state, facts, failed) {
        Ok(known) => known,
        Err((part, stop)) => return Ok(stop.of(part)),
    };
    // A related copy on its way out holds up the copy of the order, as one of its dependents may.
    // One that cannot be removed does not: what is known of it is kept, and tried again.
    let mut is_waiting = known.is_partial;
    let mut has_failed = false;
    for entry in known.entries {
        let part = part_of(plan, state, &entry.identifier);
        if failed.contains(&part) {
            has_failed = true;
            is_waiting |= !state.inventory().contains(&entry);
            continue;
        }
        match remove(plan, &entry, key, state, facts) {
            Ok(Removal::Act(commands)) => return Ok(Next::Act(Batch { part, commands })),
            Ok(Removal::Wait) => is_waiting = true,
            Ok(Removal::Done) => {}
            Err(stop) => return Ok(stop.of(part)),
        }
    }
    if is_waiting {
        return nothing;
    }
    for evidence in [Evidence::Heard, Evidence::Seen] {
        let copies = ownership::copies(plan, key, state, facts, evidence)?;
        if let Some(copy) = copies.iter().find(|copy| !object::is_deleting(copy)) {
            let delete = delete(key_of_copy(plan, copy), copy, propagation(order));
            return Ok(act(vec![delete, tell("ObjectCleanup", "the copy on the service cluster is being deleted")]));
        }
        if !copies.is_empty() {
            return nothing;
        }
    }
    if has_failed {
        return nothing;
    }
    let deleted = tell("ObjectDeleted", "everything made for the order is gone");
    let release = ownership::release(plan, plan.order_object(key), order);
    // Where an order may come to match no more, the state is what says that it is this agent's.
    let is_evidence = held == Held::ByEvidence || plan.is_filtered();
    let end = state.end(is_evidence || facts.is_in_doubt(key))?;
    Ok(act(end.map_or_else(|| vec![deleted, release], |end| vec![end])))
}

/// The related copies to remove.
struct Known {
    entries: Vec<Entry>,
    /// Whether there may be more, which could not be found out.
    is_partial: bool,
}

/// The related copies to remove: those recorded, those an agent without records has made, and
/// those only the order itself still tells of, because the records and its copy were lost.
fn known_entries(
    plan: &Plan,
    key: &OrderKey,
    order: &Value,
    state: &State,
    facts: &Facts<'_>,
    failed: &BTreeSet<Part>,
) -> Result<Known, (Part, Stop)> {
    let primary = |stop| (Part::Primary, stop);
    let mut known = Known { entries: state.inventory().to_vec(), is_partial: false };
    let copies = ownership::copies(plan, key, state, facts, Evidence::Heard).map_err(primary)?;
    if let Some(copy) = copies.first() {
        let path = match workspace_path(plan, key, facts) {
            Err(look @ Stop::Look(_)) => return Err(primary(look)),
            path => path.unwrap_or_default(),
        };
        let order = Order { plan, key, path: &path, order, copy };
        for (at, related) in plan.related.iter().enumerate() {
            let part = Part::Related(at);
            if failed.contains(&part) {
                known.is_partial |= !known.entries.iter().any(|entry| entry.identifier == related.identifier);
                continue;
            }
            let pairs = match related.resolve(&order, facts) {
                Ok(pairs) => pairs,
                Err(look @ Stop::Look(_)) => return Err((part, look)),
                // What cannot be resolved now was not either when it was recorded.
                Err(_) => continue,
            };
            add_unknown(&mut known.entries, pairs.into_iter().map(|pair| related.entry(pair)));
        }
    }
    for related in &plan.related {
        add_unknown(&mut known.entries, related.listed_on(order));
    }
    // The published resource has the last word on what is cleaned up, if it still knows the entry.
    known.entries.retain(|entry| {
        let related = plan.related.iter().find(|related| related.identifier == entry.identifier);
        related.map_or(entry.cleanup, |related| related.cleanup)
    });
    Ok(known)
}

fn add_unknown(entries: &mut Vec<Entry>, found: impl IntoIterator<Item = Entry>) {
    for entry in found {
        if !entries.iter().any(|known| (&known.identifier, &known.to) == (&entry.identifier, &entry.to)) {
            entries.push(entry);
        }
    }
}

/// The part of the work that an entry is.
pub(super) fn part_of(plan: &Plan, state: &State, identifier: &str) -> Part {
    let at = plan.related.iter().position(|related| related.identifier == identifier);
    at.map_or_else(|| former::part(plan, state, identifier), Part::Related)
}

/// The next step of removing the copy of a related object and letting go of the original.
pub(super) fn remove(
    plan: &Plan,
    entry: &Entry,
    order: &OrderKey,
    state: &State,
    facts: &Facts<'_>,
) -> Result<Removal, Stop> {
    match remove_copy(plan, entry, order, state, facts)? {
        Removal::Done => let_go(plan, entry, order, state, facts),
        unfinished => Ok(unfinished),
    }
}

/// The next step of removing the copy of a related object.
pub(super) fn remove_copy(
    plan: &Plan,
    entry: &Entry,
    order: &OrderKey,
    state: &State,
    facts: &Facts<'_>,
) -> Result<Removal, Stop> {
    let (from, to) = (entry.original(order), entry.copy(order));
    for evidence in [Evidence::Heard, Evidence::Seen] {
        let Some(copy) = facts.get(&to, evidence)? else { continue };
        if !is_legacy_related(&copy, &from, entry, state) && !is_own_related(plan, &copy, order, entry, state) {
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
    Ok(Removal::Done)
}

pub(super) fn let_go(
    plan: &Plan,
    entry: &Entry,
    order: &OrderKey,
    state: &State,
    facts: &Facts<'_>,
) -> Result<Removal, Stop> {
    if entry.origin == Side::Service {
        return Ok(Removal::Done);
    }
    let from = entry.original(order);
    let Some(original) = facts.get(&from, Evidence::Heard)? else { return Ok(Removal::Done) };
    let claim = claims::finalizer(plan, order, &entry.identifier);
    let release = claims::release(&claim, &from, &original, state);
    Ok(release.map_or(Removal::Done, |command| Removal::Act(vec![command])))
}

pub(super) fn delete(key: ObjectKey, object: &Value, propagation: Propagation) -> Command {
    Command::Delete { key, uid: object::uid(object).map(Into::into), version: None, propagation }
}

/// How the owner of an object wants its copy to be deleted.
fn propagation(object: &Value) -> Propagation {
    match object::annotation(object, wire::DELETION_PROPAGATION) {
        Some("foreground") => Propagation::Foreground,
        Some("orphan") => Propagation::Orphan,
        _ => Propagation::Background,
    }
}
