//! What happens when the disk does not do as it is told. The devices that fail are Linux's.
#![cfg(target_os = "linux")]

use super::*;
use crate::store::disk::dir::Dir;

/// A store that recovered from `dir` and then writes to a device instead.
fn open_onto(dir: &Path, device: &str) -> SharedStore {
    let (dir, lock) = Dir::open(dir).unwrap();
    let mut recovered = recovery::recover(&dir, History::default()).unwrap();
    recovered.log = recovered.log.onto(device);
    Arc::new(DiskStore::start(dir, lock, recovered, &DiskOptions::default()).unwrap())
}

async fn fails_on(device: &str, op: &str) {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path(), &DiskOptions::default()).await;
    let before = put(&*store, "a", "1").await.unwrap();
    store.close().await.unwrap();

    let store = open_onto(dir.path(), device);
    let mut watch = store.watch("", before).await.unwrap();
    let error = put(&*store, "a", "2").await.unwrap_err();
    assert!(matches!(&error, StoreError::ReadOnly(reason) if reason.contains(op)), "{error}");
    assert!(matches!(put(&*store, "b", "1").await, Err(StoreError::ReadOnly(_))), "it stays so");
    assert_eq!((store.revision(), listing(&*store).await), (before, vec!["a=1".to_owned()]));
    assert_eq!(watch.try_next(), None);
    store.close().await.unwrap();

    let store = open(dir.path(), &DiskOptions::default()).await;
    assert_eq!(listing(&*store).await, ["a=1"]);
    put(&*store, "a", "2").await.unwrap();
}

#[tokio::test]
async fn a_failed_write_changes_nothing_and_ends_all_writing() {
    fails_on("/dev/full", "write").await;
}

#[tokio::test]
async fn a_failed_sync_changes_nothing_and_ends_all_writing() {
    fails_on("/dev/null", "sync").await;
}
