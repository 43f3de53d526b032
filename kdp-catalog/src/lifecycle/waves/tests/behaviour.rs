use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::*;

fn later(minutes: i64) -> Timestamp {
    at(START) + SignedDuration::from_mins(minutes)
}

fn at_version(mut fleet: Vec<Instance>, id: &str, to: &str, phase: Phase) -> Vec<Instance> {
    let it = fleet.iter_mut().find(|it| it.id == id).unwrap();
    it.version = version(to);
    it.phase = phase;
    fleet
}

/// The step after the fleet was noted.
fn first(plan: &Plan, fleet: &[Instance]) -> Step {
    let noted = step(plan, fleet, &UpgradeRun::begin(plan, at(START)), at(START)).unwrap();
    assert_eq!(upgrades(&noted), [""; 0], "the way back is stored before the way there begins");
    step(plan, fleet, &noted.run, at(START)).unwrap()
}

fn three() -> Vec<Instance> {
    ["a", "b", "c"].map(|id| instance(id, "1.0.0", Phase::Ready)).into()
}

#[test]
fn nobody_is_told_before_the_way_back_is_stored() {
    let plan = quick(|_| {});
    let noted = step(&plan, &three(), &UpgradeRun::begin(&plan, at(START)), at(START)).unwrap();
    assert_eq!((noted.actions.as_slice(), noted.next_look), (&[][..], Some(at(START))));
    let next = step(&plan, &three(), &noted.run, at(START)).unwrap();
    assert_eq!(upgrades(&next).len(), 2);
    let again = step(&plan, &three(), &next.run, at(START)).unwrap();
    assert_eq!((again.actions.as_slice(), &again.run), (&[][..], &next.run));
}

#[test]
fn an_action_of_which_nothing_is_seen_is_given_again_and_fails_in_the_end() {
    let plan = quick(|spec| spec.max_failures = Some(IntOrString::Int(9)));
    let mut next = first(&plan, &three());
    let told: Vec<String> = upgrades(&next).into_iter().map(Into::into).collect();
    assert_eq!(next.next_look, Some(later(1)));
    next = step(&plan, &three(), &next.run, later(1)).unwrap();
    let mut again = upgrades(&next);
    again.sort_unstable();
    let mut expected = told.clone();
    expected.sort_unstable();
    assert_eq!(again, expected);
    assert_eq!(next.run.instances[&told[0]].attempts, 2);
    next = step(&plan, &three(), &next.run, later(30)).unwrap();
    assert_eq!(next.run.failures().len(), 2);
    assert_eq!(next.run.failures()[0].why, "was still at 1.0.0 when its time was over");
}

#[test]
fn whoever_could_not_be_told_again_has_not_failed() {
    let plan = quick(|spec| {
        let window = serde_json::json!([{"start": "12:00", "duration": "30s"}]);
        spec.maintenance.windows = serde_json::from_value(window).unwrap();
    });
    let next = first(&plan, &three()[..1]);
    let next = step(&plan, &three()[..1], &next.run, later(30)).unwrap();
    assert_eq!((next.run.phase, next.run.instances["a"].state), (RunPhase::Running, InstanceState::Pending));
    let tomorrow = later(24 * 60);
    assert_eq!(next.next_look, Some(tomorrow));
    assert_eq!(upgrades(&step(&plan, &three()[..1], &next.run, tomorrow).unwrap()), ["a"]);
}

#[test]
fn a_plan_may_be_changed_on_the_way() {
    let groups = |names: &[&str]| {
        let specs = names.iter().map(|name| group(serde_json::json!({"name": name, "count": 1})));
        let specs: Vec<GroupSpec> = specs.chain([group(serde_json::json!({"name": "rest"}))]).collect();
        quick(|spec| spec.groups = specs)
    };
    let (old, new) = (groups(&["one", "two"]), groups(&["three"]));
    let next = first(&old, &three());
    let told = upgrades(&next)[0].to_owned();
    // The groups of those that wait are found anew; who is on the way is seen to its end.
    let next = step(&new, &three(), &next.run, later(0)).unwrap();
    let fleet = three().into_iter().map(|it| Instance { version: version("2.0.0"), ..it }).collect::<Vec<_>>();
    let three_of = |run: &UpgradeRun| run.instances.values().filter(|it| it.group.as_deref() == Some("three")).count();
    assert_eq!((three_of(&next.run), next.run.phase), (1, RunPhase::Running));
    let late = at_version(fleet.clone(), &told, "2.0.0", Phase::Progressing);
    let next = step(&new, &late, &next.run, later(1)).unwrap();
    assert_eq!(next.run.phase, RunPhase::Running, "{told} is still on the way");
    assert_eq!(step(&new, &fleet, &next.run, later(2)).unwrap().run.phase, RunPhase::Completed);
}

