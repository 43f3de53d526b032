//! A tenant: a workspace, and the identity that rules it and nothing else.

use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kdp_core::{ControlPlane, ControlPlaneExt, Endpoint, Error, Identity, WorkspacePath, workspace::ensure_workspace};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::site::MANAGER;

/// One tenant of the platform.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    /// Name of the tenant, of its workspace, and of the group of its people.
    pub(crate) name: &'static str,
    /// Where it works.
    pub(crate) workspace: WorkspacePath,
    /// Who works there.
    pub(crate) identity: Identity,
}

impl Tenant {
    /// The tenant of this name, in a workspace of this name below the root.
    ///
    /// # Errors
    /// `Invalid` when the name is no workspace name.
    pub(crate) fn new(name: &'static str) -> Result<Self, Error> {
        let identity =
            Identity { username: format!("{name}-admin"), groups: vec![name.to_owned()], ..Identity::default() };
        Ok(Self { name, workspace: super::site::below_root(name)?, identity })
    }

    /// Makes the workspace and gives the tenant every right in it. Idempotent.
    pub(crate) async fn settle(&self, control_plane: &dyn ControlPlane) -> Result<(), Error> {
        ensure_workspace(control_plane, &self.workspace, &Identity::system_masters()).await?;
        let name = format!("{}-admins", self.name);
        let api = Api::<ClusterRoleBinding>::all(control_plane.system_client(&self.workspace)?);
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": self.name}],
        });
        let applied = api.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&binding)).await;
        applied.map(|_| ()).map_err(|e| Error::from_kube("apply", name, e))
    }

    /// A client that acts as the tenant in its own workspace.
    pub(crate) fn client(&self, control_plane: &dyn ControlPlane) -> Result<Client, Error> {
        self.client_in(control_plane, &self.workspace.clone().into())
    }

    /// A client that acts as the tenant somewhere.
    pub(crate) fn client_in(&self, control_plane: &dyn ControlPlane, endpoint: &Endpoint) -> Result<Client, Error> {
        control_plane.client(endpoint, &self.identity)
    }

    /// The identity with what an authenticator adds, for questions about its rights.
    pub(crate) fn authenticated(&self) -> Identity {
        let mut identity = self.identity.clone();
        identity.groups.push("system:authenticated".into());
        identity
    }
}
