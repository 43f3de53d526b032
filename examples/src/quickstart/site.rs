//! The platform: two embedded control planes, and the components around them.

use std::{
    error::Error as StdError,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use kdp_catalog::{Catalog, CatalogEntry, ServiceController};
use kdp_core::{
    ControlPlaneExt, Endpoint, Error, ErrorKind, Identity, Platform, WorkspacePath, workspace::ensure_workspace,
};
use kdp_sync::{Agent, AgentOptions};
use kdp_tenancy::{Embedded, EmbeddedOptions, Server};
use kube::Client;

use super::{data_dir::DataDir, manifest, screen, tenant::Tenant};
use crate::database::{DatabaseOperator, Engine, PostgresProvider, SqliteProvider};

/// Field manager of what the platform applies.
pub(crate) const MANAGER: &str = "quickstart";
/// Name of the Service, of its APIExport and of the provider's workspace.
pub(crate) const SERVICE: &str = "databases";

const SERVICE_MANIFEST: &str = include_str!("../../manifests/service.yaml");
const PUBLISHED_RESOURCE: &str = include_str!("../../manifests/published-resource.yaml");
const POLL: Duration = Duration::from_millis(10);
const PUBLISH_DEADLINE: Duration = Duration::from_secs(30);

/// Everything the platform is made of, open but not yet running.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) control_plane: Embedded,
    pub(crate) service_cluster: Embedded,
    /// Where the provider offers its service.
    provider: WorkspacePath,
    sqlite: SqliteProvider,
    postgres: Option<PostgresProvider>,
}

/// The servers of both control planes, listening already.
#[derive(Debug)]
pub(crate) struct Servers {
    control_plane: Server,
    service_cluster: Server,
}

