//! Watching, from now on and from before.

use std::sync::Arc;

use futures::future::join_all;

use super::{change, delete, next_events, put, watch, within_reason};
use crate::store::{Revision, SharedStore, StoreError, WatchError};

/// Changes made after the watch began arrive in order.
pub async fn a_watch_sees_what_comes(store: SharedStore) {
    let mut watch = watch(&*store, "", store.revision()).await;
    assert_eq!(watch.try_next(), None);
    change(&*store, [put("a", "1")]).await;
    change(&*store, [put("a", "2")]).await;
    change(&*store, [delete("a")]).await;
    assert_eq!(next_events(&mut watch, 3).await, ["2 a: - -> 1", "3 a: 1 -> 2", "4 a: 2 -> -"]);
    assert_eq!(watch.try_next(), None);
}

/// From every revision, past and coming changes make one sequence.
pub async fn a_watch_resumes_without_gap_or_duplicate(store: SharedStore) {
    for value in 0..5 {
        change(&*store, [put("a", &value.to_string())]).await;
    }
    let mut watches = Vec::new();
    for after in 1..=6 {
        watches.push((after, watch(&*store, "", Revision(after)).await));
    }
    change(&*store, [put("a", "5")]).await;
    let all = ["2 a: - -> 0", "3 a: 0 -> 1", "4 a: 1 -> 2", "5 a: 2 -> 3", "6 a: 3 -> 4", "7 a: 4 -> 5"];
    for (after, mut watch) in watches {
        let expected = &all[after as usize - 1..];
        assert_eq!(next_events(&mut watch, expected.len()).await, expected, "after {after}");
        assert_eq!(watch.try_next(), None);
    }
}

/// `a/` has nothing to do with `ab/` or the key `a`, be it replayed or live.
pub async fn a_watch_stays_below_its_prefix(store: SharedStore) {
    let all = ["a", "a/", "a/b", "a/b/c", "a0", "ab/c", "b/a/b"];
    for key in all {
        change(&*store, [put(key, "1")]).await;
    }
    for (prefix, expected) in [("", &all[..]), ("a/", &["a/", "a/b", "a/b/c"]), ("a/b/", &["a/b/c"]), ("a/b/c/", &[])] {
        let mut watch = watch(&*store, prefix, Revision(1)).await;
        change(&*store, all.map(delete)).await;
        change(&*store, all.map(|key| put(key, "1"))).await;
        let mut seen = Vec::new();
        while let Some(event) = watch.try_next() {
            seen.push(event.expect("the watch goes on").key.to_string());
        }
        let newest = seen.split_off(seen.len() - 2 * expected.len());
        assert_eq!(newest, [expected, expected].concat(), "live below {prefix:?}");
        assert_eq!(seen[..expected.len()], *expected, "replayed below {prefix:?}");
    }
}

/// Both entries are whole, with their revisions, replayed as well as live.
pub async fn events_carry_what_was_and_what_is(store: SharedStore) {
    let mut live = watch(&*store, "", Revision(1)).await;
    let created = change(&*store, [put("a", "1")]).await;
    let first = super::get(&*store, "a").await;
    let modified = change(&*store, [put("a", "2")]).await;
    let second = super::get(&*store, "a").await;
    let deleted = change(&*store, [delete("a")]).await;
    let mut replayed = watch(&*store, "", Revision(1)).await;
    for watch in [&mut live, &mut replayed] {
        for (revision, previous, entry) in
            [(created, &None, &first), (modified, &first, &second), (deleted, &second, &None)]
        {
            let event = within_reason("an event", watch.next()).await.expect("it goes on").expect("it is there");
            assert_eq!((&*event.key, event.revision), ("a", revision));
            assert_eq!((&event.previous, &event.entry), (previous, entry));
        }
    }
}

/// The order is the one in which the transaction names them, replayed as well as live.
pub async fn the_changes_of_a_transaction_stay_together_in_order(store: SharedStore) {
    let mut live = watch(&*store, "", Revision(1)).await;
    change(&*store, [put("b", "1"), put("a", "1"), put("c", "1")]).await;
    change(&*store, [delete("c"), put("b", "2"), delete("a")]).await;
    let expected = ["2 b: - -> 1", "2 a: - -> 1", "2 c: - -> 1", "3 c: 1 -> -", "3 b: 1 -> 2", "3 a: 1 -> -"];
    assert_eq!(next_events(&mut live, 6).await, expected);
    let mut replayed = watch(&*store, "", Revision(1)).await;
    assert_eq!(next_events(&mut replayed, 6).await, expected);
}

