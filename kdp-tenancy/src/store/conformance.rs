//! What every [`Store`] must do, as cases that anybody can run against theirs.
//!
//! ```
//! # use std::sync::Arc;
//! # use kdp_tenancy::store::{MemoryStore, conformance};
//! # #[tokio::main]
//! # async fn main() {
//! conformance::run(async || Arc::new(MemoryStore::new()) as _).await;
//! # }
//! ```
//!
//! A case gets an empty store of its own and panics when the store breaks the contract. Stores that
//! outlive their process also run [`durability::run`].

pub mod durability;
pub mod lifecycle;
pub mod reads;
pub mod watches;
pub mod writes;

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::{Change, Entry, Event, Outcome, RangeQuery, Revision, SharedStore, Store, Transaction, Watch};

/// A case: it gets an empty store of its own.
pub type Case = fn(SharedStore) -> BoxFuture<'static, ()>;

macro_rules! cases {
    ($($module:ident::$case:ident),* $(,)?) => {
        &[$((stringify!($case), |store| Box::pin($module::$case(store)))),*]
    };
}

/// Every case, with its name.
pub const CASES: &[(&str, Case)] = cases![
    reads::an_absent_key_holds_nothing,
    reads::a_key_holds_what_was_put_last,
    reads::a_range_is_ordered_and_stays_below_its_prefix,
    reads::a_range_starts_at_or_after_a_key,
    reads::a_limit_cuts_off_and_counts_the_rest,
    reads::the_rest_of_something_large_is_not_counted_to_its_end,
    reads::pages_of_one_revision_are_one_snapshot,
    reads::an_old_revision_shows_what_was_there,
    reads::a_revision_to_come_cannot_be_read,
    reads::a_compacted_revision_cannot_be_read,
    reads::a_prefix_ends_with_a_slash,
    writes::an_empty_store_is_at_revision_one,
    writes::a_transaction_is_one_revision,
    writes::a_key_remembers_when_it_was_created,
    writes::conditions_decide,
    writes::a_refusal_changes_nothing_and_shows_what_is_there,
    writes::a_change_needs_no_condition_on_its_key,
    writes::deleting_an_absent_key_changes_nothing,
    writes::an_equal_value_is_a_change,
    writes::no_key_changes_twice_in_a_transaction,
    writes::concurrent_counters_lose_no_increment,
    writes::concurrent_transactions_are_atomic,
    watches::a_watch_sees_what_comes,
    watches::a_watch_resumes_without_gap_or_duplicate,
    watches::a_watch_stays_below_its_prefix,
    watches::events_carry_what_was_and_what_is,
    watches::the_changes_of_a_transaction_stay_together_in_order,
    watches::a_long_history_is_replayed_whole,
    watches::a_slow_reader_is_cut_off_without_a_gap,
    watches::what_a_revision_reports_is_in_the_watch,
    watches::watches_that_start_amid_writes_see_every_later_change,
    watches::a_watch_cannot_start_from_a_compacted_revision,
    watches::a_watch_cannot_start_from_a_revision_to_come,
    lifecycle::compaction_keeps_what_is_live,
    lifecycle::compaction_can_be_repeated_and_cannot_run_ahead,
    lifecycle::a_watch_outlives_the_compaction_of_its_start,
    lifecycle::a_closed_store_refuses_everything,
];

/// Runs every case, each against what `make` returns: a new, empty store.
pub async fn run(make: impl AsyncFn() -> SharedStore) {
    for (name, case) in CASES {
        tracing::info!(case = name, "running");
        within_reason(name, case(make().await)).await;
    }
}

/// Awaits something that a correct store finishes soon, so that a wrong one fails and not hangs.
async fn within_reason<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: nothing happened for a minute"),
    }
}

fn put(key: &str, value: &str) -> Change {
    Change::Put(key.to_owned(), Bytes::copy_from_slice(value.as_bytes()))
}

fn delete(key: &str) -> Change {
    Change::Delete(key.to_owned())
}

/// Makes changes that have no conditions, and returns their revision.
async fn change(store: &dyn Store, changes: impl IntoIterator<Item = Change>) -> Revision {
    let transaction = Transaction { conditions: Vec::new(), changes: changes.into_iter().collect() };
    match store.commit(transaction).await.expect("a commit works") {
        Outcome::Committed(revision) => revision,
        Outcome::Refused(found) => panic!("refused without a condition; {found:?}"),
    }
}

async fn get(store: &dyn Store, key: &str) -> Option<Entry> {
    store.get(key).await.expect("a get works")
}

/// All entries at a revision, as `key=value`.
async fn listing(store: &dyn Store, revision: impl Into<Option<Revision>>) -> Vec<String> {
    let query = RangeQuery { revision: revision.into(), ..RangeQuery::prefix("") };
    let page = store.range(query).await.expect("a range works");
    assert_eq!(page.remaining, 0, "without a limit nothing remains");
    page.entries.iter().map(show).collect()
}

fn show(entry: &Entry) -> String {
    format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value))
}

/// An event as `revision key: previous -> current`.
fn show_event(event: &Event) -> String {
    let value = |entry: &Option<Entry>| match entry {
        Some(entry) => String::from_utf8_lossy(&entry.value).into_owned(),
        None => "-".to_owned(),
    };
    format!("{} {}: {} -> {}", event.revision, event.key, value(&event.previous), value(&event.entry))
}

async fn watch(store: &dyn Store, prefix: &str, after: Revision) -> Watch {
    store.watch(prefix, after).await.expect("a watch starts")
}

/// The next events of a watch, as [`show_event`] shows them.
async fn next_events(watch: &mut Watch, count: usize) -> Vec<String> {
    let mut events = Vec::with_capacity(count);
    for _ in 0..count {
        let event = within_reason("the next event", watch.next()).await.expect("the watch goes on");
        events.push(show_event(&event.expect("the watch is not cut off")));
    }
    events
}
