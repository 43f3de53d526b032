//! Processes of an agent.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use super::site::Site;

/// Namespace on the service cluster that agents are given.
pub(crate) const NAMESPACE: &str = "syncagent";
/// How much of a log is shown when something has failed.
const LOG_TAIL: usize = 40;

/// Runs a program until it is told a signal, and kills it when nobody is left to tell it any.
///
/// Its exit code is the program's.
const GUARD: &str = r#""$@" & pid=$!; read -r signal; kill -"${signal:-KILL}" "$pid"; wait "$pid""#;

/// A running agent; killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    guard: Child,
    log: PathBuf,
}

impl Program {
    /// Starts our agent; `name` is that of its log file.
    pub(crate) fn start(site: &Site, name: &str, flags: &[String]) -> Self {
        Self::start_as(Path::new(env!("CARGO_BIN_EXE_kdp-syncagent")), site, name, flags)
    }

    /// Starts our agent with more in its environment.
    #[cfg(feature = "otlp")]
    pub(crate) fn start_with(environment: &[(&str, String)], site: &Site, name: &str, flags: &[String]) -> Self {
        let ours = Path::new(env!("CARGO_BIN_EXE_kdp-syncagent"));
        Self::spawn(ours, environment, site, name, flags)
    }

    /// Starts an agent that takes the same flags.
    pub(crate) fn start_as(binary: &Path, site: &Site, name: &str, flags: &[String]) -> Self {
        Self::spawn(binary, &[], site, name, flags)
    }

    fn spawn(binary: &Path, environment: &[(&str, String)], site: &Site, name: &str, flags: &[String]) -> Self {
        let log = site.folder.join(format!("{name}.log"));
        let output = File::create(&log).unwrap();
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(binary)
            .args(flags)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { guard, log }
    }

    /// Tells it to end, and waits until it has ended.
    pub(crate) async fn terminate(self) -> ExitStatus {
        self.end("TERM").await
    }

    /// Ends it wherever it is.
    pub(crate) async fn kill(self) {
        self.end("KILL").await;
    }

    /// The last lines it has logged.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
    }

    async fn end(mut self, signal: &str) -> ExitStatus {
        writeln!(self.guard.stdin.as_mut().unwrap(), "{signal}").unwrap();
        loop {
            if let Some(status) = self.guard.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The flags of an agent on a site; `more` follow them.
pub(crate) fn flags(site: &Site, export: &str, agent: &str, more: &[&str]) -> Vec<String> {
    let mut flags = vec![
        format!("--kcp-kubeconfig={}", site.kcp_kubeconfig.display()),
        format!("--kubeconfig={}", site.service_kubeconfig.display()),
        format!("--namespace={NAMESPACE}"),
        format!("--apiexportendpointslice-ref={export}"),
        format!("--agent-name={agent}"),
        "--metrics-address=0".to_owned(),
    ];
    flags.extend(more.iter().map(|&flag| flag.to_owned()));
    flags
}

/// Runs our agent to its end, which has to come by itself.
pub(crate) fn run(flags: &[String]) -> Output {
    Command::new("timeout").arg("20").arg(env!("CARGO_BIN_EXE_kdp-syncagent")).args(flags).output().unwrap()
}
