//! The program that a platform starts as a plugin.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::Parser;
use kdp_core::{Error, plugin};

use super::{PostgresDatabases, PostgresOptions};

/// Provides databases in a PostgreSQL server that many tenants share, as a plugin of a KDP platform.
///
/// The platform starts it. How to reach the server as a superuser stands in the environment variable
/// KDP_POSTGRES, such as "host=db.internal user=postgres password=...".
#[derive(Debug, Parser)]
#[command(name = "kdp-provider-postgres", version)]
struct Flags {
    /// Database that keeps what the provider has to remember.
    #[arg(long, default_value = "kdp")]
    registry: String,
    /// Directory for backups; without it there are none.
    #[arg(long)]
    backups: Option<PathBuf>,
    /// Directory of pg_dump and pg_restore, where they are not on the PATH.
    #[arg(long)]
    programs: Option<PathBuf>,
    /// An extension that can be ordered; several times for several.
    #[arg(long = "extension")]
    extensions: Vec<String>,
}

const SERVER: &str = "KDP_POSTGRES";

/// Runs the program.
pub async fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let flags = match Flags::try_parse_from(arguments) {
        Ok(flags) => flags,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a program says why it ends; its standard output is the platform's")]
fn complain(error: &Error) {
    eprintln!("kdp-provider-postgres: {error}");
}

async fn run(flags: Flags) -> Result<(), Error> {
    let server = std::env::var(SERVER).map_err(|_| {
        let message = format!("{SERVER} is not set; it says how to reach the server, see --help");
        Error::new(kdp_core::ErrorKind::Invalid, "start", "the provider", message)
    })?;
    let mut options = PostgresOptions::new(&server)?.with_registry(flags.registry);
    if !flags.extensions.is_empty() {
        options = options.with_extensions(flags.extensions);
    }
    if let Some(directory) = flags.backups {
        options = options.with_backups(directory);
    }
    if let Some(directory) = flags.programs {
        options = options.with_programs(directory);
    }
    plugin::serve(PostgresDatabases::open(options).await?).await
}