/// What is replayed is not bound by what a reader may fall behind.
pub async fn a_long_history_is_replayed_whole(store: SharedStore) {
    const TRANSACTIONS: u64 = 50;
    const CHANGES: usize = 100;
    for transaction in 0..TRANSACTIONS {
        change(&*store, (0..CHANGES).map(|key| put(&format!("{key:03}"), &transaction.to_string()))).await;
    }
    let mut watch = watch(&*store, "", Revision(1)).await;
    for transaction in 0..TRANSACTIONS {
        for key in 0..CHANGES {
            let event = within_reason("an event", watch.next()).await.expect("it goes on").expect("it is there");
            assert_eq!((event.revision.0, &*event.key), (transaction + 2, format!("{key:03}").as_str()));
        }
    }
    assert_eq!(watch.try_next(), None);
}

/// A reader that does not read gets a part without gaps, then the error, then the end; or, from a
/// store that has the room, everything. Others do not suffer.
pub async fn a_slow_reader_is_cut_off_without_a_gap(store: SharedStore) {
    const TRANSACTIONS: u64 = 200;
    const CHANGES: usize = 500;
    let mut slow = watch(&*store, "", Revision(1)).await;
    let mut other = watch(&*store, "other/", Revision(1)).await;
    for _ in 0..TRANSACTIONS {
        change(&*store, (0..CHANGES).map(|key| put(&format!("{key:03}"), ""))).await;
    }
    let last = change(&*store, [put("other/a", "1")]).await;
    assert_eq!(next_events(&mut other, 1).await, [format!("{last} other/a: - -> 1")]);
    let mut seen = 0;
    loop {
        match within_reason("the next event", slow.next()).await.expect("an error comes before the end") {
            Ok(event) if event.revision == last => break,
            Ok(event) => {
                let expected = (seen / CHANGES as u64 + 2, format!("{:03}", seen % CHANGES as u64));
                assert_eq!((event.revision.0, event.key.to_string()), expected);
                seen += 1;
            }
            Err(WatchError::Lagged) => {
                assert_eq!(slow.next().await, None, "nothing follows the error");
                assert_eq!(slow.try_next(), None);
                break;
            }
        }
    }
}

/// Once a revision is reported, draining a watch without waiting yields everything up to it.
pub async fn what_a_revision_reports_is_in_the_watch(store: SharedStore) {
    const WRITERS: usize = 4;
    const WRITES: usize = 50;
    let mut watch = watch(&*store, "a/", Revision(1)).await;
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..WRITES {
                change(&*store, [put(&format!("a/{writer}"), "")]).await;
            }
        })
    });
    let writers = writers.collect::<Vec<_>>();
    let mut seen = Revision(1);
    while seen.0 < 1 + (WRITERS * WRITES) as u64 {
        let reported = store.revision();
        while let Some(event) = watch.try_next() {
            seen = event.expect("the reader is not slow").revision;
        }
        assert!(seen >= reported, "revision {reported} is reported, and the watch ends at {seen}");
        tokio::task::yield_now().await;
    }
    for writer in join_all(writers).await {
        writer.expect("the writer ends");
    }
}

/// List, then watch from the revision of the list: the way every client starts.
pub async fn watches_that_start_amid_writes_see_every_later_change(store: SharedStore) {
    const WRITES: u64 = 100;
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for _ in 0..WRITES {
                change(&*store, [put("a/b", "")]).await;
            }
        }
    });
    let readers = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut expected = store.revision();
            let mut watch = watch(&*store, "a/", expected).await;
            while expected.0 < 1 + WRITES {
                expected.0 += 1;
                let event = within_reason("an event", watch.next()).await.expect("it goes on").expect("it is there");
                assert_eq!(event.revision, expected);
            }
        })
    });
    for reader in join_all(readers.collect::<Vec<_>>()).await {
        reader.expect("the reader ends");
    }
    writer.await.expect("the writer ends");
}

/// Changes may be missing after such a revision, and the error names the oldest one left.
pub async fn a_watch_cannot_start_from_a_compacted_revision(store: SharedStore) {
    let first = change(&*store, [put("a", "1")]).await;
    let second = change(&*store, [put("a", "2")]).await;
    let third = change(&*store, [put("a", "3")]).await;
    store.compact(second).await.expect("it was reached");
    match store.watch("", first).await {
        Err(StoreError::Compacted { asked, oldest }) => assert_eq!((asked, oldest), (first, second)),
        other => panic!("expected an error, got {other:?}"),
    }
    let mut watch = watch(&*store, "", second).await;
    assert_eq!(next_events(&mut watch, 1).await, [format!("{third} a: 2 -> 3")]);
}

/// Nobody can have seen such a revision.
pub async fn a_watch_cannot_start_from_a_revision_to_come(store: SharedStore) {
    let newest = change(&*store, [put("a", "1")]).await;
    match store.watch("", Revision(newest.0 + 1)).await {
        Err(StoreError::Future { asked, newest: n }) => assert_eq!((asked.0, n), (newest.0 + 1, newest)),
        other => panic!("expected an error, got {other:?}"),
    }
}
