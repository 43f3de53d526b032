//! What portals are shown, as it is now.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use kdp_core::{
    Endpoint, Error, ErrorKind, Identity, LogicalClusterName, SharedControlPlane, WorkspacePath,
    api::{CLUSTER_ANNOTATION, apis::APIResourceSchema},
    condition::Condition,
};
use kube::{
    ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
};
use sha2::{Digest, Sha256};
use tokio::{sync::Mutex, time::Instant};

use super::{
    KindInput, OrderInput, ServiceInput, Site,
    backstage::{self, TEMPLATES_FOLDER},
    port,
};
use crate::{
    Catalog,
    reach::{Reach, path_of},
};

/// Orders that are read at a time.
const PAGE: u32 = 500;
const FRESH: Duration = Duration::from_secs(30);
/// Where [`LivePortal::answer`] has Backstage's entities.
pub const BACKSTAGE: &str = "/catalog-info.yaml";
/// Where [`LivePortal::answer`] has what Port is to know.
pub const PORT: &str = "/port.json";

/// Reads the catalog and its orders for portals, and answers their requests.
///
/// A portal sees the services that its identity may see in the catalog, and *all* orders of the kinds it is given:
/// whoever holds the token sees the places, names and states of every tenant's orders, and nothing of what is in them.
#[derive(Clone)]
pub struct LivePortal {
    inner: Arc<Inner>,
}

struct Inner {
    control_plane: SharedControlPlane,
    catalog: Catalog,
    viewer: Identity,
    base_url: String,
    location: String,
    invocation: port::Invocation,
    orders: Vec<(String, ApiResource, Endpoint)>,
    /// SHA-256 of the token.
    token: [u8; 32],
    fresh: Duration,
    rendered: Mutex<Option<(Instant, Arc<Documents>)>>,
}

