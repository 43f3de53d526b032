//! Backups, made and read by the programs of PostgreSQL itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use kdp_core::{Error, ErrorKind, provider::OrderId};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::PostgresDatabases;

impl PostgresDatabases {
    /// Writes a copy of a database, and returns its size and its SHA-256 in lower hex.
    pub(super) async fn dump(&self, id: &OrderId, database: &str, file: &Path) -> Result<(u64, String), Error> {
        let unfinished = file.with_extension("unfinished");
        // pg_dump keeps the rights of a file that is there, and this is a tenant's data.
        private(&unfinished)
            .map_err(|e| Error::new(ErrorKind::Unavailable, "back up", id, e.to_string()).with_source(e))?;
        let mut command = self.command("pg_dump", database);
        command.args(["--format=custom", "--no-owner", "--no-privileges", "--file"]).arg(&unfinished);
        run(id, command).await?;
        let (unfinished, file) = (unfinished.clone(), file.to_owned());
        let finish = move || -> io::Result<(u64, String)> {
            let mut dump = fs::File::open(&unfinished)?;
            let mut digest = Sha256::new();
            let size = io::copy(&mut dump, &mut digest)?;
            dump.sync_all()?;
            fs::rename(&unfinished, &file)?;
            Ok((size, format!("{:x}", digest.finalize())))
        };
        let finished = tokio::task::spawn_blocking(finish).await.unwrap_or_else(|e| Err(io::Error::other(e)));
        finished.map_err(|e| Error::new(ErrorKind::Unavailable, "back up", id, e.to_string()).with_source(e))
    }

    /// Reads a copy into an empty database, all of it or nothing, as what `owner` has.
    pub(super) async fn load(&self, id: &OrderId, database: &str, owner: &str, file: &Path) -> Result<(), Error> {
        let mut command = self.command("pg_restore", database);
        command.args(["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", "--role", owner]);
        command.arg("--dbname").arg(database).arg(file);
        run(id, command).await
    }

    fn command(&self, program: &str, database: &str) -> Command {
        let program = match &self.options.programs {
            Some(directory) => directory.join(program),
            None => PathBuf::from(program),
        };
        let (host, port) = self.server.address();
        let config = self.server.config();
        let mut command = Command::new(program);
        command.env_clear().env("PGHOST", host).env("PGPORT", port.to_string()).env("PGDATABASE", database);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.env("PGUSER", config.get_user().unwrap_or("postgres")).env("PGCONNECT_TIMEOUT", "10");
        // In the environment, which others on the machine cannot read, and not among the arguments.
        if let Some(password) = config.get_password() {
            command.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
        }
        command
    }
}

/// Makes an empty file that nobody else may read.
fn private(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

async fn run(id: &OrderId, mut command: Command) -> Result<(), Error> {
    let fail = |message: String| Error::new(ErrorKind::Unavailable, "copy", id, message);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ended = command.output().await.map_err(|e| {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        fail(format!("{program} cannot be run: {e}")).with_source(e)
    })?;
    if ended.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&ended.stderr);
    Err(fail(errors.lines().last().unwrap_or("it failed without a word").to_owned()))
}
