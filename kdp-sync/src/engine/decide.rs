//! The decision on one order.

use std::{collections::BTreeSet, sync::Arc};

use kdp_core::api::{PATH_ANNOTATION, core::LOGICAL_CLUSTER_NAME};
use kube::core::SelectorExt;
use serde_json::Value;

use super::{
    Batch, Command, Evidence, Facts, Next, ObjectKey, OrderKey, Part, Place, Problem, Stop,
    ending::forget,
    ownership::{self, hold},
    plan::Plan,
    policies::is_paused,
    primary::{Found, Subject, tell},
    related::former,
    state::State,
    status::copy_status,
    teardown::{self, Removal, teardown},
};
use crate::{
    api::Side,
    object::{self, ResourceType},
    template, wire,
};

/// The next step for an order. Parts in `failed` are left out: their reads or writes failed in
/// this pass.
pub(crate) fn decide(plan: &Plan, key: &OrderKey, facts: &Facts<'_>, failed: &BTreeSet<Part>) -> Next {
    step(plan, key, facts, failed).unwrap_or_else(|stop| stop.of(Part::Primary))
}

/// An order and its copy.
pub(super) struct Order<'a> {
    pub(super) plan: &'a Plan,
    pub(super) key: &'a OrderKey,
    pub(super) path: &'a str,
    pub(super) order: &'a Value,
    pub(super) copy: &'a Value,
}

impl Order<'_> {
    pub(super) fn on(&self, side: Side) -> &Value {
        match side {
            Side::Kcp => self.order,
            Side::Service => self.copy,
        }
    }

    pub(super) fn object_key(&self) -> ObjectKey {
        self.plan.order_object(self.key)
    }

    pub(super) fn scope(&self) -> template::Scope<'_> {
        template::Scope::default()
            .with_text("ClusterName", self.key.cluster.as_str())
            .with_text("ClusterPath", self.path)
    }
}

fn step(plan: &Plan, key: &OrderKey, facts: &Facts<'_>, failed: &BTreeSet<Part>) -> Result<Next, Stop> {
    let order_key = plan.order_object(key);
    let nothing = Ok(Next::Settled(Vec::new()));
    let Some(order) = facts.get(&order_key, Evidence::Heard)? else { return forget(plan, key, facts, failed) };
    if plan.policies.is_held_up(&order) {
        return nothing;
    }
    let state = State::load(plan, key, object::uid(&order), facts)?;
    let copies = ownership::copies(plan, key, &state, facts, Evidence::Heard)?;
    if copies.iter().any(|copy| is_paused(copy)) {
        return nothing;
    }
    if object::is_deleting(&order) {
        let held = ownership::held(plan, key, &order, &state, facts, || is_wanted(plan, key, &order, facts))?;
        return teardown(plan, key, &order, held, &state, facts, failed);
    }
    if state.is_ended() {
        // Whoever has ended it knows of its deletion. It will be heard of here, too, unless it is
        // gone and known only from an answer that came late.
        facts.get(&order_key, Evidence::Seen)?;
        return nothing;
    }
    if !is_wanted(plan, key, &order, facts)? {
        return let_go_of_originals(plan, key, &state, &copies, facts);
    }
    if state.is_anothers {
        let message = "another agent remembers the order in the same namespace; give each agent its own";
        return Err(Stop::Failed(message.into()));
    }
    if !object::has_finalizer(&order, &plan.finalizer) {
        let is_begun = ownership::is_begun(plan, key, &state, facts)?;
        let hold = hold(plan, order_key, &order, is_begun);
        let accepted = tell("ObjectAccepted", "the order was accepted");
        // The evidence that the order is this agent's, should it stop matching; and what has to be
        // noted before its copy is made.
        let note = match first_note(plan, key, &order, &state, facts) {
            Err(look @ Stop::Look(_)) => return Err(look),
            // What the copy cannot be made for is told once the order is held.
            Err(_) => None,
            Ok(note) => note,
        };
        let note = match note {
            None if plan.is_filtered() && !state.exists() => Some(state.save(&[])?),
            note => note,
        };
        return Ok(act(note.into_iter().chain([hold, accepted]).collect()));
    }
    let path = workspace_path(plan, key, facts)?;
    let subject = Subject { plan, key, path: &path, order: &order, state: &state };
    let (copy_key, copy) = match subject.find(facts)? {
        Found::Copy(key, copy) => (key, copy),
        Found::Nothing(target) => return subject.place(target, facts).map(settled_or_act),
        Found::Unowned(target, object) => return subject.take_over(&target, &object, facts).map(settled_or_act),
    };
    if object::is_deleting(&copy) {
        return nothing;
    }
    if let Some(commands) = subject.sync(&copy_key, &copy)? {
        return Ok(act(commands));
    }
    let mut problems = Vec::new();
    if plan.has_status && !failed.contains(&Part::Status) {
        match plan.status_mutations.apply((*copy).clone(), &order) {
            Ok(mutated) => {
                if let Some(command) = copy_status(&mutated, &order, order_key, plan.policies.generations) {
                    let commands = vec![command, tell("ObjectStatusSynced", "the status was brought up")];
                    return Ok(Next::Act(Batch { part: Part::Status, commands }));
                }
            }
            Err(message) => problems.push(Problem { part: Part::Status, message, advice: None }),
        }
    }
    let order = Order { plan, key, path: &path, order: &order, copy: &copy };
    Ok(related(&order, &state, facts, failed, problems))
}

