//! Tells how orders fare, from what a kubeconfig may see: for the platform, for the owner of a service, for a tenant.
//!
//! It reads the orders that are there once, and tells what their timestamps tell. A platform that runs a
//! [`InsightCollector`](kdp_catalog::insight::InsightCollector) knows more.
//!
//! The report goes to standard output, and why there is none to standard error.

mod connection;
mod flags;
mod orders;

use std::{
    ffi::OsString,
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use jiff::Timestamp;
use kdp_catalog::insight::Report;
use kdp_core::{Error, ErrorKind, reconcile::Chain};

use self::flags::{Flags, Output};

/// Runs the program with these arguments, of which the first is its name, to its end.
pub async fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let flags = match Flags::try_parse_from(arguments) {
        Ok(flags) => flags,
        Err(error) => {
            // Nothing is left to be told when standard error itself is closed.
            let _told = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match told(&flags).await {
        Ok(text) => {
            say(&mut io::stdout(), text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&mut io::stderr(), format_args!("error: {}", Chain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// The report as text.
async fn told(flags: &Flags) -> Result<String, Error> {
    let place = connection::open(&flags.connection).await?;
    let report = orders::report(&place, &flags.kinds, flags.since, Timestamp::now()).await?;
    drawn(&report, flags.output)
}

fn drawn(report: &Report, output: Output) -> Result<String, Error> {
    match output {
        Output::Text => Ok(report.to_string()),
        Output::Markdown => Ok(report.markdown()),
        Output::Json => serde_json::to_string_pretty(report).map_err(|error| {
            Error::new(ErrorKind::Internal, "write", "the report", "it is no JSON").with_source(error)
        }),
    }
}

/// A line that nobody reads any more is not an error.
fn say(to: &mut impl Write, text: impl fmt::Display) {
    let _read = writeln!(to, "{text}");
}
