use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn record(names: &[u8]) -> Teardown {
    names
        .iter()
        .fold(Teardown::new(&OrderId::new("u", "", "app")), |record, name| record.with_item("thing", name.to_string()))
}

fn names<'a>(items: impl IntoIterator<Item = &'a InventoryItem>) -> Vec<String> {
    items.into_iter().map(|item| item.id.clone()).collect()
}

#[test]
fn sealing_the_same_again_changes_nothing() {
    let sealed = record(&[1, 2]).on_top_of(None);
    assert_eq!(sealed.epoch, 1);
    assert_eq!(record(&[1, 2]).on_top_of(Some(&sealed)), sealed);
}

#[test]
fn what_is_no_longer_wanted_is_stale_and_removed_first() {
    let sealed = record(&[1, 2, 3]).on_top_of(None);
    let next = record(&[2]).on_top_of(Some(&sealed));
    assert_eq!(names(&next.inventory), ["1", "3", "2"]);
    assert_eq!(names(next.stale()), ["1", "3"]);
}

#[test]
fn what_is_wanted_again_is_not_stale() {
    let there = record(&[1, 2]).on_top_of(None);
    let away = record(&[1]).on_top_of(Some(&there));
    let back = record(&[1, 2]).on_top_of(Some(&away));
    assert_eq!(names(back.stale()), [""; 0]);
    assert!(there.epoch < away.epoch && away.epoch < back.epoch);
}

#[test]
fn what_was_removed_leaves_the_record_and_what_was_found_joins_it() {
    let sealed = record(&[1, 2]).on_top_of(None);
    let next = record(&[2]).on_top_of(Some(&sealed));
    assert_eq!(names(&next.settled(&record(&[1, 2])).inventory), ["1", "2"], "it is still there");
    assert_eq!(names(&next.settled(&record(&[2, 9])).inventory), ["9", "2"]);
}

#[test]
fn the_data_of_a_record_stays_out_of_debug_output() {
    let record = record(&[1]).with_data(serde_json::json!({"password": "hunter2"}));
    assert!(!format!("{record:?}").contains("hunter2"));
}

proptest! {
    /// A model in which an apply makes all that is wanted and then removes all that is stale, and
    /// may end before either: nothing that exists is ever missing from the record.
    #[test]
    fn the_record_always_covers_what_exists(
        wishes in prop::collection::vec((prop::collection::btree_set(0_u8..6, 0..5), 0..3_usize), 1..12),
    ) {
        let mut world = BTreeSet::new();
        let mut sealed: Option<Teardown> = None;
        for (wanted, progress) in wishes {
            let plan = record(&wanted.iter().copied().collect::<Vec<_>>());
            let mut next = plan.clone().on_top_of(sealed.as_ref());
            if progress > 0 {
                world.extend(wanted.iter().map(u8::to_string));
            }
            if progress > 1 {
                for item in next.stale() {
                    world.remove(&item.id);
                }
                prop_assert_eq!(&world, &wanted.iter().map(u8::to_string).collect::<BTreeSet<_>>());
                next = next.settled(&plan);
                prop_assert_eq!(next.stale().count(), 0);
            }
            let covered: BTreeSet<_> = names(&next.inventory).into_iter().collect();
            prop_assert!(world.is_subset(&covered), "{:?} exists and only {:?} is recorded", world, covered);
            prop_assert_eq!(covered.len(), next.inventory.len(), "something is named twice");
            sealed = Some(next);
        }
    }
}
