//! What a store that outlives its process must do besides.
//!
//! Each case gets `open`, which opens the same store every time, and which is empty at first.

use std::sync::Arc;

use futures::future::join_all;

use super::{change, delete, get, listing, next_events, put, within_reason};
use crate::store::{Revision, SharedStore, StoreError};

/// Runs every case, each in a place of its own, where `open` opens a store.
pub async fn run<P>(place: impl Fn() -> P, open: impl AsyncFn(&P) -> SharedStore) {
    macro_rules! run {
        ($($case:ident),* $(,)?) => {$(
            tracing::info!(case = stringify!($case), "running");
            let here = place();
            within_reason(stringify!($case), $case(async || open(&here).await)).await;
        )*};
    }
    run![
        entries_and_revisions_survive_a_close,
        acknowledged_writes_survive_without_a_close,
        the_revision_never_goes_back,
        a_watch_resumes_or_says_that_it_cannot,
        many_reopenings_add_up,
    ];
}

/// Keys, values and both revisions come back, and conditions go on from them.
pub async fn entries_and_revisions_survive_a_close(open: impl AsyncFn() -> SharedStore) {
    let store = open().await;
    change(&*store, [put("a", "1"), put("b", "1"), put("é", "")]).await;
    change(&*store, [put("a", "2"), delete("b")]).await;
    let before = (store.revision(), get(&*store, "a").await, get(&*store, "é").await);
    store.close().await.expect("a close works");
    // Closed is enough; that somebody still holds it must not matter.
    let again = open().await;
    assert_eq!((again.revision(), get(&*again, "a").await, get(&*again, "é").await), before);
    assert_eq!(listing(&*again, None).await, ["a=2", "é="]);
    assert_eq!(change(&*again, [put("a", "3")]).await.0, before.0.0 + 1);
}

/// Dropping the store is enough.
pub async fn acknowledged_writes_survive_without_a_close(open: impl AsyncFn() -> SharedStore) {
    let store = open().await;
    let writers = (0..16).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { change(&*store, [put(&format!("{writer:02}"), ""), delete("none")]).await })
    });
    for writer in join_all(writers.collect::<Vec<_>>()).await {
        writer.expect("the writer ends");
    }
    drop(store);
    let expected: Vec<_> = (0..16).map(|writer| format!("{writer:02}=")).collect();
    assert_eq!(listing(&*open().await, None).await, expected);
}

/// Not even when everything was deleted and forgotten.
pub async fn the_revision_never_goes_back(open: impl AsyncFn() -> SharedStore) {
    let mut newest = Revision(1);
    for _ in 0..5 {
        let store = open().await;
        assert_eq!(store.revision(), newest);
        change(&*store, [put("a", "1")]).await;
        newest = change(&*store, [delete("a")]).await;
        store.compact(newest).await.expect("it was reached");
        store.close().await.expect("a close works");
    }
    let store = open().await;
    assert_eq!(change(&*store, [put("a", "1")]).await.0, newest.0 + 1);
    assert_eq!(get(&*store, "a").await.map(|entry| entry.created.0), Some(newest.0 + 1));
}

/// A watch from before the restart gets every change, or an error, and never a gap.
pub async fn a_watch_resumes_or_says_that_it_cannot(open: impl AsyncFn() -> SharedStore) {
    let store = open().await;
    let first = change(&*store, [put("a", "1")]).await;
    change(&*store, [put("b", "1"), put("a", "2")]).await;
    change(&*store, [delete("a")]).await;
    store.close().await.expect("a close works");
    let store = open().await;
    let watch = store.watch("", first).await;
    let last = change(&*store, [put("a", "3")]).await;
    match watch {
        Ok(mut watch) => {
            let expected = ["3 b: - -> 1", "3 a: 1 -> 2", "4 a: 2 -> -", "5 a: - -> 3"];
            assert_eq!(next_events(&mut watch, 4).await, expected);
        }
        Err(StoreError::Compacted { oldest, .. }) => assert!(first < oldest && oldest < last),
        Err(error) => panic!("expected a watch, got {error}"),
    }
}

/// Every restart keeps what all the lives before it wrote.
pub async fn many_reopenings_add_up(open: impl AsyncFn() -> SharedStore) {
    let mut expected = Vec::new();
    for life in 0..10 {
        let store = open().await;
        assert_eq!(listing(&*store, None).await, expected);
        change(&*store, [put(&format!("{life}"), "1")]).await;
        expected.push(format!("{life}=1"));
    }
}
