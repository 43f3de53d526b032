//! Ctrl-C and SIGTERM.

use kdp_core::{Error, ErrorKind};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What tells the program to end.
#[derive(Debug)]
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Listens from now on; the program no longer ends by itself.
    pub(super) fn listen() -> Result<Self, Error> {
        let listen = |kind| {
            signal(kind).map_err(|e| {
                Error::new(ErrorKind::Internal, "listen for", "signals", "the system refused").with_source(e)
            })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Completes when somebody wants the program to end. Cancel-safe.
    pub(super) async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
