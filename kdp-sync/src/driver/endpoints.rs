//! Where the workspaces that bind the export are reached.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use kdp_core::{
    Endpoint, Error, ErrorKind, ExportUrl, Identity, LogicalClusterName, SharedControlPlane, WorkspacePath,
};
use kube::Client;
use parking_lot::Mutex;
use tokio::sync::watch;

/// How many clients are kept. Each has a task and a queue of its own, and is made again in no time;
/// with a hundred thousand workspaces, few have something to do at a time.
const MOST_CLIENTS: usize = 4096;

/// The addresses of an export, which may come and go, and who lives at which. Cloning it is cheap.
#[derive(Clone)]
pub(crate) struct Endpoints(Arc<Inner>);

struct Inner {
    control_plane: SharedControlPlane,
    identity: Identity,
    current: watch::Sender<BTreeSet<Address>>,
    homes: Mutex<HashMap<LogicalClusterName, Address>>,
    /// Those in use or used not long ago, each for the address where its workspace was then.
    clients: Mutex<HashMap<LogicalClusterName, (Address, Client)>>,
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
    /// One workspace itself, without an export.
    Workspace {
        /// Where it is.
        path: WorkspacePath,
        /// Its name.
        cluster: LogicalClusterName,
    },
}

impl Address {
    /// Host and port of a shard, when it is known.
    pub(super) fn host(&self) -> Option<&str> {
        let Self::Shard(url) = self else { return None };
        let (_, rest) = url.server().split_once("://")?;
        rest.split('/').next()
    }

    /// The one workspace that everything there is in, whatever it says.
    pub(crate) fn only(&self) -> Option<&LogicalClusterName> {
        match self {
            Self::Workspace { cluster, .. } => Some(cluster),
            Self::Export { .. } | Self::Shard(_) => None,
        }
    }

    /// All workspaces there, or one.
    fn endpoint(&self, consumer: Option<LogicalClusterName>) -> Endpoint {
        match self {
            Self::Export { cluster, export } => {
                Endpoint::ApiExport { cluster: cluster.clone(), export: export.clone(), consumer }
            }
            Self::Shard(url) => Endpoint::ExportShard { url: url.clone(), consumer },
            Self::Workspace { path, .. } => Endpoint::Workspace(path.clone()),
        }
    }
}

impl Endpoints {
    /// No address yet.
    pub(crate) fn new(control_plane: SharedControlPlane, identity: Identity) -> Self {
        let (current, homes, clients) = (watch::Sender::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { control_plane, identity, current, homes, clients }))
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
    pub(crate) fn all_workspaces(&self, address: &Address) -> Result<Client, Error> {
        self.0.control_plane.client(&address.endpoint(None), &self.0.identity)
    }

    /// Takes in that a workspace was heard of from an address.
    pub(crate) fn heard(&self, cluster: &LogicalClusterName, address: &Address) {
        let mut homes = self.0.homes.lock();
        if homes.get(cluster) != Some(address) {
            homes.insert(cluster.clone(), address.clone());
        }
    }

    /// Whether the address is where the workspace was last heard of.
    pub(super) fn lives_at(&self, cluster: &LogicalClusterName, address: &Address) -> bool {
        self.0.homes.lock().get(cluster) == Some(address)
    }

