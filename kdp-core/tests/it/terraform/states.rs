//! The backend of states, over its own protocol.

use std::{fs, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::api::core::v1::Secret;
use kdp_core::{
    ControlPlaneExt, ErrorKind,
    provider::{
        Lease, OrderId, Run,
        terraform::state::{
            ClusterStates, DirectoryStates, Recovery, StateKey, StateOptions, StateServer, StateSession, StateStore,
            conformance,
        },
    },
};
use kdp_tenancy::Embedded;
use kube::{Api, Client, api::ListParams};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(super) const LEASE: Duration = Duration::from_millis(1500);

pub(super) async fn server(store: Arc<dyn StateStore>) -> StateServer {
    let options = StateOptions::default().with_lease(LEASE).with_versions(3).with_largest(4096);
    StateServer::start(store, StateKey::new([7; 32]), options).await.unwrap()
}

async fn in_directory() -> (tempfile::TempDir, StateServer) {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStates::open(directory.path().join("states")).unwrap();
    (directory, server(Arc::new(store)).await)
}

pub(super) fn order(uid: &str) -> OrderId {
    OrderId::new(uid, "team", "order")
}

pub(super) fn run(lease: u64) -> Run {
    Run::new(Lease(lease)).with_holder(format!("process {lease}"))
}

pub(super) fn state(serial: u64, note: &str) -> Vec<u8> {
    let state = json!({
        "version": 4, "serial": serial, "lineage": "l", "outputs": {"note": {"value": note, "type": "string"}},
        "resources": [],
    });
    state.to_string().into_bytes()
}

fn variable(environment: &[(String, String)], name: &str) -> String {
    environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// Sends a request with the credentials of an environment, and returns the status and the body.
async fn ask(environment: &[(String, String)], method: &str, more: &str, body: &[u8]) -> (u16, String) {
    let address = variable(environment, "TF_HTTP_ADDRESS");
    let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let user = format!("{}:{}", variable(environment, "TF_HTTP_USERNAME"), variable(environment, "TF_HTTP_PASSWORD"));
    let head = format!(
        "{method} /{path}{more} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Basic {}\r\nContent-Length: {}\r\n\r\n",
        BASE64_STANDARD.encode(user),
        body.len(),
    );
    let mut connection = TcpStream::connect(host).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    // The server may answer before it has read all of a body it does not take.
    drop(connection.write_all(body).await);
    let mut answer = Vec::new();
    drop(connection.read_to_end(&mut answer).await);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), body.to_owned())
}

pub(super) async fn put(session: &StateSession, content: &[u8]) -> u16 {
    ask(&session.environment(), "POST", "", content).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_keeps_the_promises_of_every_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStates::open(directory.path().join("states")).unwrap();
    assert_eq!(conformance::run(&store).await, Vec::<String>::new());
}

