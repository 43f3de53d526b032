//! Follows a request on its way, for the audit log.
//!
//! The trail is an extension of the request, so that the steps of the way can add what they learn.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderValue, Request, Response, header, request::Parts};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kdp_core::{Identity, LogicalClusterName};
use parking_lot::Mutex;
use serde_json::Value;

use super::{
    ApiServer, Call, attributes,
    query::Query,
    route::{ResourcePath, Route, Scope, Target},
    verb::Verb,
};
use crate::embedded::{
    audit::{
        AuditId, AuditOptions, Event, Level, ObjectReference, Rating, ResponseStatus, SourceAddress, Stage, Subject,
        redacted_uri, redacted_user_agent,
    },
    auth::{Attributes, Decision, WorkspaceAuthorizer},
    serve::{Body, BoxError},
    status::{Result, StatusError},
};

/// Header with the audit id, in requests and answers.
const AUDIT_ID: &str = "audit-id";
const DECISION: &str = "authorization.k8s.io/decision";
const REASON: &str = "authorization.k8s.io/reason";
/// Set when a request was dropped before it had an answer; what it was to do may have been done.
const ABANDONED: &str = "audit.kdp.k8c.io/abandoned";
/// Names and the like in bodies that are longer than this are no names.
const MAX_NAME: usize = 1024;

/// What is known of a request that is audited.
#[derive(Clone)]
pub(super) struct Trail(Arc<Shared>);

struct Shared {
    audit: Arc<AuditOptions>,
    about: About,
    known: Mutex<Known>,
}

/// What a request is about, as its URI says.
enum About {
    Resource(ResourcePath, Verb),
    Path { verb: String, path: String },
}

struct Known {
    event: Event,
    is_authenticated: bool,
    rating: Option<Rating>,
    request_object: Option<Value>,
}

impl Trail {
    /// Begins to follow a request, if requests are audited.
    pub(super) fn begin(server: &ApiServer, request: &mut Request<Body>) -> Option<Guard> {
        let audit = server.audit.as_ref()?;
        let headers = request.headers();
        let id = headers.get(AUDIT_ID).and_then(|id| AuditId::parse(id.to_str().ok()?)).unwrap_or_else(AuditId::random);
        let uri = request.uri();
        let (scope, about) = About::parse(request);
        let mut event = Event::new(id, redacted_uri(uri), about.attributes().verb().to_owned(), Timestamp::now());
        event.cluster = cluster(server, &scope);
        if let Some(cluster) = &event.cluster {
            let path = server.registry.index.path(cluster).to_string();
            for (key, value) in [
                ("kcp.io/path", &*path),
                ("kcp.io/cluster", cluster.as_str()),
                ("tenancy.kcp.io/workspace", cluster.as_str()),
            ] {
                event.annotations.insert(key.into(), value.into());
            }
        }
        if let About::Resource(path, _) = &about {
            event.object_ref = Some(reference(path));
        }
        let source = request.extensions().get::<SourceAddress>();
        event.source_ips = source.map(|source| source.0.to_canonical().to_string()).into_iter().collect();
        event.user_agent =
            headers.get(header::USER_AGENT).map(|agent| redacted_user_agent(agent.as_bytes())).unwrap_or_default();
        let known = Known { event, is_authenticated: false, rating: None, request_object: None };
        let trail = Self(Arc::new(Shared { audit: Arc::clone(audit), about, known: Mutex::new(known) }));
        request.extensions_mut().insert(trail.clone());
        Some(Guard { trail, is_done: false })
    }

    fn of(parts: &Parts) -> Option<&Self> {
        parts.extensions.get()
    }

    /// The caller is known; from here on the policy knows what is kept.
    pub(super) async fn authenticated(parts: &Parts, identity: &Identity) -> Result<()> {
        let Some(trail) = Self::of(parts) else { return Ok(()) };
        {
            let mut known = trail.0.known.lock();
            known.event.user = identity.clone();
            known.is_authenticated = true;
        }
        if trail.level() == Level::None {
            return Ok(());
        }
        let unavailable = |error| {
            tracing::error!(%error, "audit.failed");
            StatusError::unavailable("the audit log cannot be written")
        };
        trail.0.audit.sink().check().map_err(unavailable)?;
        match trail.event_at(Stage::RequestReceived) {
            Some(event) => trail.0.audit.sink().record(event).await.map_err(unavailable),
            None => Ok(()),
        }
    }

    /// The request acts as somebody else.
    pub(super) fn impersonated(parts: &Parts, identity: &Identity) {
        if let Some(trail) = Self::of(parts) {
            trail.0.known.lock().event.impersonated_user = Some(identity.clone());
        }
    }

    /// The request has this body.
    pub(super) fn requested(parts: &Parts, body: &Value) {
        let Some(trail) = Self::of(parts) else { return };
        let level = trail.level();
        let mut known = trail.0.known.lock();
        if let Some(reference) = &mut known.event.object_ref {
            complete(reference, body);
        }
        if level >= Level::Request {
            known.request_object = Some(body.clone());
        }
    }

