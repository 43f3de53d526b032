use super::{world::World, *};

/// A run that has halted, and its world.
fn halted() -> (Plan, World, UpgradeRun) {
    let plan = plan(|_| {});
    let mut world = World::new(fleet(300), 11, 15);
    let run = world.drive(&plan, UpgradeRun::begin(&plan, world.now));
    assert_eq!(run.phase, RunPhase::Halted);
    (plan, world, run)
}

#[test]
fn only_the_failed_or_one_group_go_back() {
    let (plan, world, run) = halted();
    for scope in [RollBackScope::Failed {}, RollBackScope::Group("early".into())] {
        let mut world = world.clone();
        let decided = roll_back(&plan, &run, &scope, world.now).unwrap();
        assert_eq!(roll_back(&plan, &decided, &scope, world.now).unwrap(), decided);
        let ended = world.drive(&plan, decided);
        assert_eq!(ended.phase, RunPhase::Halted);
        for (id, noted) in &ended.instances {
            let is_meant = match &scope {
                RollBackScope::Group(name) => noted.group.as_ref() == Some(name),
                _ => run.instances[id].failure.is_some(),
            };
            let expected = match (run.instances[id].state, is_meant) {
                (InstanceState::Upgraded | InstanceState::Failed, true) => InstanceState::RolledBack,
                (state, _) => state,
            };
            assert_eq!(noted.state, expected, "{id} {scope:?}");
            let should_be = if expected == InstanceState::RolledBack { &noted.from } else { &plan.to };
            assert!(expected == InstanceState::Pending || world.versions()[id] == *should_be);
        }
        // Those that are back stay there when the others go on.
        let back: Vec<_> = ended.in_state(InstanceState::RolledBack).map(|(id, _)| id.to_owned()).collect();
        let on = world.drive(&plan, resume(&ended, world.now).unwrap());
        assert!(back.iter().all(|id| on.instances[id].state == InstanceState::RolledBack));
    }
    let error = roll_back(&plan, &run, &RollBackScope::Group("x".into()), world.now).unwrap_err().to_string();
    assert_eq!(error, "UpgradePlan p: spec.groups: there is no group \"x\"");
}

#[test]
fn going_back_twice_is_as_once_and_ends_the_run() {
    let (plan, mut world, run) = halted();
    let all = RollBackScope::All {};
    let decided = roll_back(&plan, &run, &all, world.now).unwrap();
    let ended = world.drive(&plan, decided);
    assert_eq!(ended.phase, RunPhase::RolledBack);
    assert_eq!(roll_back(&plan, &ended, &all, world.now).unwrap(), ended);
    let error = resume(&ended, world.now).unwrap_err().to_string();
    assert_eq!(error, "UpgradePlan p: status.phase: a run that is RolledBack cannot be resumed");
}

#[test]
fn who_does_not_come_back_in_time_is_tried_again_on_demand_only() {
    let plan = quick(|_| {});
    let there = [instance("a", "2.0.0", Phase::Ready)];
    let mut run = UpgradeRun::begin(&plan, at(START));
    for now in ["1.0.0", "1.0.0", "2.0.0"] {
        run = step(&plan, &[instance("a", now, Phase::Ready)], &run, at(START)).unwrap().run;
    }
    assert_eq!(run.phase, RunPhase::Completed);
    let all = RollBackScope::All {};
    let mut next = step(&plan, &there, &roll_back(&plan, &run, &all, at(START)).unwrap(), at(START)).unwrap();
    assert_eq!(roll_backs(&next), ["a"]);
    next = step(&plan, &there, &next.run, at("2026-11-25T12:01:00Z")).unwrap();
    assert_eq!((roll_backs(&next), next.run.instances["a"].attempts), (vec!["a"], 2));
    let end = at("2026-11-25T12:30:00Z");
    next = step(&plan, &there, &next.run, end).unwrap();
    assert_eq!((next.run.phase, roll_backs(&next).len()), (RunPhase::RolledBack, 0));
    assert_eq!(next.run.failures()[0].why, "was not brought back in time");
    let again = roll_back(&plan, &next.run, &all, end).unwrap();
    assert_eq!(roll_backs(&step(&plan, &there, &again, end).unwrap()), ["a"]);
}

#[test]
fn a_plan_is_explained_before_it_begins() {
    let plan = plan(|spec| spec.groups[1].percent = Some(20));
    let mut fleet = fleet(10);
    fleet.push(instance("broken", "1.0.0", Phase::Failed));
    fleet.push(instance("other", "3.0.0", Phase::Ready));
    let explanation = explain(&plan, &fleet, None, at(START)).unwrap();
    let expected = "\
p: range ^1 to 2.0.0, Running
GROUP  MEMBERS PENDING  ON WAY UPGRADED FAILED BACK OTHER TURN
canary       1       0       1        0      0    0     0 now
early        2       2       0        0      0    0     0 later
rest         7       7       0        0      0    0     0 later
not concerned: 1
skipped: broken (was not ready before the upgrade)
now to the target: ";
    // The broken one is of the 20 % that are early, in case it recovers.
    let text = explanation.to_string();
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(explanation.upgrades.len(), 1);
    let (plan, world, run) = halted();
    let text = explain(&plan, &world.fleet(), Some(&run), world.now).unwrap().to_string();
    assert!(text.contains("nothing new begins: a decision is needed"), "{text}");
}
