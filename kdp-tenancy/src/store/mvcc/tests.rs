use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::*;

fn put(key: &str, value: &str) -> Change {
    Change::Put(key.to_owned(), Bytes::copy_from_slice(value.as_bytes()))
}

fn delete(key: &str) -> Change {
    Change::Delete(key.to_owned())
}

fn listing(index: &Index, revision: u64) -> Result<Vec<String>, StoreError> {
    let page = index.range(&RangeQuery { revision: Some(Revision(revision)), ..RangeQuery::prefix("") })?;
    Ok(page.entries.iter().map(|entry| format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value))).collect())
}

fn prune_all(index: &mut Index) {
    while index.prune(1) {}
}

#[test]
fn a_resting_key_takes_no_more_than_its_version() {
    assert_eq!(size_of::<Version>(), 48);
    assert_eq!(size_of::<Versions>(), 56);
}

#[test]
fn pruning_leaves_one_version_of_a_live_key_and_nothing_of_a_deleted_one() {
    let mut index = Index::new(History::default());
    for value in 0..100 {
        index.apply(vec![put("live", &value.to_string()), put("dead", "1")]);
    }
    index.apply(vec![delete("dead")]);
    index.compact(index.revision()).unwrap();
    prune_all(&mut index);
    assert_eq!(index.keys.len(), 1);
    assert!(matches!(index.keys["live"], Versions::One(_)));
    assert_eq!((index.changes.len(), index.superseded_bytes), (0, 0));
}

#[test]
fn a_deletion_that_can_still_be_watched_is_kept() {
    let mut index = Index::new(History::default());
    index.apply(vec![put("a", "1")]);
    index.apply(vec![delete("a")]);
    index.compact(Revision(2)).unwrap();
    prune_all(&mut index);
    let events = index.replay("", Revision(2)).unwrap();
    assert_eq!(events[0].previous.as_ref().map(|entry| &entry.value[..]), Some(&b"1"[..]));
    assert_eq!(events[0].entry, None);
}

#[test]
fn history_is_bound_by_revisions() {
    let mut index = Index::new(History::default().with_revisions(10));
    for value in 0..100 {
        index.apply(vec![put("a", &value.to_string())]);
    }
    assert_eq!(index.oldest, Revision(91));
    assert!(matches!(listing(&index, 90), Err(StoreError::Compacted { oldest: Revision(91), .. })));
    assert_eq!(listing(&index, 91).unwrap(), ["a=89"]);
    assert_eq!(index.changes.len(), 10);
}

#[test]
fn history_is_bound_by_bytes() {
    let mut index = Index::new(History::default().with_bytes(1000));
    for _ in 0..100 {
        index.apply(vec![put("a", &"x".repeat(200))]);
    }
    assert!(index.superseded_bytes <= 1000);
    assert_eq!(index.oldest, Revision(97), "four old versions of 248 bytes fit");
    assert!(listing(&index, 97).is_ok());
}

#[test]
fn no_history_at_all_still_keeps_what_is_live() {
    let mut index = Index::new(History::default().with_revisions(0));
    index.apply(vec![put("a", "1"), put("b", "1")]);
    index.apply(vec![put("a", "2"), delete("b")]);
    assert_eq!(listing(&index, 3).unwrap(), ["a=2"]);
    assert_eq!((index.changes.len(), index.superseded_bytes, index.keys.len()), (0, 0, 1));
}

