//! Transactions, alone and against each other.

use std::sync::Arc;

use futures::future::join_all;

use super::{change, delete, get, listing, put};
use crate::store::{Entry, Outcome, Revision, SharedStore, Store, StoreError, Transaction};

async fn commit(
    store: &dyn Store,
    conditions: &[(&str, Option<Revision>)],
    changes: impl IntoIterator<Item = crate::store::Change>,
) -> Outcome {
    let conditions = conditions.iter().map(|(key, revision)| ((*key).to_owned(), *revision)).collect();
    let transaction = Transaction { conditions, changes: changes.into_iter().collect() };
    store.commit(transaction).await.expect("a commit works")
}

/// The first revision is 1, and shows nothing.
pub async fn an_empty_store_is_at_revision_one(store: SharedStore) {
    assert_eq!(store.revision(), Revision(1));
    assert!(listing(&*store, None).await.is_empty());
    assert!(listing(&*store, Revision(1)).await.is_empty());
}

/// Each transaction that changes something gets the next revision, and all its changes have it.
pub async fn a_transaction_is_one_revision(store: SharedStore) {
    for expected in 2..5 {
        let revision = change(&*store, [put("a", "1"), put("b", "1")]).await;
        assert_eq!((revision, store.revision()), (Revision(expected), Revision(expected)));
        for key in ["a", "b"] {
            assert_eq!(get(&*store, key).await.map(|entry| entry.modified), Some(revision));
        }
    }
}

/// A key keeps the revision of its creation until it is deleted.
pub async fn a_key_remembers_when_it_was_created(store: SharedStore) {
    let created = change(&*store, [put("a", "1")]).await;
    let modified = change(&*store, [put("a", "2")]).await;
    let revisions = async || get(&*store, "a").await.map(|entry| (entry.created, entry.modified));
    assert_eq!(revisions().await, Some((created, modified)));
    change(&*store, [delete("a")]).await;
    let again = change(&*store, [put("a", "3")]).await;
    assert_eq!(revisions().await, Some((again, again)));
}

/// A condition holds for the exact revision of a key, or its absence, and all must hold.
pub async fn conditions_decide(store: SharedStore) {
    let a = change(&*store, [put("a", "1")]).await;
    let b = change(&*store, [put("b", "1")]).await;
    change(&*store, [put("gone", "1")]).await;
    change(&*store, [delete("gone")]).await;
    let check = async |conditions: &[(&str, Option<Revision>)], holds| {
        let outcome = commit(&*store, conditions, []).await;
        assert_eq!(matches!(outcome, Outcome::Committed(_)), holds, "{conditions:?}: {outcome:?}");
    };
    check(&[], true).await;
    check(&[("a", Some(a))], true).await;
    check(&[("a", Some(b))], false).await;
    check(&[("a", None)], false).await;
    check(&[("absent", None)], true).await;
    check(&[("absent", Some(a))], false).await;
    check(&[("gone", None)], true).await;
    check(&[("a", Some(a)), ("b", Some(b)), ("absent", None)], true).await;
    check(&[("a", Some(a)), ("b", Some(a))], false).await;
    check(&[("a", Some(b)), ("b", Some(b))], false).await;
}

/// A refused transaction makes none of its changes, and reports each conditioned key in order.
pub async fn a_refusal_changes_nothing_and_shows_what_is_there(store: SharedStore) {
    let revision = change(&*store, [put("a", "1"), put("b", "1")]).await;
    let outcome =
        commit(&*store, &[("b", Some(revision)), ("c", None), ("a", None)], [put("a", "2"), put("c", "2")]).await;
    let Outcome::Refused(found) = outcome else { panic!("expected a refusal, got {outcome:?}") };
    assert_eq!(found, [get(&*store, "b").await, None, get(&*store, "a").await]);
    assert_eq!(store.revision(), revision);
    assert_eq!(listing(&*store, None).await, ["a=1", "b=1"]);
}

