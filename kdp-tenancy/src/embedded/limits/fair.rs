//! Who may be worked on next, when more requests come than can be.
//!
//! Pure and synchronous. Workspaces stand in their tree, each with the seats that its requests hold
//! together with those of all below it. A free seat goes down the tree: at every step to whoever
//! holds the fewest seats, and of those to whoever has waited longest since its last one. So a
//! workspace gains nothing by splitting its load over workspaces below it, nobody starves, and no
//! seat stays free while somebody could use it. A node exists only while it has requests.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

/// One workspace on the way from the top of the tree to the one that a request is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) cluster: Arc<str>,
    /// How many seats it and all below it may hold.
    pub(super) seats: usize,
}

/// Where requests of one workspace wait; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Line(u64);

/// The whole control plane.
const TOP: Line = Line(0);

/// Too many wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// See the module. A `T` is who waits.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    nodes: HashMap<Line, Node<T>>,
    by_name: HashMap<(Line, Arc<str>), Line>,
    next: u64,
    turns: u64,
    /// How many may wait in one workspace, and how many altogether.
    room: (usize, usize),
    waiting: usize,
}

#[derive(Debug)]
struct Node<T> {
    parent: Option<Line>,
    name: Arc<str>,
    /// How many seats it may hold, and how many it holds.
    limit: usize,
    seats: usize,
    /// When it got its last seat.
    turn: u64,
    /// Who waits here; only at the ends of the tree.
    line: VecDeque<(u64, T)>,
    /// The nodes below that could use a seat, the next one first.
    ready: BTreeSet<(usize, u64, Line)>,
    /// As what it stands in `ready` of its parent.
    listed: Option<(usize, u64)>,
    /// Requests that wait or hold a seat, here or below.
    requests: usize,
}

impl<T> FairQueue<T> {
    /// A queue for this many seats, in which so many may wait in one workspace and altogether.
    pub(super) fn new(seats: usize, room: (usize, usize)) -> Self {
        let top = Node::new(None, "".into(), seats, 0);
        Self { nodes: HashMap::from([(TOP, top)]), by_name: HashMap::new(), next: 1, turns: 0, room, waiting: 0 }
    }

    /// Lets a request wait; [`FairQueue::admit`] says when its turn has come.
    pub(super) fn wait(&mut self, path: &[Hop], ticket: u64, who: T) -> Result<Line, Full> {
        let line = self.open(path);
        let (in_line, altogether) = self.room;
        let is_full =
            self.waiting >= altogether || self.nodes.get(&line).is_some_and(|node| node.line.len() >= in_line);
        if is_full {
            self.close_idle(line);
            return Err(Full);
        }
        self.waiting += 1;
        if let Some(node) = self.nodes.get_mut(&line) {
            node.line.push_back((ticket, who));
        }
        self.each_above(line, |node| node.requests += 1);
        self.refresh(line);
        Ok(line)
    }

    /// Gives the next free seat away; `None` when there is none or nobody could use it.
    pub(super) fn admit(&mut self) -> Option<T> {
        let top = self.nodes.get(&TOP)?;
        if top.seats >= top.limit {
            return None;
        }
        let mut line = TOP;
        while let Some((_, _, below)) = self.nodes.get(&line)?.ready.first() {
            line = *below;
        }
        let (_, who) = self.nodes.get_mut(&line)?.line.pop_front()?;
        self.waiting -= 1;
        self.turns += 1;
        let turn = self.turns;
        self.each_above(line, |node| {
            node.seats += 1;
            node.turn = turn;
        });
        self.refresh(line);
        Some(who)
    }

    /// Lets somebody else have a seat whose holder only waits for something. For the limits of its
    /// workspaces the holder stays.
    pub(super) fn lend(&mut self) {
        if let Some(top) = self.nodes.get_mut(&TOP) {
            top.seats -= 1;
        }
    }

    /// Takes a seat back that was lent.
    pub(super) fn leave_lent(&mut self, line: Line) {
        if let Some(top) = self.nodes.get_mut(&TOP) {
            top.seats += 1;
        }
        self.leave(line);
    }

    /// Takes a seat back.
    pub(super) fn leave(&mut self, line: Line) {
        self.each_above(line, |node| {
            node.seats -= 1;
            node.requests -= 1;
        });
        self.refresh(line);
        self.close_idle(line);
    }

    /// Lets a request wait no longer; `false` when it has got its seat already.
    pub(super) fn give_up(&mut self, line: Line, ticket: u64) -> bool {
        let Some(node) = self.nodes.get_mut(&line) else { return false };
        let Some(at) = node.line.iter().position(|(waiting, _)| *waiting == ticket) else { return false };
        node.line.remove(at);
        self.waiting -= 1;
        self.each_above(line, |node| node.requests -= 1);
        self.refresh(line);
        self.close_idle(line);
        true
    }

    /// The line at the end of a path; what is on the way is made, and its limits are set anew.
    fn open(&mut self, path: &[Hop]) -> Line {
        let mut at = TOP;
        for hop in path {
            at = self.child(at, &hop.cluster, hop.seats);
        }
        // The workspace's own requests are one among its children.
        self.child(at, &"".into(), usize::MAX)
    }

    fn child(&mut self, parent: Line, name: &Arc<str>, limit: usize) -> Line {
        let line = *self.by_name.entry((parent, Arc::clone(name))).or_insert_with(|| {
            let line = Line(self.next);
            self.next += 1;
            line
        });
        // Whoever comes anew stands behind those who have waited since before.
        let turn = self.turns;
        let node = self.nodes.entry(line).or_insert_with(|| Node::new(Some(parent), Arc::clone(name), limit, turn));
        node.limit = limit;
        line
    }

    /// Puts a node, and those above it, where they belong among their siblings.
    fn refresh(&mut self, mut line: Line) {
        while let Some(node) = self.nodes.get_mut(&line) {
            let Some(parent) = node.parent else { return };
            let listed = node.could_use_a_seat().then_some((node.seats, node.turn));
            let before = std::mem::replace(&mut node.listed, listed);
            if before != listed
                && let Some(above) = self.nodes.get_mut(&parent)
            {
                if let Some((seats, turn)) = before {
                    above.ready.remove(&(seats, turn, line));
                }
                if let Some((seats, turn)) = listed {
                    above.ready.insert((seats, turn, line));
                }
            }
            line = parent;
        }
    }

    fn close_idle(&mut self, mut line: Line) {
        while let Some(node) = self.nodes.get(&line).filter(|node| node.requests == 0) {
            let Some(parent) = node.parent else { return };
            self.by_name.remove(&(parent, Arc::clone(&node.name)));
            self.nodes.remove(&line);
            line = parent;
        }
    }

    fn each_above(&mut self, mut line: Line, mut change: impl FnMut(&mut Node<T>)) {
        while let Some(node) = self.nodes.get_mut(&line) {
            change(node);
            match node.parent {
                Some(parent) => line = parent,
                None => return,
            }
        }
    }
}

impl<T> Node<T> {
    fn new(parent: Option<Line>, name: Arc<str>, limit: usize, turn: u64) -> Self {
        Self {
            parent,
            name,
            limit,
            seats: 0,
            turn,
            line: VecDeque::new(),
            ready: BTreeSet::new(),
            listed: None,
            requests: 0,
        }
    }

    fn could_use_a_seat(&self) -> bool {
        self.seats < self.limit && (!self.line.is_empty() || !self.ready.is_empty())
    }
}
