//! What is asked, and what the answer is.

use kdp_core::Identity;

use crate::embedded::status::{ResourceRef, StatusError};

/// What a request wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attributes<'a> {
    /// Something with an API resource.
    Resource(ResourceAttributes<'a>),
    /// Something with a path that is no resource, such as `/version`.
    Path {
        /// The HTTP method in lower case, or a word such as `access`.
        verb: &'a str,
        /// The path within the workspace, starting with `/`.
        path: &'a str,
    },
}

/// What a request wants to do with an API resource; an empty string is what does not apply.
///
/// For a request on one namespace, `namespace` is its name too, as Kubernetes has it, so that
/// roles within a namespace can allow reading the namespace itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceAttributes<'a> {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or a word
    /// of the kind itself.
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// Plural name.
    pub resource: &'a str,
    /// Such as `status`.
    pub subresource: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// Namespace of the object; empty at the cluster scope and for all namespaces at once.
    pub namespace: &'a str,
}

impl<'a> Attributes<'a> {
    /// The verb.
    #[must_use]
    pub fn verb(&self) -> &'a str {
        match self {
            Self::Resource(resource) => resource.verb,
            Self::Path { verb, .. } => verb,
        }
    }

    /// The namespace; empty when there is none.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        match self {
            Self::Resource(resource) => resource.namespace,
            Self::Path { .. } => "",
        }
    }
}

/// Whether something is allowed. Nothing is ever denied for good: RBAC only knows grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is, for this reason.
    Allow(String),
    /// Nothing found allows it. The reason is empty unless something stood in the way of a full
    /// answer.
    NoOpinion(String),
}

impl Decision {
    /// Whether it is allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

/// 403 in the words of Kubernetes.
#[must_use]
pub fn forbidden(identity: &Identity, attributes: &Attributes<'_>, reason: &str) -> StatusError {
    let mut message = denial(identity, attributes);
    if !reason.is_empty() {
        message = format!("{message}: {reason}");
    }
    match attributes {
        Attributes::Resource(ResourceAttributes { group, resource, name, .. }) => {
            StatusError::forbidden(ResourceRef { group, plural: resource }, name, message)
        }
        Attributes::Path { .. } => StatusError::forbidden(ResourceRef { group: "", plural: "" }, "", message),
    }
}

fn denial(identity: &Identity, attributes: &Attributes<'_>) -> String {
    let user = &identity.username;
    match attributes {
        Attributes::Path { verb, path } => format!("User {user:?} cannot {verb} path {path:?}"),
        Attributes::Resource(ResourceAttributes { verb, group, resource, subresource, namespace, .. }) => {
            let resource =
                if subresource.is_empty() { (*resource).to_owned() } else { format!("{resource}/{subresource}") };
            let scope = if namespace.is_empty() {
                "at the cluster scope".to_owned()
            } else {
                format!("in the namespace {namespace:?}")
            };
            format!("User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {scope}")
        }
    }
}
