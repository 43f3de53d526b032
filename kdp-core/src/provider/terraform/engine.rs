//! The engine as this provider runs it: in a directory of its own, with an environment of its own.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{process::Command, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    binary::Binary,
    module::Module,
    options::{Plugins, TerraformOptions},
    place::{Base, ModulePlace, OrderPlace},
    process::{self, Ended, Patience, RunFiles},
    stream::{Diagnostic, Event},
};
use crate::{
    Error, ErrorKind,
    provider::{OrderId, Redactor, Run},
};

/// Preparing a module may download plugins.
const LONGEST_PREPARATION: Duration = Duration::from_secs(1800);
/// The longest message of an engine that people are told.
const LONGEST_MESSAGE: usize = 2000;

/// A program, where it works, and what it is given.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) binary: Binary,
    pub(super) base: Base,
    pub(super) plugins: Plugins,
    environment: Vec<(String, String)>,
    grace: Duration,
}

impl Engine {
    pub(super) fn open(binary: Binary, directory: PathBuf, options: &TerraformOptions) -> io::Result<Self> {
        Ok(Self {
            binary,
            base: Base::open(directory, &options.plugins)?,
            plugins: options.plugins.clone(),
            environment: options.environment.clone().into_iter().collect(),
            grace: options.grace,
        })
    }

    /// Prepares the engine for a module, once for all orders: plugins and modules it needs are taken now.
    ///
    /// The engine reads a state meanwhile, but nothing of it is kept.
    pub(super) async fn prepare(
        &self,
        module: &Module,
        sensitive: &[String],
        id: &OrderId,
        state: &[(String, String)],
    ) -> Result<ModulePlace, Error> {
        let place = self.base.module(module, &self.binary, &self.plugins);
        if place.is_ready() {
            return Ok(place);
        }
        let failed = |e| unavailable("prepare", id, e);
        let (writing, module, sensitive) = (place.clone(), module.clone(), sensitive.to_vec());
        // It waits for others who prepare the same module.
        let written = tokio::task::spawn_blocking(move || writing.write(&module, sensitive.into_iter()));
        let _lock = written.await.map_err(|e| failed(io::Error::other(e)))?.map_err(failed)?;
        if place.is_ready() {
            return Ok(place);
        }
        let scratch = tempfile::tempdir().map_err(failed)?;
        let mut command = self.command(&place.files(), &place, scratch.path(), state);
        command.args(["init", "-json", "-input=false", "-no-color"]).kill_on_drop(true);
        if self.plugins == Plugins::Registry {
            command.env("TF_PLUGIN_CACHE_DIR", self.base.plugins());
        }
        let limits = self.patience(&CancellationToken::new(), None, LONGEST_PREPARATION);
        let files = RunFiles(scratch.path().into());
        let ended = process::run(command, &files, limits, |_| {}).await.map_err(failed)?;
        if !ended.status.success() {
            return Err(failure("prepare", id, &ended, &Redactor::new()));
        }
        place.set_ready().map_err(failed)?;
        Ok(place)
    }

    /// A command on a prepared module, in the directory of an order.
    ///
    /// It inherits nothing but the `PATH`.
    pub(super) fn command(
        &self,
        work: &Path,
        module: &ModulePlace,
        scratch: &Path,
        state: &[(String, String)],
    ) -> Command {
        let mut command = Command::new(self.binary.path());
        command.env_clear().current_dir(work);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("HOME", scratch).env("TMPDIR", scratch);
        command.env("TF_CLI_CONFIG_FILE", self.base.settings()).env("TF_DATA_DIR", module.data());
        command.env("TF_IN_AUTOMATION", "1").env("TF_INPUT", "0").env("CHECKPOINT_DISABLE", "1");
        command.envs(state.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A command in the directory of an order.
    pub(super) fn command_for(
        &self,
        order: &OrderPlace,
        module: &ModulePlace,
        scratch: &Path,
        state: &[(String, String)],
    ) -> io::Result<Command> {
        Ok(self.command(&order.work(module)?, module, scratch, state))
    }

    /// How long an operation may go on.
    pub(super) fn patience(&self, stop: &CancellationToken, run: Option<&Run>, limit: Duration) -> Patience {
        let until = Instant::now() + limit;
        let until = run.and_then(|run| run.deadline).map_or(until, |deadline| deadline.min(until));
        Patience { stop: stop.clone(), until, grace: self.grace }
    }

    /// Waits until nobody works in the directory any more.
    pub(super) async fn outlive(&self, files: &RunFiles, id: &OrderId) -> Result<(), Error> {
        process::outlive(files, self.grace).await.map_err(|e| unavailable("work on", id, e))
    }
}

/// What went wrong with the machine.
pub(super) fn unavailable(op: &'static str, id: &OrderId, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, op, id, error.to_string()).with_source(error)
}

/// What went wrong with a run, from what the engine said.
pub(super) fn failure(op: &'static str, id: &OrderId, ended: &Ended, redactor: &Redactor) -> Error {
    let diagnostics: Vec<_> = ended.output.lines().filter_map(Event::parse).filter_map(error_of).collect();
    let kind = match &*diagnostics {
        _ if ended.is_interrupted => ErrorKind::Unavailable,
        [one, ..] if one.is_stale_plan() => ErrorKind::Stale,
        all if !all.is_empty() && all.iter().all(|one| one.variable().is_some() || one.is_refusal()) => {
            ErrorKind::Invalid
        }
        _ => ErrorKind::Internal,
    };
    let texts = diagnostics.iter().map(|one| match one.variable() {
        Some(variable) => format!("{variable}: {one}"),
        None => one.to_string(),
    });
    let mut message = texts.collect::<Vec<_>>().join("; ");
    if message.is_empty() {
        let errors = ended.errors.split_whitespace().collect::<Vec<_>>().join(" ");
        message = format!("the engine ended with {}: {errors}", ended.status);
    }
    if ended.is_interrupted {
        message = format!("it was interrupted: {message}");
    }
    Error::new(kind, op, id, shortened(redactor.redact(&message)))
}

fn error_of(event: Event) -> Option<Diagnostic> {
    match event {
        Event::Diagnostic(diagnostic) if diagnostic.is_error => Some(diagnostic),
        _ => None,
    }
}

fn shortened(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message.push('…');
    }
    message
}
