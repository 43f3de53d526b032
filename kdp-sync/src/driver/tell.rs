//! Writes the events for tenants.

use std::{sync::Arc, time::Duration};

use kdp_core::{LogicalClusterName, reconcile::Chain};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::{
    engine::{ObjectKey, Place},
    object::{self, ResourceType},
};

/// How many events are written at once: few, so that they give way to orders.
pub(super) const WRITERS: usize = 2;

/// How long an event gives way to orders that could be worked on.
const PATIENCE: Duration = Duration::from_millis(50);

/// How often somebody who gives way looks whether it is still needed.
const LOOK: Duration = Duration::from_millis(5);

/// How long events that wait are still written when the sync stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Writes events until `shutdown` is cancelled, and then what is left for a short while.
pub(super) async fn write(shared: Arc<Shared>, shutdown: CancellationToken) {
    let types = Arc::new(ResourceType::core("Event", "events"));
    loop {
        let (workspace, event) = tokio::select! {
            next = shared.news.next() => next,
            () = shutdown.cancelled() => break,
        };
        shared.give_way().await;
        shared.write_event(&types, workspace, &event).await;
    }
    let rest = async {
        while let Some((workspace, event)) = shared.news.take() {
            shared.write_event(&types, workspace, &event).await;
        }
    };
    // They are lost then, as events may be.
    let _ = tokio::time::timeout(LAST_WORDS, rest).await;
}

impl Shared {
    /// Waits for a while as long as there is something better to do.
    async fn give_way(&self) {
        let wait = async {
            while self.queue.has_ready() {
                tokio::time::sleep(LOOK).await;
            }
        };
        // Whatever there is to do, in the end something is told.
        let _ = tokio::time::timeout(PATIENCE, wait).await;
    }

    async fn write_event(&self, types: &Arc<ResourceType>, workspace: LogicalClusterName, event: &Value) {
        let key = ObjectKey {
            place: Place::Workspace(workspace),
            types: types.clone(),
            namespace: object::namespace(event).map(Into::into),
            name: object::name(event).into(),
        };
        if let Err(error) = self.remote.tell(&key, event).await {
            tracing::debug!(%key, error = %Chain(&error), "event.failed");
        }
    }
}
