use proptest::prelude::*;

use super::*;

const CLUSTERS: [&str; 5] = ["root", "a", "b", "c", "d"];

fn of(objects: u64) -> Usage {
    Usage { objects, bytes: objects * 10 }
}

#[test]
fn what_is_below_counts_above_whichever_comes_first() {
    let mut ledger = Ledger::default();
    ledger.record("child", of(3), Usage::default());
    ledger.record("root", of(1), Usage::default());
    ledger.link("child", "root");
    ledger.record("child", of(2), Usage::default());
    assert_eq!((ledger.usage("root"), ledger.usage("child")), (of(6), of(5)));
    ledger.unlink("child");
    assert_eq!(ledger.usage("root"), of(1));
}

#[test]
fn nothing_is_kept_of_a_workspace_that_is_gone() {
    let mut ledger = Ledger::default();
    ledger.record("root", of(1), Usage::default());
    ledger.link("child", "root");
    ledger.record("child", of(2), Usage::default());
    ledger.record("child", Usage::default(), of(2));
    ledger.unlink("child");
    assert_eq!(ledger.accounts.len(), 1);
}

#[test]
fn a_write_is_in_the_reservation_until_its_events_are_counted() {
    let mut ledger = Ledger::default();
    ledger.record("a", of(1), Usage::default());
    let lineage = ledger.lineage("a");
    ledger.reserve(&lineage, of(2));
    ledger.release_at(Revision(7), lineage, of(2));
    assert_eq!(ledger.claimed("a"), of(3));
    ledger.record("a", of(2), Usage::default());
    ledger.counted(Revision(7));
    assert_eq!(ledger.claimed("a"), of(3));
    assert!(ledger.reserved.is_empty());
}

#[test]
fn a_write_that_was_given_up_keeps_its_room_for_a_while() {
    let (mut ledger, now) = (Ledger::default(), Instant::now());
    let lineage = ledger.lineage("a");
    ledger.reserve(&lineage, of(2));
    ledger.release_later(now, lineage, of(2));
    ledger.expire(now);
    assert_eq!(ledger.claimed("a"), of(2));
    ledger.expire(now + GIVEN_UP);
    assert_eq!(ledger.claimed("a"), Usage::default());
}

#[derive(Clone, Debug)]
enum Step {
    Record(usize, u64, u64),
    Link(usize, usize),
    Unlink(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let cluster = 0..CLUSTERS.len();
    prop_oneof![
        (cluster.clone(), 0u64..5, 0u64..5).prop_map(|(c, gained, lost)| Step::Record(c, gained, lost)),
        (cluster.clone(), cluster.clone()).prop_map(|(child, parent)| Step::Link(child, parent)),
        cluster.prop_map(Step::Unlink),
    ]
}

proptest! {
    #[test]
    fn usage_is_the_sum_over_everything_below(steps in proptest::collection::vec(step(), 0..60)) {
        let mut ledger = Ledger::default();
        let (mut own, mut parents) = ([0u64; CLUSTERS.len()], [None::<usize>; CLUSTERS.len()]);
        let above = |parents: &[Option<usize>], of: usize| {
            std::iter::successors(Some(of), |cluster| parents[*cluster]).collect::<Vec<_>>()
        };
        for step in steps {
            match step {
                Step::Record(cluster, gained, lost) => {
                    let lost = lost.min(own[cluster]);
                    own[cluster] = own[cluster] + gained - lost;
                    ledger.record(CLUSTERS[cluster], of(gained), of(lost));
                }
                Step::Link(child, parent) => {
                    if !above(&parents, parent).contains(&child) {
                        parents[child] = Some(parent);
                    }
                    ledger.link(CLUSTERS[child], CLUSTERS[parent]);
                }
                Step::Unlink(child) => {
                    parents[child] = None;
                    ledger.unlink(CLUSTERS[child]);
                }
            }
        }
        for (cluster, name) in CLUSTERS.iter().enumerate() {
            let below = (0..CLUSTERS.len()).filter(|other| above(&parents, *other).contains(&cluster));
            prop_assert_eq!(ledger.usage(name), of(below.map(|other| own[other]).sum()));
        }
    }
}
