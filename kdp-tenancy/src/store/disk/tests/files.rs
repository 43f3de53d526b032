//! What is in the directory, and what happens when that is damaged.

use std::{fs, path::PathBuf};

use super::*;

/// The only file with this extension.
fn file(dir: &Path, extension: &str) -> PathBuf {
    let mut found = files(dir, extension);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    found.sort();
    found
}

/// Writes transactions of two keys each, and the length of the log after each.
async fn write_pairs(dir: &Path, count: usize) -> Vec<u64> {
    let store = open(dir, &DiskOptions::default()).await;
    let mut ends = Vec::new();
    for n in 0..count {
        let changes = ["a", "b"].map(|key| Change::Put(format!("{key}{n}"), "value".into()));
        store.commit(Transaction { conditions: Vec::new(), changes: changes.into() }).await.unwrap();
        ends.push(fs::metadata(file(dir, "log")).unwrap().len());
    }
    store.close().await.unwrap();
    ends
}

fn pairs(count: usize) -> Vec<String> {
    ["a", "b"].iter().flat_map(|key| (0..count).map(move |n| format!("{key}{n}=value"))).collect()
}

#[tokio::test]
async fn a_log_cut_at_any_byte_has_every_whole_transaction_and_goes_on() {
    let dir = TempDir::new().unwrap();
    let ends = write_pairs(dir.path(), 5).await;
    let log = file(dir.path(), "log");
    let bytes = fs::read(&log).unwrap();
    for len in ends[1]..=ends[4] {
        fs::write(&log, &bytes[..len as usize]).unwrap();
        let whole = ends.iter().filter(|end| **end <= len).count();
        let store = open(dir.path(), &DiskOptions::default()).await;
        assert_eq!(listing(&*store).await, pairs(whole), "cut at {len}");
        assert_eq!(store.revision().0, 1 + whole as u64);
        put(&*store, "a0", "after").await.unwrap();
        drop(store);
        let store = open(dir.path(), &DiskOptions::default()).await;
        assert_eq!(listing(&*store).await[0], "a0=after");
        assert_eq!(listing(&*store).await[1..], pairs(whole)[1..], "cut at {len}, after another write");
    }
}

#[tokio::test]
async fn damage_before_the_last_frame_is_refused_and_named() {
    let dir = TempDir::new().unwrap();
    let ends = write_pairs(dir.path(), 5).await;
    let log = file(dir.path(), "log");
    let bytes = fs::read(&log).unwrap();
    for at in ends[1]..ends[2] {
        let mut damaged = bytes.clone();
        damaged[at as usize] ^= 0x10;
        fs::write(&log, &damaged).unwrap();
        match DiskStore::open(dir.path()).await {
            Err(StoreError::Corrupt { path, offset, .. }) => {
                assert_eq!((Path::new(&path), offset), (&*log, ends[1]), "damaged at {at}");
            }
            other => panic!("damaged at {at}: {other:?}"),
        }
        assert_eq!(fs::read(&log).unwrap(), damaged, "what is refused is left as it is");
    }
}

/// A directory with one snapshot, and one log with changes after it.
async fn with_snapshot(dir: &Path) -> Vec<String> {
    let store = open(dir, &DiskOptions::default().with_snapshot_threshold(1000)).await;
    while files(dir, "log").len() < 2 && files(dir, "snapshot").is_empty() {
        put(&*store, "a", "1").await.unwrap();
        put(&*store, "b", "1").await.unwrap();
    }
    // The new log is too small for another one to begin meanwhile.
    while files(dir, "snapshot").is_empty() || files(dir, "log").len() > 1 {
        tokio::task::yield_now().await;
    }
    put(&*store, "a", "last").await.unwrap();
    store.close().await.unwrap();
    vec!["a=last".to_owned(), "b=1".to_owned()]
}

#[tokio::test]
async fn a_snapshot_replaces_the_log_before_it() {
    let dir = TempDir::new().unwrap();
    let expected = with_snapshot(dir.path()).await;
    let [log, snapshot] = ["log", "snapshot"].map(|extension| file(dir.path(), extension));
    assert_eq!(log.file_stem(), snapshot.file_stem(), "the log goes on where the snapshot ends");
    let store = open(dir.path(), &DiskOptions::default()).await;
    assert_eq!(listing(&*store).await, expected);
    let before = store.watch("", Revision(1)).await;
    assert!(matches!(before, Err(StoreError::Compacted { .. })), "{before:?}");
}

#[tokio::test]
async fn what_a_crash_left_behind_is_cleaned_up() {
    let dir = TempDir::new().unwrap();
    let expected = with_snapshot(dir.path()).await;
    for name in ["00000000000000000001.log", "00000000000000000001.snapshot", "00000000000000000009.log.unfinished"] {
        fs::write(dir.path().join(name), "old").unwrap();
    }
    fs::write(dir.path().join("notes.txt"), "not ours").unwrap();
    let store = open(dir.path(), &DiskOptions::default()).await;
    assert_eq!(listing(&*store).await, expected);
    file(dir.path(), "log");
    file(dir.path(), "snapshot");
    file(dir.path(), "txt");
    assert!(files(dir.path(), "unfinished").is_empty());
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused() {
    let dir = TempDir::new().unwrap();
    with_snapshot(dir.path()).await;
    let snapshot = file(dir.path(), "snapshot");
    let bytes = fs::read(&snapshot).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(&snapshot, &damaged).unwrap();
        let opened = DiskStore::open(dir.path()).await;
        assert!(
            matches!(opened, Err(StoreError::Corrupt { .. } | StoreError::Unsupported { .. })),
            "damaged at {at}: {opened:?}"
        );
        fs::write(&snapshot, &bytes[..at]).unwrap();
        assert!(matches!(DiskStore::open(dir.path()).await, Err(StoreError::Corrupt { .. })), "cut at {at}");
    }
}

#[tokio::test]
async fn a_missing_log_is_refused() {
    let dir = TempDir::new().unwrap();
    with_snapshot(dir.path()).await;
    fs::remove_file(file(dir.path(), "log")).unwrap();
    assert!(matches!(DiskStore::open(dir.path()).await, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn a_directory_has_one_store_at_a_time() {
    let dir = TempDir::new().unwrap();
    let first = open(dir.path(), &DiskOptions::default()).await;
    let second = DiskStore::open(dir.path()).await;
    assert!(matches!(second, Err(StoreError::InUse { .. })), "{second:?}");
    first.close().await.unwrap();
    DiskStore::open(dir.path()).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("new").join("store");
    with_snapshot(&dir).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}
