//! Two runners of one name: one works, the other stands by.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kdp_core::{ControlPlane, Endpoint, Error, ErrorKind, Identity, SharedControlPlane, runner::Takeover};
use kdp_tenancy::Embedded;
use kube::{Client, client::Body};
use serde_json::json;
use tokio::sync::watch;

use crate::site::{Site, eventually, options, start, within};

const PATIENCE: Duration = Duration::from_millis(900);
/// Looks and the way of the lease, on a machine that is busy with other things.
const SLACK: Duration = Duration::from_secs(8);

/// A control plane whose clients can be stopped and go on, as a process that is paused, and which
/// counts what they have changed.
#[derive(Clone, Debug)]
struct Pausable {
    inner: Embedded,
    is_paused: watch::Receiver<bool>,
    writes: Arc<AtomicUsize>,
}

impl ControlPlane for Pausable {
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<Client, Error> {
        let (client, this) = (self.inner.client(endpoint, identity)?, self.clone());
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (client, mut this) = (client.clone(), this.clone());
            async move {
                drop(this.is_paused.wait_for(|is_paused| !is_paused).await);
                // An Event that is on its way when the process is paused is true all the same.
                let is_write = request.method() != http::Method::GET && !request.uri().path().ends_with("/events");
                let answer = client.send(request).await?;
                // What was refused, such as a write to the lease that another one has taken, changed nothing.
                if is_write && answer.status().is_success() {
                    this.writes.fetch_add(1, Ordering::SeqCst);
                }
                Ok::<_, kube::Error>(answer)
            }
        });
        Ok(Client::new(service, "default"))
    }

    fn url(&self, _: &Endpoint) -> Option<String> {
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_stands_by_takes_over_when_the_other_dies_or_stops_and_not_before() {
    let site = Site::new().await;
    let standing_by = options().with_takeover(Takeover::AfterSilence(PATIENCE));
    let first = site.run(standing_by.clone());
    site.order("a", json!({"size": 1})).await;
    site.phase("a", "Ready").await;
    let second = site.run(standing_by.clone());
    tokio::time::sleep(2 * PATIENCE).await;
    assert!(!first.task.is_finished(), "it shows that it works");

    let died = Instant::now();
    first.kill().await;
    let uid = site.order("b", json!({"size": 1})).await;
    site.phase("b", "Ready").await;
    let silence = died.elapsed();
    assert!(silence > PATIENCE / 2 && silence < PATIENCE + SLACK, "it took over after {silence:?}");
    assert_eq!(site.shelf.of(&uid).len(), 1);

    let third = site.run(options().with_takeover(Takeover::AfterSilence(Duration::from_secs(600))));
    eventually("it stands by", async || (!third.task.is_finished()).then_some(())).await;
    second.stop().await.unwrap();
    drop(third.stop().await);
    let last = site.run(options().with_takeover(Takeover::AfterSilence(Duration::from_secs(600))));
    site.order("c", json!({"size": 1})).await;
    site.phase("c", "Ready").await;
    assert_eq!(site.shelf.doubles_and_things(), (0, 3));
    last.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_was_paused_and_taken_over_from_writes_nothing() {
    let site = Site::new().await;
    let (pause, is_paused) = watch::channel(false);
    let writes = Arc::new(AtomicUsize::new(0));
    let pausable = Pausable { inner: site.control_plane.clone(), is_paused, writes: writes.clone() };
    let control_plane: SharedControlPlane = Arc::new(pausable);
    let first = start(site.runner_through(&control_plane, options()), control_plane);
    let uid = site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    // Until what it still has to write is written.
    eventually("it is steady", async || {
        let before = writes.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        (writes.load(Ordering::SeqCst) == before).then_some(())
    })
    .await;

    pause.send(true).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let before = writes.load(Ordering::SeqCst);
    let second = site.run(options());
    site.change("app", json!({"size": 2})).await;
    site.phase("app", "Ready").await;
    second.stop().await.unwrap();
    // Nobody else works by now, and the order is not as it was when the first runner looked last.
    site.change("app", json!({"size": 3})).await;
    pause.send(false).unwrap();
    let ended = within(first.task).await.unwrap().unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Stale);
    assert_eq!(writes.load(Ordering::SeqCst), before, "it has written although another one took over");
    assert_eq!(site.shelf.of(&uid)[0].size, 2);
}
