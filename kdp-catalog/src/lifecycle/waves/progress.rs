//! How far groups and runs are: limits, soaking, halting and completion.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    GroupProgress, Instance, InstanceProgress, InstanceState, Phase, Plan, Report, RollBackPolicy, RollBackScope,
    RunPhase, UpgradeRun, observe::after,
};

/// How many instances the groups have.
pub(super) struct Sizes {
    groups: Vec<usize>,
}

impl Sizes {
    pub(super) fn of(plan: &Plan, run: &UpgradeRun) -> Self {
        let mut groups = vec![0; plan.groups.len()];
        for noted in run.instances.values().filter(|it| it.state != InstanceState::Skipped) {
            if let Some(size) = group_of(plan, noted).and_then(|index| groups.get_mut(index)) {
                *size += 1;
            }
        }
        Self { groups }
    }

    pub(super) fn total(&self) -> usize {
        self.groups.iter().sum()
    }

    pub(super) fn group(&self, index: usize) -> usize {
        self.groups.get(index).copied().unwrap_or_default()
    }

    /// Index of its group; those whose group the plan does not have any more come last.
    pub(super) fn index(&self, plan: &Plan, noted: &InstanceProgress) -> usize {
        group_of(plan, noted).unwrap_or(self.groups.len())
    }

    /// The places that are free for those who want to be on the way.
    pub(super) fn places(&self, plan: &Plan, run: &UpgradeRun) -> Places {
        let limit = |index: usize| plan.groups.get(index).and_then(|group| group.max_concurrent);
        let free = |index| limit(index).map_or(usize::MAX, |limit| limit.rounded_up(self.group(index)));
        let mut places = Places {
            total: plan.max_concurrent.rounded_up(self.total()),
            groups: (0..self.groups.len()).map(free).collect(),
        };
        for noted in run.instances.values().filter(|it| it.is_on_the_way()) {
            places.total = places.total.saturating_sub(1);
            if let Some(free) = group_of(plan, noted).and_then(|index| places.groups.get_mut(index)) {
                *free = free.saturating_sub(1);
            }
        }
        places
    }
}

/// Places that are free.
pub(super) struct Places {
    total: usize,
    groups: Vec<usize>,
}

impl Places {
    /// Takes a place for an instance of a group, if there is one.
    pub(super) fn take(&mut self, group: usize) -> bool {
        let mut none = usize::MAX;
        let free = self.groups.get_mut(group).unwrap_or(&mut none);
        if self.total == 0 || *free == 0 {
            return false;
        }
        self.total -= 1;
        *free -= 1;
        true
    }
}

fn group_of(plan: &Plan, noted: &InstanceProgress) -> Option<usize> {
    plan.group_index(noted.group.as_deref()?)
}

/// Whether an instance has to be brought back and was not told yet.
pub(super) fn wants_back(plan: &Plan, run: &UpgradeRun, noted: &InstanceProgress) -> bool {
    if !noted.is_changed() || noted.stuck {
        return false;
    }
    let has_failed = noted.state == InstanceState::Failed;
    let by_scope = run.phase == RunPhase::RollingBack
        && match &run.roll_back {
            Some(RollBackScope::All {}) => true,
            Some(RollBackScope::Group(name)) => noted.group.as_ref() == Some(name),
            Some(RollBackScope::Failed {}) => has_failed,
            None => false,
        };
    // What somebody has accepted is not undone behind their back.
    by_scope || (has_failed && !noted.accepted && plan.roll_back == RollBackPolicy::Failed)
}

