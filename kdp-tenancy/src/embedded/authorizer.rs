//! Who may do what, by the RBAC objects of each workspace.

use std::sync::Arc;

use kdp_core::{Identity, LogicalClusterName};

use super::{
    auth::{Attributes, Impersonation, WorkspaceAuthorizer},
    index::Index,
    status::Result,
};

/// Decides about requests, with what the index knows of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Authorizer {
    index: Arc<Index>,
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
        let policy = self.policy(cluster).await?;
        WorkspaceAuthorizer::new(named, policy.as_deref()).authorize(identity, attributes)
    }

    /// Whom a request acts as.
    pub(crate) async fn impersonate(
        &self,
        identity: &Identity,
        cluster: Option<&LogicalClusterName>,
        named: &LogicalClusterName,
        impersonation: Impersonation,
    ) -> Result<Identity> {
        let policy = self.policy(cluster).await?;
        WorkspaceAuthorizer::new(named, policy.as_deref()).impersonate(identity, impersonation)
    }

    /// Whether the RBAC objects of a workspace grant a right, even to somebody who is not let in.
    pub(crate) async fn has_right(
        &self,
        identity: &Identity,
        cluster: &LogicalClusterName,
        attributes: &Attributes<'_>,
    ) -> Result<bool> {
        let policy = self.policy(Some(cluster)).await?;
        Ok(policy.is_some_and(|policy| WorkspaceAuthorizer::new(cluster, Some(&policy)).grants(identity, attributes)))
    }

    async fn policy(&self, cluster: Option<&LogicalClusterName>) -> Result<Option<Arc<super::auth::Policy>>> {
        match cluster {
            Some(cluster) => self.index.policy(cluster).await,
            None => Ok(None),
        }
    }
}
