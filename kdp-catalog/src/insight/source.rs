//! Where orders are read from.

use std::collections::{BTreeMap, BTreeSet};

use kdp_core::{Endpoint, Error, ErrorKind, Identity, SharedControlPlane, api::CLUSTER_ANNOTATION};
use kube::{
    Api, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde::de::DeserializeOwned;

use super::{measures::OTHER, snapshot::Snapshot};
use crate::offering::GroupKind;

/// How many objects are asked for at once.
const CHUNK: u32 = 500;

/// The orders of one kind of a service.
#[derive(Clone, Debug)]
pub struct OrderSource {
    pub(super) service: String,
    pub(super) kind: ApiResource,
    pub(super) endpoint: Endpoint,
    identity: Identity,
    offerings: Option<BTreeSet<String>>,
}

impl OrderSource {
    /// The orders of this kind at an endpoint, as this identity sees them: for instance those of all workspaces that
    /// have bound the export of the service.
    #[must_use]
    pub fn new(service: impl Into<String>, kind: ApiResource, endpoint: Endpoint, identity: Identity) -> Self {
        Self { service: service.into(), kind, endpoint, identity, offerings: None }
    }

    /// The same, with the names of the offerings there are. Tenants write what they select, and whatever is none of
    /// these is counted as `other`.
    #[must_use]
    pub fn with_offerings<N: Into<String>>(mut self, offerings: impl IntoIterator<Item = N>) -> Self {
        self.offerings = Some(offerings.into_iter().map(Into::into).collect());
        self
    }

    pub(super) fn group_kind(&self) -> GroupKind {
        GroupKind::new(&self.kind.group, &self.kind.kind)
    }

    /// All orders, for lists and watches.
    pub(super) fn orders(&self, control_plane: &SharedControlPlane) -> Result<Api<DynamicObject>, Error> {
        Ok(Api::all_with(control_plane.client(&self.endpoint, &self.identity)?, &self.kind))
    }

    /// Other objects of a cluster-wide kind at the same endpoint.
    pub(super) fn around<K: Resource<DynamicType = ()>>(
        &self,
        control_plane: &SharedControlPlane,
    ) -> Result<Api<K>, Error> {
        Ok(Api::all(control_plane.client(&self.endpoint, &self.identity)?))
    }

    /// How an object of this source stands.
    pub(super) fn snapshot(&self, object: &DynamicObject) -> Result<Snapshot, Error> {
        let workspace = match (object.annotations().get(CLUSTER_ANNOTATION), &self.endpoint) {
            (Some(cluster), _) => cluster.clone(),
            (None, Endpoint::Workspace(path)) => path.to_string(),
            (None, _) => {
                let message = format!("the server does not say in {CLUSTER_ANNOTATION} whose it is");
                return Err(Error::new(ErrorKind::Internal, "find", object.name_any(), message));
            }
        };
        let mut snapshot = Snapshot::read(object, &self.group_kind(), &self.service, &workspace).map_err(|error| {
            Error::new(ErrorKind::Internal, "read", object.name_any(), "it is not complete").with_source(error)
        })?;
        let offering = &mut snapshot.place.offering;
        if let Some(known) = &self.offerings
            && !offering.is_empty()
            && !known.contains(offering)
        {
            OTHER.clone_into(offering);
        }
        Ok(snapshot)
    }
}

/// Everything that there is of a kind, bit by bit.
pub(super) async fn list_all<K>(api: &Api<K>, what: &'static str) -> Result<Vec<K>, Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut all = BTreeMap::new();
    let mut params = ListParams::default().limit(CHUNK);
    loop {
        let list = api.list(&params).await.map_err(|error| Error::from_kube("list", what, error))?;
        let named = |object: K| ((object.annotations().get(CLUSTER_ANNOTATION).cloned(), object.name_any()), object);
        all.extend(list.items.into_iter().map(named));
        match list.metadata.continue_.filter(|more| !more.is_empty()) {
            Some(more) => params = params.continue_token(&more),
            None => return Ok(all.into_values().collect()),
        }
    }
}
