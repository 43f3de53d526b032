//! Keeps out whoever holds an older lease than one that was seen, for as long as the cluster lives.

use k8s_openapi::{
    api::{
        coordination::v1::{Lease as LeaseObject, LeaseSpec},
        core::v1::Namespace,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, ResourceExt, api::PostParams};

use super::{
    cluster::{Cluster, answer, unavailable},
    identity,
};
use crate::{
    Error, ErrorKind,
    provider::{Lease, OrderId, Run},
};

const ATTEMPTS: usize = 8;

/// A Lease in a namespace of the platform: the highest lease that was seen is written there before
/// anything is changed under it, so that it outlives all objects, and this process.
///
/// It is read before each operation, and again after objects were made: these two and the versions of
/// objects, which change with the first write under a newer lease, leave a late writer no way.
#[derive(Clone, Debug)]
pub(super) struct Fence {
    cluster: Cluster,
    namespace: String,
    name: String,
}

impl Fence {
    pub(super) fn new(cluster: Cluster, namespace: String, provider: &str) -> Self {
        Self { cluster, namespace, name: format!("{}-{provider}", identity::MANAGER) }
    }

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
                Err(error) => return Err(unavailable(id, self.says("cannot be written"), error)),
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
    pub(super) async fn cluster_uid(&self, id: &OrderId) -> Result<String, Error> {
        let api = Api::<Namespace>::all(self.cluster.client().clone());
        let failed = |e| unavailable(id, format!("the namespace {} cannot be read", self.namespace), e);
        Ok(answer(api.get(&self.namespace)).await.map_err(failed)?.uid().unwrap_or_default())
    }

    fn api(&self) -> Api<LeaseObject> {
        Api::namespaced(self.cluster.client().clone(), &self.namespace)
    }

    async fn read(&self, id: &OrderId) -> Result<Option<LeaseObject>, Error> {
        answer(self.api().get_opt(&self.name)).await.map_err(|e| unavailable(id, self.says("cannot be read"), e))
    }

    fn number(&self, lease: &LeaseObject, id: &OrderId) -> Result<Lease, Error> {
        let number = lease.annotations().get(identity::LEASE).and_then(|number| number.parse().ok());
        // Taking a damaged one for none would let everybody in.
        number.map(Lease).ok_or_else(|| {
            let message =
                format!("{}, its annotation {} is no number; restore it", self.says("is damaged"), identity::LEASE);
            Error::new(ErrorKind::Unavailable, "take turns for", id, message)
        })
    }

    fn next(&self, current: Option<&LeaseObject>, run: &Run) -> LeaseObject {
        let mut metadata = match current {
            Some(lease) => lease.metadata.clone(),
            None => ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
        };
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(identity::LEASE.into(), run.lease.0.to_string());
        let holder = Some(run.holder.clone()).filter(|holder| !holder.is_empty());
        LeaseObject { metadata, spec: Some(LeaseSpec { holder_identity: holder, ..LeaseSpec::default() }) }
    }

    fn says(&self, what: &str) -> String {
        format!("the Lease {}/{} {what}", self.namespace, self.name)
    }
}

pub(super) fn superseded(id: &OrderId) -> Error {
    Error::new(ErrorKind::Stale, "change", id, "somebody with a newer lease has taken over")
}
