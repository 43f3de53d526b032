//! The control plane that a kcp server is.

mod address;
mod announced;
mod exports;
mod identity;
#[cfg(test)]
mod tests;

use std::{fmt, path::Path, sync::Arc};

use http::{HeaderMap, Request, Response, Uri};
use kdp_core::{ControlPlane, Endpoint, Error, ErrorKind, Identity};
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::{BoxError, Layer};

use self::{announced::Announced, exports::Exports};

/// A kcp server, reached over the network with one credential.
///
/// A client for [`Identity::system_masters`] uses the credential as it is, so the platform has the
/// rights of the credential. A client for anybody else impersonates with every request, which the
/// credential needs the right to. What kcp makes of that depends on the credential:
///
/// - One in `system:kcp:admin` can make workspaces. Whom it impersonates is confined to the workspace
///   of the request, and so can neither use a right in another one, such as to bind an export, nor
///   make a workspace whose type binds exports by default, as the types that come with kcp do.
/// - One in `system:masters` impersonates without such limits, but kcp records no creator for what
///   it makes itself, and never initializes such a workspace. Give the platform an identity with
///   [`Kcp::with_platform_identity`].
///
/// [`Endpoint::AllWorkspaces`] needs a credential in `system:masters` and the address of a shard;
/// a front-proxy answers 403 there.
///
/// All clients share one pool of connections per server address.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use kdp_core::{ControlPlaneExt, WorkspacePath, api::tenancy::Workspace};
/// use kdp_tenancy::Kcp;
/// use kube::Api;
///
/// let control_plane = Kcp::from_kubeconfig_file(".kcp/admin.kubeconfig").await?;
/// let workspaces: Api<Workspace> = Api::all(control_plane.system_client(&WorkspacePath::root())?);
/// println!("{} workspaces", workspaces.list(&Default::default()).await?.items.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Kcp {
    config: Arc<Config>,
    servers: Arc<[Server]>,
    exports: Arc<Exports>,
    announced: Announced,
    platform: Option<Identity>,
}

/// An address and the connections to it.
#[derive(Clone)]
struct Server {
    base: Uri,
    client: Client,
}

impl Kcp {
    /// The kcp server of the kubeconfig's current context, as the user there.
    ///
    /// What follows `/clusters/` or `/services/` in the server's URL is dropped. Has to be called
    /// within a Tokio runtime. The server is not contacted.
    ///
    /// # Errors
    /// `Invalid` when the kubeconfig is incomplete, cannot be used, or impersonates.
    pub async fn from_kubeconfig(kubeconfig: Kubeconfig) -> Result<Self, Error> {
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Self::new(config.map_err(|error| unusable("kubeconfig").with_source(error))?)
    }

