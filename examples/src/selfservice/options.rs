//! What can be said on the command line.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::{ArgAction, Parser};

use crate::quickstart;

const PORT: u16 = 8080;

/// A self-service page over a whole platform in one process: tenants order databases in a browser.
///
/// It prints a link for each of its two tenants, which signs in once, and where their tokens are.
#[derive(Clone, Debug, Parser)]
#[command(name = "selfservice", version)]
#[non_exhaustive]
pub struct Options {
    /// Where everything is kept [default: ./kdp-data; with --once a temporary directory].
    #[arg(long, value_name = "DIRECTORY")]
    pub data_dir: Option<PathBuf>,
    /// Address of the page; port 0 takes a free one [default: 127.0.0.1:8080; with --once 127.0.0.1:0].
    ///
    /// It is served without TLS; have a proxy speak HTTPS before it leaves the machine.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Address of the page as browsers know it, such as `https://portal.example.com` [default: as listened on].
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Address of the API server; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub api_listen: SocketAddr,
    /// Start, ask the API server with each token who that is, and exit: 0 when it answers.
    #[arg(long)]
    pub once: bool,
    /// Log what happens to standard error; twice for more.
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

impl Options {
    /// Options for a page on a free port that keeps everything in `data_dir`.
    #[must_use]
    pub fn on_free_ports(data_dir: PathBuf) -> Self {
        let anywhere: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        Self {
            data_dir: Some(data_dir),
            listen: Some(anywhere),
            public_url: None,
            api_listen: anywhere,
            once: false,
            verbose: 0,
        }
    }

    pub(super) fn listen(&self) -> SocketAddr {
        let port = if self.once { 0 } else { PORT };
        self.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, port).into())
    }

    pub(super) fn init_logging(&self) {
        self.platform().init_logging();
    }

    /// The same, as the quickstart understands it.
    pub(super) fn platform(&self) -> quickstart::Options {
        quickstart::Options {
            data_dir: self.data_dir.clone(),
            listen: Some(self.api_listen),
            once: self.once,
            verbose: self.verbose,
        }
    }
}