    fn decided(&self, is_allowed: bool, reason: &str) {
        let annotations = &mut self.0.known.lock().event.annotations;
        annotations.insert(DECISION.into(), if is_allowed { "allow" } else { "forbid" }.into());
        annotations.insert(REASON.into(), reason.into());
    }

    fn level(&self) -> Level {
        self.0.known.lock().rated(&self.0).level
    }

    /// The event of a moment, unless the policy does not want it.
    fn event_at(&self, stage: Stage) -> Option<Event> {
        let mut known = self.0.known.lock();
        let Rating { level, omit_stages, omit_managed_fields, .. } = known.rated(&self.0);
        if level == Level::None || omit_stages.contains(&stage) {
            return None;
        }
        known.event.stage_timestamp = Timestamp::now();
        let mut event = known.event.clone();
        (event.level, event.stage) = (level, stage);
        event.request_object = known.request_object.clone().filter(|_| stage != Stage::RequestReceived);
        if omit_managed_fields {
            event.request_object.iter_mut().chain(&mut event.response_object).for_each(without_managed_fields);
        }
        Some(event)
    }

    /// Notes how the request ended, and what was answered as far as the policy wants it.
    fn answered(&self, response: Response<Body>) -> Response<Body> {
        let code = response.status().as_u16();
        let level = self.level();
        let mut known = self.0.known.lock();
        let is_unnamed =
            known.event.verb == "create" && known.event.object_ref.as_ref().is_some_and(|o| o.name.is_empty());
        let mut status = ResponseStatus { code, ..ResponseStatus::default() };
        let is_wanted = level == Level::RequestResponse || code >= 400 || (code == 201 && is_unnamed);
        let (response, object) = if is_wanted { read(response) } else { (response, None) };
        if let (Some(reference), Some(object), true) = (&mut known.event.object_ref, &object, is_unnamed && code < 400)
        {
            complete(reference, object);
        }
        if code >= 400 {
            describe(&mut status, level, object.as_ref());
            if !known.is_authenticated && code == 401 {
                status.message = Some("Authentication failed".into());
            }
        }
        if code == 403 && !known.event.annotations.contains_key(DECISION) {
            known.event.annotations.insert(DECISION.into(), "forbid".into());
        }
        known.event.response_object = object.filter(|_| level == Level::RequestResponse);
        known.event.response_status = Some(status);
        response
    }
}

impl Known {
    fn rated(&mut self, shared: &Shared) -> Rating {
        let Self { event, rating, .. } = self;
        let subject = Subject { user: &event.user, attributes: shared.about.attributes() };
        rating.get_or_insert_with(|| shared.audit.policy().rate(&subject)).clone()
    }
}

/// Sees to it that a request leaves a last event, also when it is dropped in the middle.
pub(super) struct Guard {
    trail: Trail,
    is_done: bool,
}

impl Guard {
    /// Waits for the answer, and records it before it is sent.
    pub(super) async fn follow(mut self, answer: impl Future<Output = Response<Body>>) -> Response<Body> {
        let answer: std::result::Result<_, Box<dyn Any + Send>> = AssertUnwindSafe(answer).catch_unwind().await;
        let response = match answer {
            Ok(response) => self.trail.answered(response),
            Err(panic) => {
                let status = ResponseStatus { code: 500, ..ResponseStatus::default() };
                self.trail.0.known.lock().event.response_status = Some(status);
                self.record(Stage::Panic).await;
                self.is_done = true;
                resume_unwind(panic)
            }
        };
        let id = self.trail.0.known.lock().event.audit_id.to_string();
        let is_authenticated = self.trail.0.known.lock().is_authenticated;
        let (mut parts, body) = response.into_parts();
        if let Ok(id) = HeaderValue::from_str(&id) {
            parts.headers.insert(AUDIT_ID, id);
        }
        if http_body::Body::size_hint(&body).exact().is_none() {
            self.record(Stage::ResponseStarted).await;
            return Response::from_parts(parts, Followed { body, _guard: self }.boxed_unsync());
        }
        // As in Kubernetes, a request without valid credentials has no other stage.
        let is_refused = !is_authenticated && parts.status == http::StatusCode::UNAUTHORIZED;
        self.record(if is_refused { Stage::ResponseStarted } else { Stage::ResponseComplete }).await;
        self.is_done = true;
        Response::from_parts(parts, body)
    }