async fn cluster() -> (Embedded, Client) {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = control_plane.system_client(&"root".parse().unwrap()).unwrap();
    (control_plane, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secrets_of_a_namespace_keep_the_promises_of_every_store() {
    let (_control_plane, client) = cluster().await;
    let store = ClusterStates::new(client.clone(), "default");
    assert_eq!(conformance::run(&store).await, Vec::<String>::new());
    let missing = ClusterStates::new(client, "missing");
    assert_eq!(missing.load("a/head").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(missing.list("").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_the_cluster_show_nothing_of_a_state() {
    let (_control_plane, client) = cluster().await;
    let server = server(Arc::new(ClusterStates::new(client.clone(), "default"))).await;
    let turn = server.begin(&order("u"), &run(1)).await.unwrap();
    assert_eq!(put(&turn, &state(1, "tr0ub4dor")).await, 200);
    turn.end().await.unwrap();
    let secrets = Api::<Secret>::namespaced(client, "default").list(&ListParams::default()).await.unwrap();
    let contents: Vec<_> = secrets.items.into_iter().flat_map(|secret| secret.data.unwrap_or_default()).collect();
    assert!(contents.len() > 1);
    assert!(contents.iter().all(|(_, content)| !content.0.windows(9).any(|part| part == b"tr0ub4dor")));
    let read = server.latest(&order("u")).await.unwrap().unwrap();
    assert_eq!(read.state.as_deref(), Some(&state(1, "tr0ub4dor")[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_not_mounted_is_no_empty_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("states");
    let store = DirectoryStates::open(&path).unwrap();
    fs::rename(&path, directory.path().join("away")).unwrap();
    assert_eq!(store.load("a/head").await.unwrap_err().kind(), ErrorKind::Unavailable);
    fs::create_dir(&path).unwrap();
    assert_eq!(store.load("a/head").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(store.store("a/head", "x".into(), None).await.unwrap_err().kind(), ErrorKind::Unavailable);
    fs::write(path.join("photo.jpg"), "").unwrap();
    assert_eq!(DirectoryStates::open(&path).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_reads_writes_and_locks() {
    let (_directory, server) = in_directory().await;
    let turn = server.begin(&order("u"), &run(1)).await.unwrap();
    let with = turn.environment();
    let about = |id: &str| json!({"ID": id, "Who": "me"}).to_string().into_bytes();
    assert_eq!(ask(&with, "GET", "", b"").await, (204, String::new()));
    assert_eq!(ask(&with, "LOCK", "", &about("1")).await.0, 200);
    assert_eq!(ask(&with, "LOCK", "", &about("1")).await.0, 200);
    let (status, holder) = ask(&with, "LOCK", "", &about("2")).await;
    assert_eq!((status, serde_json::from_str::<Value>(&holder).unwrap()["ID"].clone()), (423, json!("1")));
    assert_eq!(ask(&with, "POST", "?ID=2", &state(1, "a")).await.0, 423);
    assert_eq!(ask(&with, "POST", "", &state(1, "a")).await.0, 423);
    assert_eq!(ask(&with, "POST", "?ID=1", &state(1, "a")).await.0, 200);
    assert_eq!(ask(&with, "POST", "?ID=1", &state(1, "a")).await.0, 200);
    assert_eq!(ask(&with, "UNLOCK", "", &about("2")).await.0, 409);
    assert_eq!(ask(&with, "UNLOCK", "", &about("1")).await.0, 200);
    assert_eq!(ask(&with, "POST", "?ID=1", &state(2, "a")).await.0, 409);
    assert_eq!(ask(&with, "GET", "", b"").await.1.into_bytes(), state(1, "a"));
    assert_eq!(ask(&with, "POST", "", &state(1, "b")).await.0, 409);
    assert_eq!(ask(&with, "POST", "", b"no state").await.0, 400);
    assert_eq!(ask(&with, "POST", "", &vec![b' '; 5000]).await.0, 413);
    assert_eq!(ask(&with, "DELETE", "", b"").await.0, 405);
    assert_eq!(ask(&with, "PATCH", "", b"").await.0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_the_turn_writes_nothing_and_is_told() {
    let (_directory, server) = in_directory().await;
    let first = server.begin(&order("u"), &run(1)).await.unwrap();
    assert_eq!(put(&first, &state(1, "a")).await, 200);
    let second = server.begin(&order("u"), &run(2)).await.unwrap();
    assert_eq!(put(&first, &state(2, "late")).await, 409);
    first.lost().await;
    assert_eq!(first.note("n", Some(json!(1))).await.unwrap_err().kind(), ErrorKind::Stale);
    assert_eq!(server.begin(&order("u"), &run(1)).await.unwrap_err().kind(), ErrorKind::Stale);
    assert_eq!(second.recover(state(2, "left on a disk").into()).await.unwrap(), Recovery::Stored);
    assert_eq!(second.recover(state(2, "left on a disk").into()).await.unwrap(), Recovery::Known);
    let foreign = json!({"version": 4, "serial": 9, "lineage": "m"}).to_string();
    assert_eq!(second.recover(foreign.into()).await.unwrap_err().kind(), ErrorKind::Invalid);
    first.end().await.unwrap();
    assert_eq!(put(&second, &state(3, "b")).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_died_is_in_the_way_for_no_longer_than_its_lease() {
    let (directory, other) = in_directory().await;
    let path = directory.path().join("states");
    // A process of its own as far as anybody can tell: it ends when its runtime does, and says nothing.
    let process = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let turn = runtime.block_on(async {
            let server = server(Arc::new(DirectoryStates::open(path).unwrap())).await;
            let turn = server.begin(&order("u"), &run(1)).await.unwrap();
            tokio::time::sleep(LEASE * 2).await;
            turn
        });
        runtime.shutdown_background();
        std::mem::forget(turn);
    });
    let started = tokio::time::Instant::now();
    while other.holder(&order("u")).await.unwrap().is_none() {
        assert!(started.elapsed() < LEASE * 50);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (mut was_busy, began) = (Duration::ZERO, tokio::time::Instant::now());
    while let Err(busy) = other.begin(&order("u"), &run(1)).await {
        assert_eq!(busy.kind(), ErrorKind::Unavailable);
        assert!(busy.message().contains("process 1"), "{busy}");
        was_busy = began.elapsed();
        assert!(was_busy < LEASE * 50, "{busy}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It was renewed for two leases, and ran out after one more.
    assert!(was_busy > LEASE * 2, "{was_busy:?}");
    process.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_or_writes_with_the_credentials_of_another_order() {
    let (_directory, server) = in_directory().await;
    let one = server.begin(&order("one"), &run(1)).await.unwrap();
    let two = server.begin(&order("two"), &run(1)).await.unwrap();
    assert_eq!(put(&one, &state(1, "of one")).await, 200);
    let mut crossed = two.environment();
    for (name, value) in &mut crossed {
        if name == "TF_HTTP_ADDRESS" {
            *value = variable(&one.environment(), name);
        }
    }
    for method in ["GET", "POST", "LOCK", "UNLOCK", "DELETE"] {
        assert_eq!(ask(&crossed, method, "", &state(2, "stolen")).await.0, 401, "{method}");
    }
    for path in ["/..", "/../head", "%2e%2e", "/x"] {
        assert_eq!(ask(&two.environment(), "GET", path, b"").await.0, 401, "{path}");
    }
    let reader = server.reader(&order("one")).await.unwrap();
    assert_eq!(ask(&reader.environment(), "GET", "", b"").await.0, 200);
    for method in ["POST", "LOCK", "UNLOCK"] {
        assert_eq!(ask(&reader.environment(), method, "", &state(2, "x")).await.0, 403, "{method}");
    }
    let gone = reader.environment();
    drop(reader);
    assert_eq!(ask(&gone, "GET", "", b"").await.0, 401);
    let ended = one.environment();
    one.end().await.unwrap();
    assert_eq!(ask(&ended, "GET", "", b"").await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_kept_and_goes_back() {
    let (directory, server) = in_directory().await;
    let turn = server.begin(&order("u"), &run(1)).await.unwrap();
    for serial in 1..=5 {
        assert_eq!(put(&turn, &state(serial, &format!("note {serial}"))).await, 200);
    }
    let busy = server.rollback(&order("u"), 4, &run(1)).await.unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Unavailable);
    turn.end().await.unwrap();
    let serials = |history: Vec<kdp_core::provider::terraform::state::StateVersion>| {
        history.into_iter().map(|version| (version.serial, version.by)).collect::<Vec<_>>()
    };
    let by = || "process 1".to_owned();
    assert_eq!(serials(server.history(&order("u")).await.unwrap()), [(3, by()), (4, by()), (5, by())]);
    let missing = server.rollback(&order("u"), 2, &run(1)).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert_eq!(server.rollback(&order("u"), 3, &run(1)).await.unwrap().serial, 6);
    let now: Value =
        serde_json::from_slice(&server.latest(&order("u")).await.unwrap().unwrap().state.unwrap()).unwrap();
    assert_eq!((now["serial"].clone(), now["outputs"]["note"]["value"].clone()), (json!(6), json!("note 3")));

    server.remove(&order("u"), &run(2)).await.unwrap();
    assert!(server.latest(&order("u")).await.unwrap().unwrap().removed);
    assert_eq!(server.begin(&order("u"), &run(1)).await.unwrap_err().kind(), ErrorKind::Stale);
    // Only the head is left.
    let left = DirectoryStates::open(directory.path().join("states")).unwrap().list("").await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(server.orders().await.unwrap(), [order("u")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_empty_is_not_removed() {
    let (_directory, server) = in_directory().await;
    let turn = server.begin(&order("u"), &run(1)).await.unwrap();
    let full = json!({
        "version": 4, "serial": 1, "lineage": "l",
        "resources": [{"mode": "managed", "type": "t", "name": "a", "instances": [{}]}],
    });
    assert_eq!(put(&turn, full.to_string().as_bytes()).await, 200);
    turn.end().await.unwrap();
    assert_eq!(server.remove(&order("u"), &run(1)).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_and_contents_are_the_orders_own() {
    let (_directory, server) = in_directory().await;
    let turn = server.begin(&order("u"), &run(1)).await.unwrap();
    turn.note("a", Some(json!({"x": 1}))).await.unwrap();
    turn.keep("module", "first".into()).await.unwrap();
    turn.keep("module", "second".into()).await.unwrap();
    turn.end().await.unwrap();
    let again = server.begin(&order("u"), &run(1)).await.unwrap();
    assert_eq!(again.notes().await.unwrap()["a"], json!({"x": 1}));
    assert_eq!(again.kept("module").await.unwrap().as_deref(), Some(&b"second"[..]));
    again.note("a", None).await.unwrap();
    assert!(again.notes().await.unwrap().is_empty());
    let other = server.begin(&order("v"), &run(1)).await.unwrap();
    assert_eq!(other.kept("module").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_reach_the_store_is_told_before_anybody_else_may_begin() {
    let (directory, server) = in_directory().await;
    let turn = server.begin(&order("u"), &run(1)).await.unwrap();
    let expires = server.holder(&order("u")).await.unwrap().unwrap().expires;
    fs::rename(directory.path().join("states"), directory.path().join("away")).unwrap();
    tokio::time::timeout(LEASE * 4, turn.lost()).await.unwrap();
    assert!(jiff::Timestamp::now() < expires);
}
