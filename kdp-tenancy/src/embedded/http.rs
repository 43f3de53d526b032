//! The API server: one request in, one answer out.
//!
//! The same code serves HTTPS and the clients inside this process. Each request goes once through
//! route, authenticate, resolve, authorize, turn, decode, registry and encode; nothing goes back.

mod access;
mod audit;
mod authenticate;
mod documents;
pub(crate) mod negotiate;
mod offload;
pub(crate) mod query;
mod respond;
mod reviews;
mod revocation;
pub(crate) mod route;
mod token_request;
mod verb;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{Request, Response, request::Parts};
use http_body_util::{BodyExt, Full};
use kdp_core::{Identity, LogicalClusterName};
use tokio_util::sync::CancellationToken;

pub(crate) use self::access::HomeWorkspaces;
use self::{
    access::Place as Placed,
    audit::Trail,
    negotiate::{BodyType, Format},
    query::Query,
    revocation::Admission,
    route::{ResourcePath, Route, Scope, Target},
    verb::Verb,
};
use super::serve::{Body, boxed};
use super::{
    audit::AuditOptions,
    auth::{Attributes, Authenticator, Impersonation, ResourceAttributes, WorkspaceAuthenticators},
    decode::{self, Decoded},
    limits::{self, Seat},
    protobuf,
    registry::{
        Caller, Place, Registry,
        list::{Coverage, Matcher},
        remove::{DeleteOptions, Removed},
        watch::WatchScope,
        write::{Part, Write},
    },
    status::{Result, StatusError},
};

/// The largest body a request may have, as in Kubernetes.
const MAX_BODY: usize = 3 * 1024 * 1024;

/// The API server. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct ApiServer {
    pub(crate) registry: Registry,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) home_workspaces: HomeWorkspaces,
    pub(crate) workspace_authenticators: Arc<WorkspaceAuthenticators>,
    pub(crate) audit: Option<Arc<AuditOptions>>,
    /// Cancelled when open watches are to end.
    pub(crate) shutdown: CancellationToken,
}

/// One request on its way.
struct Call<'a> {
    server: &'a ApiServer,
    parts: &'a Parts,
    query: Query,
    identity: Identity,
    /// The logical cluster that let the request in, and that it counts for.
    entered: Option<LogicalClusterName>,
}

impl ApiServer {
    /// The same server, whose watches also end when `shutdown` is cancelled.
    pub(crate) fn with_shutdown(&self, shutdown: CancellationToken) -> Self {
        Self { shutdown, ..self.clone() }
    }

    /// Answers a request. Never fails: a failure is an answer too.
    pub(crate) async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let trail = Trail::begin(self, &mut request);
        let (parts, body) = request.into_parts();
        let answer = async {
            match self.answer(&parts, body).await {
                Ok(answer) => answer,
                Err(error) => respond::failure(&error),
            }
        };
        let answer = match trail {
            Some(trail) => trail.follow(answer).await,
            None => answer.await,
        };
        offload::compressed(parts.headers, answer).await
    }

    async fn answer(&self, parts: &Parts, body: Body) -> Result<Response<Body>> {
        let route = Route::parse(parts.uri.path())?;
        if let (Scope::Server, Target::Path(path)) = (&route.scope, &route.target)
            && let Some(answer) = documents::health(path)
        {
            return Ok(answer);
        }
        if let (Scope::Server | Scope::Workspace(_), Target::Path(path)) = (&route.scope, &route.target)
            && let Some(answer) = token_request::document(self, &parts.method, path)
        {
            return Ok(answer);
        }
        let (identity, scope) = self.identify(parts, route.scope).await?;
        Trail::authenticated(parts, &identity).await?;
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        let mut call = Call { server: self, parts, query, identity, entered: None };
        match route.target {
            Target::Path(path) => call.path(&scope, &path).await,
            Target::Resource(path) => {
                let verb = Verb::of(&parts.method, &path, &call.query)?;
                if let Some(answer) = call.home(&scope, &path, verb).await? {
                    return Ok(answer);
                }
                let placed = call.place(&scope, &path, verb).await?;
                // A client that is slow to send keeps no place from others.
                let body = if verb.has_body() { boxed(Full::new(call.bytes(body).await?)) } else { body };
                let seat = call.seat().await?;
                limits::seated(seat, call.resource(&scope, placed, path, verb, body)).await
            }
        }
    }
}

