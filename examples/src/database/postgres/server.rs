//! One PostgreSQL server: its data directory and its process. Every function blocks.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::installation::{Account, Installation};

/// Role and database of the consumer.
pub(super) const APP: &str = "app";

const DATA: &str = "data";
const LOG: &str = "postgres.log";
const LOG_TAIL: u64 = 2048;
/// `ESRCH`: the process ended while its files were read.
const NO_SUCH_PROCESS: i32 = 3;
const STOP_SECONDS: &str = "20";
/// Small, because a platform runs many instances, each for one consumer.
const SETTINGS: [&str; 4] =
    ["listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=32MB", "max_connections=50"];

/// The servers this process has started and not yet waited for, by the directory of their order.
/// One that ends and is not waited for would look alive for ever, to PostgreSQL too. They are the
/// process's children, not a provider's: a provider that is closed and opened again still has them.
static CHILDREN: Mutex<BTreeMap<PathBuf, Child>> = Mutex::new(BTreeMap::new());

/// A server in the directory of its order.
#[derive(Debug)]
pub(super) struct Server<'a> {
    pub(super) installation: &'a Installation,
    pub(super) account: Option<&'a Account>,
    /// Directory of the order.
    pub(super) directory: PathBuf,
}

impl Server<'_> {
    /// Whether the data directory is there.
    pub(super) fn has_data(&self) -> io::Result<bool> {
        self.data().try_exists()
    }

    /// Makes the data directory with the consumer's role and database, all or nothing.
    ///
    /// Role and database are made in single-user mode, so the superuser never needs a password or
    /// an open door: the only way in is the consumer's.
    pub(super) fn init(&self, password: &str) -> io::Result<()> {
        // A process that was killed may have left an initdb that is still writing, so every
        // attempt has a directory of its own.
        let new = self.directory.join(format!("data.new-{:016x}", rand::random::<u64>()));
        self.remove_attempts()?;
        fs::create_dir(&new)?;
        if let Some(account) = self.account {
            chown(&new, Some(account.uid), Some(account.gid))?;
        }
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(&new).args([
            "-U",
            "postgres",
            "--auth=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        run(&mut initdb, "")?;
        let statements = format!("CREATE ROLE {APP} LOGIN PASSWORD '{password}'\nCREATE DATABASE {APP} OWNER {APP}\n");
        let mut single = self.command("postgres");
        single.args(["--single", "-F", "-c", "password_encryption=scram-sha-256", "-c", "exit_on_error=on", "-D"]);
        run(single.arg(&new).arg("postgres"), &statements)?;
        fs::write(new.join("pg_hba.conf"), format!("host {APP} {APP} 127.0.0.1/32 scram-sha-256\n"))?;
        run(self.command("initdb").arg("--sync-only").arg("-D").arg(&new), "")?;
        fs::rename(&new, self.data())
    }

    /// Starts the server; it lives on when this process ends.
    pub(super) fn start(&self, port: u16) -> io::Result<()> {
        let log = OpenOptions::new().append(true).create(true).open(self.directory.join(LOG))?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-p").arg(port.to_string());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        // A group of its own, so that Ctrl-C in a terminal does not stop it.
        let child = command.process_group(0).stdout(log.try_clone()?).stderr(log).spawn()?;
        children().insert(self.directory.clone(), child);
        Ok(())
    }

    /// Whether the server process is there.
    pub(super) fn is_running(&self) -> io::Result<bool> {
        let started_here = {
            let mut children = children();
            match children.get_mut(&self.directory).map(Child::try_wait).transpose()? {
                Some(None) => true,
                Some(Some(_)) => {
                    children.remove(&self.directory);
                    false
                }
                None => false,
            }
        };
        Ok(started_here || self.process()?.is_some())
    }

    /// Stops the server and waits for its end; one that is not running is stopped.
    pub(super) fn stop(&self) -> io::Result<()> {
        if self.process()?.is_some() {
            let stop = |mode| {
                run(self.command("pg_ctl").args(["stop", "-t", STOP_SECONDS, "-m", mode, "-D"]).arg(self.data()), "")
            };
            stop("fast").or_else(|_| stop("immediate"))?;
        }
        let child = children().remove(&self.directory);
        if let Some(mut child) = child {
            // Running still only if it had not got as far as writing its pid file.
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// The end of the server's log, for people.
    pub(super) fn last_words(&self) -> io::Result<String> {
        let mut log = fs::File::open(self.directory.join(LOG))?;
        let length = log.metadata()?.len();
        log.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
        let mut tail = Vec::new();
        log.read_to_end(&mut tail)?;
        let tail = String::from_utf8_lossy(&tail);
        let fatal = tail.lines().rev().find(|line| line.contains("FATAL") || line.contains("PANIC"));
        Ok(fatal.or_else(|| tail.lines().next_back()).unwrap_or_default().to_owned())
    }

    /// The server's process, as its pid file says, if that process is this server: after a crash
    /// the number in the file may have become somebody else's.
    fn process(&self) -> io::Result<Option<u32>> {
        let file = match fs::read_to_string(self.data().join("postmaster.pid")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(pid) = file.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) else { return Ok(None) };
        Ok(has_argument(pid, &self.data().to_string_lossy())?.then_some(pid))
    }

    fn data(&self) -> PathBuf {
        self.directory.join(DATA)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.installation.command(program, self.account);
        command.current_dir(&self.directory);
        command
    }

    fn remove_attempts(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("data.new-") {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

fn children() -> MutexGuard<'static, BTreeMap<PathBuf, Child>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks [`free_port`] for whichever there is.
pub(super) const ANY_PORT: u16 = 0;

/// A port of the loopback interface that nobody listens on: the wanted one if it can be had.
pub(super) fn free_port(wanted: u16) -> io::Result<u16> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr();
    bind(wanted).or_else(|_| bind(ANY_PORT)).map(|address| address.port())
}

/// Runs a program to its end; a failure carries what it printed.
fn run(command: &mut Command, input: &str) -> io::Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            // A program that ended early says why below.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other?,
        }
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("{program} ended with {}: {words}", output.status)))
}

/// Whether the process runs and has this argument.
fn has_argument(pid: u32, argument: &str) -> io::Result<bool> {
    if !Path::new("/proc/self/cmdline").exists() {
        let output = Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output()?;
        return Ok(String::from_utf8_lossy(&output.stdout).contains(argument));
    }
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(line) => Ok(line.split(|byte| *byte == 0).any(|part| part == argument.as_bytes())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.raw_os_error() == Some(NO_SUCH_PROCESS) => Ok(false),
        Err(error) => Err(error),
    }
}
