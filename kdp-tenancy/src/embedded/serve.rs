//! The HTTPS listener: connections in, requests to one tower service.

mod activity;
mod connection;
mod options;
#[cfg(test)]
mod tests;
mod tls;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use kdp_core::{Error, ErrorKind};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

pub use self::options::ServeOptions;
use self::{
    connection::{Connections, Tasks},
    tls::Certificates,
};
use super::pki::Pki;

/// Any error of a service or a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of every request and response, in-process or not.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Boxes any body, such as that of an in-process [`kube::Client`].
pub fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

/// How often the listener looks whether its certificate is to be renewed.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How long it waits when the system is out of something that a connection needs.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// A bound socket, ready to serve HTTPS.
///
/// Clients may show a certificate; one that the authority did not sign fails the handshake. What a
/// certificate says reaches the service as a [`PeerIdentity`](super::auth::PeerIdentity) in the
/// extensions of every request.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    local_addr: SocketAddr,
    certificates: Arc<Certificates>,
    options: ServeOptions,
}

impl Listener {
    /// Binds `address`; port 0 takes any free one. Not cancel-safe: dropping the future may leave
    /// a certificate file written, which the next call uses.
    ///
    /// The server's certificate names `localhost`, the loopback addresses, the address bound and
    /// the names of the options.
    ///
    /// # Errors
    /// `Unavailable` when the address cannot be bound; otherwise as
    /// [`Pki::server_certificate`], of which this makes use.
    pub async fn bind(address: SocketAddr, pki: Arc<Pki>, options: ServeOptions) -> Result<Self, Error> {
        let unavailable = |error| {
            Error::new(ErrorKind::Unavailable, "listen on", address, "the address cannot be bound").with_source(error)
        };
        let tcp = TcpListener::bind(address).await.map_err(unavailable)?;
        let local_addr = tcp.local_addr().map_err(unavailable)?;
        let certificates = Certificates::load(pki, options.certificate_names(local_addr.ip())).await?;
        Ok(Self { tcp, local_addr, certificates: Arc::new(certificates), options })
    }

    /// The address bound, with the port that was taken.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` is cancelled, then lets open requests finish and returns.
    ///
    /// Whatever is not finished at the drain deadline of the options is cut off. A response that
    /// never ends by itself, such as a watch, has to be ended by the service, or it takes all of
    /// that time. Dropping the future cuts off everything at once.
    ///
    /// # Errors
    /// `Internal` when TLS cannot be set up.
    pub async fn serve<S>(self, service: S, shutdown: CancellationToken) -> Result<(), Error>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync,
        S: 'static,
    {
        let tasks = TaskTracker::new();
        let abort = CancellationToken::new();
        let _abort_when_dropped = abort.clone().drop_guard();
        let acceptor = tls::acceptor(&self.certificates)?;
        let spawner = Tasks::new(tasks.clone(), abort.clone());
        let connections =
            Arc::new(Connections::new(service, acceptor, self.options.clone(), spawner, shutdown.clone()));
        let slots = Arc::new(Semaphore::new(self.options.max_connections));
        let mut renewal = interval(RENEWAL_INTERVAL);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = renewal.tick() => self.certificates.renew(SystemTime::now()).await,
                (stream, slot) = accept(&self.tcp, &slots) => {
                    let connections = Arc::clone(&connections);
                    tasks.spawn(async move {
                        connections.serve(stream).await;
                        drop(slot);
                    });
                }
            }
        }
        drop(self.tcp);
        tasks.close();
        if timeout(self.options.drain_deadline, tasks.wait()).await.is_err() {
            tracing::warn!(tasks = tasks.len(), "connections cut off at the drain deadline");
            abort.cancel();
            tasks.wait().await;
        }
        Ok(())
    }
}

/// The next connection, once there is a slot for it. Cancel-safe.
async fn accept(tcp: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match tcp.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for a moment");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
