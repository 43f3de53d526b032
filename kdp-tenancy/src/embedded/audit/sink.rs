//! Where events go.

use std::{fmt, io};

use async_trait::async_trait;

use super::Event;

/// An event could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The sink cannot keep events at the moment.
    #[error("the audit log cannot be written: {0}")]
    Unavailable(String),
    /// The sink was closed.
    #[error("the audit log is closed")]
    Closed,
    /// The sink could not be opened, or not be closed in order.
    #[error("the audit log failed")]
    Io(#[from] io::Error),
}

/// Takes the events of a control plane.
#[async_trait]
pub trait AuditSink: fmt::Debug + Send + Sync + 'static {
    /// Whether events can be kept at the moment: asked before an audited request is let through.
    ///
    /// # Errors
    /// When they cannot; the request is refused with 503, so that nothing is done unseen.
    fn check(&self) -> Result<(), AuditError>;

    /// Takes an event; the events of one request are given in their order. Cancel-safe: dropped before
    /// it is ready, the event is not taken.
    ///
    /// May wait; the request waits too.
    ///
    /// # Errors
    /// When the event cannot be kept. At the stage `RequestReceived` the request is refused then, as with
    /// Kubernetes' mode `blocking-strict`; at later ones what was done is done.
    async fn record(&self, event: Event) -> Result<(), AuditError>;

    /// Takes an event where nobody can wait: a watch ended, or a client went away in the middle.
    ///
    /// There is at most one for each request under way, so their number is bounded.
    fn record_now(&self, event: Event);

    /// Makes durable what was taken, and stops. Calling it again does nothing.
    ///
    /// # Errors
    /// When something that was taken could not be kept.
    async fn close(&self) -> Result<(), AuditError>;
}

/// Hands each event to a function, which must not block.
pub struct CallbackSink<F>(F);

impl<F: Fn(&Event) + Send + Sync + 'static> CallbackSink<F> {
    /// A sink that calls `callback`.
    pub fn new(callback: F) -> Self {
        Self(callback)
    }
}

impl<F> fmt::Debug for CallbackSink<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackSink")
    }
}

#[async_trait]
impl<F: Fn(&Event) + Send + Sync + 'static> AuditSink for CallbackSink<F> {
    fn check(&self) -> Result<(), AuditError> {
        Ok(())
    }

    async fn record(&self, event: Event) -> Result<(), AuditError> {
        self.record_now(event);
        Ok(())
    }

    fn record_now(&self, event: Event) {
        (self.0)(&event);
    }

    async fn close(&self) -> Result<(), AuditError> {
        Ok(())
    }
}

/// Logs each event with `tracing`, at the level `INFO` and the target `kdp::audit`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingSink;

#[async_trait]
impl AuditSink for TracingSink {
    fn check(&self) -> Result<(), AuditError> {
        Ok(())
    }

    async fn record(&self, event: Event) -> Result<(), AuditError> {
        self.record_now(event);
        Ok(())
    }

    fn record_now(&self, event: Event) {
        tracing::info!(target: "kdp::audit", event = %event.to_json(), "request.audited");
    }

    async fn close(&self) -> Result<(), AuditError> {
        Ok(())
    }
}
