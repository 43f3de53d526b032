mod faults;
mod files;
mod model;

use std::{path::Path, sync::Arc};

use tempfile::TempDir;

use super::*;
use crate::store::{Change, SharedStore, conformance};

/// Snapshots as often as can be, so that every test has them in its way.
fn eager() -> DiskOptions {
    DiskOptions::default().with_snapshot_threshold(0)
}

async fn open(dir: &Path, options: &DiskOptions) -> SharedStore {
    Arc::new(DiskStore::open_with(dir, options.clone()).await.unwrap())
}

async fn put(store: &dyn Store, key: &str, value: &str) -> Result<Revision, StoreError> {
    let changes = vec![Change::Put(key.to_owned(), value.to_owned().into())];
    match store.commit(Transaction { conditions: Vec::new(), changes }).await? {
        Outcome::Committed(revision) => Ok(revision),
        Outcome::Refused(found) => panic!("refused without a condition: {found:?}"),
    }
}

async fn listing(store: &dyn Store) -> Vec<String> {
    let page = store.range(RangeQuery::prefix("")).await.unwrap();
    page.entries.iter().map(|entry| format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract() {
    let dirs = TempDir::new().unwrap();
    for (name, options) in [("default", DiskOptions::default()), ("eager", eager())] {
        let count = std::cell::Cell::new(0);
        conformance::run(async || {
            count.set(count.get() + 1);
            open(&dirs.path().join(format!("{name}-{}", count.get())), &options).await
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_outlives_its_process() {
    for options in [DiskOptions::default(), eager(), eager().with_durability(Durability::Buffered)] {
        conformance::durability::run(|| TempDir::new().unwrap(), async |dir| open(dir.path(), &options).await).await;
    }
}
