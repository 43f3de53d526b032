//! Reading keys and ranges, now and at older revisions.

use std::ops::Bound;

use super::{change, delete, get, listing, put, show};
use crate::store::{RangePage, RangeQuery, Revision, SharedStore, Store, StoreError};

async fn range(store: &dyn Store, query: RangeQuery) -> RangePage {
    store.range(query).await.expect("a range works")
}

async fn keys(store: &dyn Store, query: RangeQuery) -> Vec<String> {
    range(store, query).await.entries.iter().map(|entry| entry.key.to_string()).collect()
}

/// A key that was never written, or is only a prefix of others, holds nothing.
pub async fn an_absent_key_holds_nothing(store: SharedStore) {
    assert_eq!(get(&*store, "a").await, None);
    change(&*store, [put("a/b", "1")]).await;
    assert_eq!(get(&*store, "a").await, None);
    assert_eq!(get(&*store, "a/").await, None);
    assert_eq!(get(&*store, "a/b/").await, None);
}

/// The last put counts, a delete removes, and bytes come back as they went in.
pub async fn a_key_holds_what_was_put_last(store: SharedStore) {
    change(&*store, [put("k", "1")]).await;
    change(&*store, [put("k", "")]).await;
    assert_eq!(get(&*store, "k").await.map(|entry| entry.value.len()), Some(0), "an empty value is a value");
    let all_bytes: Vec<u8> = (0..=255).collect();
    let revision = change(&*store, [crate::store::Change::Put("k".to_owned(), all_bytes.clone().into())]).await;
    let entry = get(&*store, "k").await.expect("it was put");
    assert_eq!((&*entry.key, &entry.value[..], entry.modified), ("k", &all_bytes[..], revision));
    change(&*store, [delete("k")]).await;
    assert_eq!(get(&*store, "k").await, None);
}

/// Order is that of the bytes of the keys; a neighbour that shares letters is not below a prefix.
pub async fn a_range_is_ordered_and_stays_below_its_prefix(store: SharedStore) {
    let all = ["a", "a-b/x", "a/", "a/b", "a/b/c", "a/é", "a0", "ab/c", "b/a", "ä/b"];
    change(&*store, all.iter().rev().map(|key| put(key, "1"))).await;
    assert_eq!(keys(&*store, RangeQuery::prefix("")).await, all);
    assert_eq!(keys(&*store, RangeQuery::prefix("a/")).await, ["a/", "a/b", "a/b/c", "a/é"]);
    assert_eq!(keys(&*store, RangeQuery::prefix("a/b/")).await, ["a/b/c"]);
    assert_eq!(keys(&*store, RangeQuery::prefix("ä/")).await, ["ä/b"]);
    assert!(keys(&*store, RangeQuery::prefix("c/")).await.is_empty());
}

/// A bound narrows the prefix and never widens it.
pub async fn a_range_starts_at_or_after_a_key(store: SharedStore) {
    change(&*store, ["a/1", "a/2", "a/3", "b/1"].map(|key| put(key, "1"))).await;
    let check = async |start: Bound<&str>, expected: &[&str]| {
        let query = RangeQuery { start: start.map(str::to_owned), ..RangeQuery::prefix("a/") };
        assert_eq!(keys(&*store, query).await, expected, "{start:?}");
    };
    check(Bound::Unbounded, &["a/1", "a/2", "a/3"]).await;
    check(Bound::Included("a/2"), &["a/2", "a/3"]).await;
    check(Bound::Excluded("a/2"), &["a/3"]).await;
    check(Bound::Excluded("a/2\0"), &["a/3"]).await;
    check(Bound::Included("a/20"), &["a/3"]).await;
    check(Bound::Excluded("a/3"), &[]).await;
    check(Bound::Included("a"), &["a/1", "a/2", "a/3"]).await;
    check(Bound::Excluded("A/9"), &["a/1", "a/2", "a/3"]).await;
    check(Bound::Included("b/1"), &[]).await;
}

/// The limit counts entries; what it cuts off is counted, what lies elsewhere is not.
pub async fn a_limit_cuts_off_and_counts_the_rest(store: SharedStore) {
    change(&*store, ["a/1", "a/2", "a/3", "a/4", "b/1"].map(|key| put(key, "1"))).await;
    change(&*store, [delete("a/3")]).await;
    let check = async |limit, expected: &[&str], remaining| {
        let page = range(&*store, RangeQuery { limit, ..RangeQuery::prefix("a/") }).await;
        let keys: Vec<_> = page.entries.iter().map(|entry| &*entry.key).collect();
        assert_eq!((&keys[..], page.remaining), (expected, remaining), "{limit:?}");
    };
    check(Some(0), &[], 3).await;
    check(Some(1), &["a/1"], 2).await;
    check(Some(2), &["a/1", "a/2"], 1).await;
    check(Some(3), &["a/1", "a/2", "a/4"], 0).await;
    check(Some(9), &["a/1", "a/2", "a/4"], 0).await;
    check(None, &["a/1", "a/2", "a/4"], 0).await;
}

