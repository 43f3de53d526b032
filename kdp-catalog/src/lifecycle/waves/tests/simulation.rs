use std::{collections::BTreeSet, time::Instant};

use super::{
    world::{Crash, World},
    *,
};

const INSTANCES: usize = 1000;

fn failed(run: &UpgradeRun) -> BTreeSet<String> {
    run.report.iter().flat_map(|report| &report.failures).map(|it| it.id.clone()).collect()
}

#[test]
fn a_thousand_instances_halt_go_on_and_go_back() {
    for seed in 0..5 {
        let plan = plan(|_| {});
        let mut world = World::new(fleet(INSTANCES), seed, 5);
        let before = world.versions();
        let mut run = world.drive(&plan, UpgradeRun::begin(&plan, world.now));
        assert_eq!(run.phase, RunPhase::Halted, "seed {seed}");
        assert!(failed(&run).len() > 10 && failed(&run) == world.failed, "seed {seed}");
        let report = run.report.clone().unwrap();
        assert!(
            report.failures.iter().all(|it| it.why == "failed at 2.0.0: disk is full" && before[&it.id] == it.from)
        );
        assert!(run.in_state(InstanceState::Pending).count() > 500, "the failures were noticed late");

        let mut accepted = BTreeSet::new();
        while run.phase == RunPhase::Halted {
            accepted.extend(failed(&run));
            run = resume(&run, world.now).unwrap();
            assert_eq!(resume(&run, world.now).unwrap(), run);
            run = world.drive(&plan, run);
            assert!(failed(&run).is_disjoint(&accepted), "an accepted failure is reported again");
        }
        assert_eq!(run.phase, RunPhase::Completed, "seed {seed}");
        let stored = serde_json::to_string(&run).unwrap().len();
        println!("a run of {INSTANCES} instances: {stored} bytes");
        assert!(stored < 300 * INSTANCES, "an object holds 1.5 MiB");
        let all: BTreeSet<String> = world.versions().into_keys().filter(|id| world.fails(id)).collect();
        let in_the_end: BTreeSet<String> = run.in_state(InstanceState::Failed).map(|(id, _)| id.to_owned()).collect();
        assert_eq!(in_the_end, all);
        assert_eq!(run.in_state(InstanceState::Upgraded).count(), INSTANCES - all.len());
        assert!(world.versions().values().all(|it| *it == version("2.0.0")));
        assert_eq!(
            run.ways_back_to(&version("1.0.0")).count(),
            before.values().filter(|it| **it == version("1.0.0")).count()
        );
        assert_eq!(world.most, 50, "all places are used, and not more");

        run = roll_back(&plan, &run, &RollBackScope::All {}, world.now).unwrap();
        run = world.drive(&plan, run);
        assert_eq!(run.phase, RunPhase::RolledBack);
        assert_eq!(world.versions(), before);
        assert_eq!(world.most, 50);
        assert_eq!(run.in_state(InstanceState::RolledBack).count(), INSTANCES);
        assert_eq!(run.ways_back_to(&version("1.0.0")).count(), 0);
    }
}

#[test]
fn only_what_was_changed_goes_back() {
    let plan = plan(|spec| spec.roll_back = RollBackPolicy::All);
    let mut world = World::new(fleet(INSTANCES), 7, 5);
    let others: Vec<Instance> =
        (0..100).map(|i| instance(&format!("other-{i}"), ["0.9.0", "2.1.0", "2.0.0"][i % 3], Phase::Ready)).collect();
    others.into_iter().for_each(|it| world.set(it));
    let before = world.versions();
    let run = world.drive(&plan, UpgradeRun::begin(&plan, world.now));
    assert_eq!(run.phase, RunPhase::RolledBack);
    assert_eq!(world.versions(), before);
    let told: BTreeSet<String> = run.in_state(InstanceState::RolledBack).map(|(id, _)| id.to_owned()).collect();
    assert_eq!(told, world.touched);
    assert!(told.len() < 500 && world.failed.len() > 10 && failed(&run) == world.failed);
    assert!(run.instances.keys().all(|id| !id.starts_with("other")));
}

/// What counts in the end: where everybody is, and what is noted of them apart from times and counts.
fn end(world: &World, run: &UpgradeRun) -> impl PartialEq + std::fmt::Debug + use<> {
    let noted: BTreeMap<String, _> = run
        .instances
        .iter()
        .map(|(id, it)| (id.clone(), (it.group.clone(), it.from.clone(), it.state, it.failure.clone())))
        .collect();
    (world.versions(), noted, run.phase, failed(run), world.touched.clone())
}

