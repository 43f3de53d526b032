//! A control plane whose clients break off at a certain request, as a process that dies there does.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use kdp_core::{ControlPlane, Endpoint, Error, Identity};
use kdp_tenancy::Embedded;
use kube::{Client, client::Body};
use tokio_util::sync::CancellationToken;

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    /// The request is not sent.
    Before,
    /// The request takes effect, and its answer is not heard.
    After,
}

/// A control plane that answers so many requests, and no other ever.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    inner: Embedded,
    left: Arc<AtomicUsize>,
    side: Side,
    pub(crate) happened: CancellationToken,
}

impl Cut {
    pub(crate) fn after(inner: Embedded, requests: usize, side: Side) -> Self {
        Self { inner, left: Arc::new(AtomicUsize::new(requests)), side, happened: CancellationToken::new() }
    }

    fn wrap(&self, client: Client) -> Client {
        let cut = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (cut, client) = (cut.clone(), client.clone());
            async move {
                let takes = |left: usize| left.checked_sub(1);
                let is_alive = cut.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, takes).is_ok();
                if is_alive {
                    return client.send(request).await;
                }
                {
                    // Only the first one may take effect: a dead process sends no other.
                    if !cut.happened.is_cancelled() && cut.side == Side::After {
                        cut.happened.cancel();
                        drop(client.send(request).await);
                    }
                    cut.happened.cancel();
                    std::future::pending().await
                }
            }
        });
        Client::new(service, "default")
    }
}

impl ControlPlane for Cut {
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<Client, Error> {
        Ok(self.wrap(self.inner.client(endpoint, identity)?))
    }

    fn url(&self, _: &Endpoint) -> Option<String> {
        None
    }
}
