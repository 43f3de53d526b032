//! Memory for operations: each takes its weight, and workspaces take turns to get it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::oneshot;

use crate::provider::Weight;

/// The memory of all operations together.
#[derive(Clone, Debug)]
pub(crate) struct Slots(Arc<Mutex<Memory>>);

#[derive(Debug)]
struct Memory {
    all: u32,
    per_lane: u32,
    free: u32,
    /// What each lane has taken; no lane has nothing.
    taken: BTreeMap<String, u32>,
    /// Who waits, by lane; no lane is empty.
    waiting: BTreeMap<String, VecDeque<Waiting>>,
    turns: VecDeque<String>,
}

#[derive(Debug)]
struct Waiting {
    weight: u32,
    granted: oneshot::Sender<()>,
}

impl Slots {
    pub(crate) fn new(memory: Weight, per_lane: Weight) -> Self {
        let (all, per_lane) = (memory.as_mib(), per_lane.as_mib());
        let (taken, waiting, turns) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Self(Arc::new(Mutex::new(Memory { all, per_lane, free: all, taken, waiting, turns })))
    }

    /// Waits for this much memory. Lanes take turns, and nobody is passed by but for the sake of a lane that
    /// has its share, so the heaviest get theirs as well; what weighs more than there is gets all
    /// of it. Cancel-safe.
    pub(crate) async fn acquire(&self, lane: &str, weight: Weight) -> Slot {
        let mut request = self.request(lane, weight);
        // The sender is dropped only after it was used: it is in the lane until it is granted.
        drop((&mut request.granted).await);
        request.granted.close();
        request.is_taken = true;
        Slot { slots: self.clone(), lane: request.lane.clone(), weight: request.weight }
    }

    fn request(&self, lane: &str, weight: Weight) -> Request {
        let (granted, is_granted) = oneshot::channel();
        let mut memory = self.memory();
        let weight = weight.as_mib().min(memory.all);
        let waiting = memory.waiting.entry(lane.to_owned()).or_default();
        let is_new = waiting.is_empty();
        waiting.push_back(Waiting { weight, granted });
        if is_new {
            memory.turns.push_back(lane.to_owned());
        }
        memory.grant();
        Request { slots: self.clone(), lane: lane.to_owned(), weight, granted: is_granted, is_taken: false }
    }

    fn give_back(&self, lane: &str, weight: u32) {
        let mut memory = self.memory();
        memory.free += weight;
        if let Some(taken) = memory.taken.get_mut(lane) {
            *taken -= weight;
            if *taken == 0 {
                memory.taken.remove(lane);
            }
        }
        memory.grant();
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Grants what fits, in turn, until somebody has to wait who does not have his share.
    fn grant(&mut self) {
        let mut passed_by = 0;
        while let Some(lane) = self.turns.get(passed_by).cloned() {
            let Some(waiting) = self.waiting.get_mut(&lane) else { return };
            let taken = self.taken.get(&lane).copied().unwrap_or_default();
            if let Some(first) = waiting.front().filter(|first| !first.granted.is_closed()) {
                if taken > 0 && first.weight > self.per_lane.saturating_sub(taken) {
                    passed_by += 1;
                    continue;
                }
                if first.weight > self.free {
                    return;
                }
            }
            self.turns.remove(passed_by);
            let Some(first) = waiting.pop_front() else { return };
            if waiting.is_empty() {
                self.waiting.remove(&lane);
            } else {
                self.turns.push_back(lane.clone());
            }
            // Who no longer waits takes nothing.
            if first.granted.send(()).is_ok() {
                self.free -= first.weight;
                *self.taken.entry(lane).or_default() += first.weight;
            }
        }
    }
}

/// Somebody who waits; gives back what was granted but not taken.
#[derive(Debug)]
struct Request {
    slots: Slots,
    lane: String,
    weight: u32,
    granted: oneshot::Receiver<()>,
    is_taken: bool,
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.is_taken {
            return;
        }
        self.granted.close();
        if self.granted.try_recv().is_ok() {
            self.slots.give_back(&self.lane, self.weight);
        }
    }
}

/// Memory that is taken for as long as this lives.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    lane: String,
    weight: u32,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.give_back(&self.lane, self.weight);
    }
}

#[cfg(test)]
mod tests;
