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
use kdp_core::{LogicalClusterName, api::core::LOGICAL_CLUSTER_NAME};

use super::{ApiServer, Call, query::Query, route::ResourcePath, route::Scope, verb::Verb};
use crate::embedded::{
    auth,
    kinds::workspace_type,
    registry::list::Coverage,
    status::Result,
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
    pub(super) async fn new(
        call: &Call<'_>,
        scope: &Scope,
        path: &ResourcePath,
        coverage: &Coverage<'_>,
    ) -> Result<Self> {
        let mut decided_in = decided_in(scope, coverage);
        decided_in.extend(vouched_for_in(call, &coverage.place.cluster).await?);
        decided_in.sort();
        decided_in.dedup();
        Ok(Self {
            server: call.server.clone(),
            parts: call.parts.clone(),
            scope: scope.clone(),
            path: path.clone(),
            decided_in,
        })
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
    clusters
}

/// The logical cluster whose objects say who the caller is: where a service account is at home, and where the
/// type is that opens a workspace to an issuer of its own.
async fn vouched_for_in(call: &Call<'_>, cluster: &LogicalClusterName) -> Result<Option<LogicalClusterName>> {
    if let Some(home) = auth::service_account_home(&call.identity) {
        return Ok(Some(home));
    }
    if !auth::is_confined(&call.identity) {
        return Ok(None);
    }
    let registry = &call.server.registry;
    let found = registry.find(cluster, "core.kcp.io", "logicalclusters", None, LOGICAL_CLUSTER_NAME).await?;
    Ok(found.and_then(|(_, object)| workspace_type::place(&registry.index, &object)).map(|(home, _)| home))
}
