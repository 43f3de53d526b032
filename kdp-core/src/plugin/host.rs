//! A plugin as a provider: started, asked, and started again when it has died.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    process::{ChildStderr, ChildStdin},
    sync::{Semaphore, mpsc, oneshot, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::{
    codec::{FramedRead, LinesCodec, LinesCodecError},
    sync::CancellationToken,
    task::TaskTracker,
};

use super::{
    process::{Pipes, PluginOptions, Process},
    wire::{
        ActParams, ApplyParams, DeleteParams, Hello, ImportParams, Message, ObserveParams, PlanParams, Told, VERSION,
        Welcome, WireRun, about, to_value,
    },
};
use crate::{
    Error, ErrorKind,
    provider::{
        Action, ActionCall, ActionOutcome, Observation, Operation, Order, OrderId, Phase, Plan, PlanHash, Progress,
        Provider, Run, Teardown, Weight,
    },
    reconcile::backoff,
};

/// How long a request waits for a plugin that is being started again.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what a program said at its end may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// A program that has lived so long has worked.
const LONG_LIFE: Duration = Duration::from_secs(60);
/// The longest line of a log; what is longer is left out.
const LONGEST_LOG: usize = 8 << 10;
/// Messages that wait to be written.
const BACKLOG: usize = 256;

/// A provider that is a program of its own, in whatever language.
///
/// When it dies, what it was asked is answered `Unavailable`, and it is started again after a pause that
/// grows. Dropping the last clone ends it, as [`shutdown`](Self::shutdown) does.
#[derive(Clone)]
pub struct PluginProvider {
    inner: Arc<Inner>,
}

struct Inner {
    welcome: Welcome,
    link: watch::Receiver<Option<Arc<Link>>>,
    requests: Semaphore,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl PluginProvider {
    /// Starts the program and asks it who it is.
    ///
    /// # Errors
    /// `NotFound` when there is no such program; `Unsupported` when it is no plugin, or one of a version
    /// that is not spoken here; `Unavailable` when it ends, or says nothing in time.
    pub async fn start(options: PluginOptions) -> Result<Self, Error> {
        let program = options.program.display().to_string();
        let (mut running, welcome) = Running::start(&options, &program).await?;
        let (sender, link) = watch::channel(Some(running.link.clone()));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let requests = Semaphore::new(options.requests.max(1));
        let (stopped, expected) = (stop.clone(), welcome.clone());
        tasks.spawn(async move {
            let mut failures = 0;
            loop {
                let started = Instant::now();
                let ended = running.attend(&stopped, options.grace).await;
                sender.send_replace(None);
                running.link.close();
                drop(running);
                if stopped.is_cancelled() {
                    return;
                }
                tracing::warn!(plugin = %expected.name, %ended, "plugin.ended");
                if started.elapsed() > LONG_LIFE {
                    failures = 0;
                }
                running = loop {
                    tokio::select! {
                        () = stopped.cancelled() => return,
                        () = sleep(backoff(failures)) => failures += 1,
                    }
                    match Running::start(&options, &program).await {
                        Ok((running, welcome)) if welcome == expected => break running,
                        Ok(_) => tracing::warn!(plugin = %expected.name, "plugin.changed"),
                        Err(error) => tracing::warn!(plugin = %expected.name, %error, "plugin.start"),
                    }
                };
                sender.send_replace(Some(running.link.clone()));
            }
        });
        tasks.close();
        Ok(Self { inner: Arc::new(Inner { welcome, link, requests, stop, tasks }) })
    }

    /// Tells the program to end, waits for it, and kills it if need be.
    pub async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.wait().await;
    }

    /// Asks for something and waits for the answer.
    async fn ask<T: DeserializeOwned>(
        &self,
        op: &'static str,
        id: &OrderId,
        params: Value,
        run: Option<&Run>,
    ) -> Result<T, Error> {
        let unavailable = |message: &str| {
            Error::new(ErrorKind::Unavailable, op, id, format!("the plugin {} {message}", self.inner.welcome.name))
        };
        let _permit = self.inner.requests.acquire().await.map_err(|_| unavailable("was shut down"))?;
        let mut links = self.inner.link.clone();
        let waiting = timeout(PATIENCE, links.wait_for(Option::is_some));
        let link = waiting.await.ok().and_then(Result::ok).and_then(|link| link.clone());
        let Some(link) = link else { return Err(unavailable("is not running")) };
        let progress = run.map(|run| run.progress.clone()).unwrap_or_default();
        let (number, mut answer) = link.send(op, params, progress).await.ok_or_else(|| unavailable("has ended"))?;
        let mut asked = Asked { link: &link, number, is_answered: false };
        let stop = run.map(|run| run.stop.clone()).unwrap_or_default();
        let answer = tokio::select! {
            answer = &mut answer => answer,
            () = stop.cancelled() => {
                link.tell("stop", number);
                answer.await
            }
        };
        asked.is_answered = true;
        let answer = answer.map_err(|_| unavailable("has ended before it answered"))?;
        let result = match answer.error {
            Some(failure) => return Err(failure.into_error(op, id)),
            None => answer.result.unwrap_or_default(),
        };
        serde_json::from_value(result).map_err(|e| {
            let message = format!("the plugin {} answered something else: {e}", self.inner.welcome.name);
            Error::new(ErrorKind::Internal, op, id, message)
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for PluginProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginProvider").field("name", &self.inner.welcome.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for PluginProvider {
    fn name(&self) -> &str {
        &self.inner.welcome.name
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        let params = PlanParams { order: order.clone(), run: WireRun::of(run) };
        self.ask("plan", &order.id, to_value(&params), Some(run)).await
    }

    async fn apply(&self, order: &Order, hash: &PlanHash, run: &Run) -> Result<Observation, Error> {
        let plan = if self.inner.welcome.checks_plans {
            None
        } else {
            let plan = self.plan(order, run).await?;
            plan.check(hash, &order.id)?;
            Some(plan)
        };
        let params = ApplyParams { order: order.clone(), hash: hash.clone(), plan, run: WireRun::of(run) };
        self.ask("apply", &order.id, to_value(&params), Some(run)).await
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        let params = ObserveParams { order: order.clone(), sealed: sealed.cloned() };
        match self.ask("observe", order, to_value(&params), None).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                Ok(Observation::new(Phase::Unknown).with_message(error.message()))
            }
            outcome => outcome,
        }
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        let params = DeleteParams { sealed: sealed.clone(), run: WireRun::of(run) };
        self.ask("delete", &sealed.id, to_value(&params), Some(run)).await
    }

    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        let params = ImportParams { order: order.clone(), existing: existing.into(), run: WireRun::of(run) };
        self.ask("import", &order.id, to_value(&params), Some(run)).await
    }

    fn actions(&self) -> Vec<Action> {
        self.inner.welcome.actions.clone()
    }

    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        let params = ActParams { order: order.clone(), call: call.clone(), run: WireRun::of(run) };
        self.ask("act", &order.id, to_value(&params), Some(run)).await
    }

    fn weight(&self, operation: Operation) -> Weight {
        self.inner.welcome.weight(operation)
    }
}

