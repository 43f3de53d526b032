use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::*;
use crate::{ControlPlane, Endpoint, Identity};

#[derive(Debug)]
struct NoControlPlane;

impl ControlPlane for NoControlPlane {
    fn client(&self, endpoint: &Endpoint, _: &Identity) -> Result<kube::Client, Error> {
        Err(Error::new(ErrorKind::Unsupported, "reach", endpoint, "there is no control plane in this test"))
    }

    fn url(&self, _: &Endpoint) -> Option<String> {
        None
    }
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, what: &str, who: &str) {
        self.0.lock().unwrap().push(format!("{what} {who}"));
    }

    fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// How a scripted component behaves.
enum Script {
    Obedient,
    NeverReady,
    NeverStops,
    FailsBeforeReady,
    PanicsBeforeReady,
    FailsOn(Arc<Notify>),
    EndsOn(Arc<Notify>),
    PanicsOn(Arc<Notify>),
    FailsWhenStopped,
}

struct Scripted {
    name: &'static str,
    script: Script,
    journal: Journal,
}

#[async_trait]
impl Component for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        self.journal.note("start", self.name);
        let error = || Err(Error::new(ErrorKind::Internal, "run", self.name, "as scripted"));
        match &self.script {
            Script::FailsBeforeReady => return error(),
            Script::PanicsBeforeReady => panic!("as scripted"),
            Script::NeverReady => {
                context.shutdown().cancelled().await;
                self.journal.note("stop", self.name);
                return Ok(());
            }
            _ => context.ready(),
        }
        match &self.script {
            Script::NeverStops => std::future::pending().await,
            Script::FailsOn(signal) => {
                signal.notified().await;
                return error();
            }
            Script::EndsOn(signal) => {
                signal.notified().await;
                return Ok(());
            }
            Script::PanicsOn(signal) => {
                signal.notified().await;
                panic!("as scripted");
            }
            _ => context.shutdown().cancelled().await,
        }
        self.journal.note("stop", self.name);
        if matches!(self.script, Script::FailsWhenStopped) { error() } else { Ok(()) }
    }
}

