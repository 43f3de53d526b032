//! What every [`StateStore`] must do, as cases that any implementation can run.
//!
//! ```
//! use kdp_core::provider::terraform::state::{DirectoryStates, conformance};
//!
//! # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
//! # let directory = std::env::temp_dir().join(format!("kdp-states-{:x}", rand::random::<u64>()));
//! # runtime.block_on(async {
//! let store = DirectoryStates::open(&directory)?;
//! assert_eq!(conformance::run(&store).await, Vec::<String>::new());
//! # Ok::<_, kdp_core::Error>(())
//! # })?;
//! # std::fs::remove_dir_all(directory)?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

use futures::future::join_all;

use super::{Bytes, StateStore, server::random};
use crate::{Error, ErrorKind};

/// Runs every case on names of its own, and returns what does not hold.
#[must_use = "the violations are the result"]
pub async fn run(store: &dyn StateStore) -> Vec<String> {
    let mut violations = Vec::new();
    macro_rules! check {
        ($($case:ident),+ $(,)?) => {$(
            let first = random();
            if let Err(message) = $case(store, &first).await {
                violations.push(format!("{}: {message}", stringify!($case)));
            }
            // What is left would be in the way of nobody, but a store is left as it was found.
            for name in store.list(&first).await.unwrap_or_default() {
                drop(store.remove(&name).await);
            }
        )+};
    }
    check!(
        what_is_stored_is_loaded,
        nothing_is_made_twice,
        only_the_version_that_was_read_is_replaced,
        of_all_who_write_at_once_one_succeeds,
        what_is_removed_is_gone_and_may_be_removed_again,
        listings_have_all_of_one_and_nothing_of_others,
        large_contents_are_whole,
        it_stays_the_same_store,
    );
    violations
}

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

type Outcome = Result<(), String>;

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn told(error: Error) -> String {
    format!("{:?}: {error}", error.kind())
}

async fn what_is_stored_is_loaded(store: &dyn StateStore, first: &str) -> Outcome {
    let name = format!("{first}/head");
    ensure!(store.load(&name).await.map_err(told)?.is_none(), "there was something");
    let version = store.store(&name, "one".into(), None).await.map_err(told)?;
    let loaded = store.load(&name).await.map_err(told)?;
    ensure!(loaded == Some(("one".into(), version)), "loaded was {loaded:?}");
    Ok(())
}

async fn nothing_is_made_twice(store: &dyn StateStore, first: &str) -> Outcome {
    let name = format!("{first}/head");
    store.store(&name, "one".into(), None).await.map_err(told)?;
    expect_stale(store.store(&name, "two".into(), None).await)?;
    let loaded = store.load(&name).await.map_err(told)?.map(|(content, _)| content);
    ensure!(loaded.as_deref() == Some(b"one"), "loaded was {loaded:?}");
    Ok(())
}

async fn only_the_version_that_was_read_is_replaced(store: &dyn StateStore, first: &str) -> Outcome {
    let name = format!("{first}/head");
    let one = store.store(&name, "one".into(), None).await.map_err(told)?;
    let two = store.store(&name, "two".into(), Some(&one)).await.map_err(told)?;
    ensure!(one != two, "two contents have one version");
    expect_stale(store.store(&name, "three".into(), Some(&one)).await)?;
    expect_stale(store.store(&format!("{first}/none"), "three".into(), Some(&one)).await)?;
    store.store(&name, "three".into(), Some(&two)).await.map_err(told)?;
    Ok(())
}

async fn of_all_who_write_at_once_one_succeeds(store: &dyn StateStore, first: &str) -> Outcome {
    let name = format!("{first}/head");
    let version = store.store(&name, "none".into(), None).await.map_err(told)?;
    let writes = (0..8).map(|i| store.store(&name, Bytes::from(format!("writer {i}")), Some(&version)));
    let outcomes = join_all(writes).await;
    let written: Vec<_> = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_ok()).collect();
    ensure!(written.len() == 1, "{} of them have succeeded", written.len());
    let loaded = store.load(&name).await.map_err(told)?.map(|(content, _)| content);
    ensure!(loaded == Some(format!("writer {}", written[0].0).into()), "loaded was {loaded:?}");
    Ok(())
}

async fn what_is_removed_is_gone_and_may_be_removed_again(store: &dyn StateStore, first: &str) -> Outcome {
    let name = format!("{first}/blob");
    store.remove(&name).await.map_err(told)?;
    store.store(&name, "one".into(), None).await.map_err(told)?;
    for _ in 0..2 {
        store.remove(&name).await.map_err(told)?;
        ensure!(store.load(&name).await.map_err(told)?.is_none(), "it is still there");
    }
    store.store(&name, "two".into(), None).await.map_err(told)?;
    Ok(())
}

async fn listings_have_all_of_one_and_nothing_of_others(store: &dyn StateStore, first: &str) -> Outcome {
    let other = random();
    let names = [format!("{first}/head"), format!("{first}/blob-1"), format!("{first}/blob-2")];
    for name in names.iter().chain([&format!("{other}/head")]) {
        store.store(name, "one".into(), None).await.map_err(told)?;
    }
    let mut expected = names.to_vec();
    expected.sort();
    let listed = store.list(first).await.map_err(told)?;
    ensure!(listed == expected, "listed were {listed:?}");
    let all = store.list("").await.map_err(told)?;
    store.remove(&format!("{other}/head")).await.map_err(told)?;
    ensure!(expected.iter().all(|name| all.contains(name)), "not all are in {all:?}");
    ensure!(all.contains(&format!("{other}/head")), "another's is not in {all:?}");
    ensure!(all.is_sorted(), "they are in no order: {all:?}");
    Ok(())
}

async fn large_contents_are_whole(store: &dyn StateStore, first: &str) -> Outcome {
    let name = format!("{first}/blob");
    let content: Bytes = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
    store.store(&name, content.clone(), None).await.map_err(told)?;
    let loaded = store.load(&name).await.map_err(told)?.map(|(content, _)| content);
    ensure!(loaded.as_ref() == Some(&content), "it came back with {:?} bytes", loaded.map(|content| content.len()));
    ensure!(store.list(first).await.map_err(told)? == [name.clone()], "it is listed as something else");
    store.remove(&name).await.map_err(told)?;
    ensure!(store.load(&name).await.map_err(told)?.is_none(), "it is still there");
    Ok(())
}

async fn it_stays_the_same_store(store: &dyn StateStore, first: &str) -> Outcome {
    let before = store.identity().await.map_err(told)?;
    store.store(&format!("{first}/head"), "one".into(), None).await.map_err(told)?;
    let after = store.identity().await.map_err(told)?;
    ensure!(!before.is_empty() && before == after, "it was {before:?}, then {after:?}");
    Ok(())
}

fn expect_stale(outcome: Result<String, Error>) -> Outcome {
    match outcome {
        Ok(_) => Err("a stale write was taken".into()),
        Err(error) if error.kind() == ErrorKind::Stale => Ok(()),
        Err(error) => Err(told(error)),
    }
}
