//! A PostgreSQL server for one test.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use kdp_core::{
    Error,
    plugin::PluginOptions,
    provider::{Lease, Observation, Order, OrderId, Phase, Provider, Run},
};
use kdp_examples::postgres::{PostgresDatabases, PostgresOptions};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

const PASSWORD: &str = "superuser-and-secret";

/// A server, which ends with it.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
}

impl Place {
    /// None, loudly, where there is no PostgreSQL.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(crate) async fn new() -> Option<Self> {
        let Some(bin) = programs() else {
            let is_required = std::env::var_os("KDP_REQUIRE_POSTGRES").is_some();
            assert!(!is_required, "KDP_REQUIRE_POSTGRES is set, and there are no server programs");
            eprintln!("SKIPPED: there is no PostgreSQL; KDP_REQUIRE_POSTGRES makes it required");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        // Whatever is free now is usually free a moment later.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(directory.path().join("password"), PASSWORD).unwrap();
        let place = Self { directory, bin, port };
        if let Some((uid, gid)) = account() {
            for path in [place.directory.path().to_owned(), place.directory.path().join("password")] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
        let mut initdb = place.command("initdb");
        initdb.args(["--username=postgres", "--auth=scram-sha-256", "--no-sync", "--pwfile"]);
        run(initdb.arg(place.directory.path().join("password")).arg("--pgdata").arg(place.data()));
        place.start().await;
        Some(place)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = account() {
            std::os::unix::process::CommandExt::uid(&mut command, uid);
            std::os::unix::process::CommandExt::gid(&mut command, gid);
        }
        command
    }

    pub(crate) async fn start(&self) {
        let options =
            format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off", self.port);
        run(self
            .command("pg_ctl")
            .args(["start", "--wait", "--options", &options, "--log"])
            .arg(self.directory.path().join("log"))
            .arg("--pgdata")
            .arg(self.data()));
    }

    pub(crate) fn stop(&self) {
        run(self.command("pg_ctl").args(["stop", "--wait", "--mode=immediate", "--pgdata"]).arg(self.data()));
    }

    fn connection(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres password={PASSWORD}", self.port)
    }

    pub(crate) fn options(&self, registry: &str) -> PostgresOptions {
        PostgresOptions::new(&self.connection())
            .unwrap()
            .with_registry(registry)
            .with_backups(self.directory.path())
            .with_programs(&self.bin)
    }

    /// The same as a program of its own.
    pub(crate) fn plugin(&self, registry: &str) -> PluginOptions {
        PluginOptions::new(env!("CARGO_BIN_EXE_kdp-provider-postgres"))
            .with_environment("KDP_POSTGRES", self.connection())
            .with_argument("--registry")
            .with_argument(registry)
    }

    pub(crate) async fn open(&self) -> PostgresDatabases {
        PostgresDatabases::open(self.options("kdp")).await.unwrap()
    }

    pub(crate) async fn superuser(&self, database: &str) -> Client {
        connect(&format!("{} dbname={database}", self.connection())).await.unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut command = self.command("pg_ctl");
        drop(command.args(["stop", "--mode=immediate", "--pgdata"]).arg(self.data()).status());
    }
}

/// Connects as whoever the text says.
pub(crate) async fn connect(text: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(text, NoTls).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

pub(crate) fn run_of(lease: u64) -> Run {
    Run::new(Lease(lease)).with_holder("a test")
}

pub(crate) fn order(uid: &str, spec: Value) -> Order {
    Order::new(OrderId::new(uid, "team", "database"), 1, spec)
}

/// Plans and applies until it is in this phase.
pub(crate) async fn reach(provider: &PostgresDatabases, order: &Order, phase: Phase) -> Observation {
    let started = Instant::now();
    loop {
        let outcome = once(provider, order).await;
        match outcome {
            Ok(seen) if seen.phase == phase => return seen,
            outcome => assert!(started.elapsed() < Duration::from_secs(30), "{outcome:?}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn once(provider: &PostgresDatabases, order: &Order) -> Result<Observation, Error> {
    let plan = provider.plan(order, &run_of(1)).await?;
    provider.apply(order, &plan.hash(), &run_of(1)).await
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// The directory of the server programs.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let packages = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let packaged = packages.map(|version| version.path().join("bin"));
    let mut all: Vec<_> = std::env::split_paths(&path).chain(packaged).collect();
    all.retain(|bin| ["initdb", "pg_ctl", "pg_dump"].iter().all(|program| bin.join(program).is_file()));
    all.pop()
}

/// Whose the server is, because it does not run as root.
fn account() -> Option<(u32, u32)> {
    let is_root = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0;
    if !is_root {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let mut fields = accounts.lines().find_map(|line| line.strip_prefix("postgres:"))?.split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The files of a directory whose names end so.
pub(crate) fn files(directory: &Path, end: &str) -> usize {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(end)).count()
}