/// What remains is counted up to a bound, and what is beyond it can still be read.
pub async fn the_rest_of_something_large_is_not_counted_to_its_end(store: SharedStore) {
    let keys = RangePage::COUNTED + 2;
    change(&*store, (0..keys).map(|i| put(&format!("a/{i:06}"), "1"))).await;
    let page = range(&*store, RangeQuery { limit: Some(1), ..RangeQuery::prefix("a/") }).await;
    assert_eq!(page.remaining, RangePage::COUNTED);
    assert_eq!(range(&*store, RangeQuery::prefix("a/")).await.entries.len(), keys);
}

/// A list read in pages does not see what happens between them.
pub async fn pages_of_one_revision_are_one_snapshot(store: SharedStore) {
    change(&*store, ["1", "2", "3", "4"].map(|key| put(key, "old"))).await;
    let first = range(&*store, RangeQuery { limit: Some(2), ..RangeQuery::prefix("") }).await;
    change(&*store, [put("0", "new"), delete("3"), put("4", "new"), put("5", "new")]).await;
    let last = first.entries.last().expect("two were read").key.to_string();
    let rest = RangeQuery { start: Bound::Excluded(last), revision: Some(first.revision), ..RangeQuery::prefix("") };
    let rest = range(&*store, rest).await;
    let seen: Vec<_> = first.entries.iter().chain(&rest.entries).map(show).collect();
    assert_eq!(seen, ["1=old", "2=old", "3=old", "4=old"]);
    assert_eq!((first.remaining, rest.remaining, rest.revision), (2, 0, first.revision));
}

/// Every revision stays readable, with the values and revisions of its time.
pub async fn an_old_revision_shows_what_was_there(store: SharedStore) {
    let start = store.revision();
    let first = change(&*store, [put("a", "1"), put("b", "1")]).await;
    let second = change(&*store, [put("a", "2"), delete("b")]).await;
    let third = change(&*store, [put("b", "3")]).await;
    assert!(listing(&*store, start).await.is_empty());
    assert_eq!(listing(&*store, first).await, ["a=1", "b=1"]);
    assert_eq!(listing(&*store, second).await, ["a=2"]);
    assert_eq!(listing(&*store, third).await, ["a=2", "b=3"]);
    assert_eq!(listing(&*store, None).await, ["a=2", "b=3"]);
    let page = range(&*store, RangeQuery { revision: Some(second), ..RangeQuery::prefix("") }).await;
    let revisions: Vec<_> = page.entries.iter().map(|entry| (entry.created, entry.modified)).collect();
    assert_eq!((page.revision, &revisions[..]), (second, &[(first, second)][..]));
}

/// A revision that is not reached is an error that names the newest one.
pub async fn a_revision_to_come_cannot_be_read(store: SharedStore) {
    let newest = change(&*store, [put("a", "1")]).await;
    let asked = Revision(newest.0 + 1);
    let query = RangeQuery { revision: Some(asked), ..RangeQuery::prefix("") };
    match store.range(query).await {
        Err(StoreError::Future { asked: a, newest: n }) => assert_eq!((a, n), (asked, newest)),
        other => panic!("expected an error, got {other:?}"),
    }
}

/// A revision before the compacted one is an error that names the oldest one left.
pub async fn a_compacted_revision_cannot_be_read(store: SharedStore) {
    let first = change(&*store, [put("a", "1")]).await;
    let second = change(&*store, [put("a", "2")]).await;
    store.compact(second).await.expect("it was reached");
    assert_eq!(listing(&*store, second).await, ["a=2"]);
    for asked in [first, Revision(0)] {
        let query = RangeQuery { revision: Some(asked), ..RangeQuery::prefix("") };
        match store.range(query).await {
            Err(StoreError::Compacted { asked: a, oldest }) => assert_eq!((a, oldest), (asked, second)),
            other => panic!("expected an error, got {other:?}"),
        }
    }
}

/// Any other prefix could cross from one tenant to another, and is refused.
pub async fn a_prefix_ends_with_a_slash(store: SharedStore) {
    let range = store.range(RangeQuery::prefix("a")).await;
    assert!(matches!(range, Err(StoreError::Invalid(_))), "{range:?}");
    let watch = store.watch("a", store.revision()).await;
    assert!(matches!(watch, Err(StoreError::Invalid(_))), "{watch:?}");
}
