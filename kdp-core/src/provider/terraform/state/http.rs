//! The `http` backend of Terraform and OpenTofu, from the side of the server.

use std::{convert::Infallible, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use super::{
    Bytes,
    head::Relation,
    server::Inner,
    session::{Entry, USER},
};
use crate::{Error, ErrorKind};

/// How long a request may take to arrive.
const LONGEST_REQUEST: Duration = Duration::from_secs(60);
/// After a connection could not be taken, such as when there are too many.
const PAUSE: Duration = Duration::from_millis(100);
/// What an engine says of itself is small.
const LARGEST_LOCK: usize = 64 << 10;

type Answer = Response<Full<Bytes>>;

/// Serves until the server is told to stop.
pub(super) async fn serve(inner: Arc<Inner>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = inner.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((connection, _)) => drop(inner.tasks.spawn(attend(inner.clone(), connection))),
            Err(error) => {
                tracing::warn!(%error, "state.accept");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn attend(inner: Arc<Inner>, connection: TcpStream) {
    let stop = inner.stop.clone();
    let service = service_fn(move |request| {
        let inner = inner.clone();
        async move { Ok::<_, Infallible>(answer(&inner, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(LONGEST_REQUEST);
    let connection = http.serve_connection(TokioIo::new(connection), service);
    tokio::pin!(connection);
    tokio::select! {
        // A connection that breaks is noticed by the engine, which tries again.
        ended = connection.as_mut() => drop(ended),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            drop(timeout(LONGEST_REQUEST, connection).await);
        }
    }
}

async fn answer(inner: &Inner, request: Request<Incoming>) -> Answer {
    // Whether a session exists is told to nobody who does not have its password.
    let Some(entry) = inner.session(request.uri().path().trim_start_matches('/')) else { return unauthorized() };
    if !is_authorized(&entry, &request) {
        return unauthorized();
    }
    let may_write = !entry.is_reader;
    match request.method().as_str() {
        "GET" => match entry.state(inner).await {
            Ok(Some(state)) => Response::builder()
                .header(CONTENT_TYPE, "application/json")
                .body(Full::new(state))
                .expect("the header is one"),
            Ok(None) => text(StatusCode::NO_CONTENT, ""),
            Err(error) => refused(&error),
        },
        "POST" | "LOCK" | "UNLOCK" if !may_write => text(StatusCode::FORBIDDEN, "these credentials only read"),
        "POST" => {
            let lock = lock_id(&request);
            match read(request, inner.options.largest).await {
                Ok(state) => write(inner, &entry, lock.as_deref(), &state).await,
                Err(answer) => answer,
            }
        }
        "LOCK" => match read(request, LARGEST_LOCK).await {
            Ok(about) => lock(&entry, &about),
            Err(answer) => answer,
        },
        "UNLOCK" => match read(request, LARGEST_LOCK).await {
            Ok(about) => unlock(&entry, &about),
            Err(answer) => answer,
        },
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "states are read, written, locked and unlocked here"),
    }
}

fn is_authorized(entry: &Entry, request: &Request<Incoming>) -> bool {
    let expected = BASE64_STANDARD.encode(format!("{USER}:{}", entry.password));
    let given = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let given = given.and_then(|header| header.strip_prefix("Basic ")).unwrap_or_default();
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

async fn read(request: Request<Incoming>, most: usize) -> Result<Bytes, Answer> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|header| header.to_str().ok()?.parse().ok());
    let too_large = || text(StatusCode::PAYLOAD_TOO_LARGE, &format!("no more than {most} bytes are taken"));
    if announced.is_some_and(|length: usize| length > most) {
        return Err(too_large());
    }
    match timeout(LONGEST_REQUEST, Limited::new(request.into_body(), most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(text(StatusCode::BAD_REQUEST, "the body is not complete")),
        Err(_) => Err(text(StatusCode::REQUEST_TIMEOUT, "the body takes too long")),
    }
}

/// `?ID=` of a write.
fn lock_id(request: &Request<Incoming>) -> Option<String> {
    let mut parameters = request.uri().query()?.split('&');
    parameters.find_map(|parameter| parameter.strip_prefix("ID=")).map(str::to_owned)
}

fn lock(entry: &Entry, about: &[u8]) -> Answer {
    let Ok(about @ Value::Object(_)) = serde_json::from_slice(about) else {
        return text(StatusCode::BAD_REQUEST, "a lock is a JSON object");
    };
    let mut locked = entry.locked();
    match &*locked {
        // Its answer was lost, and it asks again.
        Some(holder) if holder["ID"] == about["ID"] => text(StatusCode::OK, ""),
        Some(holder) => json_answer(StatusCode::LOCKED, holder),
        None => {
            *locked = Some(about);
            text(StatusCode::OK, "")
        }
    }
}

fn unlock(entry: &Entry, about: &[u8]) -> Answer {
    let about: Value = serde_json::from_slice(about).unwrap_or_default();
    let mut locked = entry.locked();
    match &*locked {
        Some(holder) if holder["ID"] != about["ID"] => json_answer(StatusCode::CONFLICT, holder),
        _ => {
            *locked = None;
            text(StatusCode::OK, "")
        }
    }
}

async fn write(inner: &Inner, entry: &Entry, lock: Option<&str>, state: &[u8]) -> Answer {
    let holder = entry.locked().clone();
    match holder {
        Some(holder) if holder["ID"].as_str() != lock => return json_answer(StatusCode::LOCKED, &holder),
        None if lock.is_some() => return json_answer(StatusCode::CONFLICT, &json!({"Info": "the lock is not held"})),
        _ => {}
    }
    match entry.put(inner, state).await {
        Ok(Relation::Newer | Relation::Same) => text(StatusCode::OK, ""),
        Ok(Relation::Rival) => text(StatusCode::CONFLICT, "another state of this serial number is there"),
        Ok(Relation::Older) => text(StatusCode::CONFLICT, "a newer state is there"),
        Ok(Relation::Foreign) => text(StatusCode::CONFLICT, "the state that is there is of another lineage"),
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> Answer {
    let status = match error.kind() {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Stale => StatusCode::CONFLICT,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    text(status, &error.to_string())
}

fn unauthorized() -> Answer {
    text(StatusCode::UNAUTHORIZED, "a name and a password are needed")
}

fn json_answer(status: StatusCode, value: &Value) -> Answer {
    text(status, &value.to_string())
}

fn text(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *answer.status_mut() = status;
    answer
}