fn platform(journal: &Journal, parts: impl IntoIterator<Item = (&'static str, Script)>) -> Platform {
    parts.into_iter().fold(Platform::builder(Arc::new(NoControlPlane)), |platform, (name, script)| {
        platform.component(Scripted { name, script, journal: journal.clone() })
    })
}

#[tokio::test]
async fn components_start_in_order_and_stop_in_reverse() {
    let journal = Journal::default();
    let running = platform(&journal, [("a", Script::Obedient), ("b", Script::Obedient), ("c", Script::Obedient)])
        .start()
        .await
        .unwrap();
    running.stop().await.unwrap();
    assert_eq!(journal.entries(), ["start a", "start b", "start c", "stop c", "stop b", "stop a"]);
}

#[tokio::test]
async fn a_component_waits_for_the_readiness_of_its_predecessor() {
    let journal = Journal::default();
    let start = platform(&journal, [("a", Script::NeverReady), ("b", Script::Obedient)]).start();
    let within = tokio::time::timeout(Duration::from_millis(50), start).await;
    assert!(within.is_err(), "the platform started although a was not ready");
    assert_eq!(journal.entries(), ["start a"]);
}

#[tokio::test]
async fn a_failure_before_readiness_stops_what_was_started_and_is_the_cause() {
    let journal = Journal::default();
    let error = platform(&journal, [("a", Script::Obedient), ("b", Script::FailsBeforeReady), ("c", Script::Obedient)])
        .start()
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot run b: as scripted");
    assert_eq!(journal.entries(), ["start a", "start b", "stop a"]);
}

#[tokio::test]
async fn a_panic_before_readiness_is_a_failure() {
    let journal = Journal::default();
    let error = platform(&journal, [("a", Script::PanicsBeforeReady)]).start().await.unwrap_err();
    assert_eq!(error.to_string(), "cannot run a: the component panicked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_failure_stops_all_and_is_the_cause() {
    for _ in 0..100 {
        let journal = Journal::default();
        let signal = Arc::new(Notify::new());
        let parts = [("a", Script::Obedient), ("b", Script::FailsOn(signal.clone())), ("c", Script::FailsWhenStopped)];
        let running = platform(&journal, parts).start().await.unwrap();
        signal.notify_one();
        running.failed().await;
        let error = running.stop().await.unwrap_err();
        assert_eq!(error.to_string(), "cannot run b: as scripted");
        assert_eq!(journal.entries()[3..], ["stop c", "stop a"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_unasked_without_an_error_is_a_failure() {
    for _ in 0..100 {
        let signal = Arc::new(Notify::new());
        let parts = [("a", Script::Obedient), ("b", Script::EndsOn(signal.clone()))];
        let running = tokio::spawn(platform(&Journal::default(), parts).run(std::future::pending()));
        signal.notify_one();
        let error = running.await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "cannot run b: the component ended although nobody stopped it");
    }
}

#[tokio::test]
async fn a_panic_stops_all_and_is_the_cause() {
    let journal = Journal::default();
    let signal = Arc::new(Notify::new());
    let parts = [("a", Script::Obedient), ("b", Script::PanicsOn(signal.clone()))];
    let running = tokio::spawn(platform(&journal, parts).run(std::future::pending()));
    signal.notify_one();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "cannot run b: the component panicked");
    assert_eq!(journal.entries(), ["start a", "start b", "stop a"]);
}

#[tokio::test(start_paused = true)]
async fn a_component_that_never_stops_is_reported_after_the_deadline_and_the_others_are_drained() {
    let journal = Journal::default();
    let running = platform(&journal, [("a", Script::Obedient), ("b", Script::NeverStops), ("c", Script::Obedient)])
        .with_drain_deadline(Duration::from_secs(5))
        .start()
        .await
        .unwrap();
    let started = tokio::time::Instant::now();
    let error = running.stop().await.unwrap_err();
    assert_eq!(error.to_string(), "cannot stop b: it did not finish within 5s and was aborted");
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    assert_eq!(journal.entries()[3..], ["stop c", "stop a"]);
}

#[tokio::test]
async fn a_failure_while_stopping_is_reported_after_all_are_stopped() {
    let journal = Journal::default();
    let running = platform(&journal, [("a", Script::Obedient), ("b", Script::FailsWhenStopped)]).start().await.unwrap();
    assert_eq!(running.stop().await.unwrap_err().to_string(), "cannot run b: as scripted");
    assert_eq!(journal.entries()[2..], ["stop b", "stop a"]);
}

#[tokio::test]
async fn being_told_to_stop_ends_a_start_that_never_becomes_ready() {
    let journal = Journal::default();
    let told = Arc::new(Notify::new());
    let until = told.clone();
    let parts = [("a", Script::Obedient), ("b", Script::NeverReady), ("c", Script::Obedient)];
    let running = tokio::spawn(platform(&journal, parts).run(async move { until.notified().await }));
    told.notify_one();
    running.await.unwrap().unwrap();
    let stops: Vec<_> = journal.entries().into_iter().filter(|entry| entry.starts_with("stop")).collect();
    assert!(stops.is_empty() || stops.last().unwrap() == "stop a", "{stops:?}");
}

#[tokio::test]
async fn dropping_the_platform_cancels_every_component() {
    let journal = Journal::default();
    let running = platform(&journal, [("a", Script::Obedient), ("b", Script::Obedient)]).start().await.unwrap();
    drop(running);
    while journal.entries().len() < 4 {
        tokio::task::yield_now().await;
    }
    let mut stopped = journal.entries().split_off(2);
    stopped.sort();
    assert_eq!(stopped, ["stop a", "stop b"]);
}
