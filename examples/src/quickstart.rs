//! A whole platform in one process: tenants order databases with `kubectl` and get them.
//!
//! ```text
//!   tenants: root:team-a, root:team-b          provider: root:databases
//!   ┌────────────── control plane (embedded, HTTPS) ──────────────┐
//!   │  Database ── bound through the APIExport of the Service     │
//!   └──────▲ status, Secret ───────────┬──────────────────────────┘
//!          │        sync agent         ▼ spec
//!   ┌────────────── service cluster (embedded) ───────────────────┐
//!   │  Database ── DatabaseOperator ──► SQLite file, PostgreSQL   │
//!   └─────────────────────────────────────────────────────────────┘
//! ```
//!
//! Progress goes to standard output, logs go to standard error.

mod consumer;
pub(crate) mod data_dir;
mod guide;
pub(crate) mod manifest;
mod options;
pub(crate) mod screen;
pub(crate) mod site;
pub(crate) mod steps;
pub(crate) mod tenant;
mod tour;

use std::process::ExitCode;

use kdp_catalog::ClaimPolicy;
use kdp_core::{Error, ErrorKind, reconcile::Chain};
use kdp_tenancy::EmbeddedOptions;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use options::Options;

use data_dir::DataDir;
use guide::Kubeconfigs;
use site::Site;
use steps::Steps;
use tenant::Tenant;

/// Runs the program to its end: 0 when all went well, 1 otherwise.
pub async fn main(options: Options) -> ExitCode {
    options.init_logging();
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen::line(format_args!("\nerror: {}", Chain(&error)));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Error> {
    let data_dir = DataDir::open(options)?;
    let mut steps = Steps::default();
    let site =
        steps.take("control plane and service cluster opened", Site::open(&data_dir, EmbeddedOptions::new())).await?;
    let outcome = operate(options, &data_dir, &site, &mut steps).await;
    // Even after a failure no server and no half-written store is left behind.
    outcome.and(site.close().await)
}

/// Runs the platform until it is told to stop, or until the tour is over.
async fn operate(options: &Options, data_dir: &DataDir, site: &Site, steps: &mut Steps) -> Result<(), Error> {
    let mut stop = Stop::listen()?;
    let tenants = [Tenant::new("team-a")?, Tenant::new("team-b")?];
    steps.take("workspaces of the provider and of two tenants", site.settle(&tenants)).await?;
    let start = async {
        let servers = site.listen(options.listen()).await?;
        site.platform(servers)?.start().await
    };
    let interrupted = |what: &str| Error::new(ErrorKind::Unavailable, "finish", what, "it was interrupted");
    let running = tokio::select! {
        running = steps.take("servers, operator, catalog and sync agent started", start) => running?,
        () = stop.requested() => return Err(interrupted("the start")),
    };
    let session = async {
        let entry = steps.take("the service is in the catalog", site.publish(&tenants[0])).await?;
        let kubeconfigs = Kubeconfigs::write(site, data_dir, &tenants)?;
        if options.once || data_dir.is_new() {
            tour::walk(site, data_dir, &tenants, &entry, steps).await?;
        }
        screen::line(format_args!("\n{steps}"));
        if !options.once {
            kdp_catalog::bind(&tenants[0].client(&site.control_plane)?, &entry, ClaimPolicy::AcceptAll).await?;
            kubeconfigs.print_guide(site, data_dir)?;
            std::future::pending::<()>().await;
        }
        Ok(())
    };
    let outcome = tokio::select! {
        outcome = session => outcome,
        // Stopping tells the cause.
        () = running.failed() => Ok(()),
        () = stop.requested() => {
            screen::line("\nstopping");
            if options.once { Err(interrupted("the tour")) } else { Ok(()) }
        }
    };
    running.stop().await.and(outcome)
}

/// Ctrl-C and SIGTERM.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(crate) fn listen() -> Result<Self, Error> {
        let listen = |kind| {
            signal(kind).map_err(|e| {
                Error::new(ErrorKind::Internal, "listen for", "signals", "the system refused").with_source(e)
            })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Completes when somebody wants the program to end. Cancel-safe.
    pub(crate) async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