    async fn record(&self, stage: Stage) {
        if let Some(event) = self.trail.event_at(stage)
            && let Err(error) = self.trail.0.audit.sink().record(event).await
        {
            tracing::error!(%error, "audit.failed");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        {
            let event = &mut self.trail.0.known.lock().event;
            if event.response_status.is_none() {
                event.annotations.insert(ABANDONED.into(), "true".into());
            }
        }
        if let Some(event) = self.trail.event_at(Stage::ResponseComplete) {
            self.trail.0.audit.sink().record_now(event);
        }
    }
}

/// The body of an answer that goes on; when it is dropped, the answer is complete.
struct Followed {
    body: Body,
    _guard: Guard,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Call<'_> {
    /// Notes what was decided about the request, and why.
    pub(super) async fn audit_decision(
        &self,
        cluster: Option<&LogicalClusterName>,
        named: &LogicalClusterName,
        attributes: &Attributes<'_>,
        decision: &Result<()>,
    ) -> Result<()> {
        let Some(trail) = Trail::of(self.parts) else { return Ok(()) };
        let policy = match cluster {
            Some(cluster) => self.server.registry.index.policy(cluster).await?,
            None => None,
        };
        let explained = WorkspaceAuthorizer::new(named, policy.as_deref()).decide(&self.identity, attributes);
        let (Decision::Allow(reason) | Decision::NoOpinion(reason)) = explained;
        trail.decided(decision.is_ok(), &reason);
        Ok(())
    }
}

impl About {
    /// Where a request goes and what it is about. One that cannot be understood is about its path.
    fn parse(request: &Request<Body>) -> (Scope, Self) {
        let (method, uri) = (request.method(), request.uri());
        let verb = method.as_str().to_ascii_lowercase();
        let Ok(Route { scope, target }) = Route::parse(uri.path()) else {
            return (Scope::Nowhere, Self::Path { verb, path: uri.path().to_owned() });
        };
        let about = match target {
            Target::Path(path) => Self::Path { verb, path },
            Target::Resource(path) => {
                let query = Query::parse(uri.query().unwrap_or_default()).unwrap_or_default();
                match Verb::of(method, &path, &query) {
                    Ok(verb) => Self::Resource(path, verb),
                    Err(_) => Self::Path { verb, path: uri.path().to_owned() },
                }
            }
        };
        (scope, about)
    }

    fn attributes(&self) -> Attributes<'_> {
        match self {
            Self::Resource(path, verb) => attributes(path, *verb),
            Self::Path { verb, path } => Attributes::Path { verb, path },
        }
    }
}

/// The logical cluster whose log a request belongs to. Only one that exists, so that nobody can have
/// files made by asking for names.
fn cluster(server: &ApiServer, scope: &Scope) -> Option<LogicalClusterName> {
    let index = &server.registry.index;
    match scope {
        Scope::Workspace(path) => index.resolve(path),
        Scope::Server => Some(LogicalClusterName::root()),
        Scope::Export { export, consumer } => match consumer {
            Some(consumer) if index.binding_name(export, consumer).is_some() => Some(consumer.clone()),
            _ => index.resolve(&export.cluster.parse::<LogicalClusterName>().ok()?.path()),
        },
        Scope::Lifecycle { controller, workspace } => match workspace {
            Some(workspace) if index.is_waiting_for(workspace, controller.stage(), &controller.name()) => {
                Some(workspace.clone())
            }
            _ => index.resolve(&controller.cluster().path()),
        },
        Scope::AllWorkspaces | Scope::Nowhere => None,
    }
}

fn reference(path: &ResourcePath) -> ObjectReference {
    ObjectReference {
        resource: path.plural.clone(),
        namespace: path.namespace.clone().unwrap_or_default(),
        name: path.name.clone().unwrap_or_default(),
        api_group: path.group.clone(),
        api_version: path.version.clone(),
        subresource: path.subresource.clone().unwrap_or_default(),
        ..ObjectReference::default()
    }
}

/// Fills in what the URI did not say.
fn complete(reference: &mut ObjectReference, object: &Value) {
    let metadata = &object["metadata"];
    for (field, key) in [
        (&mut reference.name, "name"),
        (&mut reference.namespace, "namespace"),
        (&mut reference.uid, "uid"),
        (&mut reference.resource_version, "resourceVersion"),
    ] {
        if let (true, Some(text)) = (field.is_empty(), metadata[key].as_str().filter(|text| text.len() <= MAX_NAME)) {
            *field = text.to_owned();
        }
    }
}

/// What was wrong. The messages of some failures quote the body of the request, and are left out when
/// that is not to be kept.
fn describe(status: &mut ResponseStatus, level: Level, object: Option<&Value>) {
    let Some(Ok(failure)) = object.map(|object| serde_json::from_value::<Status>(object.clone())) else { return };
    status.status = failure.status;
    status.reason = failure.reason;
    if level >= Level::Request || matches!(status.code, 401 | 403 | 404 | 405 | 409 | 410 | 429) {
        status.message = failure.message;
        status.details = failure.details;
    }
}

/// The answer, and its body if that is JSON.
fn read(response: Response<Body>) -> (Response<Body>, Option<Value>) {
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_json || http_body::Body::size_hint(response.body()).exact().is_none() {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    // A body of known size is one whole piece that is ready already.
    let bytes = match body.collect().now_or_never() {
        Some(Ok(collected)) => collected.to_bytes(),
        _ => return (super::respond::failure(&StatusError::internal("the answer could not be read")), None),
    };
    let object = serde_json::from_slice(&bytes).ok();
    (Response::from_parts(parts, Full::new(bytes).map_err(|never| match never {}).boxed_unsync()), object)
}

fn without_managed_fields(object: &mut Value) {
    for item in object.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        without_managed_fields(item);
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}
