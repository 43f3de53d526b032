//! What is this agent's: finalizers on orders, copies, and copies of related objects.
//!
//! Agents that share an export may work on orders of the same workspaces. None of them removes,
//! lets go of or takes over what another one has made.

use std::sync::Arc;

use kdp_core::LogicalClusterName;
use serde_json::{Value, json};

use super::{
    Command, Evidence, Facts, ObjectKey, OrderKey, Stop,
    plan::Plan,
    state::{Entry, State},
};
use crate::{object, object::ResourceType, wire};

/// The copies of an order that this agent has made.
pub(super) fn copies(
    plan: &Plan,
    key: &OrderKey,
    state: &State,
    facts: &Facts<'_>,
    evidence: Evidence,
) -> Result<Vec<Arc<Value>>, Stop> {
    let mut copies = facts.copies(key, evidence)?;
    copies.retain(|copy| is_own_copy(plan, copy, state));
    Ok(copies)
}

/// Whether this agent has made the copy.
///
/// An agent that has been given another name knows its copies by its state.
pub(super) fn is_own_copy(plan: &Plan, copy: &Value, state: &State) -> bool {
    match object::label(copy, wire::AGENT_NAME) {
        None => true,
        Some(agent) => agent == plan.agent || (!plan.has_own_finalizer && state.exists()),
    }
}

/// Whether the object belongs to nobody, so that it may become the copy of an order.
pub(super) fn is_free(plan: &Plan, object: &Value) -> bool {
    let references = object["metadata"]["ownerReferences"].as_array();
    let is_controlled = references.into_iter().flatten().any(|owner| owner["controller"] == true);
    let is_marked = wire::IDENTITY_LABELS.iter().any(|key| object::label(object, key).is_some())
        || object::label(object, wire::STATE_LABEL).is_some()
        || object::annotation(object, wire::RELATED_OWNER).is_some();
    let is_anothers = object::label(object, wire::AGENT_NAME).is_some_and(|agent| agent != plan.agent);
    !is_controlled
        && !is_marked
        && !is_anothers
        && !object::is_deleting(object)
        && object::namespace(object) != Some(&plan.state_namespace)
}

/// Why the end of an order is an agent's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    No,
    /// Its finalizer says so.
    ByFinalizer,
    /// It has made something for the order. Once that is gone, nothing says so any more.
    ByEvidence,
}

/// Whether the end of the order is this agent's business.
///
/// The existing agent's finalizer does not say whose it is. Where a filter leaves some orders to
/// other agents, an order that does not match counts as this agent's only if it was begun here.
pub(super) fn held(
    plan: &Plan,
    key: &OrderKey,
    order: &Value,
    state: &State,
    facts: &Facts<'_>,
    is_wanted: impl FnOnce() -> Result<bool, Stop>,
) -> Result<Held, Stop> {
    if !object::has_finalizer(order, &plan.finalizer) && !object::has_finalizer(order, wire::FINALIZER) {
        return Ok(Held::No);
    }
    if object::has_finalizer(order, &plan.finalizer) && (plan.has_own_finalizer || is_wanted()?) {
        return Ok(Held::ByFinalizer);
    }
    Ok(if is_begun(plan, key, state, facts)? { Held::ByEvidence } else { Held::No })
}

/// Whether this agent has made something for the order.
pub(super) fn is_begun(plan: &Plan, key: &OrderKey, state: &State, facts: &Facts<'_>) -> Result<bool, Stop> {
    let is_labelled = |copy: &Arc<Value>| object::label(copy, wire::AGENT_NAME) == Some(&plan.agent);
    Ok(state.exists() || facts.copies(key, Evidence::Heard)?.iter().any(is_labelled))
}

/// Holds the order. An agent that has come to have a finalizer of its own gives up the shared one
/// on what it has begun.
pub(super) fn hold(plan: &Plan, key: ObjectKey, order: &Value, is_begun: bool) -> Command {
    let mut finalizers = object::finalizers(order);
    finalizers.retain(|held| !(plan.has_own_finalizer && is_begun && *held == wire::FINALIZER));
    finalizers.push(&plan.finalizer);
    set_finalizers(key, order, &finalizers)
}

