//! What every request must pass before anything looks at it, and what every answer says.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};

use super::{fault::Fault, page::Shared, session::Session};

/// Comes with every request that changes something.
pub(super) const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");

/// What the browser may do for the page: talk to where it came from, and make no markup out of text.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
                      object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Where requests come from that did not come over a connection.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The session of a request.
#[derive(Clone, Debug)]
pub(super) struct SignedIn(pub(super) Arc<Session>);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        parts.extensions.get::<Self>().cloned().ok_or(Fault::SignedOut)
    }
}

/// Lets a request through or not, and adds the headers of security to the answer.
pub(super) async fn guard(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = match admit(&shared, &mut request) {
        Ok(()) => next.run(request).await,
        Err(fault) => fault.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, if is_api { "no-store" } else { "no-cache" }),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn admit(shared: &Shared, request: &mut Request) -> Result<(), Fault> {
    let headers = request.headers();
    // A foreign name that leads here would make a foreign page of the same origin.
    let host = text(headers, &header::HOST).unwrap_or_default();
    let origin = shared.origins.iter().find(|origin| origin.host() == host).ok_or(Fault::Foreign)?;
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && text(headers, &header::ORIGIN) != Some(origin.as_str()) {
        return Err(Fault::Foreign);
    }
    let path = request.uri().path();
    if !path.starts_with("/api/") {
        return Ok(());
    }
    let now = Instant::now();
    let session = shared.session_id(headers).and_then(|id| shared.sessions.find(id, now));
    let signs_in = path == "/api/session" && *request.method() == Method::POST;
    match &session {
        Some(session) if !signs_in => {
            shared.asks.take(Arc::as_ptr(session) as usize, now).map_err(Fault::Limited)?;
            let proof = text(headers, &CSRF).unwrap_or_default();
            if changes && !session.csrf.is(proof) {
                return Err(Fault::Foreign);
            }
        }
        _ => {
            let peer = request.extensions().get::<Peer>().map_or(NOWHERE, |peer| peer.0);
            shared.sign_ins.take(peer, now).map_err(Fault::Limited)?;
            if changes && !signs_in {
                return Err(Fault::SignedOut);
            }
        }
    }
    if let Some(session) = session {
        request.extensions_mut().insert(SignedIn(session));
    }
    Ok(())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