#[test]
fn a_pinned_revision_outlives_compaction_until_it_is_released() {
    let mut index = Index::new(History::default().with_revisions(1).with_bytes(0));
    index.apply(vec![put("a", "1"), put("b", "1")]);
    index.pin(Some(Revision(2)));
    for value in 0..50 {
        index.apply(vec![put("a", &value.to_string()), delete("b")]);
    }
    index.compact(index.revision()).unwrap();
    prune_all(&mut index);
    assert!(listing(&index, 2).is_err(), "readers do not profit from it");
    let all = index.chunk(Revision(2), None, u64::MAX);
    assert_eq!(all.iter().map(|entry| &*entry.key).collect::<Vec<_>>(), ["a", "b"]);
    let chunk = |after| index.chunk(Revision(2), after, 1);
    assert_eq!(chunk(None), all[..1], "one entry is in a chunk however small");
    assert_eq!(chunk(Some("a")), all[1..]);
    assert_eq!(chunk(Some("b")), []);
    index.pin(None);
    for _ in 0..50 {
        index.apply(vec![put("c", "1")]);
    }
    assert!(index.changes.len() < 5, "later changes catch up with what was held back");
    assert!(!index.keys.contains_key("b"));
}

/// One change of a few keys, so that they meet often.
fn any_change() -> impl Strategy<Value = Change> {
    let key = prop::sample::select(vec!["a", "a/", "a/b", "a/b/c", "a0", "b/a", "é/ü"]);
    (key, prop::option::weighted(0.7, "[x-z]{0,3}"))
        .prop_map(|(key, value)| value.map_or_else(|| delete(key), |value| put(key, &value)))
}

#[derive(Debug, Clone)]
enum Step {
    Change(Vec<Change>),
    Compact(u64),
    Prune(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(any_change(), 1..4).prop_map(Step::Change),
        1 => (0..10u64).prop_map(Step::Compact),
        1 => (0..5usize).prop_map(Step::Prune),
    ]
}

proptest! {
    #[test]
    fn every_revision_reads_as_a_copy_made_at_its_time(
        steps in vec(any_step(), 1..60),
        history in 0..30u64,
    ) {
        let mut index = Index::new(History::default().with_revisions(history));
        let mut copies = vec![BTreeMap::new(); 2];
        let mut events = Vec::new();
        for step in steps {
            match step {
                Step::Change(mut changes) => {
                    let mut now = copies.last().unwrap().clone();
                    let mut seen = std::collections::BTreeSet::new();
                    changes.retain(|change| {
                        seen.insert(change.key().to_owned())
                            && (matches!(change, Change::Put(..)) || now.contains_key(change.key()))
                    });
                    if changes.is_empty() {
                        continue;
                    }
                    for change in &changes {
                        match change {
                            Change::Put(key, value) => _ = now.insert(key.clone(), value.clone()),
                            Change::Delete(key) => _ = now.remove(key),
                        }
                    }
                    copies.push(now);
                    events.extend(index.apply(changes));
                }
                Step::Compact(back) => {
                    index.compact(Revision(index.revision.0.saturating_sub(back))).unwrap();
                }
                Step::Prune(steps) => _ = index.prune(steps),
            }
            let live: u64 = copies.last().unwrap().iter().map(|(key, value)| live_size(key, value)).sum();
            prop_assert_eq!(index.live_bytes, live);
        }
        prop_assert_eq!(index.revision.0 as usize, copies.len() - 1);
        for revision in 0..copies.len() as u64 + 2 {
            let query = RangeQuery { revision: Some(Revision(revision)), ..RangeQuery::prefix("") };
            match index.range(&query) {
                Ok(page) => {
                    let read: BTreeMap<_, _> =
                        page.entries.into_iter().map(|entry| (entry.key.to_string(), entry.value)).collect();
                    prop_assert_eq!(&read, &copies[revision as usize]);
                }
                Err(StoreError::Compacted { oldest, .. }) => {
                    prop_assert!(revision < oldest.0 && oldest == index.oldest);
                }
                Err(StoreError::Future { newest, .. }) => prop_assert!(revision > newest.0),
                Err(error) => panic!("{error}"),
            }
            if index.check_kept(Revision(revision)).is_ok() {
                for prefix in ["", "a/", "a/b/"] {
                    let replayed = index.replay(prefix, Revision(revision)).unwrap();
                    let expected = events
                        .iter()
                        .filter(|event| event.revision.0 > revision && event.key.starts_with(prefix));
                    prop_assert!(replayed.iter().map(|event| &**event).eq(expected));
                }
            }
        }
    }
}
