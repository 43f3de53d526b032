//! Which order is worked on next: workspaces take turns, and none holds all the places.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use tokio::time::Instant;

use crate::LogicalClusterName;

/// Where an ordering object is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// None in a cluster without workspaces.
    pub(crate) workspace: Option<LogicalClusterName>,
    /// Empty when the kind has none.
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The UID of one that is gone: by now its name may be another's.
    pub(crate) gone: Option<String>,
}

impl Key {
    /// The key of the object with this UID after it is gone.
    pub(crate) fn after_it_is_gone(self, uid: String) -> Self {
        Self { gone: Some(uid), ..self }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// Who takes turns: workspaces, or namespaces where there are none.
    pub(crate) fn lane(&self) -> &str {
        self.workspace.as_ref().map_or(&self.namespace, LogicalClusterName::as_str)
    }
}

/// Orders that are to be worked on, now or later.
///
/// An order is worked on by nobody else at the same time. What happens to it meanwhile has it
/// worked on again afterwards.
#[derive(Debug)]
pub(crate) struct Queue {
    most: usize,
    most_per_lane: usize,
    states: HashMap<Key, State>,
    later: BTreeSet<(Instant, Key)>,
    /// What can be begun, by lane; no lane is empty.
    ready: BTreeMap<String, VecDeque<Key>>,
    /// The lanes of `ready` in the order of their turns.
    turns: VecDeque<String>,
    running: BTreeMap<String, usize>,
    total: usize,
}

#[derive(Debug)]
enum State {
    Later(Instant),
    Ready,
    Running { again: Option<Instant> },
}

impl Queue {
    pub(crate) fn new(most: usize, most_per_lane: usize) -> Self {
        Self {
            most,
            most_per_lane,
            states: HashMap::new(),
            later: BTreeSet::new(),
            ready: BTreeMap::new(),
            turns: VecDeque::new(),
            running: BTreeMap::new(),
            total: 0,
        }
    }

    /// Has the order worked on at this time, or earlier if that was asked for already.
    pub(crate) fn push(&mut self, key: Key, at: Instant) {
        match self.states.get_mut(&key) {
            Some(State::Later(before)) if *before <= at => {}
            Some(State::Later(before)) => {
                self.later.remove(&(*before, key.clone()));
                self.push_later(key, at);
            }
            Some(State::Ready) => {}
            Some(State::Running { again }) => *again = Some(again.map_or(at, |before| before.min(at))),
            None => self.push_later(key, at),
        }
    }

    /// Takes the next order that may be begun now; [`end`](Self::end) gives its place back.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<Key> {
        self.promote(now);
        if self.total >= self.most {
            return None;
        }
        for _ in 0..self.turns.len() {
            let lane = self.turns.pop_front()?;
            if self.running.get(&lane).is_some_and(|running| *running >= self.most_per_lane) {
                self.turns.push_back(lane);
                continue;
            }
            let waiting = self.ready.get_mut(&lane)?;
            let key = waiting.pop_front()?;
            if waiting.is_empty() {
                self.ready.remove(&lane);
            } else {
                self.turns.push_back(lane.clone());
            }
            *self.running.entry(lane).or_default() += 1;
            self.total += 1;
            self.states.insert(key.clone(), State::Running { again: None });
            return Some(key);
        }
        None
    }

    /// Gives back the place of an order that was begun, and has it worked on again at `next`.
    pub(crate) fn end(&mut self, key: &Key, next: Option<Instant>) {
        let Some(State::Running { again }) = self.states.remove(key) else { return };
        self.total -= 1;
        if let Some(running) = self.running.get_mut(key.lane()) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(key.lane());
            }
        }
        if let Some(at) = again.into_iter().chain(next).min() {
            self.push_later(key.clone(), at);
        }
    }

    /// When something is to be begun that cannot be begun yet.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.later.first().map(|(at, _)| *at)
    }

    fn push_later(&mut self, key: Key, at: Instant) {
        self.states.insert(key.clone(), State::Later(at));
        self.later.insert((at, key));
    }

    fn promote(&mut self, now: Instant) {
        while self.later.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.later.pop_first() else { return };
            self.states.insert(key.clone(), State::Ready);
            let lane = key.lane().to_owned();
            let waiting = self.ready.entry(lane.clone()).or_default();
            if waiting.is_empty() {
                self.turns.push_back(lane);
            }
            waiting.push_back(key);
        }
    }
}

#[cfg(test)]
mod tests;
