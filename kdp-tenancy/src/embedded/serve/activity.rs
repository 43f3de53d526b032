//! Whether anything is going on on a connection.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{Body, BoxError};

/// Counts the requests of one connection.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug)]
struct State {
    /// Requests whose response is not yet sent in full.
    open: usize,
    /// Whether there has been any.
    is_used: bool,
    since: Instant,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State { open: 0, is_used: false, since: Instant::now() })))
    }

    /// Says that a request has begun, which lasts until what is returned is dropped.
    pub(super) fn begin(&self) -> OpenRequest {
        self.0.send_modify(|state| *state = State { open: state.open + 1, is_used: true, since: Instant::now() });
        OpenRequest(Arc::clone(&self.0))
    }

    /// Waits until no request has been open for `between`, or none has come in the first `first`.
    pub(super) fn idle(&self, first: Duration, between: Duration) -> impl Future<Output = ()> + use<> {
        let mut states = self.0.subscribe();
        async move {
            loop {
                let state = *states.borrow_and_update();
                let deadline = state.since + if state.is_used { between } else { first };
                let changed = if state.open > 0 {
                    states.changed().await
                } else {
                    match timeout_at(deadline, states.changed()).await {
                        Ok(changed) => changed,
                        Err(_) => return,
                    }
                };
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// A request that is not yet answered in full.
#[derive(Debug)]
pub(super) struct OpenRequest(Arc<watch::Sender<State>>);

impl OpenRequest {
    /// Makes the request last until the body has been sent or given up.
    pub(super) fn until_sent(self, body: Body) -> TrackedBody {
        TrackedBody { body, _open: self }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.send_modify(|state| *state = State { open: state.open - 1, is_used: true, since: Instant::now() });
    }
}

/// The body of a response, during which its request counts as open.
#[derive(Debug)]
pub(super) struct TrackedBody {
    body: Body,
    _open: OpenRequest,
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
