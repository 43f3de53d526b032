//! A network between an agent and its API servers that loses, delays, repeats and breaks off.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use kdp_core::{ControlPlane, Endpoint, Error, Identity};
use kube::{Client, client::Body};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

type Broken = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Broken>>>>;

/// When a client gives up on a connection over which nothing comes, as kube's do by default.
const READ_TIMEOUT: Duration = Duration::from_secs(295);

/// The network of one agent.
#[derive(Clone)]
pub(super) struct Network(Arc<Inner>);

struct Inner {
    rng: parking_lot::Mutex<StdRng>,
    is_calm: AtomicBool,
    is_cut: AtomicBool,
    /// Cut off after so many more requests have arrived.
    left: AtomicUsize,
    writes: AtomicUsize,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    /// It is answered with this code and does nothing.
    Refused(u16),
    /// It does nothing, and nobody answers, until the client gives up.
    Lost,
    /// It is done, but the connection breaks before the answer.
    Unanswered,
    /// It is done a good while after everybody has stopped waiting.
    Late,
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Inner {
            rng: StdRng::seed_from_u64(seed).into(),
            is_calm: false.into(),
            is_cut: false.into(),
            left: usize::MAX.into(),
            writes: 0.into(),
        }))
    }

    /// Whether nothing happens but what should.
    pub(super) fn set_calm(&self, is_calm: bool) {
        self.0.is_calm.store(is_calm, Ordering::Relaxed);
    }

    /// Nothing goes through any more: to the world, its agent is dead.
    pub(super) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Relaxed);
    }

    /// Cuts it in the middle of the request that comes after so many others.
    pub(super) fn cut_after(&self, requests: usize) {
        self.0.left.store(requests, Ordering::Relaxed);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.0.is_cut.load(Ordering::Relaxed)
    }

    /// How many writes have gone through.
    pub(super) fn writes(&self) -> usize {
        self.0.writes.load(Ordering::Relaxed)
    }

    /// A client whose requests go through this network.
    pub(super) fn client(&self, inner: Client) -> Client {
        let network = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (network, inner) = (network.clone(), inner.clone());
            async move { network.send(inner, request).await }
        });
        Client::new(service, "default")
    }

    async fn send(self, inner: Client, request: Request<Body>) -> Result<Answer, Broken> {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let is_write = request.method() != Method::GET;
        if self.is_cut() {
            return std::future::pending().await;
        }
        let (fate, delay, cut_after) = self.draw(is_watch, is_write);
        tokio::time::sleep(delay).await;
        let is_last = self.0.left.fetch_sub(1, Ordering::Relaxed) == 0;
        if is_last {
            self.cut();
        }
        match fate {
            Fate::Refused(code) => return Ok(status(code)),
            Fate::Lost => {
                tokio::time::sleep(READ_TIMEOUT).await;
                return Err("the connection timed out".into());
            }
            Fate::Arrives | Fate::Unanswered | Fate::Late => {}
        }
        if is_write {
            self.0.writes.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(fate, Fate::Late) && is_write {
            let late = self.0.rng.lock().random_range(1..60_000);
            let late = Duration::from_millis(late);
            tokio::spawn(async move {
                tokio::time::sleep(late).await;
                // Nobody waits for the answer.
                let _ = inner.send(request).await;
            });
            return Err("the connection was reset".into());
        }
        let response = inner.send(request).await?;
        if is_last || self.is_cut() {
            return std::future::pending().await;
        }
        if matches!(fate, Fate::Unanswered) {
            return Err("the connection was reset".into());
        }
        let (head, body) = response.into_parts();
        let frames = body.into_data_stream().map(|chunk| chunk.map_err(Into::into));
        let frames = if is_watch { self.disturb(frames, cut_after).boxed() } else { frames.boxed() };
        Ok(Response::from_parts(head, StreamBody::new(frames.map(|chunk| chunk.map(Frame::data)).boxed())))
    }

    fn draw(&self, is_watch: bool, is_write: bool) -> (Fate, Duration, usize) {
        let mut rng = self.0.rng.lock();
        if self.0.is_calm.load(Ordering::Relaxed) {
            return (Fate::Arrives, Duration::ZERO, usize::MAX);
        }
        let delay = Duration::from_millis(rng.random_range(0..50) * rng.random_range(0..4));
        let fate = match rng.random_range(0..100) {
            0..3 => Fate::Refused(429),
            3..5 => Fate::Refused(500),
            5..7 => Fate::Refused(503),
            7..10 if is_watch => Fate::Refused(410),
            7..10 if is_write => Fate::Refused(409),
            10 => Fate::Lost,
            11..15 if !is_watch => Fate::Unanswered,
            15..18 if !is_watch => Fate::Late,
            _ => Fate::Arrives,
        };
        (fate, delay, rng.random_range(0..12))
    }

    /// The lines of a watch, late, some of them twice, until it breaks off in the middle of one.
    fn disturb(
        &self,
        frames: impl Stream<Item = Result<Bytes, Broken>> + Send + 'static,
        cut_after: usize,
    ) -> impl Stream<Item = Result<Bytes, Broken>> + Send + 'static {
        let network = self.clone();
        let mut lines = 0;
        let events = frames.then(move |frame| {
            let network = network.clone();
            async move {
                let (delay, chance) = {
                    let mut rng = network.0.rng.lock();
                    (rng.random_range(0..400), rng.random_range(0..100))
                };
                if network.is_cut() {
                    std::future::pending::<()>().await;
                }
                if network.0.is_calm.load(Ordering::Relaxed) {
                    return (frame, 100);
                }
                tokio::time::sleep(Duration::from_millis(delay)).await;
                (frame, chance)
            }
        });
        // None ends the stream at once, as a closed connection does.
        let disturbed = events.map(move |(frame, chance)| {
            let Ok(frame) = frame else { return vec![Some(frame), None] };
            lines += 1;
            let is_whole = frame.ends_with(b"\n");
            if lines > cut_after {
                let expired = json!({"type": "ERROR", "object": failure(410)});
                return match chance % 3 {
                    0 if is_whole => vec![Some(Ok(frame)), Some(Ok(format!("{expired}\n").into())), None],
                    1 => vec![Some(Ok(frame.slice(..frame.len() / 2))), None],
                    _ => {
                        let reset = Err("the connection was reset".into());
                        vec![Some(Ok(frame.slice(..frame.len() / 2))), Some(reset), None]
                    }
                };
            }
            match chance {
                0..10 if is_whole => vec![Some(Ok(frame.clone())), Some(Ok(frame))],
                _ => vec![Some(Ok(frame))],
            }
        });
        let chunks = disturbed.flat_map(stream::iter);
        chunks.take_while(|chunk| std::future::ready(chunk.is_some())).filter_map(std::future::ready)
    }
}

/// A control plane behind a network.
#[derive(Clone)]
pub(super) struct Distant<C> {
    pub(super) control_plane: C,
    pub(super) network: Network,
}

impl<C: ControlPlane> ControlPlane for Distant<C> {
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<Client, Error> {
        Ok(self.network.client(self.control_plane.client(endpoint, identity)?))
    }

    fn url(&self, endpoint: &Endpoint) -> Option<String> {
        self.control_plane.url(endpoint)
    }
}

impl<C: fmt::Debug> fmt::Debug for Distant<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distant").field("control_plane", &self.control_plane).finish_non_exhaustive()
    }
}

fn failure(code: u16) -> Value {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": "injected",
    })
}

fn status(code: u16) -> Answer {
    let body = Bytes::from(failure(code).to_string());
    let body = StreamBody::new(stream::iter([Ok(Frame::data(body))]).boxed());
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    if code == 429 {
        response.headers_mut().insert("retry-after", http::HeaderValue::from_static("1"));
    }
    response
}
