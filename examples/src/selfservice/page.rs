//! The page: what is answered at which path.

use std::{fmt, net::IpAddr, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Query},
    middleware,
    routing::{get, post},
};
use http::{HeaderMap, header, request::Parts};
use kdp_catalog::Catalog;
use kdp_core::{Error, ErrorKind, Identity, WorkspacePath};
use kube::Client;
use serde::Deserialize;

use super::{
    assets, credentials, events, fault::Fault, guard, guard::SignedIn, limit::Limit, orders, session::Session,
    session::Sessions, shelf, sign_in, sign_in::Tickets, topology, upstream, upstream::Upstream,
};

/// An order is a small text.
const BODY_MAX: usize = 64 * 1024;

/// What a page is made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct PageOptions {
    /// Where the API server is.
    pub upstream: Upstream,
    /// What can be ordered.
    pub catalog: Catalog,
    /// The addresses under which browsers find the page, such as `https://portal.example.com`.
    pub origins: Vec<String>,
    /// Links that sign in once.
    pub tickets: Tickets,
}

impl PageOptions {
    /// A page at these addresses, without sign-in links.
    #[must_use]
    pub fn new(upstream: Upstream, catalog: Catalog, origins: impl IntoIterator<Item = String>) -> Self {
        Self { upstream, catalog, origins: origins.into_iter().collect(), tickets: Tickets::default() }
    }

    /// With links that sign in once.
    #[must_use]
    pub fn with_tickets(mut self, tickets: Tickets) -> Self {
        self.tickets = tickets;
        self
    }
}

/// The page. Clones share who is signed in.
#[derive(Clone, Debug)]
pub struct Page {
    router: Router,
}

impl Page {
    /// A page at which nobody is signed in yet.
    ///
    /// # Errors
    /// `Invalid` when an address is no origin, or when some are secure and others are not.
    pub fn new(options: PageOptions) -> Result<Self, Error> {
        let origins = options.origins.iter().map(|origin| Origin::parse(origin)).collect::<Result<Vec<_>, _>>()?;
        let secure = origins.iter().filter(|origin| origin.is_secure()).count();
        if secure != 0 && secure != origins.len() {
            let message = "either all of its addresses are https, or none";
            return Err(Error::new(ErrorKind::Invalid, "serve", "the page", message));
        }
        let shared = Arc::new(Shared {
            upstream: options.upstream,
            catalog: options.catalog,
            cookie: if secure == 0 { "kdp-session" } else { "__Host-kdp-session" },
            is_secure: secure != 0,
            origins,
            tickets: options.tickets,
            sessions: Sessions::default(),
            asks: Limit::new(120, 20.0),
            sign_ins: Limit::new(30, 2.0),
        });
        Ok(Self { router: router(shared) })
    }

    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }
}

fn router(shared: Arc<Shared>) -> Router {
    const ORDER: &str = "/api/orders/{service}/{kind}/{namespace}/{name}";
    let mut router = Router::new()
        .route("/api/session", get(sign_in::show).post(sign_in::sign_in).delete(sign_in::sign_out))
        .route("/api/catalog", get(shelf::list))
        .route("/api/catalog/{service}/binding", post(shelf::bind))
        .route("/api/catalog/{service}/kinds/{kind}/form", get(shelf::form))
        .route("/api/orders", get(orders::list).post(orders::create))
        .route(ORDER, get(orders::show).delete(orders::delete))
        .route(&format!("{ORDER}/events"), get(events::follow))
        .route(&format!("{ORDER}/credentials"), get(credentials::show))
        .route(&format!("{ORDER}/credentials/reveal"), post(credentials::reveal))
        .route("/api/topology", get(topology::show));
    for (path, content_type, content) in assets::FILES {
        router = router.route(path, get(async move || assets::serve(content_type, content)));
    }
    router
        .fallback(async || Fault::NotFound("page"))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(shared.clone(), guard::guard))
        .with_state(shared)
}

/// What all requests share.
pub(super) struct Shared {
    pub(super) upstream: Upstream,
    pub(super) catalog: Catalog,
    pub(super) origins: Vec<Origin>,
    pub(super) tickets: Tickets,
    pub(super) sessions: Sessions,
    /// How often each session may ask.
    pub(super) asks: Limit<usize>,
    /// How often those who are not signed in may ask.
    pub(super) sign_ins: Limit<IpAddr>,
    cookie: &'static str,
    is_secure: bool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("origins", &self.origins).finish_non_exhaustive()
    }
}

impl Shared {
    /// What the browser keeps for `seconds`; scripts cannot read it and other sites cannot send it.
    pub(super) fn cookie(&self, id: &str, seconds: u64) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}", self.cookie)
    }

    /// The session id that a request brings.
    pub(super) fn session_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.cookie).map(|(_, id)| id)
    }
}

/// An address of the page: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin(String);

impl Origin {
    fn parse(text: &str) -> Result<Self, Error> {
        let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match host {
            Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@']) => Ok(Self(text)),
            _ => Err(Error::new(ErrorKind::Invalid, "serve", text, "it is not of the form https://host:port")),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn host(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, host)| host)
    }

    fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }
}

/// The workspace a request is about, and a client that acts there as the user.
pub(super) struct Place {
    pub(super) session: Arc<Session>,
    pub(super) workspace: WorkspacePath,
    pub(super) client: Client,
}

#[derive(Deserialize)]
struct Where {
    workspace: Option<WorkspacePath>,
}

impl FromRequestParts<Arc<Shared>> for Place {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Fault> {
        let SignedIn(session) = SignedIn::from_request_parts(parts, shared).await?;
        let asked = Query::<Where>::try_from_uri(&parts.uri);
        let Query(asked) = asked.map_err(|_| Fault::Malformed("this is no path of a workspace".into()))?;
        let workspace = asked.workspace.unwrap_or_else(|| session.workspace.clone());
        let client = session.client(&shared.upstream, &workspace).await?;
        Ok(Self { session, workspace, client })
    }
}

impl Place {
    /// Whom the API server takes the user for, at this moment.
    pub(super) async fn identity(&self) -> Result<Identity, Fault> {
        Ok(upstream::who_is(&self.client).await?)
    }

    /// How much longer the session lasts.
    pub(super) fn left(&self) -> std::time::Duration {
        self.session.left(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for (text, host) in [
            ("https://portal.example.com", Some("portal.example.com")),
            ("http://127.0.0.1:8080/", Some("127.0.0.1:8080")),
            ("https://Portal.example.com", Some("portal.example.com")),
            ("https://", None),
            ("https://a/b", None),
            ("https://user@a", None),
            ("ftp://a", None),
        ] {
            assert_eq!(Origin::parse(text).ok().as_ref().map(Origin::host), host, "{text}");
        }
    }
}