/// Lets go of what an order holds in its workspace that is left as it is: nobody else would end the
/// deletion of a held object. The copies stay; the originals are held again once the order matches.
fn let_go_of_originals(
    plan: &Plan,
    key: &OrderKey,
    state: &State,
    copies: &[Arc<Value>],
    facts: &Facts<'_>,
) -> Result<Next, Stop> {
    // Where agents keep their state in the same place, another one may serve the order.
    if copies.iter().any(|copy| object::label(copy, wire::AGENT_NAME) == Some(&plan.agent)) {
        for entry in state.inventory() {
            if let Removal::Act(commands) = teardown::let_go(plan, entry, key, state, facts)? {
                return Ok(act(commands));
            }
        }
    }
    Ok(Next::Settled(Vec::new()))
}

/// What is noted before the copy is made, if it can be made.
fn first_note(
    plan: &Plan,
    key: &OrderKey,
    order: &Value,
    state: &State,
    facts: &Facts<'_>,
) -> Result<Option<Command>, Stop> {
    let path = workspace_path(plan, key, facts)?;
    let subject = Subject { plan, key, path: &path, order, state };
    let Found::Nothing(target) = subject.find(facts)? else { return Ok(None) };
    let (_, note) = subject.new_copy(&target)?;
    if note.is_empty() && state.is_noted() { Ok(None) } else { state.save(&note).map(Some) }
}

/// Each related resource fails by itself.
fn related(
    order: &Order<'_>,
    state: &State,
    facts: &Facts<'_>,
    failed: &BTreeSet<Part>,
    mut problems: Vec<Problem>,
) -> Next {
    let former = former::retire_all(order, state, facts, failed);
    let current = order.plan.related.iter().enumerate().filter(|(at, _)| !failed.contains(&Part::Related(*at))).map(
        |(at, related)| {
            let with_status = !failed.contains(&Part::RelatedStatus(at));
            (Part::Related(at), related.next(at, with_status, order, state, facts))
        },
    );
    for (part, next) in former.chain(current) {
        match next {
            Ok(None) => {}
            Ok(Some(batch)) => return Next::Act(batch),
            Err(stop) => match stop.of(part) {
                Next::Settled(more) => problems.extend(more),
                look => return look,
            },
        }
    }
    Next::Settled(problems)
}

pub(super) fn act(commands: Vec<Command>) -> Next {
    Next::Act(Batch { part: Part::Primary, commands })
}

fn settled_or_act(commands: Vec<Command>) -> Next {
    if commands.is_empty() { Next::Settled(Vec::new()) } else { act(commands) }
}

pub(super) fn is_wanted(plan: &Plan, key: &OrderKey, order: &Value, facts: &Facts<'_>) -> Result<bool, Stop> {
    if plan.resource_filter.as_ref().is_some_and(|filter| !filter.matches(&object::labels(order))) {
        return Ok(false);
    }
    let (Some(filter), Some(namespace)) = (&plan.namespace_filter, &key.namespace) else { return Ok(true) };
    let namespace = ObjectKey {
        place: Place::Workspace(key.cluster.clone()),
        types: Arc::new(ResourceType::namespaces()),
        namespace: None,
        name: namespace.clone(),
    };
    let namespace = facts.get(&namespace, Evidence::Heard)?;
    Ok(namespace.is_some_and(|namespace| filter.matches(&object::labels(&namespace))))
}

/// The path of the order's workspace; empty unless the published resource asks for it.
pub(super) fn workspace_path(plan: &Plan, key: &OrderKey, facts: &Facts<'_>) -> Result<String, Stop> {
    if !plan.workspace_paths {
        return Ok(String::new());
    }
    let cluster = ObjectKey {
        place: Place::Workspace(key.cluster.clone()),
        types: Arc::new(ResourceType::logical_clusters()),
        namespace: None,
        name: LOGICAL_CLUSTER_NAME.into(),
    };
    let cluster = facts.get(&cluster, Evidence::Heard)?;
    let path = cluster.as_deref().and_then(|cluster| object::annotation(cluster, PATH_ANNOTATION));
    path.map(str::to_owned).ok_or_else(|| Stop::Failed("the path of the workspace is not known".into()))
}