#[test]
fn who_is_not_ready_in_time_has_failed_and_may_recover() {
    let plan = quick(|_| {});
    let next = first(&plan, &three()[..1]);
    let fleet = at_version(three(), "a", "2.0.0", Phase::Progressing);
    let next = step(&plan, &fleet[..1], &next.run, later(29)).unwrap();
    assert_eq!((next.run.phase, next.next_look), (RunPhase::Running, Some(later(30))));
    let next = step(&plan, &fleet[..1], &next.run, later(30)).unwrap();
    assert_eq!(next.run.phase, RunPhase::Halted);
    let report = next.run.report.clone().unwrap();
    assert_eq!((report.reason.as_str(), report.group.as_str()), ("1 have failed, 0 may", "all"));
    assert_eq!(report.failures[0].why, "was not ready at 2.0.0 in time");
    assert_eq!(holds(&next), [(&HoldReason::Halted, None)]);
    let fleet = at_version(three(), "a", "2.0.0", Phase::Ready);
    let next = step(&plan, &fleet[..1], &next.run, later(40)).unwrap();
    assert_eq!(next.run.phase, RunPhase::Halted, "only a person lets it go on");
    assert_eq!(next.run.in_state(InstanceState::Upgraded).count(), 1);
}

#[test]
fn a_group_soaks_before_the_next_begins() {
    let plan = quick(|spec| {
        spec.groups = vec![
            group(serde_json::json!({"name": "first", "count": 1, "soak": "10m"})),
            group(serde_json::json!({"name": "second"})),
        ];
    });
    let next = first(&plan, &three());
    let canary = upgrades(&next)[0].to_owned();
    assert_eq!(upgrades(&next).len(), 1);
    let fleet = at_version(three(), &canary, "2.0.0", Phase::Ready);
    let next = step(&plan, &fleet, &next.run, later(5)).unwrap();
    let soaking = HoldReason::Soaking { group: "first".into() };
    assert_eq!((holds(&next), next.next_look), (vec![(&soaking, Some(later(15)))], Some(later(15))));
    // It is not well for a moment: the time begins again.
    let mut shaken = at_version(three(), &canary, "2.0.0", Phase::Progressing);
    shaken.iter_mut().for_each(|it| it.since = later(8));
    let next = step(&plan, &shaken, &next.run, later(9)).unwrap();
    let next = step(&plan, &fleet, &next.run, later(11)).unwrap();
    assert_eq!(next.next_look, Some(later(21)));
    assert_eq!(upgrades(&step(&plan, &fleet, &next.run, later(20)).unwrap()), [""; 0]);
    assert_eq!(upgrades(&step(&plan, &fleet, &next.run, later(21)).unwrap()).len(), 2);
    // It fails while it soaks: nobody else is tried.
    let bad = at_version(three(), &canary, "2.0.0", Phase::Failed);
    let next = step(&plan, &bad, &next.run, later(21)).unwrap();
    assert_eq!((next.run.phase, upgrades(&next).len()), (RunPhase::Halted, 0));
}

