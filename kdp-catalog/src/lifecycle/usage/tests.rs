use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn hour(hour: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + hour * 3600).unwrap()
}

fn change(at: i64, plan: &str, quantity: u64) -> PlanChange {
    PlanChange { at: hour(at), plan: plan.into(), quantity, unit: "core".into() }
}

fn records(changes: &[PlanChange], deleted: Option<i64>, from: i64, to: i64) -> Vec<UsageRecord> {
    let subject =
        UsageSubject { workspace: "root:acme".into(), service: "databases".into(), instance_uid: "u1".into() };
    usage(&subject, changes, deleted.map(hour), hour(from), hour(to)).unwrap()
}

#[track_caller]
fn check(changes: &[PlanChange], deleted: Option<i64>, period: (i64, i64), expected: &[(i64, i64, &str)]) {
    let found = records(changes, deleted, period.0, period.1);
    let found: Vec<_> = found.iter().map(|it| (it.start, it.end, it.plan.as_str())).collect();
    let expected: Vec<_> = expected.iter().map(|(start, end, plan)| (hour(*start), hour(*end), *plan)).collect();
    assert_eq!(found, expected);
}

#[test]
fn usage_follows_the_plans() {
    let changes = [change(5, "small", 1), change(10, "large", 8), change(12, "large", 8), change(20, "small", 1)];
    check(&changes, None, (0, 24), &[(5, 10, "small"), (10, 20, "large"), (20, 24, "small")]);
    check(&changes, None, (11, 13), &[(11, 13, "large")]);
    check(&changes, Some(15), (0, 24), &[(5, 10, "small"), (10, 15, "large")]);
    check(&changes, Some(3), (0, 24), &[]);
    check(&changes, None, (0, 5), &[]);
    check(&[], None, (0, 24), &[]);
    let at_once = [change(5, "small", 1), change(5, "large", 8)];
    check(&at_once, None, (0, 24), &[(5, 24, "large")]);
}

#[test]
fn a_period_has_a_direction() {
    let subject = UsageSubject { workspace: String::new(), service: String::new(), instance_uid: "u1".into() };
    let error = usage(&subject, &[], None, hour(1), hour(0)).unwrap_err().to_string();
    assert!(error.starts_with("usage of u1: to: "), "{error}");
}

proptest! {
    #[test]
    fn no_moment_is_missing_or_counted_twice(
        changes in prop::collection::vec((0_i64..50, 0_usize..3), 0..12),
        deleted in prop::option::of(0_i64..60),
        from in 0_i64..40,
        length in 0_i64..40,
        cut in 0_i64..40,
    ) {
        let changes: Vec<_> =
            changes.into_iter().map(|(at, plan)| change(at, ["s", "m", "l"][plan], plan as u64)).collect();
        let to = from + length;
        let found = records(&changes, deleted, from, to);
        for pair in found.windows(2) {
            prop_assert_eq!(pair[0].end, pair[1].start);
        }
        prop_assert!(found.iter().all(|it| it.start < it.end));
        let begin = changes.iter().map(|it| it.at).min().unwrap_or_else(|| hour(to)).max(hour(from));
        let end = hour(deleted.map_or(to, |it| it.min(to)));
        let life = end.duration_since(begin).max(SignedDuration::ZERO);
        let total: SignedDuration = found.iter().map(|it| it.end.duration_since(it.start)).sum();
        prop_assert_eq!(total, life);
        // In two parts it is the same, moment by moment.
        let cut = from + cut.min(length);
        let parts = [records(&changes, deleted, from, cut), records(&changes, deleted, cut, to)].concat();
        for moment in from..to {
            let at = |list: &[UsageRecord]| {
                let then = hour(moment);
                list.iter().filter(|it| it.start <= then && then < it.end).map(|it| it.plan.clone()).collect::<Vec<_>>()
            };
            prop_assert_eq!(at(&found), at(&parts));
        }
    }
}
