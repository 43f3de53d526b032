//! Watches end when the right to them does.
//!
//! A watch is judged anew, as if its request came now, whenever something that decides about it
//! changed. It then just ends: a client that asks again is told why it may not.
//!
//! Only what a consumer grants is not judged here. The watch of its provider follows that by itself,
//! because it tells of what goes out of sight before it ends.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::request::Parts;
use kdp_core::LogicalClusterName;

use super::{ApiServer, Call, query::Query, route::ResourcePath, route::Scope, verb::Verb};
use crate::embedded::{
    registry::list::Coverage,
    surface::{ExportId, Origin},
};

/// The request for a watch, as it was let in.
pub(super) struct Admission {
    server: ApiServer,
    parts: Parts,
    scope: Scope,
    path: ResourcePath,
    decided_in: Vec<LogicalClusterName>,
}

impl Admission {
    pub(super) fn new(call: &Call<'_>, scope: &Scope, path: &ResourcePath, coverage: &Coverage<'_>) -> Self {
        let decided_in = decided_in(scope, coverage);
        Self {
            server: call.server.clone(),
            parts: call.parts.clone(),
            scope: scope.clone(),
            path: path.clone(),
            decided_in,
        }
    }

    /// The lines of the watch for as long as it would be let in.
    pub(super) fn bound(self, lines: impl Stream<Item = Bytes> + Send) -> impl Stream<Item = Bytes> + Send {
        let mut changes = self.server.registry.index.facts().changes().listen(self.decided_in.iter().cloned());
        lines.take_until(Box::pin(async move {
            // Judged first: the right may have gone before anybody listened.
            while self.holds().await {
                changes.changed().await;
            }
        }))
    }

    async fn holds(&self) -> bool {
        let Ok((identity, _)) = self.server.identify(&self.parts, self.scope.clone()).await else { return false };
        let (server, parts) = (&self.server, &self.parts);
        let mut call = Call { server, parts, query: Query::default(), identity, entered: None };
        match &self.scope {
            Scope::Export { export, consumer: Some(consumer) } => {
                call.keeps_watching(export, consumer, &self.path).await.is_ok()
            }
            _ => call.place(&self.scope, &self.path, Verb::Watch).await.is_ok(),
        }
    }
}

/// The logical clusters whose objects decide about a watch.
fn decided_in(scope: &Scope, coverage: &Coverage<'_>) -> Vec<LogicalClusterName> {
    let of = |export: &ExportId| export.cluster.parse().ok();
    let mut clusters = Vec::new();
    match scope {
        Scope::AllWorkspaces => clusters.push(LogicalClusterName::root()),
        Scope::Export { export, .. } => clusters.extend(of(export)),
        Scope::Lifecycle { controller, .. } => clusters.push(controller.cluster().clone()),
        Scope::Server | Scope::Workspace(_) | Scope::Nowhere => {}
    }
    let is_wide = coverage.view.as_ref().is_some_and(|view| view.consumer.is_none());
    if coverage.clusters.is_none() && !is_wide {
        clusters.push(coverage.place.cluster.clone());
    }
    if let Origin::Bound { export, .. } = &coverage.place.served.origin {
        clusters.extend(of(export));
    }
    clusters.sort();
    clusters.dedup();
    clusters
}
