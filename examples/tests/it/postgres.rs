//! These need the PostgreSQL server programs (`initdb`, `postgres`, `pg_ctl`). Without them they
//! are skipped, and say so; with `KDP_REQUIRE_POSTGRES` set that is a failure.

use std::{process::Command, time::Duration};

use kdp_core::{
    ErrorKind, Provider,
    provider::{
        Phase,
        conformance::{self, Orders},
    },
};
use kdp_examples::database::PostgresProvider;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::fixture::{Directories, LEASE, converge, directory, order, vanish};

const REQUIRED: &str = "KDP_REQUIRE_POSTGRES";

fn spec(storage: &str) -> Value {
    json!({"engine": "postgres", "storage": storage})
}

async fn provider(directory: &TempDir) -> Option<PostgresProvider> {
    match PostgresProvider::open(directory.path().join("postgres")).await {
        Ok(provider) => Some(provider),
        Err(error) if error.kind() == ErrorKind::Unsupported && std::env::var_os(REQUIRED).is_none() => {
            eprintln!("SKIPPED: {error}; set {REQUIRED}=1 to make this a failure");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn is_offered() -> bool {
    provider(&directory()).await.is_some()
}

async fn connect(uri: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(uri, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The pid of the one server below the directory.
fn pid(provider: &PostgresProvider, uid: &str) -> String {
    let file = provider.directory().join("orders").join(uid).join("data/postmaster.pid");
    std::fs::read_to_string(file).unwrap().lines().next().unwrap().to_owned()
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

#[tokio::test]
async fn the_postgres_provider_conforms() {
    if !is_offered().await {
        return;
    }
    let orders = Orders::new(spec("64Mi"), spec("128Mi"), spec("1Mi"), "storage")
        .with_sensitive_output("uri")
        .with_sensitive_output("password");
    assert_eq!(conformance::run(&Directories::<PostgresProvider>::new(orders)).await, []);
}

#[tokio::test]
async fn a_killed_server_is_noticed_and_brought_back_with_its_data() {
    let directory = directory();
    let Some(first) = provider(&directory).await else { return };
    let order = order("a", spec("64Mi"));
    let ready = converge(&first, &order).await;
    let client = connect(&ready.outputs["uri"].value).await;
    client.batch_execute("CREATE TABLE t (x int); INSERT INTO t VALUES (7)").await.unwrap();

    // The second round is that of a restarted operator, which is not the parent of the server.
    for provider in [first, provider(&directory).await.unwrap()] {
        kill("-9", &pid(&provider, "a"));
        let mut phase = Phase::Ready;
        for _ in 0..250 {
            phase = provider.observe(&order.id, None).await.unwrap().phase;
            if phase == Phase::Failing {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(phase, Phase::Failing);
        assert!(
            !provider.plan(&order, &LEASE.into()).await.unwrap().changes.is_empty(),
            "starting the server is planned"
        );

        let again = converge(&provider, &order).await;
        let client = connect(&again.outputs["uri"].value).await;
        let row = client.query_one("SELECT x FROM t", &[]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), 7);
    }
    vanish(&provider(&directory).await.unwrap(), &order).await;
}

#[tokio::test]
async fn nobody_but_the_consumer_gets_in_and_deletion_leaves_no_process() {
    let directory = directory();
    let Some(provider) = provider(&directory).await else { return };
    let order = order("a", spec("64Mi"));
    let ready = converge(&provider, &order).await;
    let port = &ready.outputs["port"].value;
    for uri in [
        format!("postgresql://app:wrong@127.0.0.1:{port}/app"),
        format!("postgresql://postgres:x@127.0.0.1:{port}/postgres"),
        format!("postgresql://app:{}@127.0.0.1:{port}/postgres", ready.outputs["password"].value),
    ] {
        assert!(tokio_postgres::connect(&uri, NoTls).await.is_err(), "{uri}");
    }
    let pid = pid(&provider, "a");
    vanish(&provider, &order).await;
    assert!(!Command::new("kill").args(["-0", &pid]).status().unwrap().success(), "the server still runs");
    assert!(!provider.directory().join("orders/a").exists());
}

#[tokio::test]
async fn more_data_than_ordered_is_degraded() {
    let directory = directory();
    let Some(provider) = provider(&directory).await else { return };
    let order = order("a", spec("16Mi"));
    let ready = converge(&provider, &order).await;
    let client = connect(&ready.outputs["uri"].value).await;
    client
        .batch_execute("CREATE TABLE t AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 20000) n")
        .await
        .unwrap();
    let observation = provider.observe(&order.id, None).await.unwrap();
    assert_eq!(observation.phase, Phase::Degraded, "{}", observation.message);
    vanish(&provider, &order).await;
}

#[tokio::test]
async fn servers_that_were_stopped_start_again() {
    let directory = directory();
    let Some(provider) = provider(&directory).await else { return };
    let order = order("a", spec("64Mi"));
    let before = converge(&provider, &order).await;
    provider.stop_servers().await.unwrap();
    assert_eq!(provider.observe(&order.id, None).await.unwrap().phase, Phase::Failing);
    let after = converge(&provider, &order).await;
    assert_eq!(before.outputs["password"], after.outputs["password"]);
    vanish(&provider, &order).await;
    let plan = provider.plan(&order, &LEASE.into()).await.unwrap();
    assert!(provider.apply(&order, &plan.hash(), &LEASE.into()).await.is_ok());
    vanish(&provider, &order).await;
}