/// Halts a run whose failures pass a limit, and brings the report of a halted one up to date.
pub(super) fn halt_if_too_many_failed(plan: &Plan, run: &mut UpgradeRun, sizes: &Sizes, now: Timestamp) {
    let failures = run.failures();
    if run.phase != RunPhase::Running {
        if let Some(report) = &mut run.report {
            report.failures = failures;
        }
        return;
    }
    let mut by_group = vec![0_usize; plan.groups.len()];
    for failure in &failures {
        if let Some(count) = plan.group_index(&failure.group).and_then(|index| by_group.get_mut(index)) {
            *count += 1;
        }
    }
    let mut reason = None;
    for ((index, group), failed) in plan.groups.iter().enumerate().zip(&by_group) {
        let limit = group.max_failures.map(|limit| limit.rounded_down(sizes.group(index)));
        if let Some(limit) = limit.filter(|limit| failed > limit) {
            reason = Some(format!("{failed} of group {} have failed, {limit} may", group.name));
            break;
        }
    }
    let limit = plan.max_failures.rounded_down(sizes.total());
    if reason.is_none() && failures.len() > limit {
        reason = Some(format!("{} have failed, {limit} may", failures.len()));
    }
    let Some(reason) = reason else { return };
    // The first of those with the most.
    let worst = plan.groups.iter().zip(&by_group).rev().max_by_key(|(_, count)| **count);
    let group = worst.map(|(group, _)| group.name.clone()).unwrap_or_default();
    let scope = match plan.roll_back {
        RollBackPolicy::Never | RollBackPolicy::Failed => None,
        RollBackPolicy::Group => Some(RollBackScope::Group(group.clone())),
        RollBackPolicy::All => Some(RollBackScope::All {}),
    };
    run.enter(if scope.is_some() { RunPhase::RollingBack } else { RunPhase::Halted }, now);
    run.roll_back = scope;
    run.report = Some(Report { at: now, reason, group, failures });
}

/// Lets the next group go when the one before it has soaked; the index of the one whose turn it is.
pub(super) fn advance_groups(
    plan: &Plan,
    run: &mut UpgradeRun,
    seen: &BTreeMap<&str, &Instance>,
    now: Timestamp,
) -> usize {
    let mut groups: Vec<GroupProgress> = Vec::with_capacity(plan.groups.len());
    for group in &plan.groups {
        let noted = run.groups.iter().find(|it| it.name == group.name).cloned();
        groups.push(noted.unwrap_or_else(|| GroupProgress { name: group.name.clone(), ..GroupProgress::default() }));
    }
    let mut states = vec![GroupState::default(); groups.len()];
    for (id, noted) in &run.instances {
        let Some(state) = group_of(plan, noted).and_then(|index| states.get_mut(index)) else { continue };
        let is_ready = seen.get(id.as_str()).is_some_and(|it| it.phase == Phase::Ready);
        state.add(noted, is_ready, wants_back(plan, run, noted));
    }
    let mut active = groups.len();
    if seen.is_empty() {
        // Without anybody there is no canary either: the groups wait for those who come.
        active = 0;
    } else if run.phase == RunPhase::Running {
        for (index, ((noted, group), state)) in groups.iter_mut().zip(&plan.groups).zip(&states).enumerate() {
            if noted.passed_at.is_some() {
                continue;
            }
            if state.is_busy || !state.is_healthy {
                noted.healthy_since = None;
            } else {
                let since = *noted.healthy_since.get_or_insert(now);
                if !state.has_members || after(since, group.soak) <= now {
                    noted.passed_at = Some(now);
                    continue;
                }
            }
            active = index;
            break;
        }
        let mut all = GroupState::default();
        run.instances.values().for_each(|noted| all.add(noted, true, wants_back(plan, run, noted)));
        if active == groups.len() && !all.is_busy {
            run.enter(RunPhase::Completed, now);
        }
    } else {
        // Nothing soaks while something is wrong.
        groups.iter_mut().filter(|it| it.passed_at.is_none()).for_each(|it| it.healthy_since = None);
    }
    run.groups = groups;
    active
}

#[derive(Clone, Copy)]
struct GroupState {
    is_busy: bool,
    is_healthy: bool,
    has_members: bool,
}

impl Default for GroupState {
    fn default() -> Self {
        Self { is_busy: false, is_healthy: true, has_members: false }
    }
}

impl GroupState {
    fn add(&mut self, noted: &InstanceProgress, is_ready: bool, wants_back: bool) {
        self.is_busy |= wants_back || noted.is_on_the_way() || noted.state == InstanceState::Pending;
        self.is_healthy &= noted.state != InstanceState::Upgraded || is_ready;
        self.has_members |= !matches!(noted.state, InstanceState::Skipped | InstanceState::Gone);
    }
}
