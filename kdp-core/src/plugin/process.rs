//! One run of the program of a plugin.

use std::{collections::BTreeMap, ffi::OsString, fmt, io, path::PathBuf, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::wire::COOKIE;

/// How a plugin is started, and what it may cost.
#[derive(Clone)]
#[non_exhaustive]
pub struct PluginOptions {
    pub(super) program: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    /// How long it may take to say who it is; ten seconds.
    pub handshake: Duration,
    /// How long it has to end once it is told to; five seconds.
    pub grace: Duration,
    /// How many requests it works on at once; what is more waits. 64.
    pub requests: usize,
    /// The longest message it may send, in bytes; 16 MiB.
    pub longest: usize,
}

impl PluginOptions {
    /// A program without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            directory: None,
            handshake: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            requests: 64,
            longest: 16 << 20,
        }
    }

    /// The same with one more argument.
    #[must_use]
    pub fn with_argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The same; the program finds this variable in its environment. It inherits nothing but `PATH`.
    #[must_use]
    pub fn with_environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// The same; the program runs in this directory.
    #[must_use]
    pub fn in_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }
}

impl fmt::Debug for PluginOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of the environment are credentials.
        f.debug_struct("PluginOptions").field("program", &self.program).finish_non_exhaustive()
    }
}

/// A program at work, in a process group of its own that ends with it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
}

/// The ends of its pipes.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) input: ChildStdin,
    pub(super) output: ChildStdout,
    pub(super) errors: ChildStderr,
}

impl Process {
    pub(super) fn start(options: &PluginOptions) -> io::Result<(Self, Pipes)> {
        let mut command = Command::new(&options.program);
        command.args(&options.arguments).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(&options.environment).env(COOKIE, "1");
        if let Some(directory) = &options.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
        let group = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("a pipe is missing"));
        };
        Ok((Self { child, group }, Pipes { input, output, errors }))
    }

    /// Waits until the program itself has ended. Cancel-safe.
    pub(super) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

impl Drop for Process {
    /// Kills the program and all it has started.
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // There may be nobody left in it.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
