//! The in-process control plane.

pub mod audit;
pub mod auth;
mod authorizer;
mod builtin;
mod consumers;
mod control;
mod conversion;
mod crd;
mod decode;
mod discovery;
mod exports;
mod facts;
mod fanout;
mod http;
mod index;
mod json_path;
mod key;
mod kinds;
pub mod kubeconfig;
mod lifecycles;
mod limits;
mod managed_fields;
mod meta;
mod object;
mod openapi;
mod options;
mod patch;
pub mod pki;
mod protobuf;
mod quantity;
mod queue;
mod registry;
pub mod resource;
mod roles;
mod schema;
mod selector;
pub mod serve;
pub mod status;
mod surface;
mod table;
mod urls;
mod waiting;

use std::{fmt, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use kdp_core::{ControlPlane, Endpoint, Identity};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

pub use self::options::EmbeddedOptions;
use self::{
    auth::{PeerIdentity, WorkspaceAuthenticators, service_account::ServiceAccountTokens},
    authorizer::Authorizer,
    http::ApiServer,
    index::Index,
    kubeconfig::Kubeconfig,
    limits::Limits,
    pki::Pki,
    registry::Registry,
    urls::Urls,
};
use crate::{
    Error, Server,
    store::{DiskStore, MemoryStore, SharedStore},
};

/// How long a client certificate of [`Embedded::kubeconfig`] is valid.
const CERTIFICATE_VALIDITY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A control plane inside this process.
///
/// It answers as soon as it is opened, through the clients it hands out; a [`Server`] adds HTTPS.
/// Clones share the same control plane; it stops when [`Embedded::close`] is called or the last
/// clone is dropped, and every write that was answered before is kept.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use k8s_openapi::api::core::v1::Namespace;
/// use kdp_core::{ControlPlaneExt, WorkspacePath};
/// use kdp_tenancy::Embedded;
/// use kube::Api;
///
/// let control_plane = Embedded::in_memory().await?;
/// let client = control_plane.system_client(&WorkspacePath::root())?;
/// let namespaces: Api<Namespace> = Api::all(client);
/// assert_eq!(namespaces.get("default").await?.metadata.name.as_deref(), Some("default"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Embedded {
    inner: Arc<Inner>,
}

struct Inner {
    api: ApiServer,
    store: SharedStore,
    pki: Arc<Pki>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Embedded {
    /// A control plane that forgets everything when it stops.
    ///
    /// # Errors
    /// When no certificates can be made.
    pub async fn in_memory() -> Result<Self, Error> {
        Self::in_memory_with(EmbeddedOptions::new()).await
    }

    /// As [`Embedded::in_memory`], with choices.
    ///
    /// # Errors
    /// When no certificates can be made.
    pub async fn in_memory_with(options: EmbeddedOptions) -> Result<Self, Error> {
        let pki = Pki::ephemeral()?;
        Self::start(Arc::new(MemoryStore::new()), pki, options).await
    }

    /// The control plane whose data is in `data_dir`, made on first use.
    ///
    /// # Errors
    /// When another process has it open, when the disk refuses, or when what it holds is corrupt.
    pub async fn open(data_dir: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(data_dir, EmbeddedOptions::new()).await
    }

    /// As [`Embedded::open`], with choices.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub async fn open_with(data_dir: impl AsRef<Path>, options: EmbeddedOptions) -> Result<Self, Error> {
        let data_dir = data_dir.as_ref();
        let store = DiskStore::open(data_dir.join("store")).await?;
        let pki = Pki::load_or_create(&data_dir.join("pki"))?;
        Self::start(Arc::new(store), pki, options).await
    }