#[test]
fn a_driver_that_loses_what_it_noted_comes_to_the_same_end() {
    for policy in [RollBackPolicy::Never, RollBackPolicy::Failed, RollBackPolicy::Group, RollBackPolicy::All] {
        let plan = plan(|spec| {
            spec.roll_back = policy;
            spec.max_failures = Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(2));
        });
        let drive = |crash| {
            let mut world = World::new(fleet(150), 3, 8).crashing(crash);
            let run = world.drive(&plan, UpgradeRun::begin(&plan, world.now));
            assert!(world.most <= 8, "{policy:?} {crash:?}: {} at once", world.most);
            assert_eq!(run.taken_over(), [], "{policy:?} {crash:?}");
            (world.steps, end(&world, &run))
        };
        let (steps, expected) = drive(Crash::Never);
        assert!(steps > 20, "{policy:?}");
        for lost in 1..=steps {
            assert_eq!(drive(Crash::After(lost)).1, expected, "{policy:?}, lost after {lost} steps");
        }
        assert_eq!(drive(Crash::Always).1, expected, "{policy:?}");
    }
}

#[test]
fn a_driver_that_dies_before_it_acts_misses_nothing() {
    for policy in [RollBackPolicy::Never, RollBackPolicy::Failed, RollBackPolicy::Group, RollBackPolicy::All] {
        let plan = plan(|spec| {
            spec.roll_back = policy;
            spec.max_failures = Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(2));
        });
        for lost in 1..=60 {
            let mut world = World::new(fleet(150), 3, 8).crashing(Crash::BeforeActing(lost));
            let before = world.versions();
            let run = world.drive(&plan, UpgradeRun::begin(&plan, world.now));
            assert_eq!(failed(&run), world.failed, "{policy:?}, dead in step {lost}");
            assert!(world.most <= 8 && run.taken_over().is_empty() && run.phase != RunPhase::Completed);
            let is_done = |it: &InstanceProgress| !it.is_on_the_way();
            assert!(run.instances.values().all(is_done), "{policy:?}, dead in step {lost}");
            let run = world.drive(&plan, roll_back(&plan, &run, &RollBackScope::All {}, world.now).unwrap());
            assert_eq!(
                (run.phase, world.versions()),
                (RunPhase::RolledBack, before),
                "{policy:?}, dead in step {lost}"
            );
        }
    }
}

#[test]
fn instances_that_come_and_go_do_not_stop_a_run() {
    for crash in [Crash::Never, Crash::Always] {
        let plan = plan(|_| {});
        let mut world = World::new(fleet(100), 5, 0).crashing(crash);
        let mut run = UpgradeRun::begin(&plan, world.now);
        for i in 0..60 {
            run = world.tick(&plan, &run);
            world.remove(&format!("i-{:04}", i * 7 % 100));
            world.set(instance(&format!("late-{i}"), ["1.0.0", "2.0.0"][i % 2], Phase::Ready));
        }
        run = world.drive(&plan, run);
        assert_eq!((run.phase, run.taken_over()), (RunPhase::Completed, vec![]));
        assert!(world.most <= 8 && run.in_state(InstanceState::Upgraded).any(|(id, _)| id.starts_with("late")));
        assert!(run.instances.iter().all(|(id, it)| world.versions().contains_key(id) || !it.is_on_the_way()));
    }
}

#[test]
fn a_step_of_a_thousand_instances_takes_milliseconds() {
    let plan = plan(|_| {});
    let fleet = fleet(INSTANCES);
    let mut run = UpgradeRun::begin(&plan, at(START));
    let mut longest = std::time::Duration::ZERO;
    // The first step notes everybody, the second one tells the first group, the third one has nothing to do.
    for _ in 0..3 {
        let once = || {
            let begin = Instant::now();
            let next = step(&plan, &fleet, &run, at(START)).unwrap();
            (begin.elapsed(), next.run)
        };
        let (took, next) = (0..10).map(|_| once()).min_by_key(|(took, _)| *took).unwrap();
        println!("a step of {INSTANCES} instances: {took:?}");
        longest = longest.max(took);
        run = next;
    }
    assert!(longest.as_millis() < if cfg!(debug_assertions) { 200 } else { 5 }, "{longest:?}");
}
