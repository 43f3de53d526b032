//! One pass over one order: from what is there to the next thing that is to be done, and the report of it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kube::{
    ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    APPROVE, FINALIZER, PAUSE, RETRY,
    events::{self, Tone},
    home::Fence,
    is_held,
    judge::jittered,
    operations::{Listener, Operations},
    options::RunnerOptions,
    queue::Key,
    reach::Orders,
    record::{Kept, Records},
    report::{self, Report},
};
use crate::{
    Error, ErrorKind, Retry,
    provider::{Observation, Operation, OrderId, Phase, Progress, Provider, Redactor, Run, Step, StepState, Teardown},
    reconcile::{Chain, backoff},
};

mod gate;
mod provide;
mod release;
mod requests;

/// No order is looked at again sooner, whatever its provider says.
const SOONEST: Duration = Duration::from_millis(5);
/// How long a pass waits for what others are about to do, when the provider does not say.
const SOON: Duration = Duration::from_secs(2);
/// How long it counts that no other runner had taken over.
const CONFIRM: Duration = Duration::from_secs(1);
/// Writes that others came before, until it is left to the next pass.
const ATTEMPTS: usize = 5;

/// What every pass of one runner uses.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) orders: Orders,
    pub(super) records: Records,
    pub(super) fence: Fence,
    pub(super) options: RunnerOptions,
    pub(super) operations: Operations,
    /// Cancelled when another runner has taken over.
    pub(super) superseded: CancellationToken,
    pub(super) memory: Mutex<HashMap<Key, Memory>>,
}

/// Refuses what a provider says of another order: its record would have that one removed.
fn check_own(operation: Operation, id: &OrderId, teardown: Option<&Teardown>) -> Result<(), Failure> {
    match teardown {
        Some(teardown) if teardown.id.uid != id.uid => {
            let message = "the provider answered with the record of another order";
            Err(Failure::Provider(operation, Error::new(ErrorKind::Internal, operation.as_str(), id, message)))
        }
        _ => Ok(()),
    }
}

/// What is remembered of an order, and may be forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// When it is compared again with what was ordered, although nothing happened.
    pub(super) next_check: Option<Instant>,
    /// Passes that failed in a row.
    failures: u32,
    /// What the order was last reported as.
    phase: Option<Phase>,
    /// The secrets that the provider has told.
    redactor: Redactor,
}

/// Why a pass ended early.
#[derive(Debug)]
enum Failure {
    /// The provider says so.
    Provider(Operation, Error),
    /// The control plane or the home says so.
    Platform(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Platform(error)
    }
}

/// The order of a pass.
#[derive(Clone, Copy, Debug)]
struct Subject<'a> {
    key: &'a Key,
    object: &'a DynamicObject,
}

impl Subject<'_> {
    fn annotation(&self, name: &str) -> Option<&str> {
        self.object.annotations().get(name).map(String::as_str)
    }

    fn generation(&self) -> i64 {
        self.object.metadata.generation.unwrap_or_default()
    }

    fn is_held(&self) -> bool {
        is_held(self.object)
    }

    fn is_paused(&self) -> bool {
        self.annotation(PAUSE).is_some_and(|value| value != "false")
    }
}

impl Worker {
    /// Does what is to be done about an order now, reports it, and says after how long to come back.
    ///
    /// May be dropped at any time: the next pass goes on from what is written down.
    pub(super) async fn work(&self, key: &Key, object: &DynamicObject) -> Option<Duration> {
        let subject = Subject { key, object };
        let failure = match self.pass(subject).await {
            Ok(next) => {
                self.with_memory(key, |memory| memory.failures = 0);
                return next.map(|next| jittered(next.max(SOONEST)));
            }
            Err(failure) => failure,
        };
        let failures = self.with_memory(key, |memory| {
            memory.failures = memory.failures.saturating_add(1);
            memory.failures
        });
        let delay = backoff(failures);
        match &failure {
            Failure::Provider(operation, error) => {
                tracing::warn!(order = %key.name, %operation, error = %Chain(error), ?delay, "order.failed");
            }
            Failure::Platform(error) => {
                tracing::warn!(order = %key.name, error = %Chain(error), ?delay, "order.failed");
            }
        }
        self.after(subject, failure, delay).await
    }

    /// Reports a failure, and says when to try again.
    async fn after(&self, subject: Subject<'_>, failure: Failure, delay: Duration) -> Option<Duration> {
        let (error, report) = match failure {
            Failure::Provider(operation, error) => {
                let message = format!("{} cannot {operation} it: {}", self.provider.name(), error.message());
                let report = match error.retry() {
                    Retry::Never => Report::of(Phase::Blocked, message).because("Rejected"),
                    Retry::Now | Retry::After => Report::of(Phase::Failing, message),
                };
                (error, report)
            }
            Failure::Platform(error) => {
                let phase = if error.kind() == ErrorKind::Invalid { Phase::Blocked } else { Phase::Failing };
                let report = Report::of(phase, error.to_string());
                (error, report)
            }
        };
        let delay = match (error.kind(), report.observation.phase) {
            (ErrorKind::Stale, _) => {
                self.check_fence().await;
                return Some(delay);
            }
            // What is wrong may be righted without a change of the order, such as a quota.
            (_, Phase::Blocked) => self.options.drift_interval,
            _ => delay,
        };
        if let Err(error) = self.report(subject, report.next(delay)).await {
            tracing::warn!(order = %subject.key.name, error = %Chain(&error), "report.failed");
        }
        Some(delay)
    }

