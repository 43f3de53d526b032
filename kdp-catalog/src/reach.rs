//! Where a single object is that was read together with those of many workspaces.

use kdp_core::{
    Endpoint, Error, ErrorKind, Identity, LogicalClusterName, SharedControlPlane,
    api::{
        CLUSTER_ANNOTATION, PATH_ANNOTATION,
        core::{LOGICAL_CLUSTER_NAME, LogicalCluster},
    },
    workspace::ParseError,
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject},
};

/// All orders of a kind at an endpoint.
pub(crate) struct Reach {
    pub(crate) control_plane: SharedControlPlane,
    pub(crate) endpoint: Endpoint,
    pub(crate) kind: ApiResource,
}

impl Reach {
    /// All of them, for lists and watches.
    pub(crate) fn all(&self) -> Result<Api<DynamicObject>, Error> {
        let client = self.control_plane.client(&self.endpoint, &Identity::system_masters())?;
        Ok(Api::all_with(client, &self.kind))
    }

    /// Those in one namespace of one workspace, for writes; `cluster` is what the annotation of an order says.
    pub(crate) fn of(&self, cluster: &str, namespace: Option<&str>) -> Result<Api<DynamicObject>, Error> {
        let consumer: LogicalClusterName = cluster.parse().map_err(|error: ParseError| {
            let message = format!("the API server returned one without the annotation {CLUSTER_ANNOTATION}");
            Error::new(ErrorKind::Internal, "reach", &self.kind.kind, message).with_source(error)
        })?;
        let endpoint = match self.endpoint.clone() {
            Endpoint::ApiExport { cluster, export, .. } => {
                Endpoint::ApiExport { cluster, export, consumer: Some(consumer) }
            }
            Endpoint::ExportShard { url, .. } => Endpoint::ExportShard { url, consumer: Some(consumer) },
            Endpoint::AllWorkspaces => consumer.into(),
            other => other,
        };
        let client = self.control_plane.client(&endpoint, &Identity::system_masters())?;
        Ok(match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &self.kind),
            None => Api::all_with(client, &self.kind),
        })
    }
}

/// The path of the workspace behind a logical cluster; none when it is going away at this moment.
pub(crate) async fn path_of(
    control_plane: &SharedControlPlane,
    cluster: LogicalClusterName,
) -> Result<Option<String>, Error> {
    let client = control_plane.client(&cluster.clone().into(), &Identity::system_masters())?;
    match Api::<LogicalCluster>::all(client).get(LOGICAL_CLUSTER_NAME).await {
        Ok(itself) => Ok(itself.annotations().get(PATH_ANNOTATION).cloned()),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_forbidden() => Ok(None),
        Err(error) => Err(Error::from_kube("find path of", cluster, error)),
    }
}
