//! HTTP for the page.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use kdp_core::{Component, ComponentContext, Error, ErrorKind};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use super::{guard::Peer, page::Page};

/// How many connections are served at once.
const MOST_CONNECTIONS: usize = 512;
/// How long a client may take to say what it wants.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// The pause after a connection could not be taken, as when the process has too many files open.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound address at which a [`Page`] will be served, without TLS.
#[derive(Debug)]
pub struct PageServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl PageServer {
    /// Binds the address.
    ///
    /// # Errors
    /// `Unavailable` when it is taken or not of this machine.
    pub async fn bind(listen: SocketAddr) -> Result<Self, Error> {
        let failed = |e: std::io::Error| {
            let message = "the address cannot be bound; choose another with --listen, such as 127.0.0.1:0";
            Error::new(ErrorKind::Unavailable, "listen on", listen, message).with_source(e)
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// The address it listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The component that serves `page`.
    #[must_use]
    pub fn serve(self, page: Page) -> impl Component {
        Serving { server: self, page }
    }
}

#[derive(Debug)]
struct Serving {
    server: PageServer,
    page: Page,
}

#[async_trait]
impl Component for Serving {
    fn name(&self) -> &str {
        "selfservice"
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        context.ready();
        let accept = accept(&self.server.listener, &self.page);
        // Requests under way are cut off: what they asked for is the API server's to finish.
        tokio::select! {
            () = accept => {}
            () = context.shutdown().cancelled() => {}
        }
        Ok(())
    }
}

async fn accept(listener: &TcpListener, page: &Page) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let slot = slots.clone().acquire_owned().await.ok();
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "page.refused");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let router = page.router().layer(axum::Extension(Peer(peer.ip())));
        connections.spawn(async move {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_DEADLINE)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            // A client that went away needs no answer.
            let _served = served.await;
            drop(slot);
        });
    }
}