#[test]
fn whoever_is_changed_by_somebody_else_is_left_alone_and_named() {
    let plan = quick(|spec| spec.max_concurrent = Some(IntOrString::Int(9)));
    let next = first(&plan, &three());
    let fleet = at_version(three(), "a", "2.0.0", Phase::Ready);
    let fleet = at_version(fleet, "b", "2.0.0", Phase::Progressing);
    let next = step(&plan, &fleet, &next.run, later(1)).unwrap();
    let fleet = at_version(fleet, "a", "1.0.0", Phase::Ready);
    let fleet = at_version(fleet, "b", "3.0.0", Phase::Ready);
    let next = step(&plan, &fleet, &next.run, later(2)).unwrap();
    let run = next.run;
    let messages: Vec<_> = run.taken_over().into_iter().map(|it| (it.id, it.message)).collect();
    let by = "somebody else has brought it to";
    assert_eq!(messages, [("a", format!("{by} 1.0.0").as_str()), ("b", format!("{by} 3.0.0").as_str())]);
    let back = roll_back(&plan, &run, &RollBackScope::All {}, later(3)).unwrap();
    let next = step(&plan, &fleet, &back, later(3)).unwrap();
    assert_eq!(roll_backs(&next), ["c"]);
}

#[test]
fn whoever_waits_follows_what_happens_to_it() {
    let plan = quick(|spec| spec.max_concurrent = Some(IntOrString::Int(1)));
    let mut fleet = three();
    fleet.push(instance("bad", "1.0.0", Phase::Failed));
    fleet.push(instance("busy", "1.0.0", Phase::Progressing));
    fleet.push(instance("new", "2.0.0", Phase::Ready));
    fleet.push(instance("old", "0.1.0", Phase::Ready));
    let next = first(&plan, &fleet);
    let told = upgrades(&next)[0].to_owned();
    let mut rest: Vec<&str> = ["a", "b", "c"].into_iter().filter(|id| *id != told).collect();
    let mut states = states(&next.run);
    assert_eq!(states.remove("bad"), Some(InstanceState::Skipped));
    assert_eq!(states.remove("busy"), Some(InstanceState::Pending));
    assert_eq!(states.len(), 3, "who is not concerned is not noted: {states:?}");
    // One gets a patch from its owner, one leaves, one is deleted, and "bad" recovers.
    let fleet = at_version(fleet, rest[0], "1.0.1", Phase::Ready);
    let mut fleet = at_version(fleet, "bad", "1.0.0", Phase::Ready);
    fleet.retain(|it| it.id != rest[1]);
    let fleet = at_version(fleet, "busy", "0.2.0", Phase::Ready);
    let next = step(&plan, &fleet, &next.run, at(START)).unwrap();
    assert_eq!(next.run.instances[rest[0]].from, version("1.0.1"), "that is where it would go back to");
    assert!(!next.run.instances.contains_key(rest.remove(1)));
    assert_eq!(next.run.instances["bad"].state, InstanceState::Pending);
    assert_eq!(next.run.instances["busy"].message, "is at 0.2.0, which the plan does not concern");
}

#[test]
fn whoever_is_out_of_sight_for_a_while_keeps_its_way_back() {
    let plan = quick(|_| {});
    let next = first(&plan, &three()[..1]);
    let there = at_version(three(), "a", "2.0.0", Phase::Ready);
    let next = step(&plan, &three()[1..], &next.run, later(1)).unwrap();
    assert_eq!(next.run.instances["a"].state, InstanceState::Gone);
    let next = step(&plan, &there, &next.run, later(2)).unwrap();
    assert_eq!(
        (next.run.instances["a"].state, &next.run.instances["a"].from),
        (InstanceState::Upgraded, &version("1.0.0"))
    );
    let gone = at_version(there, "a", "2.0.0", Phase::Gone);
    let next = step(&plan, &gone, &next.run, later(3)).unwrap();
    assert!(!next.run.instances.contains_key("a"), "deleted is deleted");
}

#[test]
fn nothing_begins_while_paused_or_outside_of_windows() {
    let paused = quick(|spec| {
        spec.paused = true;
        spec.roll_back = RollBackPolicy::Failed;
    });
    let running = quick(|spec| spec.roll_back = RollBackPolicy::Failed);
    let next = first(&paused, &three());
    assert_eq!(next.actions, [Action::Hold { reason: HoldReason::Paused, until: None }]);
    let next = first(&running, &three());
    let told = upgrades(&next)[0].to_owned();
    let bad = at_version(three(), &told, "2.0.0", Phase::Failed);
    let next = step(&paused, &bad, &next.run, later(1)).unwrap();
    let next = step(&paused, &bad, &next.run, later(1)).unwrap();
    assert_eq!(roll_backs(&next), [""; 0]);
    assert_eq!(roll_backs(&step(&running, &bad, &next.run, later(1)).unwrap()), [told]);

    let at_night = quick(|spec| {
        let window = serde_json::json!([{"start": "22:00", "duration": "1h"}]);
        spec.maintenance.windows = serde_json::from_value(window).unwrap();
    });
    let next = first(&at_night, &three());
    let night = at("2026-11-25T22:00:00Z");
    assert_eq!(holds(&next), [(&HoldReason::WindowClosed, Some(night))]);
    assert_eq!((upgrades(&next).len(), next.next_look), (0, Some(night)));
    assert_eq!(upgrades(&step(&at_night, &three(), &next.run, night).unwrap()).len(), 2);
}

