use kdp_core::{
    Provider,
    provider::{
        Phase,
        conformance::{self, Orders},
    },
};
use kdp_examples::database::{SqliteProvider, sqlite::connection};
use rusqlite::{Connection, ErrorCode};
use serde_json::{Value, json};

use crate::fixture::{Directories, LEASE, converge, directory, order};

fn spec(storage: &str) -> Value {
    json!({"engine": "sqlite", "storage": storage})
}

/// Inserts 1 KiB rows until SQLite refuses; returns how many went in and why it stopped.
fn fill(connection: &Connection) -> (u64, ErrorCode) {
    connection.execute_batch("CREATE TABLE IF NOT EXISTS t (x BLOB)").unwrap();
    for rows in 0.. {
        match connection.execute("INSERT INTO t VALUES (randomblob(1024))", []) {
            Ok(_) => {}
            Err(error) => return (rows, error.sqlite_error_code().unwrap()),
        }
    }
    unreachable!("the limit was never reached")
}

#[tokio::test]
async fn the_sqlite_provider_conforms() {
    let orders = Orders::new(spec("1Mi"), spec("2Mi"), spec("4Ki"), "storage").with_sensitive_output("uri");
    assert_eq!(conformance::run(&Directories::<SqliteProvider>::new(orders)).await, []);
}

#[tokio::test]
async fn the_engine_enforces_the_limit_on_what_is_delivered_and_growing_raises_it() {
    let directory = directory();
    let provider = SqliteProvider::open(directory.path()).await.unwrap();
    let small = converge(&provider, &order("a", spec("256Ki"))).await;
    let (rows, why) = fill(&connection::open(&small.outputs["uri"].value).unwrap());
    assert_eq!(why, ErrorCode::DiskFull);
    assert!((180..256).contains(&rows), "{rows} KiB of 256 KiB went in");

    let large = converge(&provider, &order("a", spec("512Ki"))).await;
    let connection = connection::open(&large.outputs["uri"].value).unwrap();
    let kept: u64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, rows, "growing keeps the data");
    let (more, why) = fill(&connection);
    assert_eq!(why, ErrorCode::DiskFull);
    assert!((180..256).contains(&more), "{more} KiB of another 256 KiB went in");
}

#[tokio::test]
async fn any_client_has_the_limit_after_the_delivered_statement() {
    let directory = directory();
    let provider = SqliteProvider::open(directory.path()).await.unwrap();
    let ready = converge(&provider, &order("a", spec("64Ki"))).await;
    let connection = Connection::open(&ready.outputs["uri"].value).unwrap();
    connection.execute_batch(&ready.outputs["init-sql"].value).unwrap();
    assert_eq!(fill(&connection).1, ErrorCode::DiskFull);
}

#[tokio::test]
async fn a_file_that_was_filled_without_its_limit_is_degraded() {
    let directory = directory();
    let provider = SqliteProvider::open(directory.path()).await.unwrap();
    let order = order("a", spec("64Ki"));
    let ready = converge(&provider, &order).await;
    let connection = Connection::open(&ready.outputs["path"].value).unwrap();
    connection.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(100000))").unwrap();
    let observation = provider.observe(&order.id, None).await.unwrap();
    assert_eq!(observation.phase, Phase::Degraded, "{}", observation.message);
}

#[tokio::test]
async fn a_lost_file_is_reported_and_not_replaced_by_an_empty_one() {
    let directory = directory();
    let provider = SqliteProvider::open(directory.path()).await.unwrap();
    let order = order("a", spec("64Ki"));
    let ready = converge(&provider, &order).await;
    std::fs::remove_file(&ready.outputs["path"].value).unwrap();
    let plan = provider.plan(&order, &LEASE.into()).await.unwrap();
    let observation = provider.apply(&order, &plan.hash(), &LEASE.into()).await.unwrap();
    assert_eq!(observation.phase, Phase::Blocked);
}
