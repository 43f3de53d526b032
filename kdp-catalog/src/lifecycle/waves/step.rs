//! The next step of a run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;

use super::{
    Instance, InstanceProgress, InstanceState, Phase, Plan, RunPhase, UpgradeRun,
    groups::{assign, rank},
    observe::{Wanted, after, observe, overdue_at},
    progress::{Sizes, advance_groups, halt_if_too_many_failed, wants_back},
};
use crate::lifecycle::LifecycleError;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is noted now. It must be stored before the actions are carried out.
    pub run: UpgradeRun,
    /// What is to be done. Each can be done again without harm.
    pub actions: Vec<Action>,
    /// When to look again if nothing of the fleet changes before.
    pub next_look: Option<Timestamp>,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Bring an instance to a newer release, provided it is still at `from`.
    Upgrade {
        /// The instance.
        id: String,
        /// Where it is.
        from: Version,
        /// Where it should be.
        to: Version,
    },
    /// Bring an instance back, provided it is still at `from`, or at `to` already.
    RollBack {
        /// The instance.
        id: String,
        /// Where it is.
        from: Version,
        /// Where it was before.
        to: Version,
    },
    /// Begin nothing new for now; only for people to see.
    Hold {
        /// Why.
        reason: HoldReason,
        /// Until when, if that is known.
        until: Option<Timestamp>,
    },
}

/// Why nothing new begins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HoldReason {
    /// The plan says so.
    Paused,
    /// Too many have failed; somebody has to decide.
    Halted,
    /// No maintenance window is open.
    WindowClosed,
    /// A group has to stay healthy for a while.
    Soaking {
        /// Its name.
        group: String,
    },
}

/// Compares plan, fleet and run, and decides what comes next.
///
/// `fleet` is everything there is at that moment, in any order: what is not in it is gone. The
/// answer depends on the arguments alone. As long as the fleet does not change, repeating the step
/// with the run it has made tells no instance anything twice, unless the plan's `retryAfter` has
/// passed.
///
/// # Errors
/// `OtherRun` when the run was begun for another plan or target, `Invalid` when an id comes twice in
/// the fleet.
pub fn step(plan: &Plan, fleet: &[Instance], run: &UpgradeRun, now: Timestamp) -> Result<Step, LifecycleError> {
    if run.plan != plan.name || run.to != plan.to {
        return Err(LifecycleError::OtherRun { object: plan.object(), run: format!("{} to {}", run.plan, run.to) });
    }
    let mut seen = BTreeMap::new();
    for instance in fleet {
        if seen.insert(instance.id.as_str(), instance).is_some() {
            let reason = format!("{:?} comes twice in the fleet", instance.id);
            return Err(LifecycleError::invalid(&plan.object(), "fleet", reason));
        }
    }
    if matches!(run.phase, RunPhase::Completed | RunPhase::RolledBack) {
        return Ok(Step { run: run.clone(), actions: Vec::new(), next_look: None });
    }
    let mut work = Work { plan, seen, before: run, run: run.clone(), now, actions: Vec::new(), looks: Vec::new() };
    work.look_at_fleet();
    if matches!(work.run.phase, RunPhase::Running | RunPhase::Halted) {
        work.join();
    }
    let sizes = Sizes::of(plan, &work.run);
    halt_if_too_many_failed(plan, &mut work.run, &sizes, now);
    if !plan.paused {
        work.bring_back(&sizes);
        work.remind();
    }
    let active = advance_groups(plan, &mut work.run, &work.seen, now);
    if work.run.phase == RunPhase::Running {
        work.upgrade(&sizes, active);
    }
    work.hold(active);
    work.look_again(active);
    let next_look = work.looks.into_iter().min();
    Ok(Step { run: work.run, actions: work.actions, next_look })
}

struct Work<'a> {
    plan: &'a Plan,
    seen: BTreeMap<&'a str, &'a Instance>,
    before: &'a UpgradeRun,
    run: UpgradeRun,
    now: Timestamp,
    actions: Vec<Action>,
    looks: Vec<Timestamp>,
}

