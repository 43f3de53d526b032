//! Where the program says what it does.

use std::io;

use tracing_subscriber::EnvFilter;

use super::settings::{LogFormat, Logging};

/// Logs to standard error. `RUST_LOG` says more finely than `--log-debug` what is logged.
pub(super) fn init(logging: &Logging) {
    let level = if logging.is_verbose { "debug" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match logging.format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Console => lines.init(),
    }
}
