//! The fencing number of an operator process: each one that starts on a cluster gets a higher one.

use k8s_openapi::{
    api::coordination::v1::{Lease as LeaseObject, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kdp_core::{Error, ErrorKind, provider::Lease};
use kube::{Api, Client, api::PostParams};

use super::NAME;

const NAMESPACE: &str = "default";

/// The time from the start of one operator process to the start of the next.
///
/// Its number is the `leaseTransitions` of a Lease object. The lease is not renewed and does not
/// expire: a successor simply counts on, and providers refuse the predecessor from then on.
#[derive(Debug)]
pub(super) struct Epoch {
    api: Api<LeaseObject>,
    number: i32,
}

impl Epoch {
    /// Ends the current epoch and begins the next.
    pub(super) async fn begin(client: Client) -> Result<Self, Error> {
        let api = Api::<LeaseObject>::namespaced(client, NAMESPACE);
        let failed = |e| Error::from_kube("take", "the operator's lease", e);
        loop {
            let current = api.get_opt(NAME).await.map_err(failed)?;
            let number = current.as_ref().map_or(0, number) + 1;
            let next = LeaseObject {
                metadata: current.as_ref().map_or_else(first, |lease| lease.metadata.clone()),
                spec: Some(LeaseSpec {
                    holder_identity: Some(format!("{NAME}-{:08x}", rand::random::<u32>())),
                    acquire_time: Some(MicroTime(Timestamp::now())),
                    lease_transitions: Some(number),
                    ..LeaseSpec::default()
                }),
            };
            let taken = match current {
                None => api.create(&PostParams::default(), &next).await,
                Some(_) => api.replace(NAME, &PostParams::default(), &next).await,
            };
            match taken.map_err(failed) {
                Ok(_) => return Ok(Self { api, number }),
                // Another process took the same number; the next one is free.
                Err(error) if error.kind() == ErrorKind::Stale => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The number as providers take it.
    pub(super) fn lease(&self) -> Lease {
        Lease(u64::from(self.number.unsigned_abs()))
    }

    /// Whether another process has begun the next epoch.
    pub(super) async fn is_over(&self) -> Result<bool, Error> {
        let current = self.api.get(NAME).await.map_err(|e| Error::from_kube("read", "the operator's lease", e))?;
        Ok(number(&current) != self.number)
    }
}

fn number(lease: &LeaseObject) -> i32 {
    lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default()
}

fn first() -> ObjectMeta {
    ObjectMeta { name: Some(NAME.into()), namespace: Some(NAMESPACE.into()), ..ObjectMeta::default() }
}
