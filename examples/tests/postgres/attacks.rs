//! What tenants try in a server they share.

use kdp_core::{
    ErrorKind, Provider,
    provider::{ActionCall, Observation, Order, Phase},
};
use serde_json::json;

use super::place::{Place, connect, once, order, reach, run_of};

fn uri(seen: &Observation, role: &str) -> String {
    seen.outputs[&format!("{role}uri")].value.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_reach_their_own_database_and_nothing_else() {
    let Some(place) = Place::new().await else { return };
    let provider = place.open().await;
    let one = reach(&provider, &order("one", json!({})), Phase::Ready).await;
    let two = reach(&provider, &order("two", json!({})), Phase::Ready).await;
    let client = connect(&uri(&one, "")).await.unwrap();
    client.batch_execute("CREATE TABLE notes (id int); INSERT INTO notes VALUES (1)").await.unwrap();

    let other = &two.outputs["database"].value;
    for database in [other.as_str(), "postgres", "template1", "kdp"] {
        let own = uri(&one, "");
        let crossed = format!("{}/{database}", own.rsplit_once('/').unwrap().0);
        let refused = connect(&crossed).await.err().unwrap_or_else(|| panic!("{database} was open"));
        assert!(refused.to_string().contains("db error"), "{database}: {refused}");
    }
    for attack in [
        "SET ROLE postgres".to_owned(),
        "CREATE ROLE evil SUPERUSER".into(),
        "CREATE DATABASE evil".into(),
        format!("DROP DATABASE {other}"),
        format!("SET ROLE {other}"),
        format!("ALTER ROLE {other}_a PASSWORD 'x'"),
        "SELECT pg_read_file('/etc/passwd')".into(),
        "COPY (SELECT 1) TO PROGRAM 'id'".into(),
        "COPY notes FROM '/etc/passwd'".into(),
        "ALTER SYSTEM SET work_mem = '1GB'".into(),
        "SET temp_file_limit = -1".into(),
        "CREATE EXTENSION adminpack".into(),
        "SELECT passwd FROM pg_shadow".into(),
        "SELECT rolpassword FROM pg_authid".into(),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'".into(),
    ] {
        let outcome = client.batch_execute(&attack).await;
        assert!(outcome.is_err() || attack.contains("pg_terminate"), "{attack}");
    }
    assert_eq!(provider.observe(&order("two", json!({})).id, None).await.unwrap(), two);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_do_what_was_ordered_and_no_more() {
    let Some(place) = Place::new().await else { return };
    let provider = place.open().await;
    let roles = json!({"roles": [{"name": "reports", "access": "read"}, {"name": "loader", "access": "write"}]});
    let seen = reach(&provider, &order("u", roles), Phase::Ready).await;
    let owner = connect(&uri(&seen, "")).await.unwrap();
    owner.batch_execute("CREATE TABLE notes (id int); INSERT INTO notes VALUES (1)").await.unwrap();
    let reports = connect(&uri(&seen, "reports-")).await.unwrap();
    let loader = connect(&uri(&seen, "loader-")).await.unwrap();
    assert_eq!(reports.query("SELECT * FROM notes", &[]).await.unwrap().len(), 1);
    reports.batch_execute("INSERT INTO notes VALUES (2)").await.unwrap_err();
    loader.batch_execute("INSERT INTO notes VALUES (2)").await.unwrap();
    loader.batch_execute("DROP TABLE notes").await.unwrap_err();
    reports.batch_execute("CREATE TABLE mine (id int)").await.unwrap_err();

    let changed = Order::new(order("u", json!({})).id, 2, json!({"roles": [{"name": "loader", "access": "read"}]}));
    let seen = reach(&provider, &changed, Phase::Ready).await;
    assert!(!seen.outputs.contains_key("reports-uri"));
    let loader = connect(&uri(&seen, "loader-")).await.unwrap();
    loader.batch_execute("INSERT INTO notes VALUES (3)").await.unwrap_err();
    assert_eq!(loader.query("SELECT * FROM notes", &[]).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_exceeds_the_quota_writes_nothing_until_there_is_less() {
    let Some(place) = Place::new().await else { return };
    let provider = place.open().await;
    let small = order("u", json!({"quotaMib": 20}));
    let seen = reach(&provider, &small, Phase::Ready).await;
    let client = connect(&uri(&seen, "")).await.unwrap();
    client.batch_execute("CREATE TABLE fat AS SELECT repeat('x', 2000) FROM generate_series(1, 20000)").await.unwrap();
    let full = reach(&provider, &small, Phase::Degraded).await;
    assert!(full.message.contains("MiB of 20"), "{}", full.message);
    assert!(provider.plan(&small, &run_of(1)).await.unwrap().changes.is_empty(), "writing was withdrawn");
    client.batch_execute("SELECT 1").await.unwrap_err();
    let client = connect(&uri(&full, "")).await.unwrap();
    let database = &seen.outputs["database"].value;
    for attack in [
        "INSERT INTO fat SELECT repeat('x', 2000)".to_owned(),
        "CREATE TABLE more (id int)".into(),
        format!("SET ROLE {database}"),
        "RESET ROLE; CREATE TABLE more (id int)".into(),
        format!("GRANT {database} TO {database}_a"),
        format!("ALTER ROLE {database}_a RESET role"),
    ] {
        // A login may change its own settings, which gives it nothing.
        let outcome = client.batch_execute(&attack).await;
        assert!(outcome.is_err() || attack.contains("RESET role"), "{attack}");
    }
    assert!(!client.query("SELECT * FROM fat LIMIT 1", &[]).await.unwrap().is_empty());
    client.batch_execute("TRUNCATE fat").await.unwrap();
    reach(&provider, &small, Phase::Ready).await;
    let client = connect(&uri(&full, "")).await.unwrap();
    client.batch_execute("CREATE TABLE more (id int)").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_ordered_is_not_touched() {
    let Some(place) = Place::new().await else { return };
    let provider = place.open().await;
    let made = reach(&provider, &order("u", json!({})), Phase::Ready).await;
    let name = &made.outputs["database"].value;
    place.superuser("kdp").await.batch_execute("DELETE FROM orders").await.unwrap();
    let refused = once(&provider, &order("u", json!({}))).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden, "{refused}");
    provider.delete(&made.teardown.unwrap(), &run_of(1)).await.unwrap();
    let there = "SELECT 1 FROM pg_database WHERE datname = $1";
    assert_eq!(place.superuser("postgres").await.query(there, &[name]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_in_no_log_plan_or_message() {
    let Some(place) = Place::new().await else { return };
    place.superuser("postgres").await.batch_execute("ALTER SYSTEM SET log_statement = 'all'").await.unwrap();
    place.stop();
    place.start().await;
    let provider = place.open().await;
    let plan = provider.plan(&order("u", json!({})), &run_of(1)).await.unwrap();
    let seen = reach(&provider, &order("u", json!({})), Phase::Ready).await;
    let password = &seen.outputs["password"].value;
    assert!(password.len() >= 40 && !format!("{plan:?} {seen:?} {provider:?}").contains(password));
    provider.act(&order("u", json!({})), &ActionCall::new("1", "rotate-password"), &run_of(1)).await.unwrap();
    let rotated = provider.observe(&order("u", json!({})).id, None).await.unwrap();
    let log = std::fs::read_to_string(place.directory.path().join("log")).unwrap();
    assert!(log.contains("GRANT") && !log.contains(password) && !log.contains(&rotated.outputs["password"].value));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_in_the_middle_leaves_nothing_that_cannot_be_repeated() {
    let Some(place) = Place::new().await else { return };
    let provider = place.open().await;
    for round in 0..6 {
        let order =
            order(&format!("u-{round}"), json!({"extensions": ["citext"], "roles": [{"name": "r", "access": "read"}]}));
        let dying = async {
            tokio::time::sleep(std::time::Duration::from_millis(15 * round)).await;
            place.stop();
        };
        let (outcome, ()) = tokio::join!(once(&provider, &order), dying);
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
        assert_eq!(provider.observe(&order.id, None).await.unwrap().phase, Phase::Unknown);
        place.start().await;
        let seen = reach(&provider, &order, Phase::Ready).await;
        connect(&uri(&seen, "r-")).await.unwrap();
        assert_eq!(provider.delete(&seen.teardown.unwrap(), &run_of(1)).await.unwrap().phase, Phase::Gone);
    }
    let left = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'kdp%'
        UNION SELECT datname FROM pg_database WHERE datname LIKE 'kdp\\_%'";
    assert_eq!(place.superuser("postgres").await.query(left, &[]).await.unwrap().len(), 0);
}
