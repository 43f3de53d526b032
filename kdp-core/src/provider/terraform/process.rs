//! Running the engine: attended, interrupted gracefully, and found again by a process that comes later.
//!
//! The engine writes to files, because a pipe breaks with the process that reads it, and would take an
//! engine in the middle of its work with it. It inherits the lock on the file of its output, so whoever
//! gets that lock knows that it has ended.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    process::Command,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::place;

const GLANCE: Duration = Duration::from_millis(100);
/// How long a killed process may take to be gone.
const LONGEST_DEATH: Duration = Duration::from_secs(10);
/// More than any engine has to say; what is longer is cut off.
const MOST_OUTPUT: u64 = 256 << 20;
const MOST_ERRORS: u64 = 64 << 10;

/// Names the directory of a run in the environment of its engine.
const MARK: &str = "KDP_TERRAFORM_RUN";

/// The directory of one run of the engine.
#[derive(Clone, Debug)]
pub(super) struct RunFiles(pub(super) PathBuf);

impl RunFiles {
    fn output(&self) -> PathBuf {
        self.0.join("out")
    }

    fn errors(&self) -> PathBuf {
        self.0.join("err")
    }

    fn pid(&self) -> PathBuf {
        self.0.join("pid")
    }

    /// What the engine has said; none when it was never started.
    pub(super) fn read_output(&self) -> io::Result<Option<String>> {
        match File::open(self.output()) {
            Ok(file) => read_text(file, MOST_OUTPUT).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether sending the interrupt falls to this caller: a second one makes the engine drop everything.
    fn may_interrupt(&self) -> bool {
        File::create_new(self.0.join("interrupted")).is_ok()
    }
}

/// Until when an engine may go on.
#[derive(Debug)]
pub(super) struct Patience {
    pub(super) stop: CancellationToken,
    pub(super) until: Instant,
    /// How long it has to end after it was interrupted.
    pub(super) grace: Duration,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) output: String,
    pub(super) errors: String,
    /// It was interrupted from here.
    pub(super) is_interrupted: bool,
}

/// Runs the engine to its end, and tells each full line of its output as it comes.
///
/// When the future is dropped the engine goes on, unless the command says otherwise.
pub(super) async fn run(
    mut command: Command,
    files: &RunFiles,
    patience: Patience,
    mut hear: impl FnMut(&str),
) -> io::Result<Ended> {
    let (output, errors) = (place::create(&files.output())?, place::create(&files.errors())?);
    output.try_lock().map_err(io::Error::from)?;
    command.env(MARK, &files.0).stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
    let mut child = command.spawn()?;
    // The lock is the engine's alone from here on.
    drop(command);
    let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    if let Some(pid) = pid {
        place::replace(&files.pid(), pid.as_raw_nonzero().to_string().as_bytes())?;
    }

    let mut tail = Tail { file: File::open(files.output())?, rest: Vec::new() };
    let mut glance = interval(GLANCE);
    glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut kill_at = None;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = glance.tick() => tail.read(&mut hear)?,
            () = over(&patience), if kill_at.is_none() => {
                kill_at = Some(Instant::now() + patience.grace);
                if files.may_interrupt() {
                    signal(pid, Signal::INT);
                }
            }
            () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                kill(pid);
                break child.wait().await?;
            }
        }
    };
    tail.read(&mut hear)?;
    let output = files.read_output()?.unwrap_or_default();
    let errors = read_text(File::open(files.errors())?, MOST_ERRORS)?;
    Ok(Ended { status, output, errors, is_interrupted: kill_at.is_some() })
}

/// Waits for the end of an engine that an earlier process has left at work here, which it is told to come to.
///
/// # Errors
/// `TimedOut` when it does not end even when it is killed.
pub(super) async fn outlive(files: &RunFiles, grace: Duration) -> io::Result<()> {
    let output = match File::open(files.output()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        output => output?,
    };
    if is_ended(&output)? {
        return Ok(());
    }
    let pid = find(files);
    if files.may_interrupt() {
        signal(pid, Signal::INT);
    }
    if ends_within(&output, grace).await? {
        return Ok(());
    }
    kill(pid);
    if ends_within(&output, LONGEST_DEATH).await? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "an engine that was left at work does not end"))
}

async fn over(patience: &Patience) {
    tokio::select! {
        () = patience.stop.cancelled() => {}
        () = sleep_until(patience.until) => {}
    }
}

async fn ends_within(output: &File, limit: Duration) -> io::Result<bool> {
    let until = Instant::now() + limit;
    loop {
        if is_ended(output)? {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        sleep(GLANCE).await;
    }
}

fn is_ended(output: &File) -> io::Result<bool> {
    match output.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The engine that works in this directory. It is alive, so its number was given to nobody else.
fn find(files: &RunFiles) -> Option<Pid> {
    let noted = fs::read_to_string(files.pid()).ok().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    noted.or_else(|| {
        // The process that started it did not live to write the number down.
        let mark = format!("{MARK}={}", files.0.display());
        let is_marked = |path: &Path| {
            fs::read(path.join("environ"))
                .is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == mark.as_bytes()))
        };
        let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let marked = processes.filter(|path| is_marked(path));
        // Plugins and programs of resources inherit the mark; the engine is the oldest.
        marked.filter_map(|path| path.file_name()?.to_str()?.parse().ok()).min().and_then(Pid::from_raw)
    })
}

fn signal(pid: Option<Pid>, signal: Signal) {
    if let Some(pid) = pid {
        // It may have ended in the meantime, which is as good.
        let _ = kill_process(pid, signal);
    }
}

/// Kills the engine with its plugins and all programs of its resources.
fn kill(pid: Option<Pid>) {
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// Reads what is added to a file.
struct Tail {
    file: File,
    rest: Vec<u8>,
}

impl Tail {
    fn read(&mut self, hear: &mut impl FnMut(&str)) -> io::Result<()> {
        (&mut self.file).take(MOST_OUTPUT).read_to_end(&mut self.rest)?;
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
        let lines: Vec<u8> = self.rest.drain(..end).collect();
        String::from_utf8_lossy(&lines).lines().for_each(hear);
        Ok(())
    }
}

fn read_text(mut file: File, most: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
