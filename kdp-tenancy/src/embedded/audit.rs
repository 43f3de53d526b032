//! The audit log: what was asked of the control plane, by whom, and what came of it.
//!
//! Events have the shape of Kubernetes' `audit.k8s.io/v1`, and a [`Policy`] of the same API chooses
//! how much of each request is kept. Where events go is an [`AuditSink`]: [`FileSink`] keeps one
//! file for each logical cluster, whose lines are chained by hashes so that [`Verifier`] finds any
//! that were changed, removed, inserted or put into another order.
//!
//! What never gets into an event, whatever the policy says: credentials in headers, the values of
//! query parameters that the API does not know, and the bodies of token reviews and token requests.
//! The source of a request is the other end of its connection; `X-Forwarded-For` is not believed,
//! since anybody can send it.

mod chain;
mod event;
mod file;
mod policy;
mod redact;
mod sink;
mod verify;

use std::{net::IpAddr, sync::Arc};

pub(crate) use self::redact::{redacted_uri, redacted_user_agent};
pub use self::{
    chain::{ChainKey, Hash, Head, InvalidHash},
    event::{AuditId, Event, Level, ObjectReference, ResponseStatus, Stage},
    file::{FileSink, FileSinkOptions, Overflow},
    policy::{GroupResources, Policy, PolicyRule, Rating, Subject},
    sink::{AuditError, AuditSink, CallbackSink, TracingSink},
    verify::{Report, Tampering, TamperingKind, Verifier, VerifyError},
};

/// What is audited, and where it goes.
#[derive(Clone, Debug)]
#[must_use]
pub struct AuditOptions {
    policy: Policy,
    sink: Arc<dyn AuditSink>,
}

impl AuditOptions {
    /// Sends what the default [`Policy`] asks for to `sink`.
    pub fn new(sink: impl AuditSink) -> Self {
        Self::shared(Arc::new(sink))
    }

    /// As [`AuditOptions::new`], with a sink that the caller keeps a hand on.
    pub fn shared(sink: Arc<dyn AuditSink>) -> Self {
        Self { policy: Policy::default(), sink }
    }

    /// Keeps what `policy` asks for.
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn sink(&self) -> &Arc<dyn AuditSink> {
        &self.sink
    }
}

/// The address of the other end of a connection, as an extension of each of its requests.
///
/// Only the listener puts it there; no header can.
#[derive(Clone, Copy, Debug)]
pub struct SourceAddress(pub IpAddr);
