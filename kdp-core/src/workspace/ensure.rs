//! Makes sure that a workspace is there, with every level above it.

use std::time::Duration;

use futures::StreamExt;
use kube::{Api, api::PostParams, runtime::watcher};

use super::WorkspacePath;
use crate::{
    ControlPlane, Endpoint, Error, ErrorKind, Identity,
    api::tenancy::{Workspace, WorkspacePhase, WorkspaceSpec},
};

const READY_DEADLINE: Duration = Duration::from_secs(30);

/// Makes sure that the workspace at `path` exists and is ready, creating missing levels on the way.
///
/// Everything is asked and created as `identity`, which needs rights only where something is
/// missing: levels above an existing workspace are not looked at. Each level gets 30 s to become
/// ready. Calling it again is harmless, also after a call that was dropped in the middle.
///
/// # Errors
/// `Invalid` for a bare logical cluster name, which is no Workspace of any parent; `Forbidden` or
/// `NotFound` when a level is missing and may not be created; `Unavailable` when a level is being
/// deleted or does not become ready in time.
pub async fn ensure_workspace(
    control_plane: &dyn ControlPlane,
    path: &WorkspacePath,
    identity: &Identity,
) -> Result<Workspace, Error> {
    let mut missing = Vec::new();
    let mut level = path.clone();
    let mut workspace = loop {
        match get_or_create(control_plane, &level, identity).await {
            Ok(workspace) => break workspace,
            // The parent is missing, or it cannot be told from one that is.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden) => {
                let Some(parent) = level.parent().filter(|parent| parent.parent().is_some()) else { return Err(error) };
                missing.push(std::mem::replace(&mut level, parent));
            }
            Err(error) => return Err(error),
        }
    };
    while let Some(level) = missing.pop() {
        workspace = get_or_create(control_plane, &level, identity).await?;
    }
    Ok(workspace)
}

async fn get_or_create(
    control_plane: &dyn ControlPlane,
    path: &WorkspacePath,
    identity: &Identity,
) -> Result<Workspace, Error> {
    let Some(parent) = path.parent() else {
        return Err(Error::new(
            ErrorKind::Invalid,
            "ensure",
            path,
            "a logical cluster that is named without a parent cannot be created",
        ));
    };
    let name = path.base();
    let api: Api<Workspace> = Api::all(control_plane.client(&Endpoint::Workspace(parent), identity)?);
    let failed = |error| Error::from_kube("ensure workspace", path, error);
    let workspace = match api.get_opt(name).await.map_err(failed)? {
        Some(workspace) => workspace,
        None => match api.create(&PostParams::default(), &Workspace::new(name, WorkspaceSpec::default())).await {
            Ok(workspace) => workspace,
            Err(kube::Error::Api(status)) if status.is_already_exists() => api.get(name).await.map_err(failed)?,
            Err(error) => return Err(failed(error)),
        },
    };
    if is_ready(&workspace) { Ok(workspace) } else { wait_until_ready(api, path, workspace).await }
}

fn is_ready(workspace: &Workspace) -> bool {
    workspace.metadata.deletion_timestamp.is_none()
        && workspace.status.as_ref().is_some_and(|status| status.phase == WorkspacePhase::Ready)
}

async fn wait_until_ready(api: Api<Workspace>, path: &WorkspacePath, mut seen: Workspace) -> Result<Workspace, Error> {
    let unavailable = |message: String| Error::new(ErrorKind::Unavailable, "ensure workspace", path, message);
    let wait = async {
        let mut changes = std::pin::pin!(watcher::watch_object(api, path.base()));
        loop {
            if seen.metadata.deletion_timestamp.is_some() {
                return Err(unavailable("it is being deleted".into()));
            }
            match changes.next().await {
                Some(Ok(Some(workspace))) if is_ready(&workspace) => return Ok(workspace),
                Some(Ok(Some(workspace))) => seen = workspace,
                Some(Ok(None)) => return Err(unavailable("it was deleted while it was waited for".into())),
                Some(Err(error)) => return Err(unavailable("it cannot be watched".into()).with_source(error)),
                None => return Err(unavailable("the watch on it ended".into())),
            }
        }
    };
    match tokio::time::timeout(READY_DEADLINE, wait).await {
        Ok(result) => result,
        Err(_) => Err(unavailable(format!("it is still {} after {READY_DEADLINE:?}", phase_of(&seen)))),
    }
}

fn phase_of(workspace: &Workspace) -> WorkspacePhase {
    workspace.status.as_ref().map(|status| status.phase).unwrap_or_default()
}

#[cfg(test)]
mod tests;
