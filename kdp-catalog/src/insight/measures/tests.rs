use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn measured(slice: &Slice) -> Measures {
    let releases = BTreeMap::from([("1.0.0".to_owned(), at(0))]);
    slice.measures(Scale { now: at(100), days: 4, releases: &releases, has_binders: false, has_orphans: true })
}

#[test]
fn nothing_has_no_rates() {
    let nothing = measured(&Slice::default());
    assert_eq!(nothing.failures, Failures::default());
    assert_eq!((nothing.drift.rate, nothing.delivery.change_failure_rate), (None, None));
    assert_eq!((nothing.adoption.binders, nothing.orphans), (None, Some(0)));
}

#[test]
fn rates_are_parts_of_what_was_tried() {
    let tally = Tally {
        created: 8,
        failed_provisions: 2,
        changes: 4,
        failed_changes: 1,
        deployments: 2,
        incidents: 1,
        retries: 6,
        ..Tally::default()
    };
    let measures = measured(&Slice { tally, ..Slice::default() });
    let failures = measures.failures;
    assert_eq!((failures.count, failures.provision_rate, failures.retry_rate), (4, Some(0.25), Some(1.5)));
    assert_eq!(measures.delivery.change_failure_rate, Some(0.25));
    assert!((measures.delivery.deployments_per_day - 0.5).abs() < 1e-9);
}

#[test]
fn versions_have_an_age_and_the_rare_ones_are_one() {
    let mut slice = Slice::default();
    for number in 0..40 {
        let orders = if number == 0 { 9 } else { 1 };
        let at = AtVersion { orders, since: at(90 - number) };
        slice.standing.versions.insert(format!("1.0.{number}"), at);
    }
    let versions = measured(&slice).versions;
    assert_eq!(versions.len(), VERSIONS + 1);
    let first = VersionAge { orders: 9, longest_seconds: 10.0, released_seconds: Some(100.0) };
    assert_eq!(versions["1.0.0"], first);
    assert_eq!(versions[OTHER].orders, 8);
}

fn tally() -> impl Strategy<Value = Tally> {
    (prop::collection::vec(0..1000_u64, 14), prop::collection::vec(any::<u64>(), 0..8)).prop_map(|(counts, times)| {
        let mut tally = Tally {
            created: counts[0],
            deleted: counts[1],
            rebuilt: counts[2],
            failed_provisions: counts[3],
            changes: counts[4],
            failed_changes: counts[5],
            superseded: counts[6],
            deployments: counts[7],
            incidents: counts[8],
            retries: counts[9],
            drifts: counts[10],
            untold_provisions: counts[11],
            untold_changes: counts[12],
            untold_lead_times: counts[13],
            ..Tally::default()
        };
        for ms in times {
            tally.provisioning.add_ms(ms);
            tally.restore.add_ms(ms / 2);
        }
        tally
    })
}

fn standing() -> impl Strategy<Value = Standing> {
    (any::<bool>(), 0..4_u8, 0..3_u8, 0..50_i64).prop_map(|(is_ready, workspace, version, since)| Standing {
        live: 1,
        ready: is_ready.into(),
        workspaces: BTreeSet::from([workspace.to_string()]),
        versions: BTreeMap::from([(version.to_string(), AtVersion { orders: 1, since: at(since) })]),
        ..Standing::default()
    })
}

fn merged<T: Clone>(one: &T, other: &T, merge: fn(&mut T, &T)) -> T {
    let mut sum = one.clone();
    merge(&mut sum, other);
    sum
}

proptest! {
    #[test]
    fn sums_of_tallies_do_not_depend_on_the_order(a in tally(), b in tally(), c in tally()) {
        let sum = |one: &Tally, other: &Tally| merged(one, other, Tally::merge);
        prop_assert_eq!(sum(&sum(&a, &b), &c), sum(&a, &sum(&b, &c)));
        prop_assert_eq!(sum(&a, &b), sum(&b, &a));
        prop_assert_eq!(sum(&a, &Tally::default()), a.clone());
        let text = serde_json::to_string(&a).unwrap();
        prop_assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), a);
    }

    #[test]
    fn sums_of_standings_do_not_depend_on_the_order(a in standing(), b in standing(), c in standing()) {
        let sum = |one: &Standing, other: &Standing| merged(one, other, Standing::merge);
        prop_assert_eq!(sum(&sum(&a, &b), &c), sum(&a, &sum(&b, &c)));
        prop_assert_eq!(sum(&a, &b), sum(&b, &a));
        prop_assert_eq!(sum(&a, &Standing::default()), a);
    }
}
