//! What decides about the requests in one workspace.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use kdp_core::{Identity, LogicalClusterName};
use serde_json::Value;

use super::{
    Attributes, Decision, Gate, Impersonation, Limit, Policy, ResourceAttributes, forbidden,
    rbac::Rule,
    scope::{self, Callers},
};
use crate::embedded::status::Result;

static NO_WORKSPACE: LazyLock<Policy> = LazyLock::new(Policy::default);

/// Being let into a workspace at all, as kcp spells it.
const ACCESS: Attributes<'static> = Attributes::Path { verb: "access", path: "/" };

/// Decides about requests in one workspace, in the order of kcp.
///
/// Members of `system:masters` may do everything. Everybody else must have the groups that the
/// workspace requires, must be let in (verb `access` on the path `/`, which `cluster-admin` implies),
/// must not write what only the system writes, must stay within the maximal permission policy of the
/// export a resource is bound from, and must then be granted the request by RBAC. A suspended
/// workspace refuses almost everything to everybody, save reads by members of `system:masters`.
///
/// Who is not let in gets the same answer to everything, whether or not the workspace exists.
#[derive(Clone, Copy, Debug)]
pub struct WorkspaceAuthorizer<'a> {
    cluster: &'a LogicalClusterName,
    policy: &'a Policy,
    gate: Option<&'a Gate>,
    limits: &'a [Limit],
}

impl<'a> WorkspaceAuthorizer<'a> {
    /// An authorizer for the workspace `cluster`; `None` when there is no such workspace.
    ///
    /// For a workspace that does not exist it allows masters everything, so that they get to see a
    /// 404, and nobody else anything.
    #[must_use]
    pub fn new(cluster: &'a LogicalClusterName, policy: Option<&'a Policy>) -> Self {
        Self { cluster, policy: policy.unwrap_or(&NO_WORKSPACE), gate: None, limits: &[] }
    }

    /// The same, for a workspace that is not open to everybody with access.
    #[must_use]
    pub fn with_gate(self, gate: Option<&'a Gate>) -> Self {
        Self { gate, ..self }
    }

    /// The same, with what the exports of bound resources allow at most.
    #[must_use]
    pub fn with_limits(self, limits: &'a [Limit]) -> Self {
        Self { limits, ..self }
    }

    /// Whether the identity may do that.
    #[must_use]
    pub fn decide(&self, identity: &Identity, attributes: &Attributes<'_>) -> Decision {
        let callers = Callers::of(identity, self.cluster);
        match self.decide_open(identity, &callers, attributes) {
            Decision::Allow(_) if self.gate.is_some_and(|gate| gate.blocks(&callers, attributes)) => {
                Decision::NoOpinion("the logical cluster is marked inactive".into())
            }
            decision => decision,
        }
    }

    /// The decision as if the workspace were not suspended.
    fn decide_open(&self, identity: &Identity, callers: &Callers<'_>, attributes: &Attributes<'_>) -> Decision {
        if callers.has_master() {
            return Decision::Allow("member of system:masters".into());
        }
        if self.gate.is_some_and(|gate| gate.is_lifecycle(callers)) {
            return Decision::Allow("decided by the virtual workspace of its lifecycle".into());
        }
        if !self.admits(identity, callers) {
            return Decision::NoOpinion("access denied".into());
        }
        if is_system_status(attributes) {
            return Decision::NoOpinion("only the system writes this status".into());
        }
        let exceeds = |limit: &Limit| limit.concerns(attributes) && !limit.allows(identity, attributes);
        if self.limits.iter().any(exceeds) {
            return Decision::NoOpinion("access not permitted by maximal permission policy".into());
        }
        decide_any(self.policy, callers, attributes)
    }

    /// Every rule that the identity has, in `namespace` too unless that is empty, and what is wrong
    /// with bindings to roles that do not exist. Who is not let in has none.
    #[must_use]
    pub fn rules_for(&self, identity: &Identity, namespace: &str) -> (Vec<Rule>, Vec<String>) {
        let callers = Callers::of(identity, self.cluster);
        if !callers.has_master() && !self.admits(identity, &callers) {
            return (Vec::new(), Vec::new());
        }
        let (mut rules, mut problems) = (Vec::new(), Vec::new());
        for caller in callers.iter() {
            let (own, wrong) = self.policy.rules_for(caller, namespace);
            rules.extend(own);
            problems.extend(wrong);
        }
        problems.extend(self.limits.iter().map(|limit| {
            let Limit { group, resource, .. } = limit;
            format!("{resource}.{group} is further limited by the maximal permission policy of its export")
        }));
        (rules, problems)
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

    /// Whether RBAC grants this, whether or not the identity is let in: what kcp calls a deep
    /// review, for rights that are asked about from another workspace. Who is
    /// confined elsewhere is a stranger here.
    #[must_use]
    pub fn grants(&self, identity: &Identity, attributes: &Attributes<'_>) -> bool {
        decide_any(self.policy, &Callers::of(identity, self.cluster), attributes).is_allowed()
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
        self.check_any(identity, |caller| self.policy.check_role(caller, role))
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
        self.check_any(identity, |caller| self.policy.check_binding(caller, binding))
    }

    /// Whether the identity has every right in the workspace.
    #[must_use]
    pub fn has_every_right(&self, identity: &Identity) -> bool {
        self.check_any(identity, |caller| self.policy.check_every_right(caller)).is_ok()
    }

    /// Whether one of those as whom the identity counts passes; the error is that of itself.
    fn check_any(&self, identity: &Identity, check: impl Fn(&Identity) -> Result<()>) -> Result<()> {
        let callers = Callers::of(identity, self.cluster);
        let mut results = callers.iter().map(check);
        let own = results.next().unwrap_or(Ok(()));
        if own.is_ok() || results.any(|result| result.is_ok()) { Ok(()) } else { own }
    }

    /// Service accounts of the workspace itself need no grant to be let in.
    fn admits(&self, identity: &Identity, callers: &Callers<'_>) -> bool {
        self.gate.is_none_or(|gate| gate.admits(callers))
            && (scope::is_local_service_account(identity, self.cluster)
                || decide_any(self.policy, callers, &ACCESS).is_allowed())
    }
}

/// The first caller that is granted it decides; otherwise the reason of the identity itself counts.
fn decide_any(policy: &Policy, callers: &Callers<'_>, attributes: &Attributes<'_>) -> Decision {
    let mut refused = None;
    for caller in callers.iter() {
        match policy.decide(caller, attributes) {
            Decision::NoOpinion(reason) => refused = refused.or(Some(reason)),
            allowed @ Decision::Allow(_) => return allowed,
        }
    }
    Decision::NoOpinion(refused.unwrap_or_default())
}

/// Whether this writes a status that consumers and providers must be able to rely on.
fn is_system_status(attributes: &Attributes<'_>) -> bool {
    let Attributes::Resource(ResourceAttributes { verb, group, resource, subresource, .. }) = attributes else {
        return false;
    };
    *subresource == "status"
        && !matches!(*verb, "get" | "list" | "watch")
        && matches!(
            (*group, *resource),
            ("apis.kcp.io", "apibindings" | "apiexports") | ("tenancy.kcp.io", "workspaces" | "workspacetypes")
        )
}
