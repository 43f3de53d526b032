//! Processes that are late: each stops at one step while another one goes on, and must then do no harm.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use kdp_core::{
    Error, ErrorKind,
    provider::terraform::state::{Bytes, DirectoryStates, Recovery, StateServer, StateStore},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::states::{LEASE, order, put, run, server, state};

/// Where a process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    BeforeListing,
    AfterListing,
    AfterLoadingContent,
    BeforeStoringContent,
    BeforeStoringHead,
}

/// Stops whoever comes to the step, once, until it is opened; or for ever, when it is never opened.
struct Gate {
    step: Step,
    reached: oneshot::Sender<()>,
    opened: oneshot::Receiver<()>,
}

/// A store in a directory, with a gate.
#[derive(Clone)]
struct Gated {
    store: DirectoryStates,
    gate: Arc<Mutex<Option<Gate>>>,
}

impl std::fmt::Debug for Gated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gated").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Gated {
    fn new(store: DirectoryStates) -> Self {
        Self { store, gate: Arc::default() }
    }

    /// Closes a step; returns what tells that somebody has come to it, and what opens it.
    fn close(&self, step: Step) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((reached, told), (open, opened)) = (oneshot::channel(), oneshot::channel());
        *self.gate.lock().unwrap() = Some(Gate { step, reached, opened });
        (told, open)
    }

    async fn pass(&self, step: Step) {
        let gate = self.gate.lock().unwrap().take_if(|gate| gate.step == step);
        if let Some(Gate { reached, opened, .. }) = gate {
            reached.send(()).unwrap();
            if opened.await.is_err() {
                pending::<()>().await;
            }
        }
    }
}

#[async_trait]
impl StateStore for Gated {
    async fn identity(&self) -> Result<String, Error> {
        self.store.identity().await
    }

    async fn load(&self, name: &str) -> Result<Option<(Bytes, String)>, Error> {
        let loaded = self.store.load(name).await;
        if !name.ends_with("/head") {
            self.pass(Step::AfterLoadingContent).await;
        }
        loaded
    }

    async fn store(&self, name: &str, content: Bytes, expect: Option<&str>) -> Result<String, Error> {
        let is_head = name.ends_with("/head");
        self.pass(if is_head { Step::BeforeStoringHead } else { Step::BeforeStoringContent }).await;
        self.store.store(name, content, expect).await
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        self.store.remove(name).await
    }

    async fn list(&self, first: &str) -> Result<Vec<String>, Error> {
        self.pass(Step::BeforeListing).await;
        let listed = self.store.list(first).await;
        self.pass(Step::AfterListing).await;
        listed
    }
}

/// Two processes on one store; the first one can be stopped.
struct Processes {
    _directory: tempfile::TempDir,
    late: StateServer,
    other: StateServer,
    gate: Gated,
    store: DirectoryStates,
}

async fn processes() -> Processes {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStates::open(directory.path().join("states")).unwrap();
    let gate = Gated::new(store.clone());
    let (late, other) = (server(Arc::new(gate.clone())).await, server(Arc::new(store.clone())).await);
    Processes { _directory: directory, late, other, gate, store }
}

fn full(serial: u64) -> Vec<u8> {
    let resource = json!({"mode": "managed", "type": "t", "name": "a", "instances": [{}]});
    json!({"version": 4, "serial": serial, "lineage": "l", "resources": [resource]}).to_string().into_bytes()
}

