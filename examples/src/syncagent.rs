//! The agent of a service owner, as a program that takes the place of kcp's api-syncagent.
//!
//! It takes the flags of that program, and reads and writes the same objects. `docs/agent.md` of
//! `kdp-sync` is its guide.
//!
//! Logs go to standard error; what a program may read goes to standard output.

mod connection;
mod flags;
mod go_flags;
mod logging;
#[cfg(feature = "otlp")]
mod otlp;
mod pages;
mod run;
mod screen;
mod settings;
mod signals;
mod tool;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;
use kdp_core::reconcile::Chain;

use self::{flags::Flags, settings::Settings};

/// Runs the program with these arguments, of which the first is its name, to its end.
pub async fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let flags = match Flags::try_parse_from(go_flags::accepted(arguments)) {
        Ok(flags) => flags,
        Err(error) => {
            // Nothing is left to be told when standard error itself is closed.
            let _told = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    if let Some(tool) = flags.tool {
        return match tool::run(&tool).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                screen::complain(format_args!("error: {}", Chain(&error)));
                ExitCode::FAILURE
            }
        };
    }
    let settings = match Settings::try_from(flags.agent) {
        Ok(settings) => settings,
        Err(faults) => {
            for fault in faults {
                screen::complain(format_args!("error: {fault}"));
            }
            return ExitCode::FAILURE;
        }
    };
    let telling = match logging::init(&settings.logging) {
        Ok(telling) => telling,
        Err(error) => {
            screen::complain(format_args!("error: {}", Chain(&error)));
            return ExitCode::FAILURE;
        }
    };
    let code = match run::run(settings).await {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(error = %Chain(&error), "agent.failed");
            screen::complain(format_args!("error: {}", Chain(&error)));
            ExitCode::FAILURE
        }
    };
    telling.end().await;
    code
}
