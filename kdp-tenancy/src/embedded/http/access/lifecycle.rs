//! The virtual workspaces of initializers and terminators.
//!
//! A controller sees the LogicalClusters that wait for it, takes its own name from their lists, and reaches the
//! content of each of them as far as its WorkspaceType says, for as long as it is waited for.

use std::sync::{Arc, LazyLock};

use kdp_core::{Identity, LogicalClusterName, api::tenancy::PHASE_LABEL};

use super::{Call, Place, find};
use crate::embedded::{
    auth::{self, Attributes, ResourceAttributes, rbac::Rule},
    http::{attributes, route::ResourcePath, verb::Verb},
    kinds::{
        logical_cluster::{Controller, Stage},
        workspace_type,
    },
    registry::watch::WatchScope,
    status::{ResourceRef, Result, StatusError},
    surface::Surface,
};

const LOGICAL_CLUSTERS: ResourceRef<'static> = ResourceRef { group: "core.kcp.io", plural: "logicalclusters" };

/// What is served for all workspaces at once.
static SURFACE: LazyLock<Arc<Surface>> = LazyLock::new(|| {
    let base = Surface::base();
    Arc::new(Surface::new(base.versions(LOGICAL_CLUSTERS.group, LOGICAL_CLUSTERS.plural).to_vec()))
});

impl Call<'_> {
    /// Lets a controller into its place.
    pub(super) async fn lifecycle_place(
        &mut self,
        controller: &Controller,
        workspace: Option<&LogicalClusterName>,
        path: &ResourcePath,
        verb: Verb,
    ) -> Result<Place> {
        self.check_controller(controller).await?;
        let index = &self.server.registry.index;
        let is_logical_cluster = path.group == LOGICAL_CLUSTERS.group && path.plural == LOGICAL_CLUSTERS.plural;
        let Some(cluster) = workspace else {
            let served = find(&SURFACE, path)?;
            let waiting = index.waiting_for(controller.stage(), &controller.name());
            self.only_waiting(controller);
            let mut place = Self::several(served, path, verb, WatchScope::All)?;
            place.coverage = Some(waiting);
            return Ok(place);
        };
        if !is_logical_cluster {
            self.enter_content(controller, cluster, &attributes(path, verb)).await?;
            let surface = self.server.registry.index.surface(cluster).await?;
            return Self::one(cluster.clone(), find(&surface, path)?, path);
        }
        let is_read = matches!(verb, Verb::Get | Verb::List | Verb::Watch);
        let is_write = matches!(verb, Verb::Patch | Verb::Update) && path.subresource.as_deref() == Some("status");
        if !is_read && !is_write {
            return Err(StatusError::method_not_allowed());
        }
        if !index.is_waiting_for(cluster, controller.stage(), &controller.name()) {
            return Err(StatusError::not_found(LOGICAL_CLUSTERS, path.name.as_deref().unwrap_or_default()));
        }
        self.only_waiting(controller);
        self.identity.groups.push(controller.group());
        Self::one(cluster.clone(), find(&SURFACE, path)?, path)
    }

    /// The surface whose documents a controller may read.
    pub(super) async fn lifecycle_surface(
        &mut self,
        controller: &Controller,
        workspace: Option<&LogicalClusterName>,
        verb: &str,
        path: &str,
    ) -> Result<Arc<Surface>> {
        self.check_controller(controller).await?;
        match workspace {
            None => Ok(SURFACE.clone()),
            Some(cluster) => {
                self.enter_content(controller, cluster, &Attributes::Path { verb, path }).await?;
                self.server.registry.index.surface(cluster).await
            }
        }
    }

    /// The caller must have the verb of the stage on the type, in the workspace of the type.
    async fn check_controller(&mut self, controller: &Controller) -> Result<()> {
        let attributes = Attributes::Resource(ResourceAttributes {
            verb: controller.stage().verb(),
            group: "tenancy.kcp.io",
            resource: "workspacetypes",
            name: controller.type_name(),
            ..ResourceAttributes::default()
        });
        self.enter(Some(controller.cluster()), controller.cluster(), &attributes).await
    }

    /// Narrows what is read to the LogicalClusters that wait for the controller.
    ///
    /// What the client selects comes last, so that nothing in it can take the rest away.
    fn only_waiting(&mut self, controller: &Controller) {
        let stage = controller.stage();
        let (key, value) = stage.label(&controller.name());
        let asked = std::mem::take(&mut self.query.label_selector);
        let separator = if asked.is_empty() { "" } else { "," };
        self.query.label_selector = format!("{key}={value},{PHASE_LABEL}={}{separator}{asked}", stage.phase());
    }

    /// Lets a controller into a workspace that waits for it: by the rules of its type, or else as the workspace's
    /// creator.
    async fn enter_content(
        &mut self,
        controller: &Controller,
        cluster: &LogicalClusterName,
        attributes: &Attributes<'_>,
    ) -> Result<()> {
        let registry = &self.server.registry;
        let denied = || {
            let message = format!("{:?} has no access to this workspace", controller.name());
            StatusError::forbidden(LOGICAL_CLUSTERS, "", message)
        };
        let found = registry.find(cluster, LOGICAL_CLUSTERS.group, LOGICAL_CLUSTERS.plural, None, "cluster").await?;
        let (_, logical_cluster) = found.ok_or_else(denied)?;
        let stage = controller.stage();
        if !stage.is_waiting_for(&logical_cluster, &controller.name()) {
            return Err(denied());
        }
        let type_ = workspace_type::find(registry, controller.cluster(), controller.type_name()).await?;
        let spec = type_.ok_or_else(denied)?.spec;
        let permissions = match stage {
            Stage::Initializing => spec.initializer_permissions,
            Stage::Terminating => spec.terminator_permissions,
        };
        if permissions.is_empty() {
            let creator = logical_cluster["spec"]["createdBy"].clone();
            let mut creator: Identity = serde_json::from_value(creator).map_err(|_| denied())?;
            auth::tie(&mut creator, cluster);
            self.identity = creator;
            return registry.authorizer.authorize(&self.identity, Some(cluster), cluster, attributes).await;
        }
        if !permissions.into_iter().map(Rule::from).any(|rule| rule.allows(attributes)) {
            return Err(auth::forbidden(&self.identity, attributes, "the workspace type does not permit it"));
        }
        registry.authorizer.authorize_bound(&self.identity, cluster, attributes).await?;
        self.identity.groups.push(controller.group());
        Ok(())
    }
}
