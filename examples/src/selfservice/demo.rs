//! The platform of the quickstart with the page in front, and two tenants with a token each.

use std::{net::SocketAddr, path::PathBuf};

use kdp_core::{Error, ErrorKind, RunningPlatform, WorkspacePath};
use kdp_tenancy::{Embedded, EmbeddedOptions, embedded::auth::StaticTokens};

use super::{Options, Page, PageOptions, PageServer, Secret, Tickets, Upstream, upstream};
use crate::quickstart::{data_dir::DataDir, screen, site::Site, steps::Steps, tenant::Tenant};

/// A running platform with a page.
#[derive(Debug)]
pub struct Demo {
    site: Site,
    running: RunningPlatform,
    url: String,
    upstream: Upstream,
    guests: Vec<Guest>,
    _data_dir: DataDir,
}

/// Somebody who may sign in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Guest {
    /// Name of the tenant.
    pub name: String,
    /// Where it works.
    pub workspace: WorkspacePath,
    /// What it signs in with.
    pub token: Secret,
    /// A link that signs in once.
    pub link: String,
    /// A kubeconfig with the same token; only this account may read it.
    pub kubeconfig: PathBuf,
}

impl Demo {
    /// Starts everything, and returns once the service can be ordered.
    ///
    /// # Errors
    /// When a part does not start; the others are stopped again.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let data_dir = DataDir::open(&options.platform())?;
        let tenants = [Tenant::new("team-a")?, Tenant::new("team-b")?];
        let tokens: Vec<Secret> = tenants.iter().map(|_| Secret::random()).collect();
        let known = tenants.iter().zip(&tokens).fold(StaticTokens::new(), |known, (tenant, token)| {
            known.with_token(token.expose(), tenant.identity.clone())
        });
        let site = Site::open(&data_dir, EmbeddedOptions::new().with_tokens(known)).await?;
        match serve(options, &site, &data_dir, &tenants, &tokens).await {
            Ok(Served { running, url, upstream, guests }) => {
                Ok(Self { site, running, url, upstream, guests, _data_dir: data_dir })
            }
            // Even after a failure no server and no half-written store is left behind.
            Err(error) => Err(site.close().await.err().unwrap_or(error)),
        }
    }

    /// The address of the page.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who may sign in.
    #[must_use]
    pub fn guests(&self) -> &[Guest] {
        &self.guests
    }

    /// The control plane behind the page.
    #[must_use]
    pub fn control_plane(&self) -> &Embedded {
        &self.site.control_plane
    }

    /// Completes when a part of the platform has failed. Cancel-safe.
    pub async fn failed(&self) {
        self.running.failed().await;
    }

    /// Stops everything and closes the stores.
    ///
    /// # Errors
    /// The cause, when a part had failed before.
    pub async fn stop(self) -> Result<(), Error> {
        let stopped = self.running.stop().await;
        stopped.and(self.site.close().await)
    }

    /// Asks the API server with each token who that is.
    pub(super) async fn check(&self) -> Result<(), Error> {
        for guest in &self.guests {
            let client = self.upstream.client(&guest.workspace, &guest.token).await?;
            let identity = upstream::who_is(&client).await;
            let identity = identity.map_err(|e| Error::from_kube("sign in as", &guest.name, e))?;
            screen::line(format_args!("  {} is {}", guest.name, identity.username));
        }
        Ok(())
    }

    /// Says where to go.
    pub(super) fn print_guide(&self) {
        screen::line(format_args!("\nThe page is at {} until Ctrl-C. Each link signs in once:\n", self.url));
        for guest in &self.guests {
            screen::line(format_args!("  # {} in {}", guest.name, guest.workspace));
            screen::line(format_args!("  {}", guest.link));
            screen::line(format_args!("  kubectl --kubeconfig {} get databases -A\n", guest.kubeconfig.display()));
        }
        screen::line("After that, sign in with the token in the kubeconfig file and the path of the workspace.");
        tracing::info!(url = %self.url, "selfservice.serving");
    }
}

struct Served {
    running: RunningPlatform,
    url: String,
    upstream: Upstream,
    guests: Vec<Guest>,
}

async fn serve(
    options: &Options,
    site: &Site,
    data_dir: &DataDir,
    tenants: &[Tenant; 2],
    tokens: &[Secret],
) -> Result<Served, Error> {
    let mut steps = Steps::default();
    steps.take("workspaces of the provider and of two tenants", site.settle(tenants)).await?;
    // A workspace below, so that there is something to see of a tree.
    let [first, _] = tenants;
    let below = Tenant { workspace: join(&first.workspace, "staging")?, ..first.clone() };
    steps.take("a workspace below the first", below.settle(&site.control_plane)).await?;

    let page_server = PageServer::bind(options.listen()).await?;
    let origins = origins(page_server.local_addr(), options.public_url.as_deref());
    let url = origins.first().cloned().unwrap_or_default();
    let servers = site.listen(options.api_listen).await?;
    let upstream = Upstream::of(&site.control_plane)?;
    let tickets = Tickets::default();
    let mut guests = Vec::new();
    for (tenant, token) in tenants.iter().zip(tokens) {
        let ticket = tickets.issue(token.clone(), tenant.workspace.clone());
        guests.push(Guest {
            name: tenant.name.to_owned(),
            workspace: tenant.workspace.clone(),
            token: token.clone(),
            link: format!("{url}/#ticket={}", ticket.expose()),
            kubeconfig: write_kubeconfig(data_dir, &upstream, tenant, token)?,
        });
    }
    let page = PageOptions::new(upstream.clone(), site.catalog(), origins).with_tickets(tickets);
    let page = page_server.serve(Page::new(page)?);
    let platform = site.platform(servers)?.component(page);
    let running = steps.take("servers, operator, catalog, sync agent and page started", platform.start()).await?;
    match steps.take("the service is in the catalog", site.publish(first)).await {
        Ok(_) => Ok(Served { running, url, upstream, guests }),
        Err(error) => Err(running.stop().await.err().unwrap_or(error)),
    }
}

/// The addresses of the page; on this machine alone it has a name as well.
fn origins(address: SocketAddr, public: Option<&str>) -> Vec<String> {
    match public {
        Some(url) => vec![url.trim_end_matches('/').to_owned()],
        None if address.ip().is_loopback() => {
            vec![format!("http://{address}"), format!("http://localhost:{}", address.port())]
        }
        None => vec![format!("http://{address}")],
    }
}

fn write_kubeconfig(
    data_dir: &DataDir,
    upstream: &Upstream,
    tenant: &Tenant,
    token: &Secret,
) -> Result<PathBuf, Error> {
    let text = upstream.kubeconfig_yaml(&tenant.workspace, token)?;
    data_dir.write_secret(&format!("kubeconfigs/{}-page.kubeconfig", tenant.name), &text)
}

fn join(path: &WorkspacePath, name: &str) -> Result<WorkspacePath, Error> {
    path.join(name).map_err(|e| Error::new(ErrorKind::Invalid, "name", "workspace", e.to_string()).with_source(e))
}
