//! A provider as a plugin: the other end.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, timeout},
};
use tokio_util::{
    codec::{FramedRead, LinesCodec},
    sync::CancellationToken,
};

use super::wire::{
    ActParams, ApplyParams, COOKIE, DeleteParams, Hello, ImportParams, Message, ObserveParams, PROTOCOL, PlanParams,
    Told, VERSION, Welcome, WireRun, to_value,
};
use crate::{
    Error, ErrorKind,
    provider::{Operation, Progress, Provider, Run},
};

/// How long operations may go on once the platform is gone.
const GRACE: Duration = Duration::from_secs(5);
const BACKLOG: usize = 256;
const LONGEST: usize = 64 << 20;
const OPERATIONS: [Operation; 6] =
    [Operation::Plan, Operation::Apply, Operation::Observe, Operation::Delete, Operation::Import, Operation::Act];

/// Serves a provider to the platform that has started this program, until that closes the input.
///
/// Nothing else may be written to the standard output; logs go to the standard error.
///
/// # Errors
/// `Unsupported` when the program was started by a person; `Unavailable` when the platform cannot be
/// written to.
pub async fn serve(provider: impl Provider) -> Result<(), Error> {
    if std::env::var_os(COOKIE).is_none() {
        let message = "this is a plugin; a platform starts it, and nobody else has to";
        return Err(Error::new(ErrorKind::Unsupported, "serve", provider.name(), message));
    }
    serve_on(provider, tokio::io::stdin(), tokio::io::stdout()).await
}

/// Serves a provider over any two pipes, until the input ends.
///
/// # Errors
/// `Unavailable` when the output cannot be written to.
pub async fn serve_on(
    provider: impl Provider,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), Error> {
    let provider: Arc<dyn Provider> = Arc::new(provider);
    let failed =
        |e: std::io::Error| Error::new(ErrorKind::Unavailable, "answer", provider.name(), e.to_string()).with_source(e);
    let (sender, mut outgoing) = mpsc::channel::<Message>(BACKLOG);
    let mut lines = FramedRead::new(input, LinesCodec::new_with_max_length(LONGEST));
    let mut work =
        Work { provider: provider.clone(), outgoing: sender, tasks: JoinSet::new(), running: HashMap::new() };
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Some(Ok(line)) => work.hear(&line),
                // The platform is gone, or is none.
                Some(Err(_)) | None => break,
            },
            Some(message) = outgoing.recv() => {
                let line = message.line() + "\n";
                output.write_all(line.as_bytes()).await.map_err(failed)?;
                output.flush().await.map_err(failed)?;
            }
            Some(_) = work.tasks.join_next() => {}
        }
    }
    work.running.values().for_each(|(_, stop)| stop.cancel());
    let mut tasks = work.tasks;
    // Whoever reads the answers is gone.
    outgoing.close();
    drop(timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await);
    Ok(())
}

/// The requests under way.
struct Work {
    provider: Arc<dyn Provider>,
    outgoing: mpsc::Sender<Message>,
    tasks: JoinSet<()>,
    running: HashMap<u64, (AbortHandle, CancellationToken)>,
}

impl Work {
    fn hear(&mut self, line: &str) {
        self.running.retain(|_, (task, _)| !task.is_finished());
        let Ok(message) = serde_json::from_str::<Message>(line) else { return };
        let params = message.params.unwrap_or_default();
        match (message.id, message.method.as_deref()) {
            (Some(id), Some(method)) => self.begin(id, method.to_owned(), params),
            (None, Some(method @ ("cancel" | "stop"))) => {
                let about = params["id"].as_u64().and_then(|id| self.running.get(&id));
                match about {
                    Some((task, _)) if method == "cancel" => task.abort(),
                    Some((_, stop)) => stop.cancel(),
                    None => {}
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, id: u64, method: String, params: Value) {
        let (provider, outgoing, stop) = (self.provider.clone(), self.outgoing.clone(), CancellationToken::new());
        let (progress, mut steps) = Progress::channel(BACKLOG);
        let context = Context { progress, stop: stop.clone() };
        let task = self.tasks.spawn(async move {
            let working = answer(&*provider, &method, params, &context);
            tokio::pin!(working);
            let outcome = loop {
                tokio::select! {
                    biased;
                    Some(step) = steps.recv() => {
                        let told = Message::notification("progress", to_value(&Told { id, step }));
                        drop(outgoing.send(told).await);
                    }
                    outcome = &mut working => break outcome,
                }
            };
            while let Ok(step) = steps.try_recv() {
                drop(outgoing.send(Message::notification("progress", to_value(&Told { id, step }))).await);
            }
            drop(outgoing.send(Message::answer(id, outcome)).await);
        });
        self.running.insert(id, (task, stop));
    }
}

/// What a run on this side needs.
struct Context {
    progress: Progress,
    stop: CancellationToken,
}

impl Context {
    fn run(&self, wire: WireRun) -> Run {
        let deadline = wire.deadline_ms.and_then(|left| Instant::now().checked_add(Duration::from_millis(left)));
        Run::new(wire.lease)
            .with_holder(wire.holder)
            .with_progress(self.progress.clone())
            .until(self.stop.clone(), deadline)
    }
}

async fn answer(provider: &dyn Provider, method: &str, params: Value, context: &Context) -> Result<Value, Error> {
    match method {
        "handshake" => welcome(provider, &read(method, params)?),
        "plan" => {
            let PlanParams { order, run } = read(method, params)?;
            json(provider.plan(&order, &context.run(run))).await
        }
        "apply" => {
            let ApplyParams { order, hash, plan: _, run } = read(method, params)?;
            json(provider.apply(&order, &hash, &context.run(run))).await
        }
        "observe" => {
            let ObserveParams { order, sealed } = read(method, params)?;
            json(provider.observe(&order, sealed.as_ref())).await
        }
        "delete" => {
            let DeleteParams { sealed, run } = read(method, params)?;
            json(provider.delete(&sealed, &context.run(run))).await
        }
        "import" => {
            let ImportParams { order, existing, run } = read(method, params)?;
            json(provider.import(&order, &existing, &context.run(run))).await
        }
        "act" => {
            let ActParams { order, call, run } = read(method, params)?;
            json(provider.act(&order, &call, &context.run(run))).await
        }
        other => Err(Error::new(ErrorKind::Unsupported, "answer", other, format!("there is no method {other:?}"))),
    }
}

fn welcome(provider: &dyn Provider, hello: &Hello) -> Result<Value, Error> {
    if hello.protocol != PROTOCOL || !hello.versions.contains(&VERSION) {
        let message = format!("only version {VERSION} of {PROTOCOL} is spoken here");
        return Err(Error::new(ErrorKind::Unsupported, "serve", provider.name(), message));
    }
    let weight = |operation: Operation| (operation.as_str().to_owned(), provider.weight(operation).as_mib());
    Ok(to_value(&Welcome {
        version: VERSION,
        name: provider.name().into(),
        actions: provider.actions(),
        weights: OPERATIONS.map(weight).into(),
        checks_plans: true,
    }))
}

fn read<T: DeserializeOwned>(method: &str, params: Value) -> Result<T, Error> {
    serde_json::from_value(params).map_err(|e| Error::new(ErrorKind::Invalid, "answer", method, format!("params: {e}")))
}

async fn json<T: serde::Serialize>(operation: impl Future<Output = Result<T, Error>>) -> Result<Value, Error> {
    operation.await.map(|value| to_value(&value))
}
