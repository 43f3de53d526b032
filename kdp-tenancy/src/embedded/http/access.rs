//! Where a request may go: its workspace, its export, and what is served there.

mod home;
mod lifecycle;

use std::sync::Arc;

use kdp_core::{LogicalClusterName, WorkspacePath};

pub(crate) use self::home::HomeWorkspaces;
use super::{Call, attributes, route::ResourcePath, route::Scope, verb::Verb};
use crate::embedded::{
    auth::{Attributes, Impersonation, ResourceAttributes, is_unbounded},
    consumers::Sight,
    registry::{self, view::View, watch::WatchScope},
    status::{ResourceRef, Result, StatusError},
    surface::{ExportId, Served, Surface},
};

/// The place a request was let into.
pub(super) struct Place {
    pub(super) place: registry::Place,
    /// The logical clusters that a list covers, when they are several.
    pub(super) coverage: Option<Vec<LogicalClusterName>>,
    pub(super) scope: WatchScope,
}

impl Call<'_> {
    /// Lets a request about objects into its place.
    pub(super) async fn place(&mut self, scope: &Scope, path: &ResourcePath, verb: Verb) -> Result<Place> {
        match scope {
            Scope::Server | Scope::Workspace(_) | Scope::Nowhere => {
                let cluster = self.enter_workspace(scope, &attributes(path, verb)).await?;
                let surface = self.server.registry.index.surface(&cluster).await?;
                let served = find(&surface, path)?;
                Self::one(cluster, served, path)
            }
            Scope::AllWorkspaces => {
                self.only_masters().await?;
                let served = find(&Surface::base(), path)?;
                let mut place = Self::several(served, path, verb, WatchScope::All)?;
                place.coverage = Some(self.server.registry.index.clusters());
                Ok(place)
            }
            Scope::Export { export, consumer } => self.export_place(export, consumer.as_ref(), path, verb).await,
            Scope::Lifecycle { controller, workspace } => {
                self.lifecycle_place(controller, workspace.as_ref(), path, verb).await
            }
        }
    }

    /// The surface whose documents a request may read.
    pub(super) async fn surface(&mut self, scope: &Scope, verb: &str, path: &str) -> Result<Arc<Surface>> {
        let index = &self.server.registry.index;
        match scope {
            Scope::Server | Scope::Workspace(_) | Scope::Nowhere => {
                let cluster = self.enter_workspace(scope, &Attributes::Path { verb, path }).await?;
                index.surface(&cluster).await
            }
            Scope::AllWorkspaces => {
                self.only_masters().await?;
                Ok(Surface::base())
            }
            Scope::Export { export, consumer } => {
                self.check_content(export, "get").await?;
                if let Some(consumer) = consumer
                    && index.grants(consumer).binding_to(export).is_none()
                {
                    return Err(StatusError::page_not_found());
                }
                index.export_surface(export).await
            }
            Scope::Lifecycle { controller, workspace } => {
                self.lifecycle_surface(controller, workspace.as_ref(), verb, path).await
            }
        }
    }

    async fn enter_workspace(&mut self, scope: &Scope, attributes: &Attributes<'_>) -> Result<LogicalClusterName> {
        let index = &self.server.registry.index;
        let (cluster, named) = match scope {
            Scope::Workspace(path) => (index.resolve(path), path.cluster()),
            Scope::Server => (Some(LogicalClusterName::root()), LogicalClusterName::root()),
            _ => (None, LogicalClusterName::root()),
        };
        let named = cluster.clone().unwrap_or(named);
        self.enter(cluster.as_ref(), &named, attributes).await?;
        cluster.ok_or_else(|| {
            let workspaces = ResourceRef { group: "tenancy.kcp.io", plural: "workspaces" };
            match scope {
                Scope::Workspace(path) => StatusError::not_found(workspaces, path.as_str()),
                _ => StatusError::page_not_found(),
            }
        })
    }

    /// Who impersonates here must have the right to in the root, and is let in as the other.
    async fn only_masters(&mut self) -> Result<()> {
        if let Some(impersonation) = Impersonation::parse(&self.parts.headers)? {
            let root = LogicalClusterName::root();
            let authorizer = &self.server.registry.authorizer;
            self.identity = authorizer.impersonate(&self.identity, Some(&root), &root, impersonation).await?;
            super::audit::Trail::impersonated(self.parts, &self.identity);
        }
        if is_unbounded(&self.identity) {
            return Ok(());
        }
        let nothing = ResourceRef { group: "", plural: "" };
        Err(StatusError::forbidden(nothing, "", "workspace access not permitted"))
    }

    /// The provider side of an export must have granted the caller its content.
    async fn check_content(&mut self, export: &ExportId, verb: &str) -> Result<()> {
        let cluster: Option<LogicalClusterName> = export.cluster.parse().ok();
        let attributes = Attributes::Resource(ResourceAttributes {
            verb,
            group: "apis.kcp.io",
            resource: "apiexports",
            subresource: "content",
            name: &export.name,
            namespace: "",
        });
        let named = cluster.clone().unwrap_or_else(LogicalClusterName::root);
        self.enter(cluster.as_ref(), &named, &attributes).await
    }

    /// Whether a provider may go on watching a consumer. What the consumer grants is left to the watch
    /// itself: it has to tell what goes out of sight.
    pub(super) async fn keeps_watching(
        &mut self,
        export: &ExportId,
        consumer: &LogicalClusterName,
        path: &ResourcePath,
    ) -> Result<()> {
        self.check_provider(export, path, Verb::Watch).await?;
        self.check_active(consumer, path)
    }

    /// What the export offers at `path`, if the caller may act for its provider there.
    async fn check_provider(&mut self, export: &ExportId, path: &ResourcePath, verb: Verb) -> Result<Arc<Served>> {
        self.check_content(export, verb.as_str()).await?;
        let registry = &self.server.registry;
        let offered = registry.index.export_surface(export).await?;
        let served = find(&offered, path)?;
        let attributes = attributes(path, verb);
        registry.authorizer.authorize_claim(&self.identity, export, &served.origin, &attributes).await?;
        Ok(served)
    }

    fn check_active(&self, consumer: &LogicalClusterName, path: &ResourcePath) -> Result<()> {
        if is_logical_cluster(path) || !self.server.registry.index.facts().is_suspended(consumer) {
            return Ok(());
        }
        let resource = ResourceRef { group: &path.group, plural: &path.plural };
        Err(StatusError::forbidden(resource, "", "the logical cluster is marked inactive"))
    }

    async fn export_place(
        &mut self,
        export: &ExportId,
        consumer: Option<&LogicalClusterName>,
        path: &ResourcePath,
        verb: Verb,
    ) -> Result<Place> {
        let served = self.check_provider(export, path, verb).await?;
        if path.subresource.as_deref() == Some("token") {
            // As in kcp: a claim on service accounts is none on acting as them.
            return Err(StatusError::page_not_found());
        }
        let index = &self.server.registry.index;
        let view = |verb| View { export: export.clone(), consumer: consumer.cloned(), verb };
        let Some(cluster) = consumer else {
            return Self::several(served, path, verb, WatchScope::View(view(verb.as_str())));
        };
        let grants = index.grants(cluster);
        if grants.binding_to(export).is_none() {
            return Err(StatusError::page_not_found());
        }
        self.check_active(cluster, path)?;
        let resource = ResourceRef { group: &path.group, plural: &path.plural };
        let of = |verb| grants.sight(export, &path.group, &path.plural, verb);
        let mut sight = of(verb.as_str());
        if path.subresource.is_some() && matches!(sight, Sight::BindingsTo(_)) {
            sight = Sight::Nothing;
        }
        if sight == Sight::Nothing {
            let message = format!("the workspace has not accepted a claim with the verb {}", verb.as_str());
            return Err(StatusError::forbidden(resource, path.name.as_deref().unwrap_or_default(), message));
        }
        let surface = index.surface(cluster).await?;
        let mut place = Self::one(cluster.clone(), find(&surface, path)?, path)?;
        place.place.may_create = of("create") != Sight::Nothing;
        place.place.sight = sight;
        place.scope = WatchScope::View(view(verb.as_str()));
        Ok(place)
    }

    fn one(cluster: LogicalClusterName, served: Arc<Served>, path: &ResourcePath) -> Result<Place> {
        let namespaced = served.resource.namespaced;
        if path.namespace.is_some() && !namespaced {
            return Err(StatusError::page_not_found());
        }
        if path.name.is_some() && path.namespace.is_none() && namespaced {
            return Err(StatusError::page_not_found());
        }
        let place = registry::Place::new(cluster, served, path.namespace.clone());
        Ok(Place { place, coverage: None, scope: WatchScope::One })
    }

    fn several(served: Arc<Served>, path: &ResourcePath, verb: Verb, scope: WatchScope) -> Result<Place> {
        if !matches!(verb, Verb::List | Verb::Watch) {
            return Err(StatusError::method_not_allowed());
        }
        let mut place = Self::one(LogicalClusterName::root(), served, path)?;
        place.scope = scope;
        Ok(place)
    }
}

/// Suspending a workspace leaves its LogicalCluster within reach.
fn is_logical_cluster(path: &ResourcePath) -> bool {
    (&*path.group, &*path.plural) == ("core.kcp.io", "logicalclusters")
}

fn find(surface: &Surface, path: &ResourcePath) -> Result<Arc<Served>> {
    surface.find(&path.group, &path.version, &path.plural).cloned().ok_or_else(StatusError::page_not_found)
}

/// Whether a request is about the root workspace.
fn is_root(scope: &Scope) -> bool {
    match scope {
        Scope::Server => true,
        Scope::Workspace(path) => *path == WorkspacePath::root(),
        _ => false,
    }
}