    async fn pass(&self, subject: Subject<'_>) -> Result<Option<Duration>, Failure> {
        if self.superseded.is_cancelled() {
            return Ok(None);
        }
        let is_deleted = subject.object.metadata.deletion_timestamp.is_some();
        // Its tenant may have taken the finalizer away: what was made is removed nevertheless.
        let is_let_go = subject.key.is_gone() || is_deleted && !subject.is_held();
        if !is_let_go && subject.is_paused() {
            let message = format!("left alone because of the annotation {PAUSE}");
            self.report(subject, Report::of(Phase::Paused, message)).await?;
            return Ok(None);
        }
        let id = Orders::id(subject.key, subject.object)?;
        let kept = self.records.load(&id).await?;
        if is_let_go && kept.is_none() {
            return Ok(None);
        }
        if is_deleted || is_let_go {
            return self.release(subject, &id, kept).await;
        }
        let mut kept = kept.unwrap_or_else(|| self.records.fresh(&id));
        self.renew_approval(subject, &mut kept).await?;
        let is_retried = super::judge::retried(&mut kept.record, subject.generation(), subject.annotation(RETRY));
        if is_retried {
            self.records.save(&mut kept).await?;
        }
        if let Some(failed) = kept.record.failed {
            return self.handle_failed(subject, kept, failed).await;
        }
        self.hold(subject).await?;
        self.provide(subject, &id, kept).await
    }

