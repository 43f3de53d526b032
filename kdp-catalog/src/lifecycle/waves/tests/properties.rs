use proptest::prelude::*;

use super::{
    world::{Crash, World},
    *,
};

#[derive(Clone, Debug)]
struct Case {
    fleet: Vec<Instance>,
    plan: Plan,
    seed: u64,
    failing: u64,
    crash: Crash,
    max_concurrent: usize,
    max_failures: usize,
}

prop_compose! {
    fn case()(
        versions in prop::collection::vec(
            prop::sample::select(vec!["0.9.0", "1.0.0", "1.4.2", "1.9.9", "2.0.0", "2.1.0", "1.5.0-rc.1"]), 1..60),
        phases in prop::collection::vec(0_u8..20, 60),
        max_concurrent in 1_i32..9,
        max_failures in 0_i32..6,
        policy in 0_usize..4,
        percent in 1_u32..40,
        soak in 0_u32..30,
        window in prop::option::of(0_u32..24),
        seed in any::<u64>(),
        failing in 0_u64..30,
        crash in 0_usize..120,
    ) -> Case {
        use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int;
        let policies = [RollBackPolicy::Never, RollBackPolicy::Failed, RollBackPolicy::Group, RollBackPolicy::All];
        let fleet = versions.iter().zip(phases).enumerate().map(|(i, (version, phase))| {
            let phase = match phase {
                0 => Phase::Failed,
                1 => Phase::Progressing,
                2 => Phase::Gone,
                _ => Phase::Ready,
            };
            instance(&format!("i-{i}"), version, phase)
        });
        let plan = plan(|spec| {
            spec.groups[0].percent = Some(percent);
            spec.groups[0].soak = format!("{soak}m");
            spec.max_concurrent = Some(Int(max_concurrent));
            spec.max_failures = Some(Int(max_failures));
            spec.roll_back = policies[policy];
            if let Some(hour) = window {
                spec.maintenance.windows = serde_json::from_value(serde_json::json!([
                    {"days": ["Wednesday", "Thursday"], "start": format!("{hour:02}:00"), "duration": "90m"}
                ])).unwrap();
            }
        });
        let crash = match crash {
            0 => Crash::Always,
            1..40 => Crash::After(crash),
            40..80 => Crash::BeforeActing(crash - 39),
            _ => Crash::Never,
        };
        Case { fleet: fleet.collect(), plan, seed, failing, crash, max_concurrent: max_concurrent as usize, max_failures: max_failures as usize }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The world itself checks that nobody is upgraded outside of windows or outside of `from`.
    #[test]
    fn a_run_ends_and_keeps_its_limits(case in case()) {
        let mut world = World::new(case.fleet.clone(), case.seed, case.failing).crashing(case.crash);
        let before = world.versions();
        let run = world.drive(&case.plan, UpgradeRun::begin(&case.plan, world.now));
        prop_assert!(world.most <= case.max_concurrent);
        prop_assert!(run.taken_over().is_empty());
        for (id, now) in world.versions() {
            let earlier = &before[&id];
            if world.touched.contains(&id) {
                prop_assert!(case.plan.concerns(earlier));
                prop_assert!(now == *earlier || now == version("2.0.0"));
                prop_assert_eq!(&run.instances[&id].from, earlier);
            } else {
                prop_assert_eq!(&now, earlier);
            }
        }
        let is_back = |id: &String| world.versions()[id] == before[id];
        match run.phase {
            RunPhase::RolledBack => prop_assert!(world.touched.iter().all(is_back)),
            RunPhase::Completed => prop_assert!(run.failures().len() <= case.max_failures),
            RunPhase::Halted => prop_assert_eq!(run.report.unwrap().failures.len(), world.failed.len()),
            phase => prop_assert!(false, "ended as {:?}", phase),
        }
    }

    /// The world itself checks that nobody is told anything who is where neither plan nor run knows.
    #[test]
    fn what_somebody_else_has_changed_stays_as_it_is(
        case in case(),
        meddling in prop::collection::vec(prop::option::of(any::<prop::sample::Index>()), 0..30),
    ) {
        let mut world = World::new(case.fleet.clone(), case.seed, case.failing).crashing(case.crash);
        let mut run = UpgradeRun::begin(&case.plan, world.now);
        let mut theirs = std::collections::BTreeSet::new();
        for index in meddling {
            run = world.tick(&case.plan, &run);
            if let Some(index) = index {
                let id = index.get(&case.fleet).id.clone();
                world.set(instance(&id, "3.0.0", Phase::Ready));
                theirs.insert(id);
            }
        }
        run = world.drive(&case.plan, run);
        run = roll_back(&case.plan, &run, &RollBackScope::All {}, world.now).unwrap();
        run = world.drive(&case.plan, run);
        let at_last = world.versions();
        prop_assert!(theirs.iter().all(|id| at_last[id] == version("3.0.0")));
        prop_assert_eq!(run.phase, RunPhase::RolledBack);
        let before: BTreeMap<_, _> = case.fleet.iter().map(|it| (&it.id, &it.version)).collect();
        prop_assert!(at_last.iter().all(|(id, at)| theirs.contains(id) || at == before[id]));
    }

    #[test]
    fn the_order_of_the_fleet_does_not_matter(case in case(), turn in any::<u64>()) {
        let mut shuffled = case.fleet.clone();
        shuffled.sort_by_key(|it| groups::rank(&turn.to_string(), &it.id));
        let mut run = UpgradeRun::begin(&case.plan, at(START));
        for _ in 0..3 {
            let one = step(&case.plan, &case.fleet, &run, at(START)).unwrap();
            prop_assert_eq!(&one, &step(&case.plan, &case.fleet, &run, at(START)).unwrap());
            prop_assert_eq!(&one, &step(&case.plan, &shuffled, &run, at(START)).unwrap());
            run = one.run;
        }
    }

    #[test]
    fn repeating_a_step_tells_nobody_anything_twice(case in case(), lead in 0_usize..30) {
        // Some way into a run, the fleet stands still.
        let mut world = World::new(case.fleet.clone(), case.seed, case.failing);
        let mut run = UpgradeRun::begin(&case.plan, world.now);
        for _ in 0..lead {
            run = world.tick(&case.plan, &run);
        }
        let fleet = world.fleet();
        let mut told = std::collections::BTreeSet::new();
        let mut last = None;
        for _ in 0..5 {
            let next = step(&case.plan, &fleet, &run, world.now).unwrap();
            for id in upgrades(&next).into_iter().chain(roll_backs(&next)) {
                prop_assert!(told.insert(id.to_owned()), "{} is told twice", id);
            }
            run = next.run.clone();
            last = Some(next);
        }
        let last = last.unwrap();
        prop_assert_eq!(&step(&case.plan, &fleet, &last.run, world.now).unwrap(), &last, "it does not come to rest");
        prop_assert!(upgrades(&last).is_empty() && roll_backs(&last).is_empty());
    }

    #[test]
    fn a_run_survives_being_stored(case in case(), lead in 0_usize..10) {
        let mut world = World::new(case.fleet.clone(), case.seed, case.failing);
        let mut run = UpgradeRun::begin(&case.plan, world.now);
        for _ in 0..lead {
            run = world.tick(&case.plan, &run);
        }
        let stored = serde_json::to_string(&run).unwrap();
        prop_assert_eq!(serde_json::from_str::<UpgradeRun>(&stored).unwrap(), run);
    }
}
