//! Bindings: who gets a role.

use std::fmt;

use k8s_openapi::api::rbac::v1;
use kdp_core::Identity;

use crate::embedded::auth::names::{is_member, service_account};

/// A role and those who have it.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) role: RoleRef,
    pub(super) subjects: Vec<Subject>,
}

impl Binding {
    /// What a binding object says; `namespace` is the object's own, empty at the cluster scope.
    ///
    /// A subject of an unknown kind grants nothing, as in Kubernetes.
    pub(super) fn new(role: v1::RoleRef, subjects: Option<Vec<v1::Subject>>, namespace: &str) -> Self {
        let subjects = subjects.unwrap_or_default();
        Self {
            role: RoleRef::from(role),
            subjects: subjects.into_iter().filter_map(|subject| Subject::new(subject, namespace)).collect(),
        }
    }

    /// The subject that `identity` is.
    pub(super) fn subject(&self, identity: &Identity) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.is(identity))
    }
}

/// The role a binding gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RoleRef {
    ClusterRole(String),
    Role(String),
    /// A kind that does not exist.
    Unknown {
        kind: String,
        name: String,
    },
}

impl RoleRef {
    /// Plural of the role's kind, and its name.
    pub(super) fn resource(&self) -> (&'static str, &str) {
        match self {
            Self::ClusterRole(name) => ("clusterroles", name),
            Self::Role(name) => ("roles", name),
            Self::Unknown { name, .. } => ("", name),
        }
    }
}

impl From<v1::RoleRef> for RoleRef {
    fn from(v1::RoleRef { kind, name, .. }: v1::RoleRef) -> Self {
        match kind.as_str() {
            "ClusterRole" => Self::ClusterRole(name),
            "Role" => Self::Role(name),
            _ => Self::Unknown { kind, name },
        }
    }
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterRole(name) => write!(f, "ClusterRole {name:?}"),
            Self::Role(name) => write!(f, "Role {name:?}"),
            Self::Unknown { kind, name } => write!(f, "{kind} {name:?}"),
        }
    }
}

/// One who has a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    User(String),
    Group(String),
    ServiceAccount { namespace: String, name: String },
}

impl Subject {
    fn new(subject: v1::Subject, binding_namespace: &str) -> Option<Self> {
        let v1::Subject { kind, name, namespace, .. } = subject;
        match kind.as_str() {
            "User" => Some(Self::User(name)),
            "Group" => Some(Self::Group(name)),
            "ServiceAccount" => {
                let namespace = namespace.filter(|namespace| !namespace.is_empty());
                let namespace = namespace.unwrap_or_else(|| binding_namespace.to_owned());
                (!namespace.is_empty()).then_some(Self::ServiceAccount { namespace, name })
            }
            _ => None,
        }
    }

    fn is(&self, identity: &Identity) -> bool {
        match self {
            Self::User(name) => *name == identity.username,
            Self::Group(name) => is_member(identity, name),
            Self::ServiceAccount { namespace, name } => {
                service_account(&identity.username) == Some((namespace.as_str(), name.as_str()))
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "User {name:?}"),
            Self::Group(name) => write!(f, "Group {name:?}"),
            Self::ServiceAccount { namespace, name } => write!(f, "ServiceAccount {:?}", format!("{name}/{namespace}")),
        }
    }
}
