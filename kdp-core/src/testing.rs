//! For tests: a scripted API server, and the conformance suites of the seams.
//!
//! Whoever writes a provider or a control plane runs the suite of [`provider`] or [`control_plane`] in one
//! test.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http::Method;
use kube::client::Body;
use serde_json::{Value, json};

use crate::{ControlPlane, Endpoint, Error, Identity};
pub use crate::{control_plane::conformance as control_plane, provider::conformance as provider};

/// One request that a [`FakeServer`] received.
#[derive(Clone, Debug)]
pub struct FakeRequest {
    /// HTTP method.
    pub method: Method,
    /// Path with the prefix of the endpoint, without the query.
    pub path: String,
    /// Query, without the question mark.
    pub query: String,
    /// Body; null when there is none or it is not JSON.
    pub body: Value,
    /// Who the client acts as; nobody for [`FakeServer::client`].
    pub identity: Identity,
}

impl FakeRequest {
    /// Method and path, such as `GET /api/v1/namespaces`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether this opens a watch.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        self.query.split('&').any(|pair| pair == "watch=true")
    }
}

/// What a [`FakeServer`] answers.
#[derive(Clone, Debug)]
pub enum FakeResponse {
    /// A code and a body.
    Answer(u16, String),
    /// No answer, ever.
    Silence,
}

impl FakeResponse {
    /// Success with this body.
    #[must_use]
    pub fn ok(body: &Value) -> Self {
        Self::Answer(200, body.to_string())
    }

    /// A list of these items.
    #[must_use]
    pub fn list(items: &[Value]) -> Self {
        Self::ok(&json!({"metadata": {"resourceVersion": "1"}, "items": items}))
    }

    /// A watch that sends these events, each a type and an object, and then ends.
    #[must_use]
    pub fn events(events: &[(&str, Value)]) -> Self {
        let lines = events.iter().map(|(type_, object)| format!("{}\n", json!({"type": type_, "object": object})));
        Self::Answer(200, lines.collect())
    }

    /// A failure `Status` with this code, reason and message.
    #[must_use]
    pub fn status(code: u16, reason: &str, message: &str) -> Self {
        Self::failure(code, reason, message, &Value::Null)
    }

    /// A failure `Status` with details.
    #[must_use]
    pub fn failure(code: u16, reason: &str, message: &str, details: &Value) -> Self {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "code": code, "reason": reason, "message": message,
        });
        if !details.is_null() {
            status["details"] = details.clone();
        }
        Self::Answer(code, status.to_string())
    }

    /// That there is no such thing.
    #[must_use]
    pub fn not_found() -> Self {
        Self::status(404, "NotFound", "not found")
    }
}

type Script = dyn Fn(&FakeRequest) -> FakeResponse + Send + Sync;

/// An API server that answers from a script and remembers what it was asked.
///
/// It is a [`ControlPlane`] as well, of which every endpoint leads to the same script.
#[derive(Clone)]
pub struct FakeServer {
    script: Arc<Script>,
    requests: Arc<Mutex<Vec<FakeRequest>>>,
}

impl FakeServer {
    /// A server that answers each request with what `script` returns for it.
    pub fn new(script: impl Fn(&FakeRequest) -> FakeResponse + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script), requests: Arc::default() }
    }

    /// A client without an endpoint prefix. Must be called inside a tokio runtime.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        self.client_at(String::new(), Identity::default())
    }

    /// What was asked so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<FakeRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn client_at(&self, prefix: String, identity: Identity) -> kube::Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (server, prefix, identity) = (server.clone(), prefix.clone(), identity.clone());
            async move { server.answer(request, &prefix, identity).await }
        });
        kube::Client::new(service, "default")
    }

    async fn answer(
        &self,
        request: http::Request<Body>,
        prefix: &str,
        identity: Identity,
    ) -> Result<http::Response<Body>, tower::BoxError> {
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await?;
        let request = FakeRequest {
            method: head.method,
            path: format!("{prefix}{}", head.uri.path()),
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
            identity,
        };
        let response = (self.script)(&request);
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        match response {
            FakeResponse::Answer(code, body) => {
                Ok(http::Response::builder().status(code).body(body.into_bytes().into())?)
            }
            FakeResponse::Silence => std::future::pending().await,
        }
    }
}

impl fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeServer").field("requests", &self.requests().len()).finish_non_exhaustive()
    }
}

impl ControlPlane for FakeServer {
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<kube::Client, Error> {
        Ok(self.client_at(endpoint.prefix(), identity.clone()))
    }

    fn url(&self, _: &Endpoint) -> Option<String> {
        None
    }
}
