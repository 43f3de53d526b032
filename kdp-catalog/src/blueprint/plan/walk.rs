//! Goes through the resources in order and decides for each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kdp_core::cel::Environment;
use serde_json::{Value, json};

use super::{
    Desired, ExternalRead, Plan, Situation, WaitReason, Waiting, Which,
    deletion::deletion_waves,
    desired::{self, name_of},
    identity::{Identity, InventoryEntry, group_of},
};
use crate::blueprint::{
    fault::Fault,
    graph::{Condition, Graph, Node, Source, Template},
    path::Path,
};

/// What is decided of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// What depends on it may go on.
    Ready,
    /// Its objects are there, but what depends on it has to wait.
    Unready,
    /// Its objects are known, but not all are there.
    Absent,
    /// Its objects are not known yet.
    Unknown,
    Skipped,
}

struct Walk<'p> {
    graph: &'p Graph,
    situation: &'p Situation<'p>,
    /// The namespace of the instance.
    home: &'p str,
    /// What CEL sees: the instance, and each resource that was seen.
    variables: Environment<'static>,
    states: Vec<State>,
    /// Who makes an object, by position.
    makers: BTreeMap<Identity, usize>,
    /// Somebody else's objects.
    foreign: BTreeSet<Identity>,
    plan: Plan,
}

pub(super) fn plan(graph: &Graph, situation: &Situation<'_>) -> Plan {
    let instance = situation.instance;
    let field = |name: &str| instance.get(name).cloned().unwrap_or(Value::Null);
    let object =
        |name: &str| instance.get(name).filter(|value| value.is_object()).cloned().unwrap_or_else(|| json!({}));
    let schema = json!({
        "apiVersion": field("apiVersion"), "kind": field("kind"), "metadata": object("metadata"), "spec": object("spec"),
    });
    let mut variables = Environment::new();
    variables.insert("schema", &schema);
    let mut walk = Walk {
        graph,
        situation,
        home: instance.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default(),
        variables,
        states: vec![State::Unknown; graph.nodes.len()],
        makers: BTreeMap::new(),
        foreign: BTreeSet::new(),
        plan: Plan { is_ready: true, ..Plan::default() },
    };
    for (position, node) in graph.sequence() {
        walk.step(position, node);
    }
    walk.finish()
}

impl<'p> Walk<'p> {
    fn step(&mut self, position: usize, node: &'p Node) {
        if self.is_skipped(node) {
            self.states[position] = State::Skipped;
            return self.plan.skipped.push(node.id.clone());
        }
        let (state, reason) = match self.decide(position, node) {
            Ok(None) => {
                self.states[position] = State::Ready;
                return self.plan.ready.push(node.id.clone());
            }
            Ok(Some(reason @ WaitReason::Unhealthy(_))) => (State::Ready, reason),
            Ok(Some(reason @ (WaitReason::Absent(_) | WaitReason::Terminating(_)))) => (State::Absent, reason),
            Ok(Some(reason)) => (State::Unready, reason),
            Err(reason) => {
                let seen = self.seen_in_order(node);
                self.insert(node, &seen);
                (State::Unknown, reason)
            }
        };
        self.states[position] = state;
        self.plan.is_ready = false;
        self.plan.waiting.push(Waiting { id: node.id.clone(), reason });
    }

    /// Whether a resource is left out for certain: what it depends on is, or one of its conditions does not hold.
    fn is_skipped(&self, node: &Node) -> bool {
        let is = |state| move |&on: &usize| self.states[on] == state;
        node.dependencies.iter().any(is(State::Skipped))
            || node.include_when.iter().any(|condition| {
                condition.uses.iter().all(is(State::Ready))
                    && condition.expression.evaluate_in(&self.variables) == Ok(Value::Bool(false))
            })
    }