#[test]
fn groups_have_limits_of_their_own() {
    let plan = quick(|spec| {
        spec.max_concurrent = Some(IntOrString::String("100%".into()));
        spec.max_failures = Some(IntOrString::Int(5));
        let selector = serde_json::json!({"matchLabels": {"tier": "gold"}});
        spec.groups = vec![
            group(serde_json::json!({"name": "gold", "selector": selector, "maxConcurrent": 1, "maxFailures": 0})),
            group(serde_json::json!({"name": "silver", "selector": {"matchLabels": {"tier": "silver"}}})),
        ];
        spec.roll_back = RollBackPolicy::Group;
    });
    let tier = |id: &str, tier: &str| {
        instance(id, "1.0.0", Phase::Ready).with_labels([("tier".to_owned(), tier.to_owned())].into())
    };
    let fleet = vec![tier("g1", "gold"), tier("g2", "gold"), tier("s1", "silver"), tier("x", "none")];
    let next = first(&plan, &fleet);
    assert_eq!(upgrades(&next).len(), 1, "one of gold");
    assert_eq!(next.run.instances["x"].message, "no group takes it");
    let told = upgrades(&next)[0].to_owned();
    let fleet = at_version(fleet, &told, "2.0.0", Phase::Failed);
    let next = step(&plan, &fleet, &next.run, later(1)).unwrap();
    assert_eq!(next.run.phase, RunPhase::RollingBack);
    let report = next.run.report.clone().unwrap();
    assert_eq!((report.reason.as_str(), report.group.as_str()), ("1 of group gold have failed, 0 may", "gold"));
    let next = step(&plan, &fleet, &next.run, later(1)).unwrap();
    assert_eq!(roll_backs(&next), [told.as_str()]);
    let fleet = at_version(fleet, &told, "1.0.0", Phase::Ready);
    let next = step(&plan, &fleet, &next.run, later(2)).unwrap();
    assert_eq!((next.run.phase, next.run.report.unwrap().failures.len()), (RunPhase::Halted, 1));
}

#[test]
fn an_empty_fleet_ends_nothing() {
    let plan = plan(|_| {});
    let next = step(&plan, &[], &UpgradeRun::begin(&plan, at(START)), at(START)).unwrap();
    assert_eq!(next.run.phase, RunPhase::Running);
    let next = step(&plan, &fleet(10), &next.run, later(1)).unwrap();
    assert_eq!(
        upgrades(&step(&plan, &fleet(10), &next.run, later(1)).unwrap()).len(),
        1,
        "the canary still comes first"
    );
    let outside = [instance("a", "5.0.0", Phase::Ready)];
    let next = step(&plan, &outside, &UpgradeRun::begin(&plan, at(START)), at(START)).unwrap();
    assert_eq!((next.run.phase, next.next_look), (RunPhase::Completed, None));
}

#[test]
fn a_run_of_another_target_and_a_doubled_id_are_refused() {
    let run = UpgradeRun::begin(&quick(|spec| spec.to = "1.9.0".into()), at(START));
    let error = step(&quick(|_| {}), &three(), &run, at(START)).unwrap_err().to_string();
    assert_eq!(error, "UpgradePlan p: status: the run leads p to 1.9.0; begin a new one");
    let plan = quick(|_| {});
    let twice = [three(), three()].concat();
    let error = step(&plan, &twice, &UpgradeRun::begin(&plan, at(START)), at(START)).unwrap_err().to_string();
    assert_eq!(error, "UpgradePlan p: fleet: \"a\" comes twice in the fleet");
}