async fn state_of(server: &StateServer) -> Option<Bytes> {
    server.latest(&order("u")).await.unwrap().unwrap().state
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_late_removes_nothing_of_a_successor() {
    for step in [Step::BeforeListing, Step::AfterListing] {
        let at = processes().await;
        // Somebody has left a turn, which is why the next one tidies up.
        let left = at.other.begin(&order("u"), &run(1)).await.unwrap();
        let (reached, open) = at.gate.close(step);
        let late = at.late.clone();
        let beginning = tokio::spawn(async move { late.begin(&order("u"), &run(2)).await.map(drop) });
        reached.await.unwrap();
        let successor = at.other.begin(&order("u"), &run(3)).await.unwrap();
        assert_eq!(put(&successor, &full(1)).await, 200);
        successor.keep("module", "m".into()).await.unwrap();
        open.send(()).unwrap();
        beginning.await.unwrap().unwrap();
        assert_eq!(state_of(&at.other).await.as_deref(), Some(&full(1)[..]), "{step:?}");
        assert_eq!(successor.kept("module").await.unwrap().as_deref(), Some(&b"m"[..]), "{step:?}");
        drop(left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_removes_late_removes_nothing_of_a_successor() {
    for step in [Step::BeforeListing, Step::AfterListing] {
        let at = processes().await;
        let (reached, open) = at.gate.close(step);
        let late = at.late.clone();
        let removing = tokio::spawn(async move { late.remove(&order("u"), &run(1)).await });
        reached.await.unwrap();
        let successor = at.other.begin(&order("u"), &run(2)).await.unwrap();
        assert_eq!(put(&successor, &full(1)).await, 200);
        open.send(()).unwrap();
        removing.await.unwrap().unwrap();
        assert_eq!(state_of(&at.other).await.as_deref(), Some(&full(1)[..]), "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_filled_while_somebody_looked_whether_it_is_empty_is_not_removed() {
    let at = processes().await;
    let first = at.other.begin(&order("u"), &run(1)).await.unwrap();
    assert_eq!(put(&first, &state(1, "empty")).await, 200);
    first.end().await.unwrap();
    let (reached, open) = at.gate.close(Step::AfterLoadingContent);
    let late = at.late.clone();
    let removing = tokio::spawn(async move { late.remove(&order("u"), &run(1)).await });
    reached.await.unwrap();
    let second = at.other.begin(&order("u"), &run(1)).await.unwrap();
    assert_eq!(put(&second, &full(2)).await, 200);
    second.end().await.unwrap();
    open.send(()).unwrap();
    assert_eq!(removing.await.unwrap().unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(state_of(&at.other).await.as_deref(), Some(&full(2)[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_state_that_arrives_late_does_not_become_the_state() {
    let at = processes().await;
    let turn = Arc::new(at.late.begin(&order("u"), &run(1)).await.unwrap());
    assert_eq!(put(&turn, &state(1, "a")).await, 200);
    let (reached, open) = at.gate.close(Step::BeforeStoringContent);
    let (writer, older) = (turn.clone(), state(2, "older"));
    let late = tokio::spawn(async move { put(&writer, &older).await });
    reached.await.unwrap();
    assert_eq!(put(&turn, &full(3)).await, 200);
    open.send(()).unwrap();
    assert_eq!(late.await.unwrap(), 409);
    assert_eq!(state_of(&at.other).await.as_deref(), Some(&full(3)[..]));
    // Two states and the head: what was late has left nothing.
    assert_eq!(at.store.list("").await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_removal_left_is_removed_by_who_begins_next() {
    let at = processes().await;
    let first = at.other.begin(&order("u"), &run(1)).await.unwrap();
    assert_eq!(put(&first, &state(1, "empty")).await, 200);
    first.end().await.unwrap();
    let (reached, _open) = at.gate.close(Step::BeforeListing);
    let late = at.late.clone();
    let removing = tokio::spawn(async move { late.remove(&order("u"), &run(1)).await });
    reached.await.unwrap();
    removing.abort();
    assert_eq!(at.store.list("").await.unwrap().len(), 2);
    at.other.begin(&order("u"), &run(1)).await.unwrap().end().await.unwrap();
    assert_eq!(at.store.list("").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_ends_although_the_store_hangs() {
    let at = processes().await;
    let turn = at.late.begin(&order("u"), &run(1)).await.unwrap();
    // Nobody opens it.
    let (reached, open) = at.gate.close(Step::BeforeStoringHead);
    drop(open);
    let ended = tokio::time::timeout(LEASE * 6, turn.end()).await.expect("it ends");
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Unavailable);
    reached.await.unwrap();
    // The turn runs out by itself.
    tokio::time::sleep(LEASE + Duration::from_millis(100)).await;
    at.other.begin(&order("u"), &run(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_left_with_a_known_serial_is_only_known_if_it_says_the_same() {
    let at = processes().await;
    let turn = at.other.begin(&order("u"), &run(1)).await.unwrap();
    assert_eq!(put(&turn, &full(2)).await, 200);
    let same: Value = serde_json::from_slice(&full(2)).unwrap();
    let indented = serde_json::to_string_pretty(&same).unwrap();
    assert_eq!(turn.recover(indented.into()).await.unwrap(), Recovery::Known);
    let rival = turn.recover(state(2, "other").into()).await.unwrap_err();
    assert_eq!(rival.kind(), ErrorKind::Invalid);
    assert!(rival.message().contains("serial"), "{rival}");
    assert_eq!(put(&turn, &state(2, "other")).await, 409);
    assert_eq!(state_of(&at.other).await.as_deref(), Some(&full(2)[..]));
}
