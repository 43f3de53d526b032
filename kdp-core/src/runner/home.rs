//! Where a runner keeps what tenants must not reach, and who of several runners works.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::{
    api::coordination::v1::{Lease as LeaseObject, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::judge::jittered;
use crate::{Error, ErrorKind, provider::Lease, reconcile::Chain};

/// How many times a runner that waits for its turn looks during its patience.
const LOOKS: u32 = 4;

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
/// Its number is the `leaseTransitions` of a Lease. It does not expire: a successor simply counts on,
/// and providers refuse the predecessor from then on. That it is renewed tells a successor who
/// [waits](Self::wait) not to.
#[derive(Debug)]
pub(super) struct Fence {
    api: Api<LeaseObject>,
    name: String,
    number: i32,
    holder: String,
    /// When it was last known not to be over.
    confirmed: Mutex<Instant>,
}

impl Fence {
    /// Waits until nobody works, or nobody has shown that he does for as long as `patience`.
    ///
    /// By this process's own clock alone: what the clock of another says is compared, not believed.
    /// Cancel-safe.
    pub(super) async fn wait(home: &Home, name: &str, patience: Duration) {
        let api = Api::<LeaseObject>::namespaced(home.client.clone(), &home.namespace);
        let mut seen: Option<(LeaseSpec, Instant)> = None;
        loop {
            match api.get_opt(name).await {
                Ok(None) => return,
                Ok(Some(lease)) => {
                    let spec = lease.spec.unwrap_or_default();
                    if spec.holder_identity.as_ref().is_none_or(String::is_empty) {
                        return;
                    }
                    match &seen {
                        Some((before, since)) if *before == spec => {
                            if since.elapsed() >= patience {
                                return;
                            }
                        }
                        _ => seen = Some((spec, Instant::now())),
                    }
                }
                Err(error) => {
                    // Nobody has been seen to be silent meanwhile.
                    seen = None;
                    tracing::warn!(runner = %name, error = %Chain(&error), "fence.unreadable");
                }
            }
            sleep(jittered(patience / LOOKS)).await;
        }
    }

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
                Ok(_) => {
                    let confirmed = Mutex::new(Instant::now());
                    return Ok(Self { api, name: name.into(), number, holder, confirmed });
                }
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
        let asked = Instant::now();
        let current = self.api.get(&self.name).await.map_err(|e| self.failed("read", e))?;
        Ok(self.note(&current, asked))
    }

    /// How long ago it was last known not to be over.
    pub(super) fn age(&self) -> Duration {
        self.confirmed().elapsed()
    }

    /// Shows those who wait for their turn that this runner works, and answers whether it is over.
    pub(super) async fn renew(&self) -> Result<bool, Error> {
        let asked = Instant::now();
        let current = self.api.get(&self.name).await.map_err(|e| self.failed("read", e))?;
        if self.note(&current, asked) {
            return Ok(true);
        }
        self.write(current, json!({"renewTime": MicroTime(Timestamp::now())})).await
    }

    /// Lets whoever waits for his turn begin at once.
    pub(super) async fn release(&self) -> Result<(), Error> {
        let current = self.api.get(&self.name).await.map_err(|e| self.failed("read", e))?;
        if number(&current) == self.number {
            self.write(current, json!({"holderIdentity": ""})).await?;
        }
        Ok(())
    }

    /// Changes the lease unless somebody else has done so; answers whether that was a successor.
    async fn write(&self, current: LeaseObject, spec: Value) -> Result<bool, Error> {
        let patch = json!({"metadata": {"resourceVersion": current.metadata.resource_version}, "spec": spec});
        match self.api.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => Ok(false),
            Err(error) => match self.failed("renew", error) {
                error if error.kind() == ErrorKind::Stale => self.is_over().await,
                error => Err(error),
            },
        }
    }

    fn note(&self, current: &LeaseObject, asked: Instant) -> bool {
        let is_over = number(current) != self.number;
        if !is_over {
            *self.confirmed() = asked;
        }
        is_over
    }

    fn confirmed(&self) -> MutexGuard<'_, Instant> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, op: &'static str, error: kube::Error) -> Error {
        Error::from_kube(op, format!("the lease of {}", self.name), error)
    }
}

fn number(lease: &LeaseObject) -> i32 {
    lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default()
}