/// The way to one run of the program.
struct Link {
    outgoing: mpsc::Sender<Message>,
    /// None once the program has ended, so that nobody begins to wait for it.
    waiting: Mutex<Option<HashMap<u64, Waiting>>>,
    number: AtomicU64,
}

struct Waiting {
    answer: oneshot::Sender<Message>,
    progress: Progress,
}

/// A request that is dropped before its answer tells the plugin.
struct Asked<'a> {
    link: &'a Link,
    number: u64,
    is_answered: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.link.take(self.number);
            self.link.tell("cancel", self.number);
        }
    }
}

impl Link {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<HashMap<u64, Waiting>>> {
        // A map of channels is whole, whoever panicked.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, number: u64) -> Option<Waiting> {
        self.waiting().as_mut()?.remove(&number)
    }

    async fn send(&self, method: &str, params: Value, progress: Progress) -> Option<(u64, oneshot::Receiver<Message>)> {
        let permit = self.outgoing.reserve().await.ok()?;
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.waiting().as_mut()?.insert(number, Waiting { answer: sender, progress });
        permit.send(Message::request(number, method, params));
        Some((number, receiver))
    }

    /// Tells something that need not arrive.
    fn tell(&self, method: &str, number: u64) {
        drop(self.outgoing.try_send(Message::notification(method, about(number))));
    }

    fn hear(&self, message: Message) {
        match (message.id, message.method.as_deref()) {
            // What nobody waits for any more was cancelled.
            (Some(id), None) => {
                if let Some(waiting) = self.take(id) {
                    drop(waiting.answer.send(message));
                }
            }
            (_, Some("progress")) => {
                let told = message.params.and_then(|params| serde_json::from_value::<Told>(params).ok());
                if let Some(Told { id, step }) = told
                    && let Some(waiting) = self.waiting().as_ref().and_then(|waiting| waiting.get(&id))
                {
                    waiting.progress.tell(step);
                }
            }
            _ => {}
        }
    }

    /// Answers all that waits, and all that comes, with nothing.
    fn close(&self) {
        self.waiting().take();
    }
}

/// A program that has said who it is.
struct Running {
    process: Process,
    link: Arc<Link>,
    /// None once the program was told to end.
    input: Option<ChildStdin>,
    outgoing: mpsc::Receiver<Message>,
    lines: FramedRead<tokio::process::ChildStdout, LinesCodec>,
}

