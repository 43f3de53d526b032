//! The most that an export lets the users of its consumers do: its maximal permission policy.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use kdp_core::{Identity, LogicalClusterName};

use super::{Attributes, Policy, ResourceAttributes, scope::Callers};

/// What the names of consumers' users begin with in the RBAC objects of an export's workspace.
const PREFIX: &str = "apis.kcp.io:binding:";

/// A bound resource whose export limits what users may do.
#[derive(Clone, Debug)]
pub struct Limit {
    /// API group of the resource.
    pub group: String,
    /// Plural name of the resource.
    pub resource: String,
    /// The logical cluster of the export.
    pub cluster: LogicalClusterName,
    /// The RBAC objects of that cluster.
    pub policy: Arc<Policy>,
}

impl Limit {
    /// Whether the limit is about this, in whatever version and subresource.
    pub(super) fn concerns(&self, attributes: &Attributes<'_>) -> bool {
        matches!(attributes, Attributes::Resource(ResourceAttributes { group, resource, .. })
            if *group == self.group && *resource == self.resource)
    }

    /// Whether the export's workspace grants this to the user of a consumer.
    ///
    /// A user that is confined to the consumer counts as anybody: whoever made up the name there
    /// must not choose what the provider grants to it.
    #[must_use]
    pub fn allows(&self, identity: &Identity, attributes: &Attributes<'_>) -> bool {
        let users = Callers::of(identity, &self.cluster).prefixed(PREFIX);
        users.iter().any(|user| self.policy.decide(user, attributes).is_allowed())
    }
}
