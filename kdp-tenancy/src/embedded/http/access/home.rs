//! `workspaces/~` in the root: the home of whoever asks.

use http::{Response, StatusCode};
use kdp_core::{Identity, LogicalClusterName};

use super::{Call, is_root};
use crate::embedded::{
    auth::{self, Attributes, Impersonation, ResourceAttributes, names},
    http::{
        negotiate, respond,
        route::{ResourcePath, Scope},
        verb::Verb,
    },
    kinds::workspace::home,
    object::str_at,
    serve::Body,
    status::{ResourceRef, Result, StatusError},
};

const WORKSPACES: ResourceRef<'static> = ResourceRef { group: "tenancy.kcp.io", plural: "workspaces" };
const HOME: &str = "~";

/// Whether control planes make homes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HomeWorkspaces {
    /// They do not; nobody has one.
    #[default]
    Off,
    /// One for every user who asks for it.
    On,
}

impl Call<'_> {
    /// Answers a request for the caller's home; `None` when it is for something else, or nobody has one.
    ///
    /// Asking makes it. Nobody asks for another: whoever impersonates finds only a home that is there already.
    pub(in crate::embedded::http) async fn home(
        &mut self,
        scope: &Scope,
        path: &ResourcePath,
        verb: Verb,
    ) -> Result<Option<Response<Body>>> {
        let is_home = path.name.as_deref() == Some(HOME)
            && path.plural == WORKSPACES.plural
            && path.group == WORKSPACES.group
            && path.version == "v1alpha1"
            && path.subresource.is_none()
            && verb == Verb::Get
            && is_root(scope);
        if !is_home || self.server.home_workspaces == HomeWorkspaces::Off {
            return Ok(None);
        }
        let root = LogicalClusterName::root();
        let attributes = Attributes::Resource(ResourceAttributes {
            verb: "create",
            group: WORKSPACES.group,
            resource: WORKSPACES.plural,
            name: HOME,
            ..ResourceAttributes::default()
        });
        let impersonates = Impersonation::parse(&self.parts.headers)?.is_some();
        self.enter(Some(&root), &root, &attributes).await?;
        if !may_have_home(&self.identity) {
            return Err(auth::forbidden(&self.identity, &attributes, "only users have a home"));
        }
        let registry = &self.server.registry;
        let mut found = home::find(registry, &self.identity).await?;
        if found.is_none() && !impersonates {
            home::make(registry, &self.identity).await?;
            found = home::find(registry, &self.identity).await?;
        }
        // Where the name of a home is taken by somebody else there is none, as if it could not be made.
        let found =
            found.filter(|cluster| str_at(cluster, &["spec", "createdBy", "username"]) == self.identity.username);
        let logical_cluster = found.ok_or_else(|| auth::forbidden(&self.identity, &attributes, ""))?;
        if str_at(&logical_cluster, &["status", "phase"]) == "Initializing" {
            return Err(StatusError::too_many_requests("the home workspace is being made", 1));
        }
        let workspace = home::as_workspace(&logical_cluster, &home::cluster_name(&self.identity.username));
        let format = negotiate::format(&self.parts.headers)?;
        respond::value(format, StatusCode::OK, &workspace).map(Some)
    }
}

/// Programs of the system, service accounts, strangers and whoever is confined to one workspace have no home.
fn may_have_home(identity: &Identity) -> bool {
    let is_person = !identity.username.is_empty() && !identity.username.starts_with("system:");
    is_person && names::is_member(identity, names::AUTHENTICATED) && !auth::is_confined(identity)
}
