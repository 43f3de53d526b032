//! Kills a process in the middle of a write storm, and looks for what it had been promised.
//!
//! `KDP_CRASH_ROUNDS` raises the number of rounds.

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader, Write},
    ops::Range,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use kdp_tenancy::store::{Change, DiskOptions, DiskStore, Outcome, RangeQuery, Store, Transaction};
use tempfile::TempDir;

/// Where the process that is to be killed writes; without it there is nothing to write.
const DIR: &str = "KDP_CRASH_DIR";
const ROUNDS: &str = "KDP_CRASH_ROUNDS";
const WRITERS: usize = 16;
/// Keys per transaction. Their values are equal, and long enough to make a write span pages.
const KEYS: Range<usize> = 0..3;
const PADDING: usize = 3000;

async fn open(dir: &Path) -> DiskStore {
    // Snapshots all the time, so that a round dies in one as likely as not.
    let options = DiskOptions::default().with_snapshot_threshold(1 << 20);
    DiskStore::open_with(dir, options).await.expect("the store opens")
}

/// Each writer overwrites its keys with a counter, and prints what was acknowledged.
async fn storm(dir: &Path) {
    let store = Arc::new(open(dir).await);
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut count = read(&*store, &key(writer, 0)).await;
            loop {
                count += 1;
                let value = format!("{count}{}", " ".repeat(PADDING));
                let changes = KEYS.map(|n| Change::Put(key(writer, n), value.clone().into())).collect();
                let outcome = store.commit(Transaction { conditions: Vec::new(), changes }).await.expect("it works");
                let Outcome::Committed(revision) = outcome else { panic!("refused without a condition") };
                // One write, so that the kill cannot leave a line that says something else.
                let line = format!("ack {writer} {count} {revision}\n");
                std::io::stdout().write_all(line.as_bytes()).expect("the parent reads");
            }
        })
    });
    futures::future::join_all(writers.collect::<Vec<_>>()).await;
}

fn key(writer: usize, n: usize) -> String {
    format!("{writer}/{n}")
}

async fn read(store: &dyn Store, key: &str) -> u64 {
    let entry = store.get(key).await.expect("a get works");
    entry.map_or(0, |entry| str::from_utf8(&entry.value).expect("text").trim_end().parse().expect("a number"))
}

/// What a storm had acknowledged when it was killed: by writer the count, and the newest revision.
fn storm_and_kill(dir: &Path, after: Duration) -> (HashMap<usize, u64>, u64) {
    let mut child: Child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "acknowledged_writes_survive_a_kill", "--nocapture", "--test-threads", "1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let reader = thread::spawn(move || {
        let mut acknowledged = HashMap::new();
        let mut newest = 0;
        for line in stdout.lines().map_while(Result::ok) {
            // The test harness prints to the same place.
            let Some(numbers) = line.split_once("ack ").map(|(_, rest)| rest.split(' ')) else { continue };
            let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
            let [writer, count, revision] = numbers[..] else { continue };
            acknowledged.insert(writer as usize, count);
            newest = newest.max(revision);
        }
        (acknowledged, newest)
    });
    thread::sleep(after);
    child.kill().expect("it is killed");
    child.wait().expect("it has ended");
    reader.join().expect("the output was read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_a_kill() {
    if let Some(dir) = env::var_os(DIR) {
        return storm(Path::new(&dir)).await;
    }
    let rounds = env::var(ROUNDS).map_or(20, |rounds| rounds.parse().expect("a number"));
    let dir = TempDir::new().expect("a directory");
    let mut total = 0;
    for round in 0..rounds {
        let after = Duration::from_millis(rand::random_range(50..400));
        let (acknowledged, newest) = storm_and_kill(dir.path(), after);
        let store = open(dir.path()).await;
        assert!(store.revision().0 >= newest, "round {round}: revision {newest} was acknowledged");
        for writer in 0..WRITERS {
            let count = acknowledged.get(&writer).copied().unwrap_or(0);
            let first = read(&store, &key(writer, 0)).await;
            assert!(first >= count, "round {round}: writer {writer} has {first}, and {count} was acknowledged");
            for n in KEYS {
                let other = read(&store, &key(writer, n)).await;
                assert_eq!(other, first, "round {round}: writer {writer} has half a transaction");
            }
        }
        let page = store.range(RangeQuery::prefix("")).await.expect("a range works");
        assert!(page.entries.iter().all(|entry| entry.value.len() > PADDING), "round {round}: a value is cut");
        total = store.revision().0;
        store.close().await.expect("a close works");
    }
    println!("{rounds} rounds, {total} transactions");
}
