//! HTTPS for a control plane.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use kdp_core::{Component, ComponentContext, Error};

use crate::{
    Embedded,
    embedded::serve::{Listener, ServeOptions},
};

/// Serves an [`Embedded`] control plane over HTTPS, as a component of a platform.
///
/// The address is bound already when this exists; requests are answered once it runs.
#[derive(Debug)]
pub struct Server {
    control_plane: Embedded,
    listener: Listener,
}

impl Server {
    pub(crate) async fn bind(control_plane: Embedded, listen: SocketAddr) -> Result<Self, Error> {
        let listener = Listener::bind(listen, Arc::clone(control_plane.pki()), ServeOptions::default()).await?;
        Ok(Self { control_plane, listener })
    }

    /// The address it listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }
}

#[async_trait]
impl Component for Server {
    fn name(&self) -> &str {
        "server"
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        // Watches never end by themselves; told to, they end before the connections are drained.
        let api = self.control_plane.api().with_shutdown(context.shutdown().clone());
        let service = tower::service_fn(move |request| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.handle(request).await) }
        });
        context.ready();
        self.listener.serve(service, context.shutdown().clone()).await
    }
}
