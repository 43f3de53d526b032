//! A fleet that does what it is told, takes time for it, and sometimes fails.

use jiff::SignedDuration;

use super::*;
use crate::lifecycle::waves::groups::rank;

/// When a driver dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    Never,
    /// After it has acted in this step, and its run is lost.
    After(usize),
    /// The same in every step.
    Always,
    /// After its run is stored in this step, and before it acts.
    BeforeActing(usize),
}

#[derive(Clone, Debug)]
struct Simulated {
    instance: Instance,
    done_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) steps: usize,
    /// Most instances that were on the way at once.
    pub(super) most: usize,
    /// All who were told anything.
    pub(super) touched: std::collections::BTreeSet<String>,
    /// All who have failed.
    pub(super) failed: std::collections::BTreeSet<String>,
    instances: BTreeMap<String, Simulated>,
    seed: String,
    failing_percent: u64,
    crash: Crash,
}

impl World {
    pub(super) fn new(fleet: Vec<Instance>, seed: u64, failing_percent: u64) -> Self {
        let instances =
            fleet.into_iter().map(|instance| (instance.id.clone(), Simulated { instance, done_at: None })).collect();
        Self {
            now: at(START),
            steps: 0,
            most: 0,
            touched: std::collections::BTreeSet::new(),
            failed: std::collections::BTreeSet::new(),
            instances,
            seed: format!("seed {seed}"),
            failing_percent,
            crash: Crash::Never,
        }
    }

    pub(super) fn crashing(mut self, crash: Crash) -> Self {
        self.crash = crash;
        self
    }

    pub(super) fn fails(&self, id: &str) -> bool {
        rank(&self.seed, id) % 100 < self.failing_percent
    }

    pub(super) fn fleet(&self) -> Vec<Instance> {
        self.instances.values().map(|it| it.instance.clone()).collect()
    }

    pub(super) fn versions(&self) -> BTreeMap<String, Version> {
        self.instances.iter().map(|(id, it)| (id.clone(), it.instance.version.clone())).collect()
    }

    pub(super) fn set(&mut self, instance: Instance) {
        self.instances.insert(instance.id.clone(), Simulated { instance, done_at: None });
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.instances.remove(id);
    }

    /// Follows the plan until nothing happens any more.
    pub(super) fn drive(&mut self, plan: &Plan, mut run: UpgradeRun) -> UpgradeRun {
        for _ in 0..20_000 {
            let (next, then) = self.one_step(plan, &run);
            run = next;
            match then {
                Some(then) if then == self.now => {}
                Some(then) => self.pass(then),
                None => return run,
            }
        }
        panic!("no end after {} steps", self.steps);
    }

    /// One step, and the time passes until there is something to see.
    pub(super) fn tick(&mut self, plan: &Plan, run: &UpgradeRun) -> UpgradeRun {
        let (run, then) = self.one_step(plan, run);
        if let Some(then) = then.filter(|then| *then > self.now) {
            self.pass(then);
        }
        run
    }

    fn one_step(&mut self, plan: &Plan, run: &UpgradeRun) -> (UpgradeRun, Option<Timestamp>) {
        let mut next = step(plan, &self.fleet(), run, self.now).unwrap();
        self.steps += 1;
        if self.crash != Crash::BeforeActing(self.steps) {
            self.act(plan, &next);
        }
        let is_lost = match self.crash {
            Crash::Never | Crash::BeforeActing(_) => false,
            Crash::After(steps) => steps == self.steps,
            Crash::Always => true,
        };
        if is_lost {
            next = step(plan, &self.fleet(), run, self.now).unwrap();
            self.act(plan, &next);
        }
        if next.next_look == Some(self.now) {
            assert!(next.run != *run, "looks again at once, and nothing changes: {:?}", run.phase);
        }
        let event = self.instances.values().filter_map(|it| it.done_at).min();
        (next.run, event.into_iter().chain(next.next_look).min())
    }

    /// Lets the time pass until `then`.
    pub(super) fn pass(&mut self, then: Timestamp) {
        assert!(then > self.now);
        self.now = then;
        for it in self.instances.values_mut() {
            let Some(done_at) = it.done_at.filter(|at| *at <= then) else { continue };
            it.done_at = None;
            it.instance.since = done_at;
            let is_new = it.instance.version == version("2.0.0");
            let is_bad = is_new && rank(&self.seed, &it.instance.id) % 100 < self.failing_percent;
            it.instance.phase = if is_bad { Phase::Failed } else { Phase::Ready };
            if is_bad {
                self.failed.insert(it.instance.id.clone());
            }
            it.instance.message = if is_bad { "disk is full".into() } else { String::new() };
        }
    }

    fn act(&mut self, plan: &Plan, next: &Step) {
        for action in &next.actions {
            let (id, from, to) = match action {
                Action::Upgrade { id, from, to } => {
                    assert!(plan.windows.is_open(self.now), "{id} is upgraded outside of windows");
                    assert!(plan.concerns(from), "{id} is at {from}");
                    (id, from, to)
                }
                Action::RollBack { id, from, to } => (id, from, to),
                Action::Hold { .. } => continue,
            };
            self.touched.insert(id.clone());
            let minutes = 1 + rank(&self.seed, id) / 100 % 9;
            let it = self.instances.get_mut(id).expect("acts on what is there");
            let is_known = it.instance.version == *from || it.instance.version == *to;
            assert!(is_known, "{id} was brought to {} by somebody else", it.instance.version);
            if it.instance.version == *from {
                it.instance.version = to.clone();
                it.instance.phase = Phase::Progressing;
                it.instance.since = self.now;
                it.done_at = Some(self.now + SignedDuration::from_mins(minutes as i64));
            }
        }
        let on_the_way = self.instances.values().filter(|it| it.done_at.is_some()).count();
        self.most = self.most.max(on_the_way);
    }
}