    /// Decides for a resource that may be wanted: why it is not ready, if it is not. What is known of its
    /// objects is in the plan unless this fails.
    fn decide(&mut self, position: usize, node: &'p Node) -> Result<Option<WaitReason>, WaitReason> {
        let is_open = |&on: &usize| (self.states[on] != State::Ready).then(|| self.graph.nodes[on].id.clone());
        let open: Vec<_> = node.dependencies.iter().filter_map(is_open).collect();
        if !open.is_empty() {
            return Err(WaitReason::Dependencies(open));
        }
        let list = Path::Root("resources");
        let at = list.index(position);
        let conditions = at.field("includeWhen");
        for (number, condition) in node.include_when.iter().enumerate() {
            let fault = match condition.expression.evaluate_in(&self.variables) {
                Ok(Value::Bool(true)) => continue,
                Ok(other) => format!("it is {other}, but a boolean is wanted"),
                Err(message) => message,
            };
            return Err(WaitReason::Unresolved(Fault::new(conditions.index(number), fault)));
        }
        match &node.source {
            Source::Made(template) => self.make(position, node, template, &at),
            Source::Named { name: which, namespace } | Source::Selected { selector: which, namespace } => {
                let read = desired::read(node, which, namespace.as_ref(), &self.variables, &at)
                    .map_err(WaitReason::Unresolved)?;
                Ok(self.look(node, read))
            }
        }
    }

    fn make(
        &mut self,
        position: usize,
        node: &'p Node,
        template: &Template,
        at: &Path<'_>,
    ) -> Result<Option<WaitReason>, WaitReason> {
        let objects =
            desired::objects(node, template, &self.variables, self.home, at).map_err(WaitReason::Unresolved)?;
        if let Some((other, object)) = objects.iter().find_map(|(id, object)| Some((self.makers.get(id)?, object))) {
            let message = format!("{} is already made by {}", name_of(object), self.graph.nodes[*other].id);
            return Err(WaitReason::Unresolved(Fault::new(at.field("template"), message)));
        }
        let mut seen: HashMap<_, _> =
            self.seen(node).filter_map(|o| Some((Identity::of_object(o, self.home)?, o))).collect();
        let (mut found, mut reason) = (Vec::with_capacity(objects.len()), None);
        for (number, (identity, object)) in objects.into_iter().enumerate() {
            let name = name_of(&object);
            self.plan.inventory.push(entry(node, &object, self.graph.wave_of(position)));
            let seen = seen.remove(&identity);
            self.makers.insert(identity, position);
            // An object on its way out cannot be kept, and its name is not free before it is gone.
            if seen.is_some_and(is_terminating) {
                reason = reason.or(Some(WaitReason::Terminating(name)));
            } else {
                reason = reason.or_else(|| seen.is_none().then_some(WaitReason::Absent(name)));
                self.plan.apply.push(Desired { id: node.id.clone(), position: number, object });
            }
            found.extend(seen);
        }
        self.insert(node, &found);
        Ok(reason.or_else(|| self.unreadiness(node, &found)))
    }

    fn look(&mut self, node: &'p Node, read: ExternalRead) -> Option<WaitReason> {
        let mut found = self.seen_in_order(node);
        let missing = match &read.which {
            Which::Named(name) => {
                let namespace = read.namespace.as_deref();
                let identity = Identity::new(&read.api_version, &read.kind, namespace, name, self.home);
                found.retain(|object| Identity::of_object(object, self.home).as_ref() == Some(&identity));
                self.foreign.insert(identity);
                found.is_empty().then(|| format!("{} {name}", read.kind))
            }
            Which::Selected(_) => {
                let is_read = self.situation.observed.of(&node.id).is_some();
                (!is_read).then(|| format!("the list of {}", read.kind))
            }
        };
        self.plan.read.push(read);
        if missing.is_none() {
            self.insert(node, &found);
        }
        let terminating = || match found.as_slice() {
            [object] if !node.is_collection() && is_terminating(object) => {
                Some(WaitReason::Terminating(name_of(object)))
            }
            _ => None,
        };
        missing.map(WaitReason::Absent).or_else(terminating).or_else(|| self.unreadiness(node, &found))
    }

    /// Why objects that are there are not ready.
    fn unreadiness(&self, node: &Node, objects: &[&Value]) -> Option<WaitReason> {
        objects.iter().find_map(|object| {
            let name = name_of(object);
            if node.ready_when.is_empty() {
                let is_ours = matches!(node.source, Source::Made(_));
                return (is_ours && !(self.situation.is_healthy)(object)).then_some(WaitReason::Unhealthy(name));
            }
            if !is_current(object) {
                let condition = "status.observedGeneration == metadata.generation".into();
                return Some(WaitReason::NotReady { object: name, condition });
            }
            let mut variables = self.variables.inner();
            if node.is_collection() {
                variables.insert("each", object);
            }
            let holds = |condition: &&Condition| condition.expression.evaluate_in(&variables) == Ok(Value::Bool(true));
            let broken = node.ready_when.iter().find(|condition| !holds(condition))?;
            Some(WaitReason::NotReady { object: name, condition: broken.text.clone() })
        })
    }

