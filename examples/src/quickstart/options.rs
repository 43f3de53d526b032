//! What can be said on the command line.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::{ArgAction, Parser};
use tracing_subscriber::EnvFilter;

const PORT: u16 = 6443;

/// A whole platform in one process: tenants order databases with kubectl and get them.
///
/// On its first start it shows a tour; then it serves until Ctrl-C. What is in the data directory
/// is found again at the next start.
#[derive(Clone, Debug, Parser)]
#[command(name = "quickstart", version)]
#[non_exhaustive]
pub struct Options {
    /// Where everything is kept [default: ./kdp-data; with --once a temporary directory].
    #[arg(long, value_name = "DIRECTORY")]
    pub data_dir: Option<PathBuf>,
    /// Address of the API server; port 0 takes a free one [default: 127.0.0.1:6443; with --once 127.0.0.1:0].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Run the tour and exit: 0 when every step succeeded.
    #[arg(long)]
    pub once: bool,
    /// Log what happens to standard error; twice for more.
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

impl Options {
    pub(super) fn listen(&self) -> SocketAddr {
        let port = if self.once { 0 } else { PORT };
        self.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, port).into())
    }

    /// `RUST_LOG` says it more finely than `-v`.
    pub(crate) fn init_logging(&self) {
        let level = match self.verbose {
            0 => "warn",
            1 => "info",
            _ => "debug",
        };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    }
}
