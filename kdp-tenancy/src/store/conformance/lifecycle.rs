//! Compaction and the end.

use super::{change, delete, get, listing, next_events, put, watch};
use crate::store::{RangeQuery, Revision, SharedStore, StoreError, Transaction};

/// What is there stays, with its revisions; what was deleted stays away.
pub async fn compaction_keeps_what_is_live(store: SharedStore) {
    change(&*store, [put("a", "1"), put("b", "1"), put("c", "1")]).await;
    change(&*store, [put("a", "2"), delete("b")]).await;
    let before = [get(&*store, "a").await, get(&*store, "b").await, get(&*store, "c").await];
    let newest = store.revision();
    store.compact(newest).await.expect("it was reached");
    assert_eq!([get(&*store, "a").await, get(&*store, "b").await, get(&*store, "c").await], before);
    assert_eq!((store.revision(), listing(&*store, newest).await), (newest, vec!["a=2".to_owned(), "c=1".to_owned()]));
    let again = change(&*store, [put("b", "3")]).await;
    assert_eq!(get(&*store, "b").await.map(|entry| entry.created), Some(again));
}

/// Compacting less than before does nothing; compacting what is not reached is an error.
pub async fn compaction_can_be_repeated_and_cannot_run_ahead(store: SharedStore) {
    let first = change(&*store, [put("a", "1")]).await;
    let second = change(&*store, [put("a", "2")]).await;
    for revision in [second, second, first, Revision(0)] {
        store.compact(revision).await.expect("it was reached");
    }
    assert_eq!(listing(&*store, second).await, ["a=2"]);
    match store.compact(Revision(second.0 + 1)).await {
        Err(StoreError::Future { asked, newest }) => assert_eq!((asked.0, newest), (second.0 + 1, second)),
        other => panic!("expected an error, got {other:?}"),
    }
}

/// Events that a watch has not read yet are not lost when their revisions are forgotten.
pub async fn a_watch_outlives_the_compaction_of_its_start(store: SharedStore) {
    change(&*store, [put("a", "1")]).await;
    let mut replayed = watch(&*store, "", Revision(1)).await;
    change(&*store, [put("a", "2")]).await;
    change(&*store, [delete("a")]).await;
    store.compact(store.revision()).await.expect("it was reached");
    assert_eq!(next_events(&mut replayed, 3).await, ["2 a: - -> 1", "3 a: 1 -> 2", "4 a: 2 -> -"]);
}

/// Watches end after what they still hold, and every call but `revision` and `close` is refused.
pub async fn a_closed_store_refuses_everything(store: SharedStore) {
    let mut watch = watch(&*store, "", store.revision()).await;
    let newest = change(&*store, [put("a", "1")]).await;
    store.close().await.expect("a close works");
    store.close().await.expect("a close can be repeated");
    assert_eq!(next_events(&mut watch, 1).await, ["2 a: - -> 1"]);
    assert_eq!(watch.next().await, None);
    assert_eq!(store.revision(), newest);
    let outcome = store.commit(Transaction { conditions: Vec::new(), changes: vec![put("a", "2")] }).await;
    assert!(matches!(outcome, Err(StoreError::Closed)), "{outcome:?}");
    assert!(matches!(store.get("a").await, Err(StoreError::Closed)));
    assert!(matches!(store.range(RangeQuery::prefix("")).await, Err(StoreError::Closed)));
    assert!(matches!(store.watch("", newest).await, Err(StoreError::Closed)));
    assert!(matches!(store.compact(newest).await, Err(StoreError::Closed)));
}
