//! A part of a platform: it starts, becomes ready, and stops when told.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Error, control_plane::SharedControlPlane};

/// A part of a platform, such as a server, a controller or a sync agent.
#[async_trait]
pub trait Component: Send + 'static {
    /// A short name, unique in its platform, for logs and errors.
    fn name(&self) -> &str;

    /// Works until [`ComponentContext::shutdown`] is cancelled, then finishes what it has begun
    /// and returns.
    ///
    /// Calls [`ComponentContext::ready`] once others may rely on it. Returning before the
    /// shutdown, with or without an error, stops the whole platform.
    ///
    /// # Errors
    /// When it cannot start or cannot go on; the platform stops with this as its cause.
    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error>;
}

/// What a platform gives to each of its components.
#[derive(Clone, Debug)]
pub struct ComponentContext {
    control_plane: SharedControlPlane,
    shutdown: CancellationToken,
    ready: Arc<watch::Sender<bool>>,
}

impl ComponentContext {
    /// A context for running one component by hand, and the receiver that turns `true` when the
    /// component is ready.
    #[must_use]
    pub fn new(control_plane: SharedControlPlane, shutdown: CancellationToken) -> (Self, watch::Receiver<bool>) {
        let (ready, is_ready) = watch::channel(false);
        (Self { control_plane, shutdown, ready: Arc::new(ready) }, is_ready)
    }

    /// The control plane of the platform.
    #[must_use]
    pub fn control_plane(&self) -> &SharedControlPlane {
        &self.control_plane
    }

    /// Cancelled when the component is to stop. Already accepted work is to be finished.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Says that others may rely on this component now.
    pub fn ready(&self) {
        self.ready.send_replace(true);
    }
}