    /// A client for one workspace.
    ///
    /// # Errors
    /// `Unavailable` when the workspace is at no address that there is now; the objects that were
    /// heard of from there are not gone, only out of reach.
    pub(super) fn client(&self, cluster: &LogicalClusterName) -> Result<Client, Error> {
        let home = self.0.homes.lock().get(cluster).cloned();
        let current = self.0.current.borrow();
        // Nothing may have been heard of a workspace since this started, because it is empty. With
        // shards, it may as well be at one that is away for now.
        let is_whole = |address: &&Address| current.len() == 1 && !matches!(address, Address::Shard(_));
        let only = || current.first().filter(is_whole).cloned();
        let address = home.or_else(only).filter(|address| current.contains(address));
        drop(current);
        let Some(address) = address else {
            let message = "no endpoint of the export serves the workspace now";
            return Err(Error::new(ErrorKind::Unavailable, "reach workspace", cluster, message));
        };
        let mut clients = self.0.clients.lock();
        if let Some((of, client)) = clients.get(cluster)
            && *of == address
        {
            return Ok(client.clone());
        }
        let client = self.0.control_plane.client(&address.endpoint(Some(cluster.clone())), &self.0.identity)?;
        if clients.len() >= MOST_CLIENTS {
            clients.clear();
        }
        clients.insert(cluster.clone(), (address, client.clone()));
        Ok(client)
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.current.borrow().iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::pending};

    use http::{Request, Response};
    use kdp_core::ControlPlane;
    use kube::client::Body;

    use super::*;

    /// Makes clients that are never answered, and counts them.
    #[derive(Debug, Default)]
    struct Counting(Mutex<usize>);

    impl ControlPlane for Counting {
        fn client(&self, _: &Endpoint, _: &Identity) -> Result<Client, Error> {
            *self.0.lock() += 1;
            let never = tower::service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>());
            Ok(Client::new(never, "default"))
        }

        fn url(&self, _: &Endpoint) -> Option<String> {
            None
        }
    }

    fn address(export: &str) -> Address {
        Address::Export { cluster: "provider".parse().unwrap(), export: export.into() }
    }

    #[tokio::test]
    async fn clients_are_kept_for_workspaces_in_use_and_not_for_all_there_ever_were() {
        let made = Arc::new(Counting::default());
        let endpoints = Endpoints::new(made.clone(), Identity::system_masters());
        endpoints.set([address("a"), address("b")].into());
        let reach = |number: usize| {
            let cluster = format!("w{number}").parse().unwrap();
            endpoints.heard(&cluster, &address("a"));
            endpoints.client(&cluster).unwrap();
        };
        (0..MOST_CLIENTS).for_each(reach);
        (0..MOST_CLIENTS).for_each(reach);
        assert_eq!(*made.0.lock(), MOST_CLIENTS, "each is made once");
        (0..10 * MOST_CLIENTS).for_each(reach);
        assert!(endpoints.0.clients.lock().len() <= MOST_CLIENTS);
    }

    #[tokio::test]
    async fn a_workspace_that_nothing_was_heard_of_is_where_all_are_and_at_no_shard() {
        let endpoints = Endpoints::new(Arc::new(Counting::default()), Identity::system_masters());
        let cluster = "w".parse().unwrap();
        let shard = Address::Shard("https://shard/services/apiexport/provider/a".parse().unwrap());
        for (addresses, expected) in [
            (vec![], false),
            (vec![address("a")], true),
            (vec![address("a"), address("b")], false),
            (vec![shard], false),
        ] {
            endpoints.set(addresses.iter().cloned().collect());
            assert_eq!(endpoints.client(&cluster).is_ok(), expected, "{addresses:?}");
        }
    }

    #[tokio::test]
    async fn a_workspace_that_has_moved_is_reached_at_its_new_address() {
        let made = Arc::new(Counting::default());
        let endpoints = Endpoints::new(made.clone(), Identity::system_masters());
        endpoints.set([address("a"), address("b")].into());
        let cluster = "w".parse().unwrap();
        assert!(endpoints.client(&cluster).is_err(), "nobody has heard of it");
        for (export, expected) in [("a", 1), ("a", 1), ("b", 2), ("a", 3)] {
            endpoints.heard(&cluster, &address(export));
            endpoints.client(&cluster).unwrap();
            assert_eq!(*made.0.lock(), expected);
        }
        endpoints.set([address("b")].into());
        assert!(endpoints.client(&cluster).is_err(), "its address is gone");
    }
}