    fn finish(mut self) -> Plan {
        self.plan.status = self.graph.status.render_known(&self.variables).unwrap_or_else(|| json!({}));
        // Two resources may have made the same object one after the other; it is stale when both are done with it.
        let mut rest = BTreeMap::<_, (&InventoryEntry, bool)>::new();
        for entry in self.situation.inventory {
            let identity = Identity::of_entry(entry, self.home);
            if !self.makers.contains_key(&identity) {
                let is_stale = self.is_stale(&identity, entry);
                rest.entry(identity).and_modify(|known| known.1 &= is_stale).or_insert((entry, is_stale));
            }
        }
        // What has become somebody else's is forgotten, not removed.
        rest.retain(|identity, (_, is_stale)| !(*is_stale && self.foreign.contains(identity)));
        let held = self.held(rest.values().filter(|(_, is_stale)| !is_stale).map(|(entry, _)| *entry));
        let is_removable = |entry: &InventoryEntry| self.position(&entry.id).is_none_or(|node| !held[node]);
        let stale = rest.values().filter(|(entry, is_stale)| *is_stale && is_removable(entry));
        let stale: Vec<_> = stale.map(|(entry, _)| (*entry).clone()).collect();
        self.plan.remove = deletion_waves(&stale, Some(self.graph));
        self.plan.inventory.extend(rest.into_values().map(|(entry, _)| entry.clone()));
        self.plan
    }

    /// The nodes whose objects cannot go because of what stays: objects that were made with theirs.
    fn held<'e>(&self, staying: impl Iterator<Item = &'e InventoryEntry>) -> Vec<bool> {
        let mut is_staying = vec![false; self.graph.nodes.len()];
        staying.filter_map(|entry| self.position(&entry.id)).for_each(|node| is_staying[node] = true);
        let mut held = vec![false; is_staying.len()];
        let sequence: Vec<_> = self.graph.sequence().collect();
        for (position, node) in sequence.into_iter().rev() {
            if held[position] || is_staying[position] {
                node.dependencies.iter().for_each(|&on| held[on] = true);
            }
        }
        held
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.graph.nodes.iter().position(|node| node.id == id)
    }

    /// Whether nobody wants an object that is not among the known ones: its resource has all it wants or is
    /// no more, and no other resource could still turn out to want this object.
    fn is_stale(&self, identity: &Identity, entry: &InventoryEntry) -> bool {
        let is_settled = |node: usize| !matches!(self.states[node], State::Absent | State::Unknown);
        let could_be = |(node, state): (&Node, &State)| {
            *state == State::Unknown && node.kind == identity.kind && group_of(&node.api_version) == identity.group
        };
        self.position(&entry.id).is_none_or(is_settled) && !self.graph.nodes.iter().zip(&self.states).any(could_be)
    }

    fn seen(&self, node: &Node) -> impl Iterator<Item = &'p Value> {
        self.situation.observed.of(&node.id).unwrap_or_default().iter()
    }

    /// What was seen, in an order that does not depend on who looked.
    fn seen_in_order(&self, node: &Node) -> Vec<&'p Value> {
        let mut seen: Vec<_> = self.seen(node).collect();
        seen.sort_by_cached_key(|object| Identity::of_object(object, self.home));
        seen
    }

    /// Lets CEL see a resource, which is a list, or an object if there is one.
    fn insert(&mut self, node: &Node, found: &[&Value]) {
        if node.is_collection() {
            self.variables.insert(&node.id, &found.iter().copied().cloned().collect());
        } else if let Some(object) = found.first() {
            self.variables.insert(&node.id, object);
        }
    }
}

fn entry(node: &Node, object: &Value, wave: u32) -> InventoryEntry {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    InventoryEntry {
        id: node.id.clone(),
        api_version: node.api_version.clone(),
        kind: node.kind.clone(),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name").unwrap_or_default(),
        wave: Some(wave),
    }
}

fn is_terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// Whether the status is about the object as it is now, where that can be told.
fn is_current(object: &Value) -> bool {
    let number = |pointer| object.pointer(pointer).and_then(Value::as_i64);
    match (number("/status/observedGeneration"), number("/metadata/generation")) {
        (Some(observed), Some(generation)) => observed == generation,
        _ => true,
    }
}
