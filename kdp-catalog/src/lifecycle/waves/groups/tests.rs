use super::*;
use crate::lifecycle::waves::tests::{fleet, plan};

#[test]
fn ranks_are_the_same_everywhere_and_for_ever() {
    assert_eq!(rank("p", "a"), 3_313_047_784_027_903_048, "computed by another program");
    assert_ne!(rank("p", "a"), rank("q", "a"), "not always the same canaries");
}

#[test]
fn ranks_of_similar_ids_are_spread() {
    let mut buckets = [0_u32; 10];
    for i in 0..10_000 {
        buckets[(rank("p", &format!("instance-{i}")) % 10) as usize] += 1;
    }
    assert!(buckets.iter().all(|count| (850..1150).contains(count)), "{buckets:?}");
}

#[test]
fn shares_are_exact_and_no_canary_is_empty() {
    let check = |instances: usize, expected: [usize; 3]| {
        let plan = plan(|_| {});
        let fleet = fleet(instances);
        let groups = assign(&plan, &[], fleet.iter().collect());
        let count = |index| groups.values().filter(|at| **at == index).count();
        assert_eq!([count(0), count(1), count(2)], expected);
    };
    check(1000, [10, 100, 890]);
    check(50, [1, 5, 44]);
    check(2, [1, 1, 0]);
    check(0, [0, 0, 0]);
}

#[test]
fn whoever_comes_later_fills_what_is_missing() {
    let plan = plan(|_| {});
    let fleet = fleet(200);
    let first = assign(&plan, &[], fleet[..100].iter().collect());
    let members: Vec<_> = fleet[..100].iter().map(|it| (it, first[it.id.as_str()])).collect();
    let then = assign(&plan, &members, fleet[100..].iter().collect());
    let count = |index| first.values().chain(then.values()).filter(|at| **at == index).count();
    assert_eq!([count(0), count(1), count(2)], [2, 20, 178]);
}
