//! Where a request may go: its workspace, its export, and what is served there.

use std::sync::Arc;

use kdp_core::LogicalClusterName;

use super::{Call, attributes, route::ResourcePath, route::Scope, verb::Verb};
use crate::embedded::{
    auth::{Attributes, Impersonation, ResourceAttributes, is_unbounded},
    registry::{self, watch::WatchScope},
    status::{ResourceRef, Result, StatusError},
    surface::{ExportId, Served, Surface},
};

/// The place a request was let into.
pub(super) struct Place {
    pub(super) place: registry::Place,
    /// The logical clusters that a list covers, when they are several.
    pub(super) coverage: Option<Vec<LogicalClusterName>>,
    pub(super) scope: WatchScope,
    /// Only APIBindings to this export may be seen.
    pub(super) only_bindings_of: Option<ExportId>,
}

const BINDINGS: (&str, &str) = ("apis.kcp.io", "apibindings");

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
                Self::several(served, path, verb, self.server.registry.index.clusters(), WatchScope::All)
            }
            Scope::Export { export, consumer } => self.export_place(export, consumer.as_ref(), path, verb).await,
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
                    && !index.consumers(export).contains(consumer)
                {
                    return Err(StatusError::page_not_found());
                }
                index.export_surface(export).await
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

    async fn export_place(
        &mut self,
        export: &ExportId,
        consumer: Option<&LogicalClusterName>,
        path: &ResourcePath,
        verb: Verb,
    ) -> Result<Place> {
        self.check_content(export, verb.as_str()).await?;
        let index = &self.server.registry.index;
        let offered = index.export_surface(export).await?;
        let served = find(&offered, path)?;
        let is_bindings = (&*path.group, &*path.plural) == BINDINGS;
        let readable =
            is_bindings && matches!(verb, Verb::Get | Verb::List | Verb::Watch) && path.subresource.is_none();
        let may = |cluster: &LogicalClusterName| {
            readable || index.reach(export, cluster, &path.group, &path.plural).allows(verb.as_str())
        };
        let only_bindings_of = is_bindings.then(|| export.clone());
        let consumers = index.consumers(export);
        let mut place = match consumer {
            None => {
                let clusters = consumers.into_iter().filter(may).collect();
                Self::several(served, path, verb, clusters, WatchScope::Export(export.clone()))?
            }
            Some(cluster) => {
                if !consumers.contains(cluster) {
                    return Err(StatusError::page_not_found());
                }
                if !may(cluster) {
                    let resource = ResourceRef { group: &path.group, plural: &path.plural };
                    let message = format!("the workspace has not accepted a claim with the verb {}", verb.as_str());
                    return Err(StatusError::forbidden(resource, path.name.as_deref().unwrap_or_default(), message));
                }
                let surface = index.surface(cluster).await?;
                Self::one(cluster.clone(), find(&surface, path)?, path)?
            }
        };
        place.only_bindings_of = only_bindings_of;
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
        Ok(Place { place, coverage: None, scope: WatchScope::One, only_bindings_of: None })
    }

    fn several(
        served: Arc<Served>,
        path: &ResourcePath,
        verb: Verb,
        clusters: Vec<LogicalClusterName>,
        scope: WatchScope,
    ) -> Result<Place> {
        if !matches!(verb, Verb::List | Verb::Watch) {
            return Err(StatusError::method_not_allowed());
        }
        let mut place = Self::one(LogicalClusterName::root(), served, path)?;
        place.coverage = Some(clusters);
        place.scope = scope;
        Ok(place)
    }
}

fn find(surface: &Surface, path: &ResourcePath) -> Result<Arc<Served>> {
    surface.find(&path.group, &path.version, &path.plural).cloned().ok_or_else(StatusError::page_not_found)
}