impl Call<'_> {
    /// Lets the request into a logical cluster, as itself or as whom it impersonates there.
    async fn enter(
        &mut self,
        cluster: Option<&LogicalClusterName>,
        named: &LogicalClusterName,
        attributes: &Attributes<'_>,
    ) -> Result<()> {
        let authorizer = &self.server.registry.authorizer;
        if let Some(impersonation) = Impersonation::parse(&self.parts.headers)? {
            self.identity = authorizer.impersonate(&self.identity, cluster, named, impersonation).await?;
            Trail::impersonated(self.parts, &self.identity);
        }
        let decision = authorizer.authorize(&self.identity, cluster, named, attributes).await;
        self.audit_decision(cluster, named, attributes, &decision).await?;
        decision?;
        self.entered = cluster.cloned();
        Ok(())
    }

    /// Waits until it is the request's turn. Only who was let in counts for a workspace: nobody else
    /// can take its places.
    async fn seat(&self) -> Result<Option<Seat>> {
        match &self.entered {
            Some(cluster) => self.server.registry.index.limits.admit(&self.identity, cluster).await,
            None => Ok(None),
        }
    }

    /// Answers a path that is about no resource.
    async fn path(&mut self, scope: &Scope, path: &str) -> Result<Response<Body>> {
        let verb = self.parts.method.as_str().to_ascii_lowercase();
        let surface = self.surface(scope, &verb, path).await?;
        let _seat = self.seat().await?;
        if self.parts.method != http::Method::GET && self.parts.method != http::Method::HEAD {
            return Err(StatusError::method_not_allowed());
        }
        documents::document(&surface, path, self.parts)
    }

    /// Answers a request about objects.
    async fn resource(
        &self,
        within: &Scope,
        placed: Placed,
        path: ResourcePath,
        verb: Verb,
        body: Body,
    ) -> Result<Response<Body>> {
        let Placed { place, coverage, scope } = placed;
        let registry = &self.server.registry;
        let format = negotiate::format(&self.parts.headers)?;
        if token_request::is_token_request(&place, &path, verb) {
            let body = self.body(body, negotiate::object_type(&self.parts.headers)?).await?;
            let name = path.name.as_deref().unwrap_or_default();
            let answer = token_request::answer(self, &place, name, &body.value).await?;
            return respond::value(format, http::StatusCode::CREATED, &answer);
        }
        let part = Self::part(&place, &path, verb)?;
        if reviews::is_review(&place) {
            let body = self.body(body, negotiate::object_type(&self.parts.headers)?).await?;
            let review = reviews::answer(self, &place, &body.value).await?;
            return respond::value(format, http::StatusCode::CREATED, &review);
        }
        let matcher = || Matcher::new(&place, &self.query).map(|matcher| matcher.named(path.name.clone()));
        let view = match &scope {
            WatchScope::View(view) => Some(view.clone()),
            WatchScope::One | WatchScope::All => None,
        };
        let coverage = Coverage { place: &place, clusters: coverage, view };
        let name = path.name.as_deref().unwrap_or_default();
        match verb {
            Verb::Get => {
                let mut entry = registry.get(&place, name).await?;
                registry.show_usage(&place, std::slice::from_mut(&mut entry))?;
                respond::entry(format, &place, &self.query, &entry)
            }
            Verb::List => {
                let mut page = registry.list(&coverage, &matcher()?, &self.query).await?;
                registry.show_usage(&place, &mut page.entries)?;
                offload::list(format, place, self.query.clone(), page).await
            }
            Verb::Watch => {
                let admission = Admission::new(self, within, &path, &coverage).await?;
                self.watch(coverage, scope, matcher()?, format, admission).await
            }
            Verb::Create => {
                let body = self.body(body, negotiate::object_type(&self.parts.headers)?).await?;
                let saved = registry.create(self.write(&place, part, &self.caller()), body).await?;
                respond::saved(format, &place, &self.query, &saved)
            }
            Verb::Update => {
                let body = self.body(body, negotiate::object_type(&self.parts.headers)?).await?;
                let saved = registry.update(self.write(&place, part, &self.caller()), name, body).await?;
                respond::saved(format, &place, &self.query, &saved)
            }
            Verb::Patch => {
                let kind = negotiate::body_type(&self.parts.headers)?;
                let body = self.body(body, kind).await?;
                let saved = registry.patch(self.write(&place, part, &self.caller()), name, kind, body).await?;
                respond::saved(format, &place, &self.query, &saved)
            }
            Verb::Delete => {
                let options = self.delete_options(body).await?;
                match registry.delete(&place, name, &options, &self.caller()).await? {
                    Removed::Gone(object) => {
                        respond::value(format, http::StatusCode::OK, &respond::deleted(&place, &object))
                    }
                    Removed::Held(object) => respond::object(format, &place, &self.query, object),
                }
            }
            Verb::DeleteCollection => {
                let options = self.delete_options(body).await?;
                let deleted = registry.delete_collection(&place, &matcher()?, &options, &self.caller()).await?;
                respond::objects(format, &place, &self.query, deleted, registry.store.revision())
            }
        }
    }

    async fn watch(
        &self,
        coverage: Coverage<'_>,
        scope: WatchScope,
        matcher: Matcher,
        format: Format,
        admission: Admission,
    ) -> Result<Response<Body>> {
        let render = respond::renderer(format, coverage.place, &self.query);
        let shutdown = self.server.shutdown.clone();
        let permit = match &self.entered {
            Some(cluster) => self.server.registry.index.limits.watch(&self.identity, cluster)?,
            None => None,
        };
        let lines = self.server.registry.watch(coverage, scope, matcher, &self.query, render, shutdown).await?;
        Ok(respond::stream(admission.bound(lines).inspect(move |_| _ = &permit)))
    }

    /// What part of the object the path is about.
    fn part(place: &Place, path: &ResourcePath, verb: Verb) -> Result<Part> {
        let resource = &place.served.resource;
        let Some(name) = &path.subresource else {
            return if resource.serves(verb.as_str()) {
                Ok(Part::Main)
            } else {
                Err(StatusError::method_not_allowed())
            };
        };
        let subresource = resource.subresource(name).ok_or_else(StatusError::page_not_found)?;
        if !subresource.verbs.contains(&verb.as_str()) {
            return Err(StatusError::method_not_allowed());
        }
        match &**name {
            "status" => Ok(Part::Status),
            "finalize" => Ok(Part::Finalize),
            _ => Err(StatusError::page_not_found()),
        }
    }

    fn write<'w>(&'w self, place: &'w Place, part: Part, caller: &'w Caller) -> Write<'w> {
        Write { place, part, query: &self.query, caller }
    }

    /// Who writes; the fields are managed under the client's name unless it says another one.
    fn caller(&self) -> Caller {
        let agent = self.parts.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let manager =
            agent.and_then(|agent| agent.split('/').next()).filter(|name| !name.is_empty()).unwrap_or("unknown");
        Caller { identity: self.identity.clone(), manager: manager.chars().take(128).collect() }
    }

    async fn body(&self, body: Body, kind: BodyType) -> Result<Decoded> {
        let bytes = self.bytes(body).await?;
        let decoded = offload::heavy(bytes.len(), move || decoded(&bytes, kind)).await?;
        Trail::requested(self.parts, &decoded.value);
        Ok(decoded)
    }

    async fn bytes(&self, mut body: Body) -> Result<Bytes> {
        let declared =
            self.parts.headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if declared.is_some_and(|length: u64| length > MAX_BODY as u64) {
            return Err(StatusError::too_large(MAX_BODY));
        }
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| StatusError::bad_request(format!("the body could not be read: {e}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > MAX_BODY {
                return Err(StatusError::too_large(MAX_BODY));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.freeze())
    }

    async fn delete_options(&self, body: Body) -> Result<DeleteOptions> {
        let kind = negotiate::object_type(&self.parts.headers)?;
        let bytes = self.bytes(body).await?;
        let mut options = DeleteOptions::default();
        if !bytes.is_empty() {
            let decoded = decoded(&bytes, kind)?;
            Trail::requested(self.parts, &decoded.value);
            options = serde_json::from_value(decoded.value)
                .map_err(|error| StatusError::bad_request(format!("the body is not DeleteOptions: {error}")))?;
        }
        if self.query.dry_run {
            options.dry_run = vec!["All".into()];
        }
        if let Some(policy) = options.propagation_policy.take().or_else(|| Some(self.query.propagation_policy.clone()))
            && !matches!(&*policy, "" | "Orphan" | "Background" | "Foreground")
        {
            return Err(StatusError::bad_request(format!(
                "invalid propagationPolicy {policy:?}: supported values are \"Orphan\", \"Background\", \"Foreground\""
            )));
        }
        Ok(options)
    }
}

fn decoded(bytes: &[u8], kind: BodyType) -> Result<Decoded> {
    match kind {
        BodyType::Yaml | BodyType::ApplyPatch => decode::yaml(bytes),
        BodyType::Protobuf => Ok(Decoded { value: protobuf::decode(bytes)?, duplicates: Vec::new() }),
        _ => decode::json(bytes),
    }
}

/// The attributes of a request about objects.
fn attributes<'a>(path: &'a ResourcePath, verb: Verb) -> Attributes<'a> {
    let name = path.name.as_deref().unwrap_or_default();
    let of_namespace = path.group.is_empty() && path.plural == "namespaces";
    let namespace = path.namespace.as_deref().unwrap_or(if of_namespace { name } else { "" });
    Attributes::Resource(ResourceAttributes {
        verb: verb.as_str(),
        group: &path.group,
        resource: &path.plural,
        subresource: path.subresource.as_deref().unwrap_or_default(),
        name,
        namespace,
    })
}
