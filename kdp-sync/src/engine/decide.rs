//! The decision on one order.

use std::{collections::BTreeSet, sync::Arc};

use kdp_core::api::{PATH_ANNOTATION, core::LOGICAL_CLUSTER_NAME};
use kube::core::SelectorExt;
use serde_json::{Value, json};

use super::{
    Batch, Command, Evidence, Facts, Next, ObjectKey, OrderKey, Part, Place, Problem, Stop,
    copy::{self, Marks},
    plan::Plan,
    related::copy_status,
    state::State,
    teardown::teardown,
};
use crate::{
    api::Scope,
    naming::Origin,
    object::{self, ResourceType},
    template, wire,
};

/// The next step for an order. Parts in `failed` are left out: their writes failed in this pass.
pub(crate) fn decide(plan: &Plan, key: &OrderKey, facts: &Facts<'_>, failed: &BTreeSet<Part>) -> Next {
    match step(plan, key, facts, failed) {
        Ok(next) => next,
        Err(Stop::Look(query)) => Next::Look(query),
        Err(Stop::Failed(message)) => Next::Settled(vec![Problem { part: Part::Primary, message }]),
    }
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
    pub(super) fn on(&self, side: crate::api::Side) -> &Value {
        match side {
            crate::api::Side::Kcp => self.order,
            crate::api::Side::Service => self.copy,
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
    let Some(order) = facts.get(&order_key, Evidence::Heard)? else { return Ok(Next::Settled(Vec::new())) };
    let is_held = object::has_finalizer(&order, wire::FINALIZER);
    // The filter is not asked here: whatever was begun for an order is finished.
    if object::is_deleting(&order) {
        return if is_held { teardown(plan, key, &order, facts, failed) } else { Ok(Next::Settled(Vec::new())) };
    }
    if !is_wanted(plan, key, &order, facts)? {
        return Ok(Next::Settled(Vec::new()));
    }
    if !is_held {
        let accepted = tell("ObjectAccepted", "the order was accepted");
        return Ok(act(vec![add_finalizer(order_key, &order), accepted]));
    }
    let path = workspace_path(plan, key, facts)?;
    let state = State::load(plan, key, facts)?;
    let marks = Marks::of_order(key, &path, &plan.agent);
    let Some((copy_key, copy)) = find_copy(plan, key, &path, &order, facts)? else {
        return place(plan, key, &path, &order, &state, &marks).map(act);
    };
    if object::is_deleting(&copy) {
        return Ok(Next::Settled(Vec::new()));
    }
    if let Some(commands) = sync_spec(plan, key, &order, &copy, &copy_key, &state, &marks)? {
        return Ok(act(commands));
    }
    if plan.has_status {
        let mutated = plan.status_mutations.apply((*copy).clone(), &order)?;
        if let Some(command) = copy_status(&mutated, &order, order_key) {
            return Ok(act(vec![command, tell("ObjectStatusSynced", "the status was brought up")]));
        }
    }
    let order = Order { plan, key, path: &path, order: &order, copy: &copy };
    related(&order, &state, facts, failed)
}

fn related(order: &Order<'_>, state: &State, facts: &Facts<'_>, failed: &BTreeSet<Part>) -> Result<Next, Stop> {
    let mut problems = Vec::new();
    for (at, related) in order.plan.related.iter().enumerate() {
        let part = Part::Related(at);
        if failed.contains(&part) {
            continue;
        }
        match related.next(order, state, facts) {
            Ok(None) => {}
            Ok(Some(commands)) => return Ok(Next::Act(Batch { part, commands })),
            Err(Stop::Failed(message)) => {
                let message = format!("related {:?}: {message}", related.identifier);
                problems.push(Problem { part, message });
            }
            Err(look) => return Err(look),
        }
    }
    Ok(Next::Settled(problems))
}

pub(super) fn act(commands: Vec<Command>) -> Next {
    Next::Act(Batch { part: Part::Primary, commands })
}

pub(super) fn tell(reason: &'static str, note: &str) -> Command {
    Command::Tell { reason, note: note.into() }
}

/// Adds the finalizer to the list that was read, and to no other.
pub(super) fn add_finalizer(key: ObjectKey, object: &Value) -> Command {
    let mut finalizers = object::finalizers(object);
    finalizers.push(wire::FINALIZER);
    set_finalizers(key, object, &finalizers)
}

/// Removes the finalizer from the list that was read, and from no other.
pub(super) fn remove_finalizer(key: ObjectKey, object: &Value) -> Command {
    let mut finalizers = object::finalizers(object);
    finalizers.retain(|finalizer| *finalizer != wire::FINALIZER);
    set_finalizers(key, object, &finalizers)
}

fn set_finalizers(key: ObjectKey, object: &Value, finalizers: &[&str]) -> Command {
    let mut metadata = json!({"finalizers": finalizers});
    if let Some(version) = object::resource_version(object) {
        metadata["resourceVersion"] = version.into();
    }
    Command::Patch { key, patch: json!({"metadata": metadata}) }
}

fn is_wanted(plan: &Plan, key: &OrderKey, order: &Value, facts: &Facts<'_>) -> Result<bool, Stop> {
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

fn origin<'a>(key: &'a OrderKey, path: &'a str) -> Origin<'a> {
    Origin { cluster: key.cluster.as_str(), path }
}

/// Where a new copy goes. An existing one stays where it is, whatever the naming says now.
fn copy_key(plan: &Plan, key: &OrderKey, path: &str, order: &Value) -> Result<ObjectKey, Stop> {
    let namespace = match plan.local_scope {
        Scope::Cluster => None,
        Scope::Namespaced => Some(plan.naming.namespace(origin(key, path), order)?),
    };
    let name = plan.naming.name(origin(key, path), order)?;
    Ok(ObjectKey { place: Place::Service, types: plan.local.clone(), namespace, name })
}

pub(super) fn key_of_copy(plan: &Plan, copy: &Value) -> ObjectKey {
    ObjectKey {
        place: Place::Service,
        types: plan.local.clone(),
        namespace: object::namespace(copy).map(Into::into),
        name: object::name(copy).into(),
    }
}

fn find_copy(
    plan: &Plan,
    key: &OrderKey,
    path: &str,
    order: &Value,
    facts: &Facts<'_>,
) -> Result<Option<(ObjectKey, Arc<Value>)>, Stop> {
    let copies = facts.copies(key, Evidence::Heard)?;
    match copies.as_slice() {
        [] => {}
        [copy] => return Ok(Some((key_of_copy(plan, copy), copy.clone()))),
        _ => return Err(Stop::Failed("several objects on the service cluster claim to be its copy".into())),
    }
    let target = copy_key(plan, key, path, order)?;
    match facts.get(&target, Evidence::Heard)? {
        None => Ok(None),
        Some(existing) if copy::belongs_to(&existing, key) => Ok(Some((target, existing))),
        // Nothing about the other object is said: it may belong to another tenant.
        Some(_) => Err(Stop::Failed(
            "the name of its copy on the service cluster is taken by an object that is not its copy".into(),
        )),
    }
}

fn place(
    plan: &Plan,
    key: &OrderKey,
    path: &str,
    order: &Value,
    state: &State,
    marks: &Marks,
) -> Result<Vec<Command>, Stop> {
    let target = copy_key(plan, key, path, order)?;
    let fresh = copy::new_copy(&copy::strip(order), &target, marks);
    let mutated = copy::strip(&plan.spec_mutations.apply(order.clone(), &fresh)?);
    let object = copy::new_copy(&mutated, &target, marks);
    let mut commands = Vec::new();
    let history = state.of_order(key);
    commands.extend(history.before_create(&mutated).map(|edit| state.save(&[edit])));
    if let Some(namespace) = &target.namespace {
        commands.push(Command::EnsureNamespace { place: Place::Service, name: namespace.clone() });
    }
    commands.push(Command::Create { key: target, object });
    commands.push(tell("ObjectPlaced", "the order was placed on the service cluster"));
    Ok(commands)
}

fn sync_spec(
    plan: &Plan,
    key: &OrderKey,
    order: &Value,
    copy: &Value,
    copy_key: &ObjectKey,
    state: &State,
    marks: &Marks,
) -> Result<Option<Vec<Command>>, Stop> {
    let mutated = copy::strip(&plan.spec_mutations.apply(order.clone(), copy)?);
    let history = state.of_order(key);
    let mut commands = Vec::new();
    if let Some(write) = copy::update(&mutated, history.bases().as_deref(), copy_key, copy, marks) {
        commands.extend(history.before_update(&mutated).map(|edit| state.save(&[edit])));
        commands.push(write);
        commands.push(tell("ObjectSynced", "the change was brought to the service cluster"));
        return Ok(Some(commands));
    }
    let after = history.after(&mutated);
    if !after.is_empty() {
        commands.push(state.save(&after));
    }
    Ok((!commands.is_empty()).then_some(commands))
}