    /// The same, from a file.
    ///
    /// # Errors
    /// As [`Kcp::from_kubeconfig`], and `Invalid` when the file cannot be read.
    pub async fn from_kubeconfig_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let kubeconfig = Kubeconfig::read_from(path).map_err(|error| unusable(path.display()).with_source(error))?;
        Self::from_kubeconfig(kubeconfig).await
    }

    /// The kcp server at `config`'s URL, without what follows `/clusters/` or `/services/` there.
    ///
    /// Has to be called within a Tokio runtime. The server is not contacted.
    ///
    /// # Errors
    /// `Invalid` when the configuration cannot be used, or impersonates.
    pub fn new(config: Config) -> Result<Self, Error> {
        if config.auth_info.impersonate.is_some() {
            let message = "it impersonates somebody; use the credential of whom the platform is to be";
            return Err(Error::new(ErrorKind::Invalid, "use", "the configuration", message));
        }
        let server = Server::new(&config, &config.cluster_url)?;
        Ok(Self {
            config: Arc::new(config),
            servers: Arc::new([server]),
            exports: Arc::default(),
            announced: Announced::default(),
            platform: None,
        })
    }

    /// The same control plane, which may also send requests, with its credential, to `url`.
    ///
    /// kcp serves an APIExport's objects where the APIExportEndpointSlice says, which may be the
    /// address of a shard. The workspace that holds the slice can write to it, so an address that
    /// was not named here is refused.
    ///
    /// # Errors
    /// `Invalid` when `url` is not one of an HTTPS server.
    pub fn with_shard(self, url: &str) -> Result<Self, Error> {
        let uri = url.parse().map_err(|error| unusable(url).with_source(error))?;
        let shard = Server::new(&self.config, &uri)?;
        let servers = self.servers.iter().cloned().chain([shard]).collect();
        Ok(Self { servers, ..self })
    }

    /// The same control plane, which sends requests, with its credential, to whatever HTTPS server an
    /// [`Endpoint::ExportShard`] names.
    ///
    /// Right where the credential is only good for those who can write the APIExportEndpointSlice
    /// anyway, as that of a sync agent in its provider's workspace: shards may then come and go.
    #[must_use]
    pub fn with_announced_shards(self) -> Self {
        Self { announced: self.announced.trusting(), ..self }
    }

    /// The same control plane, which reaches what an APIExportEndpointSlice announces at the host
    /// and port `old` at `new` instead, such as the end of a tunnel. May be called several times.
    ///
    /// # Errors
    /// `Invalid` when one of them is not a host with or without a port.
    pub fn with_host_override(self, old: &str, new: &str) -> Result<Self, Error> {
        Ok(Self { announced: self.announced.redirecting(old, new)?, ..self })
    }

    /// The same control plane, in which the platform acts as `identity` where it would use the
    /// credential as it is: everywhere but at [`Endpoint::AllWorkspaces`].
    ///
    /// With a credential in `system:masters`, a member of `system:kcp:admin` is right.
    #[must_use]
    pub fn with_platform_identity(self, identity: Identity) -> Self {
        Self { platform: Some(identity), ..self }
    }

    /// Whom to impersonate for `identity`, if anybody.
    fn impersonated<'a>(&'a self, endpoint: &Endpoint, identity: &'a Identity) -> Option<&'a Identity> {
        if *identity != Identity::system_masters() {
            return Some(identity);
        }
        self.platform.as_ref().filter(|_| *endpoint != Endpoint::AllWorkspaces)
    }

    fn main(&self) -> &Server {
        self.servers.first().expect("there is a server from the start")
    }

    /// The server that answers for `endpoint`.
    async fn server_of(&self, endpoint: &Endpoint) -> Result<Server, Error> {
        match endpoint {
            Endpoint::ApiExport { cluster, export, .. } => {
                let index = self.exports.server_of(cluster, export, &self.servers, &self.announced).await?;
                Ok(self.servers.get(index).unwrap_or_else(|| self.main()).clone())
            }
            Endpoint::ExportShard { url, .. } => self.announced.server_of(url, &self.servers, &self.config),
            _ => Ok(self.main().clone()),
        }
    }

    async fn send(&self, endpoint: &Endpoint, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("{}{path}", endpoint.prefix()).parse()?;
        Ok(self.server_of(endpoint).await?.client.send(request).await?)
    }
}

impl Server {
    fn new(config: &Config, url: &Uri) -> Result<Self, Error> {
        let base = address::base(url).map_err(|message| Error::new(ErrorKind::Invalid, "use", url, message))?;
        let mut config = config.clone();
        config.cluster_url = base.clone();
        let client = Client::try_from(config).map_err(|error| unusable(url).with_source(error))?;
        Ok(Self { base, client })
    }
}

fn unusable(subject: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, "use", subject, "no client can be made of it")
}

impl ControlPlane for Kcp {
    /// As the trait says; [`Kcp`] says who acts. Has to be called within a Tokio runtime.
    ///
    /// A client for an export looks at its APIExportEndpointSlice with the platform's credential
    /// before its first request, and again when what it found is a minute old. Its requests fail
    /// with an [`Error`] in [`kube::Error::Service`] when the export is served by several shards,
    /// of which one client could see only one ([`Endpoint::ExportShard`] sees each), or at an
    /// address that is not known ([`Kcp::with_shard`], [`Kcp::with_announced_shards`]).
    ///
    /// # Errors
    /// `Invalid` when the identity has no name or does not fit into HTTP headers.
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<Client, Error> {
        let headers = self.impersonated(endpoint, identity).map(identity::headers).transpose()?;
        let (this, endpoint) = (self.clone(), endpoint.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (this, endpoint) = (this.clone(), endpoint.clone());
            async move { this.send(&endpoint, request).await }
        });
        let Some(headers) = headers else { return Ok(Client::new(service, "default")) };
        let mut service = headers.layer(service);
        let guarded = tower::service_fn(move |request: Request<Body>| {
            let refused = names_an_identity(request.headers());
            let answer = (!refused).then(|| tower::Service::call(&mut service, request));
            async move {
                match answer {
                    Some(answer) => answer.await,
                    // kcp would see both identities and take the sum of their groups.
                    None => Err("a client that impersonates cannot impersonate somebody else".into()),
                }
            }
        });
        Ok(Client::new(guarded, "default"))
    }

    fn url(&self, endpoint: &Endpoint) -> Option<String> {
        Some(format!("{}{endpoint}", address::text(&self.main().base)))
    }
}

/// Whether a request says itself who it acts as.
fn names_an_identity(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("impersonate-"))
}

impl fmt::Debug for Kcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.servers.iter().map(|server| &server.base)).finish()
    }
}
