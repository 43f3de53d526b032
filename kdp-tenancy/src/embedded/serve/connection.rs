//! One connection: handshake, then requests until it is idle, broken or drained.

use std::{io, pin::pin, time::Duration};

use futures::FutureExt;
use http::{Request, Response};
use hyper::{body::Incoming, rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Service, ServiceExt};

use super::{
    Body, BoxError,
    activity::{Activity, TrackedBody},
    boxed,
    options::ServeOptions,
    tls::HTTP2,
};
use crate::embedded::{audit::SourceAddress, auth::PeerIdentity, pki::read_client_subject};

/// First byte of every TLS connection.
const TLS_HANDSHAKE_RECORD: u8 = 0x16;
/// What Go's servers say, so that people find the explanation.
const PLAIN_HTTP_ANSWER: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// How long a connection that was asked to end may take to do so without an open request.
const LINGER: Duration = Duration::from_secs(5);

/// Spawns the tasks of connections, so that none outlives the listener.
#[derive(Clone, Debug)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    abort: CancellationToken,
}

impl Tasks {
    pub(super) fn new(tracker: TaskTracker, abort: CancellationToken) -> Self {
        Self { tracker, abort }
    }
}

impl<F> Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        let abort = self.abort.clone();
        self.tracker.spawn(async move { abort.run_until_cancelled(task).await });
    }
}

/// What all connections of a listener share.
pub(super) struct Connections<S> {
    service: S,
    acceptor: TlsAcceptor,
    http1: auto::Builder<Tasks>,
    http2: auto::Builder<Tasks>,
    options: ServeOptions,
    abort: CancellationToken,
    drain: CancellationToken,
}

impl<S> Connections<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
{
    pub(super) fn new(
        service: S,
        acceptor: TlsAcceptor,
        options: ServeOptions,
        tasks: Tasks,
        drain: CancellationToken,
    ) -> Self {
        let abort = tasks.abort.clone();
        let builder = builder(&options, tasks);
        let (http1, http2) = (builder.clone().http1_only(), builder.http2_only());
        Self { service, acceptor, http1, http2, options, abort, drain }
    }

    /// Serves the connection until it ends.
    pub(super) async fn serve(&self, stream: TcpStream) {
        let handshake = timeout(self.options.handshake_timeout, handshake(&self.acceptor, stream));
        match self.drain.run_until_cancelled(handshake).await {
            Some(Ok(Ok(Some((stream, peer))))) => self.serve_http(stream, peer).await,
            Some(Ok(Err(error))) => tracing::debug!(%error, "handshake failed"),
            Some(Err(_)) => tracing::debug!("handshake timed out"),
            Some(Ok(Ok(None))) | None => {}
        }
    }

    async fn serve_http(&self, stream: TlsStream<TcpStream>, peer: PeerIdentity) {
        let activity = Activity::new();
        let source = stream.get_ref().0.peer_addr().ok().map(|address| SourceAddress(address.ip()));
        let service = service_fn(|mut request: Request<Incoming>| {
            source.map(|source| request.extensions_mut().insert(source));
            answer(self.service.clone(), request, peer.clone(), &activity)
        });
        // The handshake has settled the protocol, so nobody has to wait for bytes that tell it.
        let builder = if stream.get_ref().1.alpn_protocol() == Some(HTTP2) { &self.http2 } else { &self.http1 };
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut idle = pin!(activity.idle(self.options.header_timeout, self.options.idle_timeout));
        let mut is_leaving = false;
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "connection broken");
                    }
                    return;
                }
                () = self.abort.cancelled() => return,
                () = self.drain.cancelled(), if !is_leaving => {}
                () = idle.as_mut() => {
                    if is_leaving {
                        return;
                    }
                }
            }
            connection.as_mut().graceful_shutdown();
            is_leaving = true;
            // One that never made a request is owed no farewell.
            idle.set(activity.idle(Duration::ZERO, LINGER));
        }
    }
}

/// The TLS stream and who is at its other end; `None` when the peer does not speak TLS and was told
/// so.
async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> io::Result<Option<(TlsStream<TcpStream>, PeerIdentity)>> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => return Ok(None),
        _ if first[0] != TLS_HANDSHAKE_RECORD => {
            refuse_plain_http(stream).await?;
            return Ok(None);
        }
        _ => {}
    }
    let stream = acceptor.accept(stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let subject = certificate.map(read_client_subject).transpose().map_err(io::Error::other)?.flatten();
    let peer = subject
        .map_or_else(PeerIdentity::unknown, |subject| PeerIdentity::certified(subject.identity, subject.not_after));
    Ok(Some((stream, peer)))
}

async fn refuse_plain_http(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_HTTP_ANSWER).await?;
    stream.shutdown().await?;
    // Closing a socket with unread bytes resets it, and the peer may lose the answer.
    let mut unread = (&mut stream).take(64 * 1024);
    tokio::io::copy(&mut unread, &mut tokio::io::sink()).await?;
    Ok(())
}

fn answer<S>(
    service: S,
    request: Request<Incoming>,
    peer: PeerIdentity,
    activity: &Activity,
) -> impl Future<Output = Result<Response<TrackedBody>, BoxError>> + Send + use<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error: Into<BoxError>, Future: Send> + Send,
{
    let open = activity.begin();
    let mut request = request.map(boxed);
    request.extensions_mut().insert(peer);
    service.oneshot(request).map(|result| {
        let response = result.map_err(Into::into)?;
        Ok(response.map(|body| open.until_sent(body)))
    })
}

fn builder(options: &ServeOptions, tasks: Tasks) -> auto::Builder<Tasks> {
    let max_header_bytes = usize::try_from(options.max_header_bytes).unwrap_or(usize::MAX);
    let mut builder = auto::Builder::new(tasks);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        // hyper refuses a buffer that cannot hold a usual request.
        .max_buf_size(max_header_bytes.max(8 * 1024));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(options.keep_alive_interval)
        .max_concurrent_streams(options.max_concurrent_streams)
        .max_header_list_size(options.max_header_bytes)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024);
    builder
}
