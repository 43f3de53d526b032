//! What the program serves: probes and metrics.

mod checks;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use kdp_sync::{Health, METRICS_CONTENT_TYPE, Metrics};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// How many connections are served at once; a probe and a scraper need two.
const MOST_CONNECTIONS: usize = 64;
/// How long a client may take to say what it wants.
const HEADER_DEADLINE: Duration = Duration::from_secs(5);
/// How long a connection may last. Probes and scrapers just make another.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(60);
/// The pause after a connection could not be taken, as when the process has too many files open.
const PAUSE: Duration = Duration::from_millis(100);

/// What is served at one address.
#[derive(Clone, Debug)]
pub(super) enum Pages {
    /// `/metrics`.
    Metrics(Metrics),
    /// `/healthz` and `/readyz`, and each check of theirs by itself.
    Health(Health),
}

/// Serves until `shutdown`. Requests under way are cut off then: a page is not worth waiting for.
pub(super) async fn serve(listener: TcpListener, pages: Pages, shutdown: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    let accept = async {
        loop {
            // The semaphore is never closed.
            let slot = slots.clone().acquire_owned().await.ok();
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "page.refused");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let pages = pages.clone();
            connections.spawn(async move {
                let answer = service_fn(|request| {
                    let answer = answer(&pages, &request);
                    async { Ok::<_, Infallible>(answer) }
                });
                let served = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_DEADLINE)
                    .serve_connection(TokioIo::new(stream), answer);
                // A client that went away needs no answer.
                let _served = tokio::time::timeout(CONNECTION_DEADLINE, served).await;
                drop(slot);
            });
        }
    };
    tokio::select! {
        () = accept => {}
        () = shutdown.cancelled() => {}
    }
}

fn answer(pages: &Pages, request: &Request<Incoming>) -> Response<String> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n".into());
    }
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let page = match pages {
        Pages::Metrics(metrics) if path == "/metrics" => Some(of_type(METRICS_CONTENT_TYPE, metrics.encode())),
        Pages::Metrics(_) => None,
        Pages::Health(health) => {
            let of = |name: &str| path.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            let (name, checks, rest) = if let Some(rest) = of("/healthz").or_else(|| of("/livez")) {
                ("healthz", health.live(), rest)
            } else if let Some(rest) = of("/readyz") {
                ("readyz", health.ready(), rest)
            } else {
                return not_found();
            };
            checks::report(name, checks, rest.trim_start_matches('/'), query).map(|report| {
                text(if report.is_ok { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }, report.text)
            })
        }
    };
    page.unwrap_or_else(not_found)
}

fn not_found() -> Response<String> {
    text(StatusCode::NOT_FOUND, "there is no such page\n".into())
}

fn text(status: StatusCode, body: String) -> Response<String> {
    let mut response = of_type("text/plain; charset=utf-8", body);
    *response.status_mut() = status;
    response
}

fn of_type(content_type: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}