    /// A control plane on any store, with certificates from `pki`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start(store: SharedStore, pki: Pki, options: EmbeddedOptions) -> Result<Self, Error> {
        let pki = Arc::new(pki);
        let index = Arc::new(Index::new(store.clone(), Arc::new(Limits::new(options.limits))));
        let registry = Registry {
            store: store.clone(),
            authorizer: Authorizer::new(index.clone()),
            index: index.clone(),
            urls: Arc::new(Urls::default()),
            pki: pki.clone(),
        };
        kinds::workspace_type::bootstrap::bootstrap(&registry).await?;
        let revision = index.load().await?;
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let stop = shutdown.clone();
        tasks.spawn(async move {
            if let Err(error) = index.follow(revision, stop.clone()).await {
                tracing::error!(%error, "index.failed");
                stop.cancel();
            }
        });
        tasks.spawn(control::run(registry.clone(), shutdown.clone()));
        tasks.close();
        for oidc in options.oidc {
            let stop = shutdown.clone();
            tasks.spawn(async move { stop.run_until_cancelled(oidc.warm_up()).await });
        }
        let workspace_authenticators = Arc::new(WorkspaceAuthenticators::new(store.clone(), registry.index.clone()));
        let service_accounts = ServiceAccountTokens::new(store.clone(), pki.clone());
        let api = ApiServer {
            registry,
            authenticator: Arc::new(options.authenticator.with_tokens(service_accounts)),
            workspace_authenticators,
            home_workspaces: options.home_workspaces,
            audit: options.audit.map(Arc::new),
            shutdown: shutdown.clone(),
        };
        let _stop_on_drop = shutdown.clone().drop_guard();
        Ok(Self { inner: Arc::new(Inner { api, store, pki, tasks, shutdown, _stop_on_drop }) })
    }

    /// A kubeconfig for `identity` at `endpoint`, with a fresh client certificate that is valid
    /// for a year, as YAML.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn kubeconfig(&self, endpoint: &Endpoint, identity: &Identity) -> Result<String, Error> {
        let certificate = self.inner.pki.client_certificate(identity, CERTIFICATE_VALIDITY)?;
        let base = self.inner.api.registry.urls.base();
        let name = match endpoint {
            Endpoint::Workspace(path) => path.to_string(),
            other => other.prefix(),
        };
        Ok(Kubeconfig::new(&name, &base, endpoint, &self.inner.pki.ca_pem(), certificate).to_yaml()?)
    }

    /// Signs tokens of service accounts with a new key from now on; tokens of the last few keys before
    /// it are still accepted.
    ///
    /// # Errors
    /// When the key cannot be made or kept; then nothing has changed.
    pub fn rotate_token_key(&self) -> Result<(), Error> {
        Ok(self.inner.pki.token_keys().rotate()?)
    }

    /// Accepts only tokens of service accounts that the newest key signed from now on.
    ///
    /// # Errors
    /// When the change cannot be kept; then nothing has changed.
    pub fn retire_old_token_keys(&self) -> Result<(), Error> {
        Ok(self.inner.pki.token_keys().retire_old()?)
    }

    /// Binds an address for HTTPS; the server answers once it runs as a component.
    ///
    /// From now on, the URLs that the control plane tells clients are at this address.
    ///
    /// # Errors
    /// When the address is taken or not of this machine.
    pub async fn server(&self, listen: SocketAddr) -> Result<Server, Error> {
        let server = Server::bind(self.clone(), listen).await?;
        let urls = &self.inner.api.registry.urls;
        urls.set_base(format!("https://{}", server.local_addr()));
        control::rebase(&self.inner.api.registry).await?;
        Ok(server)
    }

    /// Stops: open watches end, what is under way is finished, and the store is closed.
    ///
    /// # Errors
    /// When the last writes could not be made durable.
    pub async fn close(&self) -> Result<(), Error> {
        self.inner.shutdown.cancel();
        self.inner.tasks.wait().await;
        if let Some(audit) = &self.inner.api.audit {
            audit.sink().close().await.map_err(|error| Error::Internal(error.to_string()))?;
        }
        Ok(self.inner.store.close().await?)
    }

    pub(crate) fn api(&self) -> &ApiServer {
        &self.inner.api
    }

    pub(crate) fn pki(&self) -> &Arc<Pki> {
        &self.inner.pki
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("store", &self.inner.store).finish_non_exhaustive()
    }
}

impl ControlPlane for Embedded {
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<kube::Client, kdp_core::Error> {
        let (api, prefix) = (self.inner.api.clone(), endpoint.prefix());
        let peer = PeerIdentity::in_process(identity.clone());
        let service = tower::service_fn(move |mut request: ::http::Request<kube::client::Body>| {
            let (api, peer) = (api.clone(), peer.clone());
            let uri = format!("{prefix}{}", request.uri().path_and_query().map_or("/", |path| path.as_str()));
            async move {
                *request.uri_mut() = uri.parse()?;
                request.extensions_mut().insert(peer);
                let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
                Ok::<_, ::http::uri::InvalidUri>(api.handle(request).await)
            }
        });
        Ok(kube::Client::new(service, "default"))
    }

    fn url(&self, endpoint: &Endpoint) -> Option<String> {
        Some(self.inner.api.registry.urls.endpoint(endpoint))
    }
}
