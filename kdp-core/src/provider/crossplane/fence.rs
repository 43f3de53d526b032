//! Keeps processes that lost their turn out, durably: through a Lease on the cluster that the work
//! is done on.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::{Lease as LeaseObject, LeaseSpec};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};

use super::cluster::within;
use crate::{
    Error, ErrorKind,
    provider::{OrderId, Run},
};

/// Annotation with the highest lease that was seen.
const HIGHEST: &str = "orders.kdp.k8c.io/lease";
/// How often others may get in between, each of whom has a newer lease or none.
const TRIES: usize = 8;

/// A Lease object that remembers the highest [`Lease`](crate::provider::Lease) anybody worked under.
pub(super) struct Fence {
    api: Api<LeaseObject>,
    name: String,
}

impl Fence {
    /// The fence of this name, in a namespace that exists.
    pub(super) fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), name: format!("kdp-{name}") }
    }

    /// Lets in whoever holds the highest lease so far, and notes it.
    ///
    /// `Stale` when a higher one was seen; `Unavailable` when that cannot be told.
    pub(super) async fn enter(&self, id: &OrderId, run: &Run) -> Result<(), Error> {
        for _ in 0..TRIES {
            let there = within("read", &self.name, self.api.get_opt(&self.name)).await.map_err(unavailable)?;
            let highest = there.as_ref().map(|there| self.highest(there)).transpose()?;
            let noted = match (there, highest) {
                (_, Some(highest)) if highest > run.lease.0 => {
                    return Err(superseded(id, highest));
                }
                (_, Some(highest)) if highest == run.lease.0 => return Ok(()),
                (Some(there), _) => {
                    // With the resource version that was read: whoever was faster is looked at again.
                    let noted = LeaseObject { spec: Some(spec(run)), metadata: self.metadata(run, there.metadata) };
                    within("take", &self.name, self.api.replace(&self.name, &PostParams::default(), &noted)).await
                }
                (None, _) => {
                    let fresh = self.metadata(run, ObjectMeta::default());
                    let fresh = LeaseObject { spec: Some(spec(run)), metadata: fresh };
                    within("take", &self.name, self.api.create(&PostParams::default(), &fresh)).await
                }
            };
            match noted {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Stale => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "take", &self.name, "others keep taking it"))
    }

    /// Whether nobody with a newer lease was let in since this run was.
    pub(super) async fn check(&self, id: &OrderId, run: &Run) -> Result<(), Error> {
        let there = within("read", &self.name, self.api.get_opt(&self.name)).await.map_err(unavailable)?;
        match there.map(|there| self.highest(&there)).transpose()? {
            Some(highest) if highest > run.lease.0 => Err(superseded(id, highest)),
            _ => Ok(()),
        }
    }

    fn highest(&self, lease: &LeaseObject) -> Result<u64, Error> {
        let annotation = lease.metadata.annotations.as_ref().and_then(|all| all.get(HIGHEST));
        annotation.and_then(|number| number.parse().ok()).ok_or_else(|| {
            let message = format!("annotation {HIGHEST}: is no number, delete the Lease once one process alone works");
            Error::new(ErrorKind::Unavailable, "read", &self.name, message)
        })
    }

    fn metadata(&self, run: &Run, mut metadata: ObjectMeta) -> ObjectMeta {
        metadata.name = Some(self.name.clone());
        metadata.annotations.get_or_insert_with(BTreeMap::new).insert(HIGHEST.into(), run.lease.0.to_string());
        metadata
    }
}

fn superseded(id: &OrderId, highest: u64) -> Error {
    Error::new(ErrorKind::Stale, "change", id, format!("another process has taken over, under lease {highest}"))
}

/// Who holds it, for people who look; nobody decides by that.
fn spec(run: &Run) -> LeaseSpec {
    let holder = if run.holder.is_empty() { "kdp" } else { &run.holder };
    LeaseSpec { holder_identity: Some(holder.into()), ..LeaseSpec::default() }
}

/// A fence that cannot be read or written says nothing about the order.
fn unavailable(error: Error) -> Error {
    let message = error.message().to_owned();
    Error::new(ErrorKind::Unavailable, "take", "the fence", message).with_source(error)
}
