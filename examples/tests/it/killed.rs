//! A process that is killed with SIGKILL while it makes an order. The victim is this test binary
//! itself, run with [`VICTIM`] set.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use kdp_core::{Provider, provider::Phase};
use kdp_examples::database::{PostgresProvider, SqliteProvider};
use serde_json::json;

use crate::{
    fixture::{InDirectory, converge, directory, order, vanish},
    postgres::is_offered,
};

/// Names the directory in which the victim works.
const VICTIM: &str = "KDP_TEST_VICTIM";

#[tokio::test]
async fn the_victim_works_until_it_is_killed() {
    let Some(directory) = std::env::var_os(VICTIM).map(PathBuf::from) else { return };
    if directory.ends_with("sqlite") {
        make(&SqliteProvider::open(directory).await.unwrap()).await;
    } else {
        make(&PostgresProvider::open(directory).await.unwrap()).await;
    }
}

async fn make(provider: &impl Provider) {
    converge(provider, &order("a", json!({"engine": provider.name(), "storage": "16Mi"}))).await;
    std::future::pending().await
}

/// Kills a victim after each delay, and has another process finish its order, or remove it.
async fn check<P: InDirectory>(engine: &str, delays: impl Iterator<Item = u64>) {
    let root = directory();
    for (round, delay) in delays.map(Duration::from_millis).enumerate() {
        let directory = root.path().join(round.to_string()).join(engine);
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::the_victim_works_until_it_is_killed"])
            .env(VICTIM, &directory)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(delay).await;
        victim.kill().unwrap();
        victim.wait().unwrap();

        let provider = P::open(directory.clone()).await.unwrap();
        let order = order("a", json!({"engine": engine, "storage": "16Mi"}));
        if round.is_multiple_of(2) {
            let ready = converge(&provider, &order).await;
            assert_eq!(ready.phase, Phase::Ready);
        }
        remove(&provider, &directory).await;
    }
}

async fn remove(provider: &impl Provider, directory: &Path) {
    let order = order("a", json!({"engine": provider.name(), "storage": "16Mi"}));
    vanish(provider, &order).await;
    assert_eq!(provider.observe(&order.id, None).await.unwrap().phase, Phase::Gone);
    // A program that the victim had started may need a moment to notice that its directory is gone.
    for _ in 0..200 {
        if !is_mentioned_by_a_process(directory) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a process is left in {}", directory.display());
}

fn is_mentioned_by_a_process(directory: &Path) -> bool {
    let processes = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    String::from_utf8_lossy(&processes.stdout).contains(&*directory.to_string_lossy())
}

#[tokio::test]
async fn a_killed_process_leaves_sqlite_orders_that_another_finishes_or_removes() {
    check::<SqliteProvider>("sqlite", (0..30).step_by(3)).await;
}

#[tokio::test]
async fn a_killed_process_leaves_postgres_orders_that_another_finishes_or_removes() {
    if is_offered().await {
        check::<PostgresProvider>("postgres", (0..1000).step_by(125)).await;
    }
}
