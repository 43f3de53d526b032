//! What a plan would do, before it does it.

use std::fmt;

use jiff::Timestamp;
use semver::Version;
use serde::Serialize;

use super::{Action, HoldReason, Instance, InstanceState, Plan, RunPhase, UpgradeRun, step};
use crate::lifecycle::LifecycleError;

/// Ids that are named in one line of the text.
const NAMED: usize = 5;

/// What a plan would do now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Explanation {
    /// Name of the plan.
    pub plan: String,
    /// Where instances must be.
    pub from: String,
    /// Where they are brought to.
    pub to: Version,
    /// How far the run would be.
    pub phase: RunPhase,
    /// The groups in their order.
    pub groups: Vec<GroupRow>,
    /// How many instances the plan does not concern.
    pub outside: usize,
    /// Ids of those whose turn does not come, and why.
    pub skipped: Vec<(String, String)>,
    /// Ids of those that somebody else has changed, and how.
    pub taken_over: Vec<(String, String)>,
    /// Ids of those that would be told to go to the target now.
    pub upgrades: Vec<String>,
    /// Ids of those that would be told to go back now.
    pub roll_backs: Vec<String>,
    /// Why nothing new begins.
    pub holds: Vec<String>,
    /// When upgrades may begin, now or later.
    pub next_opening: Option<Timestamp>,
}

/// One group of an [`Explanation`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GroupRow {
    /// Its name.
    pub name: String,
    /// How many are in it.
    pub members: usize,
    /// Whose turn has not come.
    pub pending: usize,
    /// Who is on the way, forward or back.
    pub on_the_way: usize,
    /// Who is at the target.
    pub upgraded: usize,
    /// Who failed.
    pub failed: usize,
    /// Who is back.
    pub rolled_back: usize,
    /// The others: taken over or gone.
    pub other: usize,
    /// Whether its turn is over and that of the next group has come.
    pub is_passed: bool,
}

/// What `plan` would do now, going on with `run` or beginning.
///
/// Nothing of it is to be stored or carried out.
///
/// # Errors
/// As [`step`].
pub fn explain(
    plan: &Plan,
    fleet: &[Instance],
    run: Option<&UpgradeRun>,
    now: Timestamp,
) -> Result<Explanation, LifecycleError> {
    let begun = UpgradeRun::begin(plan, now);
    let noted = step(plan, fleet, run.unwrap_or(&begun), now)?;
    // A step only acts on what was stored before, so what it would do is what the next one says.
    let next = step(plan, fleet, &noted.run, now)?;
    let mut groups: Vec<GroupRow> =
        plan.groups.iter().map(|group| GroupRow { name: group.name.clone(), ..GroupRow::default() }).collect();
    for it in next.run.instances.values().filter(|it| it.state != InstanceState::Skipped) {
        let index = it.group.as_deref().and_then(|name| plan.group_index(name));
        let Some(row) = index.and_then(|index| groups.get_mut(index)) else { continue };
        row.members += 1;
        *match it.state {
            InstanceState::Pending => &mut row.pending,
            InstanceState::Upgrading | InstanceState::RollingBack => &mut row.on_the_way,
            InstanceState::Upgraded => &mut row.upgraded,
            InstanceState::Failed => &mut row.failed,
            InstanceState::RolledBack => &mut row.rolled_back,
            InstanceState::Skipped | InstanceState::TakenOver | InstanceState::Gone => &mut row.other,
        } += 1;
    }
    for (row, progress) in groups.iter_mut().zip(&next.run.groups) {
        row.is_passed = progress.passed_at.is_some();
    }
    let named = |state| next.run.in_state(state).map(|(id, it)| (id.to_owned(), it.message.clone())).collect();
    let mut explanation = Explanation {
        plan: plan.name.clone(),
        from: plan.from.to_string(),
        to: plan.to.clone(),
        phase: next.run.phase,
        groups,
        outside: fleet.iter().filter(|it| !next.run.instances.contains_key(&it.id)).count(),
        skipped: named(InstanceState::Skipped),
        taken_over: named(InstanceState::TakenOver),
        upgrades: Vec::new(),
        roll_backs: Vec::new(),
        holds: Vec::new(),
        next_opening: plan.windows.next_opening(now),
    };
    for action in noted.actions.iter().filter(|it| !matches!(it, Action::Hold { .. })).chain(&next.actions) {
        match action {
            Action::Upgrade { id, .. } => explanation.upgrades.push(id.clone()),
            Action::RollBack { id, .. } => explanation.roll_backs.push(id.clone()),
            Action::Hold { reason, until } => explanation.holds.push(hold(reason, *until)),
        }
    }
    Ok(explanation)
}

fn hold(reason: &HoldReason, until: Option<Timestamp>) -> String {
    let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
    match reason {
        HoldReason::Paused => "the plan is paused".into(),
        HoldReason::Halted => "a decision is needed".into(),
        HoldReason::WindowClosed => format!("no maintenance window is open{until}"),
        HoldReason::Soaking { group } => format!("group {group} soaks{until}"),
    }
}

/// A table for people.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} to {}, {:?}", self.plan, self.from, self.to, self.phase)?;
        let width = self.groups.iter().map(|it| it.name.chars().count()).max().unwrap_or_default().max(5);
        writeln!(
            f,
            "{:width$} {:>7} {:>7} {:>7} {:>8} {:>6} {:>4} {:>5} TURN",
            "GROUP", "MEMBERS", "PENDING", "ON WAY", "UPGRADED", "FAILED", "BACK", "OTHER"
        )?;
        let active = self.groups.iter().position(|row| !row.is_passed);
        for (index, row) in self.groups.iter().enumerate() {
            let turn = match active {
                Some(active) if index == active => "now",
                Some(active) if index > active => "later",
                _ => "over",
            };
            writeln!(
                f,
                "{:width$} {:>7} {:>7} {:>7} {:>8} {:>6} {:>4} {:>5} {}",
                row.name,
                row.members,
                row.pending,
                row.on_the_way,
                row.upgraded,
                row.failed,
                row.rolled_back,
                row.other,
                turn,
            )?;
        }
        writeln!(f, "not concerned: {}", self.outside)?;
        let because = |list: &[(String, String)]| list.iter().map(|(id, why)| format!("{id} ({why})")).collect();
        line(f, "skipped", because(&self.skipped))?;
        line(f, "taken over", because(&self.taken_over))?;
        line(f, "now to the target", self.upgrades.clone())?;
        line(f, "now back", self.roll_backs.clone())?;
        for hold in &self.holds {
            writeln!(f, "nothing new begins: {hold}")?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, title: &str, list: Vec<String>) -> fmt::Result {
    let more = list.len().saturating_sub(NAMED);
    let named: Vec<String> = list.into_iter().take(NAMED).collect();
    match (named.is_empty(), more) {
        (true, _) => Ok(()),
        (false, 0) => writeln!(f, "{title}: {}", named.join(", ")),
        (false, more) => writeln!(f, "{title}: {} and {more} more", named.join(", ")),
    }
}