/// Conditions and changes may be about different keys.
pub async fn a_change_needs_no_condition_on_its_key(store: SharedStore) {
    let guard = change(&*store, [put("guard", "1")]).await;
    commit(&*store, &[("guard", Some(guard))], [put("a", "1"), delete("guard")]).await;
    assert_eq!(listing(&*store, None).await, ["a=1"]);
    let outcome = commit(&*store, &[("guard", Some(guard))], [put("a", "2")]).await;
    assert_eq!(outcome, Outcome::Refused(vec![None]));
    assert_eq!(listing(&*store, None).await, ["a=1"]);
}

/// It takes no revision, but its conditions count, and other changes of the transaction are made.
pub async fn deleting_an_absent_key_changes_nothing(store: SharedStore) {
    let before = change(&*store, [put("a", "1")]).await;
    let mut watch = super::watch(&*store, "", before).await;
    assert_eq!(commit(&*store, &[], [delete("b")]).await, Outcome::Committed(before));
    assert_eq!(commit(&*store, &[], []).await, Outcome::Committed(before));
    assert!(matches!(commit(&*store, &[("a", None)], [delete("b")]).await, Outcome::Refused(_)));
    let after = Revision(before.0 + 1);
    assert_eq!(commit(&*store, &[], [delete("b"), put("c", "1")]).await, Outcome::Committed(after));
    assert_eq!(super::next_events(&mut watch, 1).await, [format!("{after} c: - -> 1")]);
    assert_eq!(watch.try_next(), None);
}

/// The store does not compare values; whoever wants that does it before.
pub async fn an_equal_value_is_a_change(store: SharedStore) {
    let first = change(&*store, [put("a", "1")]).await;
    let second = change(&*store, [put("a", "1")]).await;
    assert_eq!(second, Revision(first.0 + 1));
}

/// It would have no one outcome, and is refused whole.
pub async fn no_key_changes_twice_in_a_transaction(store: SharedStore) {
    let changes = vec![put("b", "1"), put("a", "1"), delete("a")];
    let outcome = store.commit(Transaction { conditions: Vec::new(), changes }).await;
    assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{outcome:?}");
    assert_eq!(store.revision(), Revision(1));
}

fn number(entry: Option<&Entry>) -> u64 {
    entry.map_or(0, |entry| String::from_utf8_lossy(&entry.value).parse().expect("only numbers are put"))
}

/// Compare-and-set by many at once: every increment counts.
pub async fn concurrent_counters_lose_no_increment(store: SharedStore) {
    const TASKS: u64 = 8;
    const INCREMENTS: u64 = 25;
    let tasks = (0..TASKS).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut entry = None;
            let mut done = 0;
            while done < INCREMENTS {
                let condition = entry.as_ref().map(|entry: &Entry| entry.modified);
                let next = (number(entry.as_ref()) + 1).to_string();
                match commit(&*store, &[("counter", condition)], [put("counter", &next)]).await {
                    Outcome::Committed(_) => done += 1,
                    Outcome::Refused(_) => {}
                }
                entry = get(&*store, "counter").await;
            }
        })
    });
    for task in join_all(tasks).await {
        task.expect("the task ends");
    }
    assert_eq!(number(get(&*store, "counter").await.as_ref()), TASKS * INCREMENTS);
    assert_eq!(store.revision(), Revision(1 + TASKS * INCREMENTS));
}

/// Nobody ever sees a part of a transaction.
pub async fn concurrent_transactions_are_atomic(store: SharedStore) {
    let writers = (0..4).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for round in 0..20 {
                let value = format!("{writer}-{round}");
                change(&*store, ["a", "b", "c"].map(|key| put(key, &value))).await;
            }
        })
    });
    let writers = tokio::spawn(join_all(writers.collect::<Vec<_>>()));
    while !writers.is_finished() {
        let page = store.range(crate::store::RangeQuery::prefix("")).await.expect("a range works");
        let same = page.entries.windows(2).all(|pair| pair[0].value == pair[1].value);
        assert!(same && matches!(page.entries.len(), 0 | 3), "{:?}", page.entries);
        tokio::task::yield_now().await;
    }
    for writer in writers.await.expect("the writers end") {
        writer.expect("the writer ends");
    }
}
