//! Suspending, resuming and deleting workspaces.

use kdp_core::{
    ControlPlane, ControlPlaneExt, Error, ErrorKind, WorkspacePath,
    api::{
        core::{LOGICAL_CLUSTER_NAME, LogicalCluster},
        tenancy::Workspace,
    },
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

/// Annotation of a LogicalCluster that suspends it while it is `"true"`.
pub const INACTIVE_ANNOTATION: &str = "core.kcp.io/inactive";
/// The name that kcp gave the annotation before.
const FORMER_INACTIVE_ANNOTATION: &str = "internal.kcp.io/inactive";

/// Suspends the workspace at `path`; everything in it stays as it is.
///
/// Its LogicalCluster takes the phase `Inactive`. Every request but those for `/openapi` and the
/// LogicalCluster itself is then answered with 403, through virtual workspaces too; members of
/// `system:masters` can still read, and nobody can write. Open watches end. Reads across workspaces
/// go on to show it, so that no provider takes a pause for a deletion. Deleting its Workspace works,
/// and lets providers clean up. Workspaces below it are not suspended.
///
/// Only the platform may do this: the annotation can be written by `system:masters` alone, so that
/// a tenant cannot resume itself. A platform that lets others decide, such as the administrators
/// of the parent, checks their rights and then calls this. Idempotent; cancel-safe.
///
/// # Errors
/// `NotFound` when there is no such workspace, `Forbidden` when it is not ready.
pub async fn suspend(control_plane: &dyn ControlPlane, path: &WorkspacePath) -> Result<(), Error> {
    annotate("suspend workspace", control_plane, path, json!({INACTIVE_ANNOTATION: "true"})).await
}

/// Opens a suspended workspace again; one that is not suspended is left as it is.
///
/// Idempotent; cancel-safe.
///
/// # Errors
/// `NotFound` when there is no such workspace.
pub async fn resume(control_plane: &dyn ControlPlane, path: &WorkspacePath) -> Result<(), Error> {
    let none = json!({INACTIVE_ANNOTATION: null, FORMER_INACTIVE_ANNOTATION: null});
    annotate("resume workspace", control_plane, path, none).await
}

/// Deletes the workspace at `path`, with everything in it.
///
/// # Errors
/// `Invalid` for a bare logical cluster name; else when the control plane refuses.
pub async fn delete(control_plane: &dyn ControlPlane, path: &WorkspacePath) -> Result<(), Error> {
    let bare =
        || Error::new(ErrorKind::Invalid, "delete", path, "a logical cluster without a parent cannot be deleted");
    let parent = path.parent().ok_or_else(bare)?;
    let workspaces: Api<Workspace> = Api::all(control_plane.system_client(&parent)?);
    let failed = |error| Error::from_kube("delete", path, error);
    workspaces.delete(path.base(), &DeleteParams::default()).await.map(drop).map_err(failed)
}

async fn annotate(
    op: &'static str,
    control_plane: &dyn ControlPlane,
    path: &WorkspacePath,
    annotations: Value,
) -> Result<(), Error> {
    let clusters: Api<LogicalCluster> = Api::all(control_plane.system_client(path)?);
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
    let patched = clusters.patch(LOGICAL_CLUSTER_NAME, &PatchParams::default(), &patch).await;
    patched.map(drop).map_err(|error| Error::from_kube(op, path, error))
}
