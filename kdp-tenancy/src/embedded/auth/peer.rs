//! What is known of the other end of a connection.

use std::{sync::Arc, time::SystemTime};

use kdp_core::Identity;

/// Who the other end of the connection has proved to be, as an extension of each of its requests.
///
/// Only the listener and the in-process client put it there; no header can. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct PeerIdentity(Option<Arc<Peer>>);

#[derive(Debug)]
struct Peer {
    identity: Identity,
    not_after: Option<SystemTime>,
}

impl PeerIdentity {
    /// A peer that showed no certificate.
    #[must_use]
    pub fn unknown() -> Self {
        Self(None)
    }

    /// A peer inside this process, which vouches for it.
    #[must_use]
    pub fn in_process(identity: Identity) -> Self {
        Self(Some(Arc::new(Peer { identity, not_after: None })))
    }

    /// A peer whose certificate proves its identity until `not_after`.
    #[must_use]
    pub fn certified(identity: Identity, not_after: SystemTime) -> Self {
        Self(Some(Arc::new(Peer { identity, not_after: Some(not_after) })))
    }

    /// The proved identity.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.0.as_deref().map(|peer| &peer.identity)
    }

    /// Whether this process itself vouches for the identity.
    pub(crate) fn is_in_process(&self) -> bool {
        self.0.as_deref().is_some_and(|peer| peer.not_after.is_none())
    }

    /// Whether the proof no longer holds: connections can outlive certificates.
    pub(super) fn is_expired(&self, now: SystemTime) -> bool {
        self.0.as_deref().and_then(|peer| peer.not_after).is_some_and(|not_after| now > not_after)
    }
}