    /// Makes sure that the order stays until all it has is removed.
    async fn hold(&self, subject: Subject<'_>) -> Result<(), Error> {
        if subject.is_held() {
            return Ok(());
        }
        self.edit_finalizers(subject, |finalizers| {
            if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
                finalizers.push(FINALIZER.into());
            }
        })
        .await
    }

    /// Lets the order go.
    async fn let_go(&self, subject: Subject<'_>) -> Result<(), Error> {
        let edited = self.edit_finalizers(subject, |finalizers| finalizers.retain(|finalizer| finalizer != FINALIZER));
        match edited.await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Changes the finalizers that are there now: with those that were read earlier, one that somebody
    /// added in the meantime would be lost.
    async fn edit_finalizers(&self, subject: Subject<'_>, change: impl Fn(&mut Vec<String>)) -> Result<(), Error> {
        let name = subject.object.name_any();
        let failed = |e| Error::from_kube("hold", &name, e);
        self.confirm_fence().await?;
        let api = self.orders.api(subject.key)?;
        for _ in 0..ATTEMPTS {
            let current = api.get(&name).await.map_err(failed)?;
            if current.metadata.uid != subject.object.metadata.uid {
                return Err(Error::new(ErrorKind::NotFound, "hold", name, "another object has taken its name"));
            }
            if current.metadata.deletion_timestamp.is_some() && subject.object.metadata.deletion_timestamp.is_none() {
                return Err(Error::new(ErrorKind::Stale, "hold", name, "it was deleted"));
            }
            let mut finalizers = current.finalizers().to_vec();
            change(&mut finalizers);
            if finalizers == current.finalizers() {
                return Ok(());
            }
            let metadata = json!({"resourceVersion": current.metadata.resource_version, "finalizers": finalizers});
            let patch = Patch::Merge(json!({"metadata": metadata}));
            match api.patch(&name, &PatchParams::default(), &patch).await.map_err(failed) {
                Err(error) if error.kind() == ErrorKind::Stale => {}
                result => return result.map(drop),
            }
        }
        Err(Error::new(ErrorKind::Stale, "hold", name, "others keep changing it"))
    }

    /// Runs an operation of the provider, and tells its progress meanwhile.
    async fn operate<T, W: Future<Output = Result<T, Error>> + Send>(
        &self,
        operation: Operation,
        subject: Subject<'_>,
        work: impl FnOnce(Run) -> W,
    ) -> Result<T, Failure> {
        let (mut listener, progress) = Listener::new();
        let result = {
            let running = self.operations.run(operation, subject.key, progress, work);
            let telling = async {
                loop {
                    let (latest, ended) = listener.next().await;
                    self.tell_progress(subject, &latest, ended).await;
                }
            };
            tokio::select! {
                result = running => result,
                () = telling => unreachable!("it goes on for as long as it is asked"),
            }
        };
        self.tell_steps(subject, listener.rest()).await;
        result.map_err(|error| Failure::Provider(operation, error))
    }

    async fn observe(&self, subject: Subject<'_>, id: &OrderId, kept: &Kept) -> Result<Observation, Failure> {
        let sealed = kept.record.sealed.as_ref();
        let look = |_| self.provider.observe(id, sealed);
        let looked = self.operations.run(Operation::Observe, subject.key, Progress::default(), look).await;
        let observation = looked.map_err(|error| Failure::Provider(Operation::Observe, error))?;
        check_own(Operation::Observe, id, observation.teardown.as_ref())?;
        self.with_memory(subject.key, |memory| memory.redactor = Redactor::new().with_outputs_of(&observation));
        Ok(observation)
    }

    async fn tell_progress(&self, subject: Subject<'_>, latest: &Step, ended: Vec<Step>) {
        if self.confirm_fence().await.is_err() {
            return;
        }
        let message = report::shortened(&self.redactor(subject.key).redact(&latest.to_string()));
        let mut fields = serde_json::Map::new();
        fields.insert("message".into(), Value::String(message));
        if let Err(error) = report::write(&self.orders, subject.key, subject.object, fields).await {
            tracing::debug!(order = %subject.key.name, %error, "progress.lost");
        }
        self.tell_steps(subject, ended).await;
    }

    async fn tell_steps(&self, subject: Subject<'_>, steps: Vec<Step>) {
        for step in steps {
            let (tone, reason) = match step.state {
                StepState::Failed => (Tone::Warning, "StepFailed"),
                StepState::Started | StepState::Running | StepState::Done => (Tone::Normal, "StepDone"),
            };
            self.tell(subject, tone, reason, &step.to_string()).await;
        }
    }

    async fn tell(&self, subject: Subject<'_>, tone: Tone, reason: &str, message: &str) {
        let message = self.redactor(subject.key).redact(message);
        events::tell(&self.orders, subject.key, subject.object, &self.name, (tone, reason, &message)).await;
    }

    /// Writes what is to be said of the order into its status, and tells when its phase has changed.
    async fn report(&self, subject: Subject<'_>, report: Report) -> Result<(), Error> {
        self.confirm_fence().await?;
        let redactor = self.redactor(subject.key);
        let copied = &self.options.status_outputs;
        let fields = report::status(subject.object, &report, copied, &redactor, Timestamp::now());
        let message = fields["message"].as_str().unwrap_or_default().to_owned();
        let is_written = report::write(&self.orders, subject.key, subject.object, fields).await?;
        let phase = report.observation.phase;
        let before = self.with_memory(subject.key, |memory| memory.phase.replace(phase));
        if is_written && before != Some(phase) {
            tracing::info!(order = %subject.key.name, %phase, "order.phase");
            let tone = match phase {
                Phase::Failing | Phase::Blocked | Phase::Degraded | Phase::Unknown => Tone::Warning,
                _ => Tone::Normal,
            };
            let reason = report.reason.unwrap_or(phase.as_str());
            events::tell(&self.orders, subject.key, subject.object, &self.name, (tone, reason, &message)).await;
        }
        Ok(())
    }

    /// Distinguishes a lease that is over from anything else that is outdated: after the former
    /// nothing that this process does would be accepted.
    pub(super) async fn check_fence(&self) {
        match self.fence.is_over().await {
            Ok(true) => self.superseded.cancel(),
            Ok(false) => {}
            Err(error) => tracing::warn!(runner = %self.name, error = %Chain(&error), "fence.unreadable"),
        }
    }

    /// Shows that this runner works, or notices that another one does.
    pub(super) async fn renew_fence(&self) {
        match self.fence.renew().await {
            Ok(true) => self.superseded.cancel(),
            Ok(false) => {}
            Err(error) => tracing::warn!(runner = %self.name, error = %Chain(&error), "fence.unreadable"),
        }
    }

    /// Has a runner that stands by begin, now that this one has ended.
    pub(super) async fn release_fence(&self) {
        if let Err(error) = self.fence.release().await {
            tracing::warn!(runner = %self.name, error = %Chain(&error), "fence.kept");
        }
    }

    /// Refuses to go on with what no lease fences, such as a status, once another runner has taken
    /// over. Asks no more often than each [`CONFIRM`], but always after the process was paused.
    pub(super) async fn confirm_fence(&self) -> Result<(), Error> {
        if !self.superseded.is_cancelled() && self.fence.age() > CONFIRM && self.fence.is_over().await? {
            self.superseded.cancel();
        }
        if self.superseded.is_cancelled() {
            return Err(Error::new(ErrorKind::Stale, "write", &self.name, "another runner has taken over"));
        }
        Ok(())
    }

    fn redactor(&self, key: &Key) -> Redactor {
        self.with_memory(key, |memory| memory.redactor.clone())
    }

    pub(super) fn with_memory<T>(&self, key: &Key, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut all = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(key.clone()).or_default())
    }
}