impl Work<'_> {
    fn look_at_fleet(&mut self) {
        let Self { plan, seen, before, run, now, .. } = self;
        run.instances.retain(|id, noted| {
            let wanted = if wants_back(plan, before, noted) { Wanted::Back } else { Wanted::Forward };
            // Who waits for a group that the plan does not have any more looks for another one.
            let waits = matches!(noted.state, InstanceState::Pending | InstanceState::Skipped);
            if waits && noted.group.as_deref().is_some_and(|group| plan.group_index(group).is_none()) {
                noted.group = None;
            }
            observe(plan, noted, wanted, seen.get(id.as_str()).copied(), *now)
        });
    }

    fn join(&mut self) {
        let Self { plan, seen, run, now, .. } = self;
        let concerned = |it: &Instance| it.phase != Phase::Gone && plan.concerns(&it.version);
        let joiners: Vec<&Instance> = seen
            .values()
            .copied()
            .filter(|it| match run.instances.get(&it.id) {
                None => concerned(it),
                Some(noted) => noted.group.is_none() && noted.state == InstanceState::Skipped && concerned(it),
            })
            .collect();
        if joiners.is_empty() {
            return;
        }
        let members: Vec<(&Instance, usize)> = run
            .instances
            .iter()
            .filter_map(|(id, noted)| Some((*seen.get(id.as_str())?, plan.group_index(noted.group.as_deref()?)?)))
            .collect();
        let groups = assign(plan, &members, joiners.clone());
        for instance in joiners {
            let group = groups.get(instance.id.as_str()).and_then(|index| plan.groups.get(*index));
            let noted = run.instances.entry(instance.id.clone()).or_insert_with(|| InstanceProgress {
                group: None,
                from: instance.version.clone(),
                state: InstanceState::Pending,
                since: *now,
                attempts: 0,
                attempted: None,
                applied: false,
                failure: None,
                accepted: false,
                stuck: false,
                message: String::new(),
            });
            noted.group = group.map(|group| group.name.clone());
            observe(plan, noted, Wanted::Forward, Some(instance), *now);
        }
    }

    /// Tells those to go back that have to, as far as there are places.
    fn bring_back(&mut self, sizes: &Sizes) {
        let mut wanted: Vec<(usize, u64, String)> = self
            .run
            .instances
            .iter()
            .filter(|(_, noted)| wants_back(self.plan, &self.run, noted))
            .map(|(id, noted)| (sizes.index(self.plan, noted), rank(&self.plan.name, id), id.clone()))
            .collect();
        wanted.sort_unstable();
        let mut places = sizes.places(self.plan, &self.run);
        for (group, _, id) in wanted {
            let Some(noted) = self.run.instances.get_mut(&id) else { continue };
            // Who is on the way already has a place.
            if !noted.is_on_the_way() && !places.take(group) {
                continue;
            }
            // That it goes back must be in a stored run first; else it looks like somebody else's work.
            if !self.before.instances.get(&id).is_some_and(|it| wants_back(self.plan, self.before, it)) {
                self.looks.push(self.now);
                continue;
            }
            noted.enter(InstanceState::RollingBack, self.now, "");
            noted.attempts = 1;
            noted.attempted = Some(self.now);
            self.actions.push(Action::RollBack { id, from: self.plan.to.clone(), to: noted.from.clone() });
        }
        if self.run.phase == RunPhase::RollingBack {
            let left =
                |it: &InstanceProgress| it.state == InstanceState::RollingBack || wants_back(self.plan, &self.run, it);
            if !self.run.instances.values().any(left) {
                let all = matches!(self.run.roll_back, Some(super::RollBackScope::All {}));
                self.run.enter(if all { RunPhase::RolledBack } else { RunPhase::Halted }, self.now);
                self.run.roll_back = None;
            }
        }
    }

    /// Tells those again of which nothing is seen since they were told.
    fn remind(&mut self) {
        let may_upgrade = self.run.phase == RunPhase::Running && self.plan.windows.is_open(self.now);
        for (id, noted) in &mut self.run.instances {
            let due = noted.attempted.is_none_or(|at| after(at, self.plan.retry_after) <= self.now);
            let Some(seen) = self.seen.get(id.as_str()).filter(|_| due && noted.is_on_the_way()) else { continue };
            let (id, from, to) = (id.clone(), seen.version.clone(), &self.plan.to);
            match noted.state {
                InstanceState::Upgrading if may_upgrade && from == noted.from => {
                    self.actions.push(Action::Upgrade { id, from, to: to.clone() });
                }
                InstanceState::RollingBack if from == *to => {
                    self.actions.push(Action::RollBack { id, from, to: noted.from.clone() });
                }
                _ => continue,
            }
            noted.attempts = noted.attempts.saturating_add(1);
            noted.attempted = Some(self.now);
        }
    }

    /// Tells those whose turn it is to go to the target, as far as there are places.
    fn upgrade(&mut self, sizes: &Sizes, active: usize) {
        let mut turn: Vec<(usize, u64, String)> =
            self.startable(active).map(|(group, id)| (group, rank(&self.plan.name, id), id.to_owned())).collect();
        if turn.is_empty() || self.plan.paused {
            return;
        }
        if !self.plan.windows.is_open(self.now) {
            self.looks.extend(self.plan.windows.next_opening(self.now));
            return;
        }
        turn.sort_unstable();
        let mut places = sizes.places(self.plan, &self.run);
        for (group, _, id) in turn {
            let Some(noted) = self.run.instances.get_mut(&id) else { continue };
            // The way back must be in a stored run before the way there begins.
            let stored = self.before.instances.get(&id);
            let is_stored = stored.is_some_and(|it| it.state == InstanceState::Pending && it.from == noted.from);
            if !places.take(group) {
                continue;
            }
            if !is_stored {
                self.looks.push(self.now);
                continue;
            }
            noted.enter(InstanceState::Upgrading, self.now, "");
            noted.attempts = 1;
            noted.attempted = Some(self.now);
            self.actions.push(Action::Upgrade { id, from: noted.from.clone(), to: self.plan.to.clone() });
        }
    }

    /// Those whose turn it is and that are ready for it.
    fn startable(&self, active: usize) -> impl Iterator<Item = (usize, &str)> {
        self.run.in_state(InstanceState::Pending).filter_map(move |(id, noted)| {
            let group = self.plan.group_index(noted.group.as_deref()?)?;
            let is_ready = self.seen.get(id)?.phase == Phase::Ready;
            (is_ready && group <= active).then_some((group, id))
        })
    }

    /// Says why nothing begins, if something could.
    fn hold(&mut self, active: usize) {
        let mut hold = |reason, until| self.actions.push(Action::Hold { reason, until });
        if matches!(self.run.phase, RunPhase::Completed | RunPhase::RolledBack) {
            return;
        }
        if self.plan.paused {
            return hold(HoldReason::Paused, None);
        }
        if self.run.phase != RunPhase::Running {
            return hold(HoldReason::Halted, None);
        }
        if self.run.in_state(InstanceState::Pending).next().is_none() {
            return;
        }
        if let Some((group, end)) = soaking(self.plan, &self.run, active) {
            hold(HoldReason::Soaking { group }, Some(end));
        }
        if !self.plan.windows.is_open(self.now) {
            hold(HoldReason::WindowClosed, self.plan.windows.next_opening(self.now));
        }
    }

    fn look_again(&mut self, active: usize) {
        let is_over = matches!(self.run.phase, RunPhase::Completed | RunPhase::RolledBack);
        let mut looks = Vec::new();
        for (id, noted) in self.run.instances.iter().filter(|_| !is_over) {
            let Some(seen) = self.seen.get(id.as_str()) else { continue };
            match noted.state {
                InstanceState::Upgrading | InstanceState::RollingBack => {
                    looks.push(overdue_at(self.plan, noted.since));
                    let is_back = noted.state == InstanceState::RollingBack;
                    if seen.version != *(if is_back { &noted.from } else { &self.plan.to }) {
                        looks.extend(noted.attempted.map(|at| after(at, self.plan.retry_after)));
                    }
                }
                InstanceState::Pending | InstanceState::Upgraded if seen.phase == Phase::Progressing => {
                    looks.push(overdue_at(self.plan, seen.since));
                }
                _ => {}
            }
        }
        looks.extend(soaking(self.plan, &self.run, active).map(|(_, end)| end));
        self.looks.extend(looks.into_iter().filter(|at| *at > self.now));
    }
}

/// The group that has to stay healthy for a while, and until when.
fn soaking(plan: &Plan, run: &UpgradeRun, active: usize) -> Option<(String, Timestamp)> {
    let group = plan.groups.get(active)?;
    let since = run.groups.get(active)?.healthy_since?;
    (run.phase == RunPhase::Running).then(|| (group.name.clone(), after(since, group.soak)))
}
