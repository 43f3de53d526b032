//! Where a runner keeps what tenants must not reach, and who of several runners works.

use k8s_openapi::{
    api::coordination::v1::{Lease as LeaseObject, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};

use crate::{Error, ErrorKind, provider::Lease};

/// A namespace that belongs to the platform: records of orders are kept there, in Secrets, and the
/// fence that tells which runner works.
///
/// Whoever can write there decides what is deleted, so no tenant may.
#[derive(Clone)]
pub struct Home {
    pub(super) client: Client,
    pub(super) namespace: String,
}

impl Home {
    /// This namespace, which exists, in the cluster or workspace that `client` talks to.
    pub fn new(client: Client, namespace: impl Into<String>) -> Self {
        Self { client, namespace: namespace.into() }
    }
}

impl std::fmt::Debug for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Home").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// The time from the start of one runner to the start of the next of the same name.
///
/// Its number is the `leaseTransitions` of a Lease. It is not renewed and does not expire: a
/// successor simply counts on, and providers refuse the predecessor from then on.
#[derive(Debug)]
pub(super) struct Fence {
    api: Api<LeaseObject>,
    name: String,
    number: i32,
    holder: String,
}

impl Fence {
    /// Ends the predecessor's time and begins the next.
    pub(super) async fn begin(home: &Home, name: &str) -> Result<Self, Error> {
        let api = Api::<LeaseObject>::namespaced(home.client.clone(), &home.namespace);
        let holder = format!("{name}-{:08x}", rand::random::<u32>());
        loop {
            let failed = |e| Error::from_kube("take", format!("the lease of {name}"), e);
            let current = api.get_opt(name).await.map_err(failed)?;
            let number = current.as_ref().map_or(0, number).checked_add(1).ok_or_else(|| {
                Error::new(ErrorKind::Invalid, "take", format!("the lease of {name}"), "it was taken too often")
            })?;
            let next = LeaseObject {
                metadata: match &current {
                    Some(lease) => lease.metadata.clone(),
                    None => ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
                },
                spec: Some(LeaseSpec {
                    holder_identity: Some(holder.clone()),
                    acquire_time: Some(MicroTime(Timestamp::now())),
                    lease_transitions: Some(number),
                    ..LeaseSpec::default()
                }),
            };
            let taken = match current {
                None => api.create(&PostParams::default(), &next).await,
                Some(_) => api.replace(name, &PostParams::default(), &next).await,
            };
            match taken.map_err(failed) {
                Ok(_) => return Ok(Self { api, name: name.into(), number, holder }),
                // Another runner took the same number; the next one is free.
                Err(error) if error.kind() == ErrorKind::Stale => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The number as providers take it.
    pub(super) fn lease(&self) -> Lease {
        Lease(u64::from(self.number.unsigned_abs()))
    }

    /// Who holds it.
    pub(super) fn holder(&self) -> &str {
        &self.holder
    }

    /// Whether a successor has begun.
    pub(super) async fn is_over(&self) -> Result<bool, Error> {
        let current = self.api.get(&self.name).await;
        let current = current.map_err(|e| Error::from_kube("read", format!("the lease of {}", self.name), e))?;
        Ok(number(&current) != self.number)
    }
}

fn number(lease: &LeaseObject) -> i32 {
    lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default()
}
