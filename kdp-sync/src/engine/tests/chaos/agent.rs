//! An agent that hears of things late, twice, and in any order among objects; and that may be
//! stopped between any two of its steps.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use serde_json::Value;

use crate::{
    engine::{
        Command, Evidence, Facts, Next, ObjectKey, OrderKey, Part, Plan, Problem, Query, World, decide,
        tests::sides::{Changed, Refused, Sides, answer},
    },
    object,
};

/// As many steps as the driver takes in one pass.
const MOST_STEPS: usize = 64;

pub(super) struct Agent {
    pub(super) plan: Rc<Plan>,
    known: BTreeMap<ObjectKey, Arc<Value>>,
    /// What it has still to hear, in order for each object.
    unheard: BTreeMap<ObjectKey, VecDeque<Changed>>,
    /// What it heard last of each object.
    heard: BTreeMap<ObjectKey, Changed>,
    passes: BTreeMap<OrderKey, Pass>,
    instance: String,
    /// Orders for which it made something, and had no answer.
    doubts: BTreeSet<OrderKey>,
    /// Orders for which nothing is on its way.
    pub(super) quiet: BTreeSet<OrderKey>,
}

#[derive(Default)]
struct Pass {
    seen: Vec<(Query, Vec<Arc<Value>>)>,
    failed: BTreeSet<Part>,
    commands: VecDeque<Command>,
    part: Option<Part>,
    steps: usize,
}

/// One step of a pass.
pub(super) enum Step {
    Looked,
    /// This is to be written, and [`Agent::answered`] to be told.
    Write(Command),
    Ended(Ended),
}

/// How a pass has ended.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) problems: Vec<Problem>,
    /// Whether a write was refused, so that the pass is to be repeated.
    pub(super) is_refused: bool,
}

