//! Keeps out whoever holds an older lease than one that was seen, for as long as the cluster lives.

use std::time::Duration;

use k8s_openapi::{
    api::{
        coordination::v1::{Lease as LeaseObject, LeaseSpec},
        core::v1::Namespace,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Client, ResourceExt, api::PostParams};

use super::{Lease, OrderId, Run};
use crate::{Error, ErrorKind};

/// Annotation with the highest lease that was seen.
const HIGHEST: &str = "orders.kdp.k8c.io/lease";
const ATTEMPTS: usize = 8;
/// How long the API server may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A Lease in a namespace of the platform: the highest lease that was seen is written there before
/// anything is changed under it, so that it outlives all objects, and this process.
///
/// It is read before each operation, and again after objects were made: these two and the versions of
/// objects, which change with the first write under a newer lease, leave a late writer no way.
#[derive(Clone)]
pub(super) struct Fence {
    client: Client,
    namespace: String,
    name: String,
}

impl Fence {
    /// The fence of this name, in a namespace that exists.
    pub(super) fn new(client: Client, namespace: impl Into<String>, name: String) -> Self {
        Self { client, namespace: namespace.into(), name }
    }

    #[cfg(feature = "operator")]
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Lets a run in, unless a newer one was.
    ///
    /// # Errors
    /// `Stale` when a newer one was; `Unavailable` when that cannot be told.
    pub(super) async fn enter(&self, id: &OrderId, run: &Run) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let current = self.read(id).await?;
            let seen = current.as_ref().map_or(Ok(Lease::default()), |lease| self.number(lease, id))?;
            if run.lease < seen {
                return Err(superseded(id));
            }
            if run.lease == seen && current.is_some() {
                return Ok(());
            }
            let next = self.next(current.as_ref(), run);
            let api = self.api();
            let written = match &current {
                None => answer(api.create(&PostParams::default(), &next)).await,
                Some(_) => answer(api.replace(&self.name, &PostParams::default(), &next)).await,
            };
            match written {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(unavailable(id, &self.says("cannot be written"), error)),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "take turns for", id, self.says("keeps changing")))
    }

    /// Whether a newer lease was seen since the run was let in.
    pub(super) async fn check(&self, id: &OrderId, run: &Run) -> Result<(), Error> {
        let seen = self.read(id).await?.map_or(Ok(Lease::default()), |lease| self.number(&lease, id))?;
        if run.lease < seen { Err(superseded(id)) } else { Ok(()) }
    }

    /// The UID of the namespace that the fence is in: with it, this cluster is known from others, and
    /// from itself after it was set up anew.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be told.
    #[cfg(feature = "operator")]
    pub(super) async fn cluster_uid(&self, id: &OrderId) -> Result<String, Error> {
        let api = Api::<Namespace>::all(self.client.clone());
        let failed = |e| unavailable(id, &format!("the namespace {} cannot be read", self.namespace), e);
        Ok(answer(api.get(&self.namespace)).await.map_err(failed)?.uid().unwrap_or_default())
    }

    fn api(&self) -> Api<LeaseObject> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn read(&self, id: &OrderId) -> Result<Option<LeaseObject>, Error> {
        answer(self.api().get_opt(&self.name)).await.map_err(|e| unavailable(id, &self.says("cannot be read"), e))
    }

    fn number(&self, lease: &LeaseObject, id: &OrderId) -> Result<Lease, Error> {
        let number = lease.annotations().get(HIGHEST).and_then(|number| number.parse().ok());
        // Taking a damaged one for none would let everybody in.
        number.map(Lease).ok_or_else(|| {
            let message = format!("{}, its annotation {} is no number; restore it", self.says("is damaged"), HIGHEST);
            Error::new(ErrorKind::Unavailable, "take turns for", id, message)
        })
    }

    fn next(&self, current: Option<&LeaseObject>, run: &Run) -> LeaseObject {
        let mut metadata = match current {
            Some(lease) => lease.metadata.clone(),
            None => ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
        };
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(HIGHEST.into(), run.lease.0.to_string());
        let holder = Some(run.holder.clone()).filter(|holder| !holder.is_empty());
        LeaseObject { metadata, spec: Some(LeaseSpec { holder_identity: holder, ..LeaseSpec::default() }) }
    }

    fn says(&self, what: &str) -> String {
        format!("the Lease {}/{} {what}", self.namespace, self.name)
    }
}

/// An answer, as long as it comes in time.
async fn answer<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    match tokio::time::timeout(ANSWER, request).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(kube::Error::Service(Box::new(elapsed))),
    }
}

/// A fence that cannot be read or written says nothing about the order.
fn unavailable(id: &OrderId, message: &str, source: kube::Error) -> Error {
    let message = match &source {
        kube::Error::Api(status) => format!("{message}: {}", status.message),
        _ => format!("{message}: the cluster did not answer"),
    };
    Error::new(ErrorKind::Unavailable, "take turns for", id, message).with_source(source)
}

pub(super) fn superseded(id: &OrderId) -> Error {
    Error::new(ErrorKind::Stale, "change", id, "somebody with a newer lease has taken over")
}
