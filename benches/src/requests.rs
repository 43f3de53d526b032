//! Counts what goes through a client.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use http::{Method, Request};
use kdp_core::{ControlPlane, Endpoint, Error, Identity, SharedControlPlane};
use kube::{Client, client::Body};

/// Requests by what they do.
#[derive(Debug, Default)]
pub struct Requests {
    gets: AtomicU64,
    lists: AtomicU64,
    watches: AtomicU64,
    writes: AtomicU64,
}

/// The numbers at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads of one object, and lists that are not pages.
    pub gets: u64,
    /// Pages of lists.
    pub lists: u64,
    /// Watches begun.
    pub watches: u64,
    /// Everything that changes something.
    pub writes: u64,
}

impl Requests {
    /// The numbers now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let Self { gets, lists, watches, writes } = self;
        let [gets, lists, watches, writes] = [gets, lists, watches, writes].map(|count| count.load(Relaxed));
        Counts { gets, lists, watches, writes }
    }

    fn count(&self, request: &Request<Body>) {
        let query = request.uri().query().unwrap_or_default();
        let has = |key: &str| query.split('&').any(|pair| pair.starts_with(key));
        let counter = match *request.method() {
            Method::GET if has("watch=") => &self.watches,
            Method::GET if has("limit=") => &self.lists,
            Method::GET => &self.gets,
            _ => &self.writes,
        };
        counter.fetch_add(1, Relaxed);
    }
}

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            gets: self.gets - before.gets,
            lists: self.lists - before.lists,
            watches: self.watches - before.watches,
            writes: self.writes - before.writes,
        }
    }
}

/// The same client, whose requests are counted.
#[must_use]
pub fn counted(client: Client, requests: Arc<Requests>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        requests.count(&request);
        let client = client.clone();
        async move { client.send(request).await }
    });
    Client::new(service, "default")
}

/// A control plane whose clients' requests are counted.
#[derive(Debug)]
pub struct Counted {
    /// The control plane.
    pub inner: SharedControlPlane,
    /// The numbers.
    pub requests: Arc<Requests>,
}

impl ControlPlane for Counted {
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<Client, Error> {
        Ok(counted(self.inner.client(endpoint, identity)?, self.requests.clone()))
    }

    fn url(&self, endpoint: &Endpoint) -> Option<String> {
        self.inner.url(endpoint)
    }
}
