//! What decides about the requests in one workspace.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use kdp_core::{Identity, LogicalClusterName};
use serde_json::Value;

use super::{Attributes, Decision, Impersonation, Policy, forbidden, rbac::Rule, scope};
use crate::embedded::status::Result;

static NO_WORKSPACE: LazyLock<Policy> = LazyLock::new(Policy::default);

/// Being let into a workspace at all, as kcp spells it.
const ACCESS: Attributes<'static> = Attributes::Path { verb: "access", path: "/" };

/// Decides about requests in one workspace.
///
/// Who is not let in (verb `access` on the path `/`, which `cluster-admin` implies) gets the same
/// answer to everything, whether or not the workspace exists.
#[derive(Clone, Copy, Debug)]
pub struct WorkspaceAuthorizer<'a> {
    cluster: &'a LogicalClusterName,
    policy: &'a Policy,
}

impl<'a> WorkspaceAuthorizer<'a> {
    /// An authorizer for the workspace `cluster`; `None` when there is no such workspace.
    ///
    /// For a workspace that does not exist it allows masters everything, so that they get to see a
    /// 404, and nobody else anything.
    #[must_use]
    pub fn new(cluster: &'a LogicalClusterName, policy: Option<&'a Policy>) -> Self {
        Self { cluster, policy: policy.unwrap_or(&NO_WORKSPACE) }
    }

    /// Whether the identity may do that.
    #[must_use]
    pub fn decide(&self, identity: &Identity, attributes: &Attributes<'_>) -> Decision {
        if !self.admits(identity) {
            return Decision::NoOpinion("access denied".into());
        }
        self.policy.decide(&scope::effective(identity, self.cluster), attributes)
    }

    /// Whether the workspace grants that, even to somebody who is not let in, such as who binds an
    /// export of another workspace. Who is confined elsewhere is a stranger here too.
    #[must_use]
    pub fn grants(&self, identity: &Identity, attributes: &Attributes<'_>) -> bool {
        self.policy.decide(&scope::effective(identity, self.cluster), attributes).is_allowed()
    }

    /// Every rule that the identity has, in `namespace` too unless that is empty, and what is wrong
    /// with bindings to roles that do not exist. Who is not let in has none.
    #[must_use]
    pub fn rules_for(&self, identity: &Identity, namespace: &str) -> (Vec<Rule>, Vec<String>) {
        if !self.admits(identity) {
            return (Vec::new(), Vec::new());
        }
        self.policy.rules_for(&scope::effective(identity, self.cluster), namespace)
    }

    /// Lets the request pass, or not.
    ///
    /// # Errors
    /// 403 when the identity may not do that.
    pub fn authorize(&self, identity: &Identity, attributes: &Attributes<'_>) -> Result<()> {
        match self.decide(identity, attributes) {
            Decision::Allow(_) => Ok(()),
            Decision::NoOpinion(reason) => Err(forbidden(identity, attributes, &reason)),
        }
    }

    /// Whom the request acts as, when `requestor` may impersonate all of it.
    ///
    /// The result is confined to this workspace unless the requestor is a master who is not, and is never a
    /// member of a group with power beyond the workspace that the requestor is not in.
    ///
    /// # Errors
    /// 403 for the first part that may not be impersonated.
    pub fn impersonate(&self, requestor: &Identity, impersonation: Impersonation) -> Result<Identity> {
        for check in impersonation.checks() {
            self.authorize(requestor, &check)?;
        }
        if let Some(part) = impersonation.beyond_workspace(requestor) {
            return Err(forbidden(requestor, &part, "it has power beyond this workspace"));
        }
        Ok(impersonation.into_identity(requestor, self.cluster))
    }

    /// Whether the identity may write the Role or ClusterRole `role`: nobody may grant what they do
    /// not have, unless they have the verb `escalate` on it.
    ///
    /// To be called on create and on every update that changes more than finalizers and owners.
    ///
    /// # Errors
    /// 403, naming the missing rules; 400 when the object is malformed.
    pub fn check_role(&self, identity: &Identity, role: &Value) -> Result<()> {
        self.policy.check_role(&scope::effective(identity, self.cluster), role)
    }

    /// Whether the identity may write the RoleBinding or ClusterRoleBinding `binding`: nobody may
    /// grant what they do not have, unless they have the verb `bind` on the role.
    ///
    /// To be called on create and on every update that changes more than finalizers and owners.
    ///
    /// # Errors
    /// 403, naming the missing rules; 404 when there is no such role; 400 when the object is
    /// malformed.
    pub fn check_binding(&self, identity: &Identity, binding: &Value) -> Result<()> {
        self.policy.check_binding(&scope::effective(identity, self.cluster), binding)
    }

    /// Service accounts of the workspace itself need no grant to be let in.
    fn admits(&self, identity: &Identity) -> bool {
        scope::is_local_service_account(identity, self.cluster)
            || self.policy.decide(&scope::effective(identity, self.cluster), &ACCESS).is_allowed()
    }
}
