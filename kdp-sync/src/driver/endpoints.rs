//! Where the workspaces that bind the export are reached.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use kdp_core::{Endpoint, Error, ErrorKind, ExportUrl, Identity, LogicalClusterName, SharedControlPlane};
use kube::Client;
use parking_lot::Mutex;
use tokio::sync::watch;

/// The addresses of an export, which may come and go, and who lives at which. Cloning it is cheap.
#[derive(Clone)]
pub(crate) struct Endpoints(Arc<Inner>);

struct Inner {
    control_plane: SharedControlPlane,
    identity: Identity,
    current: watch::Sender<BTreeSet<Address>>,
    homes: Mutex<HashMap<LogicalClusterName, Home>>,
}

/// Where an export is served.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Address {
    /// Wherever the control plane finds it, with all workspaces.
    Export {
        /// Logical cluster of the export.
        cluster: LogicalClusterName,
        /// Its name.
        export: String,
    },
    /// At one shard, with the workspaces there.
    Shard(ExportUrl),
}

struct Home {
    address: Address,
    client: Option<Client>,
}

impl Address {
    /// Host and port of a shard, when it is known.
    pub(super) fn host(&self) -> Option<&str> {
        let Self::Shard(url) = self else { return None };
        let (_, rest) = url.server().split_once("://")?;
        rest.split('/').next()
    }

    /// All workspaces there, or one.
    fn endpoint(&self, consumer: Option<LogicalClusterName>) -> Endpoint {
        match self {
            Self::Export { cluster, export } => {
                Endpoint::ApiExport { cluster: cluster.clone(), export: export.clone(), consumer }
            }
            Self::Shard(url) => Endpoint::ExportShard { url: url.clone(), consumer },
        }
    }
}

impl Endpoints {
    /// No address yet.
    pub(crate) fn new(control_plane: SharedControlPlane, identity: Identity) -> Self {
        let (current, homes) = (watch::Sender::default(), Mutex::default());
        Self(Arc::new(Inner { control_plane, identity, current, homes }))
    }

    /// Says which addresses there are now.
    pub(crate) fn set(&self, addresses: BTreeSet<Address>) {
        self.0.current.send_if_modified(|current| {
            let is_new = *current != addresses;
            *current = addresses;
            is_new
        });
    }

    /// The addresses as they come and go.
    pub(crate) fn follow(&self) -> watch::Receiver<BTreeSet<Address>> {
        self.0.current.subscribe()
    }

    /// A client for all workspaces at an address, which lists and watches only.
    ///
    /// # Errors
    /// When the control plane cannot make one.
    pub(super) fn all_workspaces(&self, address: &Address) -> Result<Client, Error> {
        self.0.control_plane.client(&address.endpoint(None), &self.0.identity)
    }

    /// Takes in that a workspace was heard of from an address.
    pub(super) fn heard(&self, cluster: &LogicalClusterName, address: &Address) {
        let mut homes = self.0.homes.lock();
        if homes.get(cluster).is_none_or(|home| home.address != *address) {
            homes.insert(cluster.clone(), Home { address: address.clone(), client: None });
        }
    }

    /// Whether the address is where the workspace was last heard of.
    pub(super) fn lives_at(&self, cluster: &LogicalClusterName, address: &Address) -> bool {
        self.0.homes.lock().get(cluster).is_some_and(|home| home.address == *address)
    }

    /// A client for one workspace.
    ///
    /// # Errors
    /// `Unavailable` when the workspace is at no address that there is now; the objects that were
    /// heard of from there are not gone, only out of reach.
    pub(super) fn client(&self, cluster: &LogicalClusterName) -> Result<Client, Error> {
        let mut homes = self.0.homes.lock();
        let home = homes.get_mut(cluster).filter(|home| self.0.current.borrow().contains(&home.address));
        let Some(Home { address, client }) = home else {
            let message = "no endpoint of the export serves the workspace now";
            return Err(Error::new(ErrorKind::Unavailable, "reach workspace", cluster, message));
        };
        if let Some(client) = client {
            return Ok(client.clone());
        }
        let made = self.0.control_plane.client(&address.endpoint(Some(cluster.clone())), &self.0.identity)?;
        Ok(client.insert(made).clone())
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.current.borrow().iter()).finish()
    }
}