impl Site {
    /// Opens what the data directory holds, the control plane of the tenants with these options.
    pub(crate) async fn open(data_dir: &DataDir, options: EmbeddedOptions) -> Result<Self, Error> {
        let control_plane = embedded(data_dir, "control-plane", options).await?;
        let service_cluster = embedded(data_dir, "service-cluster", EmbeddedOptions::new()).await?;
        let sqlite = SqliteProvider::open(data_dir.join("sqlite")).await?;
        let postgres = match PostgresProvider::open(data_dir.join("postgres")).await {
            Ok(provider) => Some(provider),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                screen::line(format_args!("  postgres is not offered: {}", error.message()));
                None
            }
            Err(error) => return Err(error),
        };
        Ok(Self { control_plane, service_cluster, provider: below_root(SERVICE)?, sqlite, postgres })
    }

    /// Makes the workspaces that components expect and those of the tenants. Idempotent.
    pub(crate) async fn settle(&self, tenants: &[Tenant]) -> Result<(), Error> {
        ensure_workspace(&self.control_plane, &self.provider, &Identity::system_masters()).await?;
        kdp_sync::install_crds(&self.cluster()?).await?;
        for tenant in tenants {
            tenant.settle(&self.control_plane).await?;
            screen::line(format_args!("  {} for {}", tenant.workspace, tenant.identity.username));
        }
        Ok(())
    }

    /// Binds the addresses.
    pub(crate) async fn listen(&self, address: SocketAddr) -> Result<Servers, Error> {
        let control_plane = self.control_plane.server(address).await.map_err(|e| cannot_listen(address, e))?;
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        let service_cluster = self.service_cluster.server(anywhere).await.map_err(|e| cannot_listen(anywhere, e))?;
        screen::line(format_args!("  API server on https://{}", control_plane.local_addr()));
        Ok(Servers { control_plane, service_cluster })
    }

    /// The components, in the order in which each may rely on those before it.
    pub(crate) fn platform(&self, servers: Servers) -> Result<Platform, Error> {
        let cluster = self.cluster()?;
        let mut operator =
            DatabaseOperator::new(cluster.clone()).with_provider(self.sqlite.offer(), self.sqlite.clone());
        if let Some(postgres) = &self.postgres {
            operator = operator.with_provider(postgres.offer(), postgres.clone());
        }
        let agent = Agent::new(cluster, AgentOptions::new("quickstart", self.provider.clone(), SERVICE));
        Ok(Platform::builder(Arc::new(self.control_plane.clone()))
            .component(servers.service_cluster)
            .component(operator)
            .component(servers.control_plane)
            .component(ServiceController::new([self.provider.clone()]))
            .component(agent))
    }

    /// Offers the service, and returns once the catalog shows `tenant` that it can be bound.
    pub(crate) async fn publish(&self, tenant: &Tenant) -> Result<CatalogEntry, Error> {
        manifest::apply(&self.control_plane.system_client(&self.provider)?, SERVICE_MANIFEST, MANAGER).await?;
        manifest::apply(&self.cluster()?, PUBLISHED_RESOURCE, MANAGER).await?;
        let catalog = self.catalog();
        let offered = async {
            loop {
                let entry = catalog.get(&tenant.authenticated(), SERVICE).await?;
                if let Some(entry) = entry.filter(|entry| entry.may_bind && !entry.kinds().is_empty()) {
                    return Ok(entry);
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(PUBLISH_DEADLINE, offered).await.map_err(|_| {
            let message = format!("the catalog does not show it after {PUBLISH_DEADLINE:?}");
            Error::new(ErrorKind::Unavailable, "publish", SERVICE, message)
        })?
    }

    /// What the provider offers, as each may see it.
    pub(crate) fn catalog(&self) -> Catalog {
        Catalog::new(Arc::new(self.control_plane.clone()), [self.provider.clone()])
    }

    /// A client that may do everything on the service cluster.
    pub(crate) fn cluster(&self) -> Result<Client, Error> {
        self.service_cluster.system_client(&WorkspacePath::root())
    }

    /// The engines offered.
    pub(crate) fn engines(&self) -> impl Iterator<Item = Engine> {
        [Engine::Sqlite].into_iter().chain(self.postgres.as_ref().map(|_| Engine::Postgres))
    }

    /// Writes a kubeconfig for `identity` in `workspace` of one of the control planes.
    pub(crate) fn write_kubeconfig(
        data_dir: &DataDir,
        control_plane: &Embedded,
        name: &str,
        workspace: &WorkspacePath,
        identity: &Identity,
    ) -> Result<std::path::PathBuf, Error> {
        let text = control_plane
            .kubeconfig(&Endpoint::Workspace(workspace.clone()), identity)
            .map_err(|e| tenancy("write the kubeconfig of", name, e))?;
        data_dir.write_secret(&format!("kubeconfigs/{name}.kubeconfig"), &text)
    }

    /// Stops the database servers and closes the stores; to be called when nothing runs any more.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        let stopped = match &self.postgres {
            Some(postgres) => postgres.stop_servers().await,
            None => Ok(()),
        };
        let planes = [("the control plane", &self.control_plane), ("the service cluster", &self.service_cluster)];
        let mut closed = Ok(());
        for (name, plane) in planes {
            closed = closed.and(plane.close().await.map_err(|e| tenancy("close", name, e)));
        }
        stopped.and(closed)
    }
}

/// The workspace `name` below the root.
pub(crate) fn below_root(name: &str) -> Result<WorkspacePath, Error> {
    WorkspacePath::root()
        .join(name)
        .map_err(|e| Error::new(ErrorKind::Invalid, "name", "workspace", e.to_string()).with_source(e))
}

async fn embedded(data_dir: &DataDir, name: &str, options: EmbeddedOptions) -> Result<Embedded, Error> {
    Embedded::open_with(data_dir.join(name), options).await.map_err(|e| tenancy("open", name, e))
}

fn cannot_listen(address: SocketAddr, error: kdp_tenancy::Error) -> Error {
    let message = match io_error_kind(&error) {
        Some(io::ErrorKind::AddrInUse) => "the address is in use; choose another with --listen, such as 127.0.0.1:0",
        Some(io::ErrorKind::AddrNotAvailable) => "the address is not one of this machine; choose another with --listen",
        Some(io::ErrorKind::PermissionDenied) => "this port is for root; choose another with --listen",
        _ => "the address cannot be bound",
    };
    Error::new(ErrorKind::Unavailable, "listen on", address, message).with_source(error)
}

/// The kind of the I/O error that is at the bottom of an error, if one is.
fn io_error_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let here = error.downcast_ref::<io::Error>().map(io::Error::kind);
    error.source().and_then(io_error_kind).or(here)
}

fn tenancy(op: &'static str, subject: &str, error: kdp_tenancy::Error) -> Error {
    Error::new(ErrorKind::Unavailable, op, subject, "the control plane refused").with_source(error)
}