/// By their paths: the type of the content, the content, and its tag.
struct Documents(BTreeMap<String, (&'static str, Vec<u8>, String)>);

impl LivePortal {
    /// A portal that sees the catalog as `viewer`, and shows its documents to whoever has the token.
    ///
    /// `base_url` is that of the Kubernetes API, `location` that of the entities as Backstage says it, such as
    /// `url:https://kdp.example.com/portal/catalog-info.yaml`; `invocation` is what Port calls.
    pub fn new(
        control_plane: SharedControlPlane,
        catalog: Catalog,
        viewer: Identity,
        (base_url, location): (&str, &str),
        invocation: port::Invocation,
        token: &str,
    ) -> Self {
        let inner = Inner {
            control_plane,
            catalog,
            viewer,
            base_url: base_url.into(),
            location: location.into(),
            invocation,
            orders: Vec::new(),
            token: Sha256::digest(token).into(),
            fresh: FRESH,
            rendered: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The same with the orders of one kind of a service.
    ///
    /// # Panics
    /// When the portal was cloned before.
    #[must_use]
    pub fn with_orders(self, service: impl Into<String>, kind: ApiResource, endpoint: Endpoint) -> Self {
        self.changed(|inner| inner.orders.push((service.into(), kind, endpoint)))
    }

    /// The same with documents that may be so old; thirty seconds by default.
    ///
    /// # Panics
    /// When the portal was cloned before.
    #[must_use]
    pub fn with_age(self, fresh: Duration) -> Self {
        self.changed(|inner| inner.fresh = fresh)
    }

    fn changed(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::get_mut(&mut self.inner).expect("it is set up before it is shared"));
        self
    }

    /// Everything as it is now. May be dropped.
    ///
    /// # Errors
    /// As the catalog and the control plane answer; `Invalid` when an address is none. A site with a part missing is
    /// never returned: a portal would take what is missing for removed.
    pub async fn site(&self) -> Result<Site, Error> {
        let Inner { control_plane, catalog, viewer, orders, .. } = &*self.inner;
        let mut site = Site::new(&self.inner.base_url, &self.inner.location).map_err(invalid)?;
        for entry in catalog.list(viewer).await? {
            let kinds = match entry.details {
                // Schemas are for those who see the whole tile.
                None => Vec::new(),
                Some(_) => catalog.schemas(viewer, &entry).await?.iter().flat_map(kinds).collect(),
            };
            site.services.push(ServiceInput::new(entry).with_kinds(kinds));
        }
        let mut paths = BTreeMap::new();
        for (service, kind, endpoint) in orders {
            let reach = Reach { control_plane: control_plane.clone(), endpoint: endpoint.clone(), kind: kind.clone() };
            let all = reach.all()?;
            let mut page = ListParams::default().limit(PAGE);
            loop {
                let failed = |error| Error::from_kube("list", format!("the orders of {service}"), error);
                let list = all.list(&page).await.map_err(failed)?;
                for object in &list.items {
                    if let Some(path) = self.path_of(object, &mut paths).await? {
                        site.orders.push(order(service, kind, path, object));
                    }
                }
                match list.metadata.continue_.filter(|token| !token.is_empty()) {
                    Some(token) => page = page.continue_token(&token),
                    None => break,
                }
            }
        }
        Ok(site)
    }

    /// Answers a request for one of the documents, whose path begins after where this is mounted: 200 with an `ETag`,
    /// 304 when the portal has it already, 401 without the token as a bearer token, 404 for other paths, 405 for other
    /// methods than `GET` and `HEAD`, and 503 when something cannot be read.
    pub async fn answer(&self, request: &Request<()>) -> Response<Vec<u8>> {
        if !self.is_allowed(request) {
            let mut response = plain(StatusCode::UNAUTHORIZED, "a bearer token is needed");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "these documents are only read");
        }
        let documents = match self.documents().await {
            Ok(documents) => documents,
            Err(error) => {
                tracing::warn!(%error, "portal.read");
                return plain(StatusCode::SERVICE_UNAVAILABLE, "the catalog cannot be read now");
            }
        };
        let Some((kind, content, tag)) = documents.0.get(request.uri().path()) else {
            return plain(StatusCode::NOT_FOUND, &format!("there is {BACKSTAGE}, what that refers to, and {PORT}"));
        };
        let known = request.headers().get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let is_known = known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
        let body = if is_known || request.method() == Method::HEAD { Vec::new() } else { content.clone() };
        let mut response = Response::new(body);
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::ETAG, HeaderValue::from_str(tag).expect("a digest in quotes is a header"));
        response
    }

    fn is_allowed(&self, request: &Request<()>) -> bool {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = given.and_then(|given| given.strip_prefix("Bearer "));
        // Digests are compared, so how long it takes tells nothing of the token.
        token.is_some_and(|token| <[u8; 32]>::from(Sha256::digest(token)) == self.inner.token)
    }

    /// The documents, read once for all who ask at the same time.
    async fn documents(&self) -> Result<Arc<Documents>, Error> {
        let mut rendered = self.inner.rendered.lock().await;
        if let Some((_, documents)) = rendered.as_ref().filter(|(at, _)| at.elapsed() < self.inner.fresh) {
            return Ok(documents.clone());
        }
        let site = self.site().await?;
        let port = serde_json::to_vec(&port::export(&site, &self.inner.invocation))
            .map_err(|error| Error::new(ErrorKind::Internal, "write", "what Port is shown", error.to_string()))?;
        let yaml =
            |entities: &[backstage::Entity]| backstage::to_yaml(entities).map(String::into_bytes).map_err(invalid);
        let mut documents = vec![
            (BACKSTAGE.to_owned(), "application/yaml", yaml(&backstage::entities(&site))?),
            (PORT.to_owned(), "application/json", port),
        ];
        for template in backstage::templates(&site) {
            let path = format!("/{TEMPLATES_FOLDER}/{}.yaml", template.metadata.name);
            documents.push((path, "application/yaml", yaml(&[template])?));
        }
        let documents = documents.into_iter().map(|(path, kind, content)| {
            let tag = format!("\"{:x}\"", Sha256::digest(&content));
            (path, (kind, content, tag))
        });
        let documents = Arc::new(Documents(documents.collect()));
        *rendered = Some((Instant::now(), documents.clone()));
        Ok(documents)
    }

    /// The path of the workspace that an order is in; none when it is gone by now.
    async fn path_of(
        &self,
        object: &DynamicObject,
        paths: &mut BTreeMap<String, Option<WorkspacePath>>,
    ) -> Result<Option<WorkspacePath>, Error> {
        let cluster = object.annotations().get(CLUSTER_ANNOTATION).map_or("", String::as_str);
        if let Some(path) = paths.get(cluster) {
            return Ok(path.clone());
        }
        let Ok(name) = cluster.parse::<LogicalClusterName>() else { return Ok(None) };
        let path = path_of(&self.inner.control_plane, name).await?.and_then(|path| path.parse().ok());
        paths.insert(cluster.to_owned(), path.clone());
        Ok(path)
    }
}

impl fmt::Debug for LivePortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LivePortal").field("location", &self.inner.location).finish_non_exhaustive()
    }
}

fn kinds(schema: &APIResourceSchema) -> impl Iterator<Item = KindInput> {
    let spec = &schema.spec;
    let served = spec.versions.iter().filter(|version| version.served);
    served.filter_map(|version| {
        let kind = KindInput::new(&spec.group, &version.name, &spec.names.kind, &spec.names.plural).ok()?;
        let kind = kind.with_schema(version.schema.clone());
        Some(if spec.scope == "Namespaced" { kind } else { kind.cluster_scoped() })
    })
}

fn order(service: &str, kind: &ApiResource, workspace: WorkspacePath, object: &DynamicObject) -> OrderInput {
    let conditions = object.data["status"]["conditions"].as_array().into_iter().flatten();
    let mut order = OrderInput::new(workspace, service, &kind.kind, object.name_any());
    order.namespace = object.namespace();
    order.uid = object.uid().unwrap_or_default();
    order.conditions =
        conditions.filter_map(|condition| serde_json::from_value::<Condition>(condition.clone()).ok()).collect();
    order.created = object.creation_timestamp().map(|created| created.0);
    order
}

fn plain(status: StatusCode, text: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(text.as_bytes().to_vec());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn invalid(error: super::Error) -> Error {
    Error::new(ErrorKind::Invalid, "show in a portal", "the catalog", error.to_string())
}
