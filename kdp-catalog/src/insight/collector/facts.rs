//! Looks up what orders do not say: who has bound what, and since when workspaces are there.

use std::collections::{BTreeMap, BTreeSet};

use kdp_core::{
    ControlPlaneExt, Endpoint, Error, ErrorKind, SharedControlPlane,
    api::{CLUSTER_ANNOTATION, PATH_ANNOTATION, apis::APIBinding, core::LogicalCluster},
};
use kube::{Api, ResourceExt};

use crate::{
    ExportLocation,
    insight::{
        WorkspaceFact,
        source::{OrderSource, list_all},
    },
};

/// What a look has found; none where there was nothing to be seen.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) binders: Option<BTreeMap<String, BTreeSet<String>>>,
    pub(super) workspaces: Option<BTreeMap<String, WorkspaceFact>>,
}

/// Looks once. Changes nothing and may be dropped.
pub(super) async fn look(
    control_plane: &SharedControlPlane,
    sources: &[OrderSource],
    has_platform_view: bool,
) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut everywhere = None;
    if has_platform_view {
        let client = control_plane.wildcard_client()?;
        found.workspaces = Some(workspaces(&Api::all(client.clone())).await?);
        everywhere = Some(list_all::<APIBinding>(&Api::all(client), "bindings").await?);
    }
    for source in sources {
        let Endpoint::ApiExport { cluster, export, .. } = &source.endpoint else { continue };
        let location = ExportLocation::new(cluster.path(), cluster.clone(), export);
        let seen;
        let bindings = if let Some(everywhere) = &everywhere {
            everywhere
        } else {
            match list_all::<APIBinding>(&source.around(control_plane)?, "bindings").await {
                Ok(bindings) => {
                    seen = bindings;
                    &seen
                }
                // Not every provider may see who its consumers are.
                Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => continue,
                Err(error) => return Err(error),
            }
        };
        let bound = bindings.iter().filter(|binding| location.is_bound_by(binding));
        let clusters = bound.filter_map(|binding| binding.annotations().get(CLUSTER_ANNOTATION).cloned());
        found.binders.get_or_insert_default().entry(source.service.clone()).or_default().extend(clusters);
    }
    Ok(found)
}

/// The workspaces by their logical clusters.
async fn workspaces(api: &Api<LogicalCluster>) -> Result<BTreeMap<String, WorkspaceFact>, Error> {
    let there = list_all(api, "logical clusters").await?;
    let fact = |cluster: &LogicalCluster| {
        let name = cluster.annotations().get(CLUSTER_ANNOTATION)?;
        let path = cluster.annotations().get(PATH_ANNOTATION).unwrap_or(name);
        let created = cluster.metadata.creation_timestamp.as_ref()?.0;
        Some((name.clone(), WorkspaceFact::new(path, created)))
    };
    Ok(there.iter().filter_map(fact).collect())
}
