//! Finds the APIExport, and where it is served.

use std::collections::BTreeSet;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kdp_core::{
    Endpoint, Error, ErrorKind, ExportUrl, LogicalClusterName, SharedControlPlane, WorkspacePath,
    api::{
        CLUSTER_ANNOTATION,
        apis::APIExportEndpointSlice,
        core::{LOGICAL_CLUSTER_NAME, LogicalCluster},
    },
};
use kube::{Api, Client, runtime::watcher};
use tokio_util::sync::CancellationToken;

use super::{AgentOptions, Board};
use crate::{
    driver::{Address, Endpoints, in_time},
    hash,
    watch::{Failed, watch},
};

/// A namespace that every cluster has, for as long as it lives.
const IDENTITY: &str = "kube-system";

/// Where an agent publishes.
pub(super) struct Topology {
    /// A client for the workspace of the export.
    pub(super) provider: Client,
    cluster: LogicalClusterName,
    pub(super) export: String,
    /// The slice that tells the endpoints, if one does.
    slice: Option<(Client, String)>,
    /// The workspace itself, if there is no export.
    direct: Option<WorkspacePath>,
}

impl Topology {
    /// Looks for the export's workspace, through the endpoint slice if one is named.
    pub(super) async fn find(control_plane: &SharedControlPlane, options: &AgentOptions) -> Result<Self, Error> {
        let AgentOptions { provider: path, identity, endpoint_slice, export, .. } = options;
        let workspace = |path: &WorkspacePath| control_plane.client(&Endpoint::Workspace(path.clone()), identity);
        let client = workspace(path)?;
        if options.is_direct {
            let cluster = match &options.cluster {
                Some(cluster) => cluster.clone(),
                None => cluster_itself(&client, path).await?,
            };
            return Ok(Self {
                provider: client,
                cluster,
                export: String::new(),
                slice: None,
                direct: Some(path.clone()),
            });
        }
        let Some(name) = endpoint_slice else {
            let cluster = cluster_of(&client, path).await?;
            return Ok(Self { provider: client, cluster, export: export.clone(), slice: None, direct: None });
        };
        let slices: Api<APIExportEndpointSlice> = Api::all(client.clone());
        let slice = in_time("get APIExportEndpointSlice", name, slices.get(name)).await?;
        let reference = slice.spec.export;
        let (provider, path) = if reference.path.is_empty() {
            (client.clone(), path.clone())
        } else {
            let unreadable = |error| {
                let message = "it does not say in which workspace the export is";
                Error::new(ErrorKind::Internal, "read APIExportEndpointSlice", name, message).with_source(error)
            };
            let path = reference.path.parse::<WorkspacePath>().map_err(unreadable)?;
            (workspace(&path)?, path)
        };
        let cluster = cluster_of(&provider, &path).await?;
        Ok(Self { provider, cluster, export: reference.name, slice: Some((client, name.clone())), direct: None })
    }

    /// The addresses at this moment.
    ///
    /// # Errors
    /// When the slice cannot be read.
    pub(super) async fn addresses_now(&self) -> Result<BTreeSet<Address>, Error> {
        let Some((client, name)) = &self.slice else { return Ok([self.address()].into()) };
        let slices: Api<APIExportEndpointSlice> = Api::all(client.clone());
        let slice = in_time("get APIExportEndpointSlice", name, slices.get(name)).await?;
        Ok(self.addresses(&slice))
    }

    /// Keeps the endpoints up to date until `shutdown`.
    pub(super) async fn follow(&self, endpoints: &Endpoints, board: &Board, shutdown: &CancellationToken) {
        let set = |addresses: BTreeSet<Address>| {
            board.update(|status| {
                if status.endpoints != addresses.len() {
                    tracing::info!(endpoints = addresses.len(), "export.reached");
                }
                status.endpoints = addresses.len();
            });
            endpoints.set(addresses);
        };
        let Some((client, name)) = &self.slice else {
            set([self.address()].into());
            return shutdown.cancelled().await;
        };
        let only_ours = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut events = watch::<APIExportEndpointSlice>(client, Api::all, only_ours);
        let mut listed = BTreeSet::new();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = shutdown.cancelled() => return,
            };
            match event {
                Some(Ok(watcher::Event::Init)) => listed.clear(),
                Some(Ok(watcher::Event::InitApply(slice))) => listed = self.addresses(&slice),
                Some(Ok(watcher::Event::InitDone)) => set(std::mem::take(&mut listed)),
                Some(Ok(watcher::Event::Apply(slice))) => set(self.addresses(&slice)),
                Some(Ok(watcher::Event::Delete(_))) => set(BTreeSet::new()),
                Some(Err(Failed { error, pause, .. })) => {
                    tracing::warn!(slice = name, %error, ?pause, "watch.failed");
                }
                // A watch never ends by itself.
                None => return,
            }
        }
    }

    /// Where everything is that no slice tells.
    fn address(&self) -> Address {
        let cluster = self.cluster.clone();
        match &self.direct {
            Some(path) => Address::Workspace { path: path.clone(), cluster },
            None => Address::Export { cluster, export: self.export.clone() },
        }
    }

    /// The addresses that a slice tells. One for anything but the export is not followed: who writes
    /// slices must not choose what the agent looks at.
    fn addresses(&self, slice: &APIExportEndpointSlice) -> BTreeSet<Address> {
        let endpoints = slice.status.iter().flat_map(|status| &status.endpoints);
        let address = |url: &str| match url.parse::<ExportUrl>() {
            Ok(parsed) if *parsed.cluster() == self.cluster && parsed.export() == self.export => {
                Some(Address::Shard(parsed))
            }
            Ok(_) => {
                tracing::warn!(url, "endpoint.foreign");
                None
            }
            Err(error) => {
                tracing::warn!(url, %error, "endpoint.unreadable");
                None
            }
        };
        endpoints.filter_map(|endpoint| address(&endpoint.url)).collect()
    }
}

async fn cluster_of(provider: &Client, path: &WorkspacePath) -> Result<LogicalClusterName, Error> {
    let api: Api<LogicalCluster> = Api::all(provider.clone());
    let cluster = in_time("find workspace", path, api.get(LOGICAL_CLUSTER_NAME)).await?;
    let name = cluster.metadata.annotations.as_ref().and_then(|annotations| annotations.get(CLUSTER_ANNOTATION));
    let name = name.and_then(|name| name.parse().ok());
    name.ok_or_else(|| Error::new(ErrorKind::Internal, "find workspace", path, "it does not say its cluster name"))
}

/// The name of a workspace, or one for a cluster that is none.
async fn cluster_itself(client: &Client, path: &WorkspacePath) -> Result<LogicalClusterName, Error> {
    match cluster_of(client, path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    let api: Api<Namespace> = Api::all(client.clone());
    let namespace = in_time("identify the cluster by namespace", IDENTITY, api.get(IDENTITY)).await?;
    // As names of workspaces look: what is kept apart by those has neither dashes nor dots.
    let digest = hash::sha256(namespace.metadata.uid.unwrap_or_default());
    let name = format!("k{}", &digest[..15]);
    name.parse().map_err(|error| {
        Error::new(ErrorKind::Internal, "name the cluster", name, "it is no name of a workspace").with_source(error)
    })
}