/// Lets go of the order.
pub(super) fn release(plan: &Plan, key: ObjectKey, order: &Value) -> Command {
    // On an order whose end had begun, no finalizer could be added any more.
    let held = if object::has_finalizer(order, &plan.finalizer) { &plan.finalizer } else { wire::FINALIZER };
    let mut finalizers = object::finalizers(order);
    finalizers.retain(|finalizer| *finalizer != held);
    set_finalizers(key, order, &finalizers)
}

/// Whether somebody who is not an agent holds the order.
pub(super) fn is_held_by_others(order: &Value) -> bool {
    let is_agents = |finalizer: &str| finalizer == wire::FINALIZER || finalizer.ends_with(wire::OWN_FINALIZER_SUFFIX);
    object::finalizers(order).iter().any(|finalizer| !is_agents(finalizer))
}

/// Sets the finalizers of the version that was read, and of no other.
pub(super) fn set_finalizers(key: ObjectKey, object: &Value, finalizers: &[&str]) -> Command {
    let mut metadata = json!({"finalizers": finalizers});
    if let Some(version) = object::resource_version(object) {
        metadata["resourceVersion"] = version.into();
    }
    Command::Patch { key, patch: json!({"metadata": metadata}) }
}

/// The mark on the copies made for one entry of one order.
pub(super) fn owner_mark(plan: &Plan, order: &OrderKey, identifier: &str) -> String {
    let mark = shared_mark(plan, order, identifier);
    if plan.has_own_finalizer { format!("{}@{mark}", plan.agent) } else { mark }
}

fn shared_mark(plan: &Plan, order: &OrderKey, identifier: &str) -> String {
    let namespace = order.namespace.as_deref().unwrap_or_default();
    let ResourceType { group, plural, .. } = plan.remote.as_ref();
    format!("{}/{plural}.{group}/{namespace}/{}/{identifier}", order.cluster, order.name)
}

/// The order of this workspace for which this agent has made the copy of a related object, and for
/// which of its entries.
pub(super) fn marked_for(plan: &Plan, cluster: &LogicalClusterName, copy: &Value) -> Option<(OrderKey, String)> {
    let mark = object::annotation(copy, wire::RELATED_OWNER)?;
    let mark = if plan.has_own_finalizer { mark.strip_prefix(&format!("{}@", plan.agent))? } else { mark };
    let ResourceType { group, plural, .. } = plan.remote.as_ref();
    let mut order = mark.strip_prefix(&format!("{cluster}/{plural}.{group}/"))?.splitn(3, '/');
    let (namespace, name, identifier) = (order.next()?, order.next()?, order.next()?);
    let namespace = Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty());
    Some((OrderKey { cluster: cluster.clone(), namespace, name: name.into() }, identifier.into()))
}

/// Whether the copy of a related object was made for this entry of this order, by this agent.
pub(super) fn is_own_related(plan: &Plan, copy: &Value, order: &OrderKey, entry: &Entry, state: &State) -> bool {
    let Some(mark) = object::annotation(copy, wire::RELATED_OWNER) else { return false };
    let is_recorded =
        || state.inventory().iter().any(|known| (&known.identifier, &known.to) == (&entry.identifier, &entry.to));
    mark == owner_mark(plan, order, &entry.identifier)
        // Made before the agent had a finalizer of its own.
        || (plan.has_own_finalizer && mark == shared_mark(plan, order, &entry.identifier) && is_recorded())
}

/// Whether the existing agent has made the copy for this order. It writes no mark, and says only
/// of what it has made it: once that is known to be elsewhere, nothing else is its copy.
pub(super) fn is_legacy_related(copy: &Value, from: &ObjectKey, entry: &Entry, state: &State) -> bool {
    let is_elsewhere =
        |known: &Entry| (&known.identifier, &known.from) == (&entry.identifier, &entry.from) && known.to != entry.to;
    state.has_legacy_related(from)
        && object::annotation(copy, wire::RELATED_OWNER).is_none()
        && !state.inventory().iter().any(is_elsewhere)
}