/// No two agents are the same.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Agent {
    pub(super) fn start(plan: Rc<Plan>, sides: &Sides) -> Self {
        Self {
            plan,
            known: sides.objects().clone(),
            unheard: BTreeMap::new(),
            heard: BTreeMap::new(),
            passes: BTreeMap::new(),
            instance: format!("{}-{}", sides.revision(), NEXT.fetch_add(1, Relaxed)),
            doubts: BTreeSet::new(),
            quiet: BTreeSet::new(),
        }
    }

    // What it hears.

    /// Something will be heard of, some time.
    pub(super) fn send(&mut self, change: &Changed) {
        self.unheard.entry(change.key.clone()).or_default().push_back(change.clone());
    }

    /// Hears the next thing about one of the objects it has not heard everything about.
    pub(super) fn hear(&mut self, which: usize) {
        let Some(key) = self.unheard.keys().nth(which % self.unheard.len().max(1)).cloned() else { return };
        let Some(queue) = self.unheard.get_mut(&key) else { return };
        let change = queue.pop_front();
        if queue.is_empty() {
            self.unheard.remove(&key);
        }
        if let Some(change) = change {
            self.take_in(&change);
            self.heard.insert(key, change);
        }
    }

    pub(super) fn hear_everything(&mut self) {
        while !self.unheard.is_empty() {
            self.hear(0);
        }
    }

    /// Hears again what it has heard last of an object, because a watch was resumed from there.
    pub(super) fn hear_again(&mut self, which: usize) {
        let Some(change) = self.heard.values().nth(which % self.heard.len().max(1)).cloned() else { return };
        self.take_in(&change);
    }

    /// Lists the objects of some kinds anew; one that is cut off has told of some of them.
    pub(super) fn list(&mut self, sides: &Sides, which: usize, is_complete: bool) {
        let kinds: BTreeSet<_> = sides.objects().keys().map(kind).chain(self.known.keys().map(kind)).collect();
        let Some(listed) = kinds.into_iter().nth(which % 5) else { return };
        let is_listed = |key: &ObjectKey| kind(key) == listed;
        for (key, object) in sides.objects().iter().filter(|(key, _)| is_listed(key)) {
            self.take_in(&Changed { key: key.clone(), object: object.clone(), is_gone: false });
            if !is_complete {
                return;
            }
        }
        self.known.retain(|key, _| !is_listed(key) || sides.objects().contains_key(key));
        // Its watch goes on from here, and tells nothing older.
        self.unheard.retain(|key, _| !is_listed(key));
        self.heard.retain(|key, _| !is_listed(key));
    }

    /// As the driver's cache does it: nothing older than what is known of the same object.
    fn take_in(&mut self, change: &Changed) {
        let known = self.known.get(&change.key);
        let is_same = known.is_some_and(|known| object::uid(known) == object::uid(&change.object));
        if change.is_gone {
            if is_same {
                self.known.remove(&change.key);
            }
        } else if !is_same || known.is_none_or(|known| revision(&change.object) > revision(known)) {
            self.known.insert(change.key.clone(), change.object.clone());
        }
    }

    // What it does.

    /// Stops wherever it is, forgets everything, and begins anew.
    pub(super) fn crash(&mut self, sides: &Sides) {
        *self = Self::start(self.plan.clone(), sides);
    }

    pub(super) fn step(&mut self, order: &OrderKey, sides: &Sides) -> Step {
        let mut pass = self.passes.remove(order).unwrap_or_default();
        if let Some(command) = pass.commands.pop_front() {
            self.passes.insert(order.clone(), pass);
            return Step::Write(command);
        }
        pass.steps += 1;
        if pass.steps > MOST_STEPS {
            let message = "a pass that does not end".to_owned();
            let problems = vec![Problem { part: Part::Primary, message, advice: None }];
            return Step::Ended(Ended { problems, is_refused: true });
        }
        let world = Known { agent: self, seen: &pass.seen };
        match decide(&self.plan, order, &Facts::new(&world), &pass.failed) {
            Next::Look(_, query) => {
                let found = answer(sides.objects(), &self.plan, &query);
                if let Query::Object(key) = &query
                    && *key == self.plan.order_object(order)
                    && found.is_empty()
                {
                    self.known.remove(key);
                }
                pass.seen.retain(|(known, _)| *known != query);
                pass.seen.push((query, found));
            }
            Next::Act(batch) => {
                pass.seen.clear();
                pass.part = Some(batch.part);
                pass.commands = batch.commands.into();
            }
            Next::Settled(problems) => {
                return Step::Ended(Ended { problems, is_refused: !pass.failed.is_empty() });
            }
        }
        self.passes.insert(order.clone(), pass);
        Step::Looked
    }

    /// Whether it may be about to write something for the order.
    pub(super) fn is_about(&self, order: &OrderKey) -> bool {
        self.passes.get(order).is_some_and(|pass| !pass.commands.is_empty() || !pass.seen.is_empty())
    }

    pub(super) fn doubt(&mut self, order: &OrderKey) {
        self.doubts.insert(order.clone());
    }

    /// Takes in the answer to a write.
    pub(super) fn answered(
        &mut self,
        order: &OrderKey,
        command: &Command,
        answer: Result<Option<Arc<Value>>, Refused>,
    ) {
        let Ok(object) = answer else {
            let Some(pass) = self.passes.get_mut(order) else { return };
            pass.commands.clear();
            match pass.part {
                Some(part) if part != Part::Primary => {
                    pass.failed.insert(part);
                }
                _ => drop(self.passes.remove(order)),
            }
            return;
        };
        let Some(key) = written(command) else { return };
        match object {
            Some(object) => self.take_in(&Changed { key: key.clone(), object, is_gone: false }),
            None => drop(self.known.remove(key)),
        }
    }
}

/// The object that a command writes, if agents remember it.
pub(super) fn written(command: &Command) -> Option<&ObjectKey> {
    match command {
        Command::Create { key, .. }
        | Command::Patch { key, .. }
        | Command::Replace { key, .. }
        | Command::ReplaceStatus { key, .. }
        | Command::Delete { key, .. } => Some(key),
        Command::EnsureNamespace { .. } | Command::Tell { .. } => None,
    }
}

fn kind(key: &ObjectKey) -> (bool, String) {
    (key.place == crate::engine::Place::Service, key.types.kind.clone())
}

fn revision(object: &Value) -> Option<u64> {
    object::resource_version(object)?.parse().ok()
}

struct Known<'a> {
    agent: &'a Agent,
    seen: &'a [(Query, Vec<Arc<Value>>)],
}

impl World for Known<'_> {
    fn answer(&self, query: &Query, evidence: Evidence) -> Option<Vec<Arc<Value>>> {
        match evidence {
            Evidence::Heard => Some(answer(&self.agent.known, &self.agent.plan, query)),
            Evidence::Seen => self.seen.iter().find(|(known, _)| known == query).map(|(_, found)| found.clone()),
        }
    }

    fn instance(&self) -> &str {
        &self.agent.instance
    }

    fn is_in_doubt(&self, order: &OrderKey) -> bool {
        self.agent.doubts.contains(order)
    }

    fn is_quiet(&self, order: &OrderKey, _: &str) -> bool {
        self.agent.quiet.contains(order)
    }
}