impl Running {
    async fn start(options: &PluginOptions, program: &str) -> Result<(Self, Welcome), Error> {
        let fail = |kind, message: String| Error::new(kind, "start the plugin", program, message);
        let (mut process, Pipes { mut input, output, errors }) = Process::start(options).map_err(|e| {
            let kind = match e.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::Unavailable,
            };
            fail(kind, e.to_string()).with_source(e)
        })?;
        tokio::spawn(log(program.to_owned(), errors));
        let mut lines = FramedRead::new(output, LinesCodec::new_with_max_length(options.longest));
        let hello = Message::request(0, "handshake", to_value(&Hello::ours())).line() + "\n";
        let shaking = async {
            // A program that does not read is noticed by what it does not answer.
            drop(input.write_all(hello.as_bytes()).await);
            tokio::select! {
                biased;
                line = lines.next() => line.transpose(),
                ended = process.ended() => Err(LinesCodecError::Io(std::io::Error::other(ended))),
            }
        };
        let line = match timeout(options.handshake, shaking).await {
            Err(_) => return Err(fail(ErrorKind::Unavailable, "it did not say who it is in time".into())),
            Ok(Err(LinesCodecError::Io(error))) => {
                return Err(fail(ErrorKind::Unavailable, format!("it has ended: {error}")));
            }
            Ok(Err(error)) => return Err(fail(ErrorKind::Unsupported, format!("it is no plugin: {error}"))),
            Ok(Ok(None)) => return Err(fail(ErrorKind::Unavailable, "it has ended without a word".into())),
            Ok(Ok(Some(line))) => line,
        };
        let answer: Option<Message> = serde_json::from_str(&line).ok().filter(|answer: &Message| answer.id == Some(0));
        let Some(answer) = answer else {
            return Err(fail(ErrorKind::Unsupported, "it is no plugin: it does not answer the handshake".into()));
        };
        if let Some(failure) = answer.error {
            let why = failure.into_error("start", &OrderId::new("", "", program));
            return Err(fail(ErrorKind::Unsupported, why.message().into()));
        }
        let welcome: Welcome = serde_json::from_value(answer.result.unwrap_or_default())
            .map_err(|e| fail(ErrorKind::Unsupported, format!("its answer to the handshake is wrong: {e}")))?;
        if welcome.version != VERSION {
            let message = format!("it speaks version {} of the protocol, and only {VERSION} is known", welcome.version);
            return Err(fail(ErrorKind::Unsupported, message));
        }
        let (sender, outgoing) = mpsc::channel(BACKLOG);
        let link =
            Arc::new(Link { outgoing: sender, waiting: Mutex::new(Some(HashMap::new())), number: AtomicU64::new(1) });
        Ok((Self { process, link, input: Some(input), outgoing, lines }, welcome))
    }

    /// Carries messages until the program ends or is told to, and says why.
    async fn attend(&mut self, stop: &CancellationToken, grace: Duration) -> String {
        let Self { process, link, input, outgoing, lines } = self;
        let writing = async {
            while let Some(message) = outgoing.recv().await {
                let line = message.line() + "\n";
                let Some(input) = input.as_mut() else { break };
                if let Err(error) = input.write_all(line.as_bytes()).await {
                    return format!("it does not read: {error}");
                }
            }
            std::future::pending().await
        };
        let reading = async {
            loop {
                match lines.next().await {
                    Some(Ok(line)) => match serde_json::from_str(&line) {
                        Ok(message) => link.hear(message),
                        Err(error) => return format!("it says what is no message: {error}"),
                    },
                    Some(Err(error)) => return format!("what it says cannot be read: {error}"),
                    None => return "it has closed its output".into(),
                }
            }
        };
        tokio::pin!(reading);
        let ended = tokio::select! {
            ended = &mut reading => Some(ended),
            ended = writing => Some(ended),
            ended = process.ended() => {
                // A child of it may hold the pipe open for ever.
                drop(timeout(LAST_WORDS, &mut reading).await);
                Some(ended)
            }
            () = stop.cancelled() => None,
        };
        if let Some(ended) = ended {
            return ended;
        }
        // The end of its input tells it to end.
        *input = None;
        drop(
            timeout(grace, async {
                tokio::select! {
                    _ = reading => {}
                    _ = process.ended() => {}
                }
            })
            .await,
        );
        "it was told to end".into()
    }
}

/// Passes on what a plugin says to people.
async fn log(program: String, errors: ChildStderr) {
    let mut lines = FramedRead::new(errors, LinesCodec::new_with_max_length(LONGEST_LOG));
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => tracing::info!(plugin = %program, "{line}"),
            Err(LinesCodecError::MaxLineLengthExceeded) => {}
            Err(LinesCodecError::Io(_)) => return,
        }
    }
}

#[cfg(test)]
mod tests;
