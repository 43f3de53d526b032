//! Who may do what, by the RBAC objects of each workspace.

use std::sync::Arc;

use kdp_core::{Identity, LogicalClusterName};

use super::{
    auth::{
        Attributes, Gate, Impersonation, Limit, Policy, ResourceAttributes, WorkspaceAuthorizer, forbidden,
        is_unbounded,
    },
    index::Index,
    status::Result,
    surface::{ExportId, Origin},
};

/// Decides about requests, with what the index knows of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Authorizer {
    index: Arc<Index>,
}

/// What is known of a workspace when something is decided about it.
#[derive(Debug)]
pub(crate) struct Grounds {
    cluster: LogicalClusterName,
    policy: Option<Arc<Policy>>,
    gate: Option<Arc<Gate>>,
    limits: Vec<Limit>,
}

impl Grounds {
    /// Who decides.
    pub(crate) fn authorizer(&self) -> WorkspaceAuthorizer<'_> {
        WorkspaceAuthorizer::new(&self.cluster, self.policy.as_deref())
            .with_gate(self.gate.as_deref())
            .with_limits(&self.limits)
    }
}

impl Authorizer {
    pub(crate) fn new(index: Arc<Index>) -> Self {
        Self { index }
    }

    /// Lets a request pass, or not. `cluster` is `None` when the workspace does not exist, and
    /// `named` is what it was called.
    pub(crate) async fn authorize(
        &self,
        identity: &Identity,
        cluster: Option<&LogicalClusterName>,
        named: &LogicalClusterName,
        attributes: &Attributes<'_>,
    ) -> Result<()> {
        let limits = match (cluster, attributes) {
            (Some(cluster), Attributes::Resource(ResourceAttributes { group, resource, .. })) => {
                self.limit(cluster, group, resource).await?.into_iter().collect()
            }
            _ => Vec::new(),
        };
        let grounds = Grounds { limits, ..self.grounds(cluster, named).await? };
        grounds.authorizer().authorize(identity, attributes)
    }

    /// Whom a request acts as.
    pub(crate) async fn impersonate(
        &self,
        identity: &Identity,
        cluster: Option<&LogicalClusterName>,
        named: &LogicalClusterName,
        impersonation: Impersonation,
    ) -> Result<Identity> {
        self.grounds(cluster, named).await?.authorizer().impersonate(identity, impersonation)
    }

    /// Whether the RBAC objects of a workspace grant a right, even to somebody who is not let in.
    pub(crate) async fn has_right(
        &self,
        identity: &Identity,
        cluster: &LogicalClusterName,
        attributes: &Attributes<'_>,
    ) -> Result<bool> {
        let policy = self.index.policy(cluster).await?;
        Ok(policy.is_some_and(|policy| WorkspaceAuthorizer::new(cluster, Some(&policy)).grants(identity, attributes)))
    }

    /// Everything that decides about any request in a workspace, for answering questions.
    pub(crate) async fn all_grounds(&self, cluster: &LogicalClusterName) -> Result<Grounds> {
        let mut limits = Vec::new();
        if self.index.facts().has_limits() {
            for served in self.index.surface(cluster).await?.each_resource() {
                if let Some(export) = bound_from(&served.origin) {
                    limits.extend(self.limit_of(export, &served.resource.group, &served.resource.plural).await?);
                }
            }
        }
        Ok(Grounds { limits, ..self.grounds(Some(cluster), cluster).await? })
    }

    /// Lets the provider `export` reach a resource that it claims, when the export it comes from
    /// allows that to the provider's user.
    ///
    /// # Errors
    /// 403 when it does not.
    pub(crate) async fn authorize_claim(
        &self,
        identity: &Identity,
        export: &ExportId,
        origin: &Origin,
        attributes: &Attributes<'_>,
    ) -> Result<()> {
        let Some(other) = bound_from(origin).filter(|other| *other != export) else { return Ok(()) };
        let Attributes::Resource(ResourceAttributes { group, resource, .. }) = attributes else { return Ok(()) };
        within(self.limit_of(other, group, resource).await?.as_ref(), identity, attributes)
    }

    /// Lets somebody whose rights in a workspace do not come from its RBAC objects do there what the exports
    /// of bound resources allow.
    ///
    /// # Errors
    /// 403 when they do not.
    pub(crate) async fn authorize_bound(
        &self,
        identity: &Identity,
        cluster: &LogicalClusterName,
        attributes: &Attributes<'_>,
    ) -> Result<()> {
        let Attributes::Resource(ResourceAttributes { group, resource, .. }) = attributes else { return Ok(()) };
        if is_unbounded(identity) {
            return Ok(());
        }
        within(self.limit(cluster, group, resource).await?.as_ref(), identity, attributes)
    }

    async fn grounds(&self, cluster: Option<&LogicalClusterName>, named: &LogicalClusterName) -> Result<Grounds> {
        let (policy, gate) = match cluster {
            Some(cluster) => (self.index.policy(cluster).await?, self.index.facts().gate(cluster)),
            None => (None, None),
        };
        Ok(Grounds { cluster: named.clone(), policy, gate, limits: Vec::new() })
    }

    /// What limits the users of a workspace in a resource.
    async fn limit(&self, cluster: &LogicalClusterName, group: &str, resource: &str) -> Result<Option<Limit>> {
        if !self.index.facts().has_limits() {
            return Ok(None);
        }
        let surface = self.index.surface(cluster).await?;
        match surface.versions(group, resource).first().and_then(|served| bound_from(&served.origin)) {
            Some(export) => self.limit_of(export, group, resource).await,
            None => Ok(None),
        }
    }

    async fn limit_of(&self, export: &ExportId, group: &str, resource: &str) -> Result<Option<Limit>> {
        if !self.index.facts().limits(export) {
            return Ok(None);
        }
        let Ok(cluster) = export.cluster.parse() else { return Ok(None) };
        let policy = self.index.policy(&cluster).await?.unwrap_or_default();
        Ok(Some(Limit { group: group.into(), resource: resource.into(), cluster, policy }))
    }
}

fn within(limit: Option<&Limit>, identity: &Identity, attributes: &Attributes<'_>) -> Result<()> {
    match limit {
        Some(limit) if !limit.allows(identity, attributes) => {
            Err(forbidden(identity, attributes, "access not permitted by maximal permission policy"))
        }
        _ => Ok(()),
    }
}

/// The export that a resource is bound from.
fn bound_from(origin: &Origin) -> Option<&ExportId> {
    match origin {
        Origin::Bound { export, .. } => Some(export),
        Origin::Builtin | Origin::Crd { .. } => None,
    }
}
