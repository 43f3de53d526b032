//! Where the orders of a runner are, and how each of them is reached.

use std::fmt;

use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject},
};

use super::queue::Key;
use crate::{
    Endpoint, Error, ErrorKind, Identity, LogicalClusterName, SharedControlPlane, api::CLUSTER_ANNOTATION,
    provider::OrderId,
};

/// Where the orders of a [`Runner`](super::Runner) are.
#[derive(Clone)]
pub struct Reach(Place);

#[derive(Clone)]
enum Place {
    Cluster(Client),
    Endpoint(Endpoint, Identity),
}

impl Reach {
    /// In the cluster, or the one workspace, that this client talks to.
    #[must_use]
    pub fn cluster(client: Client) -> Self {
        Self(Place::Cluster(client))
    }

    /// At this endpoint of the platform's control plane. When it covers many workspaces, such as all
    /// consumers of an export, their orders are read together, and each is written in its own.
    #[must_use]
    pub fn endpoint(endpoint: Endpoint, identity: Identity) -> Self {
        Self(Place::Endpoint(endpoint, identity))
    }

    /// Orders are reached through this control plane.
    pub(super) fn through(self, control_plane: SharedControlPlane, kind: ApiResource) -> Orders {
        Orders { place: self.0, control_plane, kind }
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Cluster(_) => f.write_str("Reach(cluster)"),
            Place::Endpoint(endpoint, _) => write!(f, "Reach({endpoint})"),
        }
    }
}

/// The orders, through clients.
#[derive(Clone)]
pub(super) struct Orders {
    place: Place,
    control_plane: SharedControlPlane,
    kind: ApiResource,
}

impl Orders {
    pub(super) fn kind(&self) -> &ApiResource {
        &self.kind
    }

    /// All orders, for lists and watches.
    pub(super) fn all(&self) -> Result<Api<DynamicObject>, Error> {
        let client = match &self.place {
            Place::Cluster(client) => client.clone(),
            Place::Endpoint(endpoint, identity) => self.control_plane.client(endpoint, identity)?,
        };
        Ok(Api::all_with(client, &self.kind))
    }

    /// Where an object that was read from [`all`](Self::all) is.
    ///
    /// `Internal` when the server that was asked for many workspaces does not say whose it is.
    pub(super) fn key(&self, object: &DynamicObject) -> Result<Key, Error> {
        let workspace = if self.covers_many() {
            let told = object.annotations().get(CLUSTER_ANNOTATION).and_then(|name| name.parse().ok());
            Some(told.ok_or_else(|| {
                let message = format!("the server does not say in {CLUSTER_ANNOTATION} whose it is");
                Error::new(ErrorKind::Internal, "find", object.name_any(), message)
            })?)
        } else {
            None
        };
        let namespace = object.namespace().unwrap_or_default();
        Ok(Key { workspace, namespace, name: object.name_any(), gone: None })
    }

    /// A client for what is in the workspace of an order.
    pub(super) fn client(&self, key: &Key) -> Result<Client, Error> {
        match &self.place {
            Place::Cluster(client) => Ok(client.clone()),
            Place::Endpoint(endpoint, identity) => {
                self.control_plane.client(&narrowed(endpoint, key.workspace.as_ref()), identity)
            }
        }
    }

    /// The objects around one order.
    pub(super) fn api(&self, key: &Key) -> Result<Api<DynamicObject>, Error> {
        let client = self.client(key)?;
        Ok(if key.namespace.is_empty() {
            Api::all_with(client, &self.kind)
        } else {
            Api::namespaced_with(client, &key.namespace, &self.kind)
        })
    }

    /// The identity of the order that an object places.
    pub(super) fn id(key: &Key, object: &DynamicObject) -> Result<OrderId, Error> {
        let Some(uid) = object.uid() else {
            return Err(Error::new(ErrorKind::Internal, "read", &key.name, "the server gave it no UID"));
        };
        let id = OrderId::new(uid, &key.namespace, &key.name);
        Ok(match &key.workspace {
            Some(workspace) => id.in_workspace(workspace.clone()),
            None => id,
        })
    }

    fn covers_many(&self) -> bool {
        match &self.place {
            Place::Cluster(_) => false,
            Place::Endpoint(endpoint, _) => matches!(
                endpoint,
                Endpoint::AllWorkspaces
                    | Endpoint::ApiExport { consumer: None, .. }
                    | Endpoint::ExportShard { consumer: None, .. }
            ),
        }
    }
}

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orders").field("kind", &self.kind.kind).finish_non_exhaustive()
    }
}

/// The part of the endpoint that is about one workspace.
fn narrowed(endpoint: &Endpoint, workspace: Option<&LogicalClusterName>) -> Endpoint {
    let Some(workspace) = workspace.cloned() else { return endpoint.clone() };
    match endpoint.clone() {
        Endpoint::AllWorkspaces => workspace.into(),
        Endpoint::ApiExport { cluster, export, .. } => {
            Endpoint::ApiExport { cluster, export, consumer: Some(workspace) }
        }
        Endpoint::ExportShard { url, .. } => Endpoint::ExportShard { url, consumer: Some(workspace) },
        other => other,
    }
}
