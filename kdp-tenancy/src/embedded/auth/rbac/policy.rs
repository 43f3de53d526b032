//! The RBAC objects of one workspace, parsed, and the questions they answer.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::{api::rbac::v1, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kdp_core::Identity;
use kube::core::{Selector, SelectorExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Rule,
    binding::{Binding, RoleRef, Subject},
    bootstrap,
};
use crate::embedded::auth::{Attributes, Decision};

type Namespaced<T> = BTreeMap<String, BTreeMap<String, T>>;

/// The RBAC objects of one workspace, together with those that every workspace has.
///
/// Parsed once, asked often. What it takes from a workspace's objects is all it knows: roles of the
/// same name in two workspaces never meet.
#[derive(Debug, Default)]
pub struct Policy {
    cluster_roles: BTreeMap<String, Role>,
    cluster_role_bindings: BTreeMap<String, Binding>,
    roles: Namespaced<Role>,
    role_bindings: Namespaced<Binding>,
}

/// A Role or ClusterRole.
#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) rules: Vec<Rule>,
    /// When there, the rules are those of the ClusterRoles that any of these selects, and `rules`
    /// counts for nothing.
    pub(super) aggregation: Option<Vec<Selector>>,
}

impl Policy {
    /// The policy that the RBAC objects among `objects` make up.
    ///
    /// An object that cannot be parsed is left out with a warning. Such an object was never
    /// admitted, and every RBAC object only ever adds rights, so leaving one out is safe.
    pub fn from_objects<'o>(objects: impl IntoIterator<Item = &'o Value>) -> Self {
        let mut policy = Self::default();
        for object in objects {
            if let Err(error) = policy.insert(object) {
                let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                tracing::warn!(%error, name, "RBAC object left out of the policy");
            }
        }
        policy
    }

    /// Whether the rules bound to `identity` allow this, access to the workspace left aside.
    #[must_use]
    pub fn decide(&self, identity: &Identity, attributes: &Attributes<'_>) -> Decision {
        let mut missing = Vec::new();
        for grant in self.grants(identity, attributes.namespace()) {
            match &grant.rules {
                Ok(rules) if rules.iter().any(|rule| rule.allows(attributes)) => {
                    return Decision::Allow(format!("RBAC: allowed by {grant}"));
                }
                Ok(_) => {}
                Err(role) => missing.push(role.to_string()),
            }
        }
        match &missing[..] {
            [] => Decision::NoOpinion(String::new()),
            [one] => Decision::NoOpinion(format!("RBAC: {one}")),
            many => Decision::NoOpinion(format!("RBAC: [{}]", many.join(", "))),
        }
    }

    /// Every rule bound to `identity`, in `namespace` too unless that is empty, and what is wrong
    /// with bindings to roles that do not exist.
    #[must_use]
    pub fn rules_for(&self, identity: &Identity, namespace: &str) -> (Vec<Rule>, Vec<String>) {
        let (mut rules, mut problems) = (Vec::new(), Vec::new());
        for grant in self.grants(identity, namespace) {
            match grant.rules {
                Ok(granted) => rules.extend(granted.into_iter().cloned()),
                Err(role) => problems.push(role.to_string()),
            }
        }
        (rules, problems)
    }

    /// The rules of a ClusterRole, those it aggregates included; `None` when there is none.
    #[must_use]
    pub fn cluster_role_rules(&self, name: &str) -> Option<Vec<&Rule>> {
        let (name, role) = self.cluster_role(name)?;
        let mut rules = Vec::new();
        self.collect(role, &mut vec![name], &mut rules);
        Some(rules)
    }

    /// The rules of the role that a binding in `namespace` refers to.
    pub(super) fn rules_of<'a>(&'a self, role: &'a RoleRef, namespace: &str) -> Result<Vec<&'a Rule>, MissingRole<'a>> {
        let missing = MissingRole(role);
        match role {
            RoleRef::ClusterRole(name) => self.cluster_role_rules(name).ok_or(missing),
            RoleRef::Role(name) => {
                let role = self.roles.get(namespace).and_then(|roles| roles.get(name)).ok_or(missing)?;
                Ok(role.rules.iter().collect())
            }
            RoleRef::Unknown { .. } => Err(missing),
        }
    }

    /// Adds one object; objects of other kinds are none of its business.
    pub(super) fn insert(&mut self, object: &Value) -> Result<(), serde_json::Error> {
        match object.get("kind").and_then(Value::as_str) {
            Some("ClusterRole") => {
                let role: v1::ClusterRole = parse(object)?;
                self.cluster_roles.insert(name(&role.metadata), Role::from(role));
            }
            Some("ClusterRoleBinding") => {
                let binding: v1::ClusterRoleBinding = parse(object)?;
                let name = name(&binding.metadata);
                self.cluster_role_bindings.insert(name, Binding::new(binding.role_ref, binding.subjects, ""));
            }
            Some("Role") => {
                let role: v1::Role = parse(object)?;
                self.roles.entry(namespace(&role.metadata)).or_default().insert(name(&role.metadata), Role::from(role));
            }
            Some("RoleBinding") => {
                let binding: v1::RoleBinding = parse(object)?;
                let (namespace, name) = (namespace(&binding.metadata), name(&binding.metadata));
                let binding = Binding::new(binding.role_ref, binding.subjects, &namespace);
                self.role_bindings.entry(namespace).or_default().insert(name, binding);
            }
            _ => {}
        }
        Ok(())
    }

    /// The bindings that `identity` is a subject of; those at the cluster scope come first.
    fn grants<'a>(&'a self, identity: &'a Identity, namespace: &'a str) -> impl Iterator<Item = Grant<'a>> {
        let at_cluster = [bootstrap::policy(), self].into_iter().flat_map(|policy| &policy.cluster_role_bindings);
        let in_namespace = self.role_bindings.get(namespace).into_iter().flatten();
        let at_cluster = at_cluster.map(|(name, binding)| ("", name, binding));
        let in_namespace = in_namespace.map(move |(name, binding)| (namespace, name, binding));
        at_cluster.chain(in_namespace).filter_map(|(namespace, name, binding)| {
            let subject = binding.subject(identity)?;
            let rules = self.rules_of(&binding.role, namespace);
            Some(Grant { name, namespace, role: &binding.role, subject, rules })
        })
    }

    /// Roles that every workspace has cannot be replaced by one of a workspace's own.
    fn cluster_role(&self, name: &str) -> Option<(&str, &Role)> {
        let own = || self.cluster_roles.get_key_value(name);
        let (name, role) = bootstrap::policy().cluster_roles.get_key_value(name).or_else(own)?;
        Some((name, role))
    }

    /// Gathers the rules of `role`, following aggregation as far as it goes but never in circles.
    fn collect<'a>(&'a self, role: &'a Role, seen: &mut Vec<&'a str>, rules: &mut Vec<&'a Rule>) {
        let Some(selectors) = &role.aggregation else {
            rules.extend(&role.rules);
            return;
        };
        let own = self.cluster_roles.iter().filter(|(name, _)| !bootstrap::policy().cluster_roles.contains_key(*name));
        for (name, other) in bootstrap::policy().cluster_roles.iter().chain(own) {
            let is_selected = || selectors.iter().any(|selector| selector.matches(&other.labels));
            if !seen.contains(&name.as_str()) && is_selected() {
                seen.push(name);
                self.collect(other, seen, rules);
            }
        }
    }
}

impl From<v1::ClusterRole> for Role {
    fn from(role: v1::ClusterRole) -> Self {
        let selectors = |aggregation: v1::AggregationRule| {
            // A selector with an operator that does not exist selects nothing.
            let selectors = aggregation.cluster_role_selectors.unwrap_or_default();
            selectors.into_iter().filter_map(|selector| selector.try_into().ok()).collect()
        };
        Self {
            labels: role.metadata.labels.unwrap_or_default(),
            rules: rules(role.rules),
            aggregation: role.aggregation_rule.map(selectors),
        }
    }
}

impl From<v1::Role> for Role {
    fn from(role: v1::Role) -> Self {
        Self { rules: rules(role.rules), ..Self::default() }
    }
}

/// A binding that an identity is a subject of, and the rules that it thereby has.
struct Grant<'a> {
    name: &'a str,
    namespace: &'a str,
    role: &'a RoleRef,
    subject: &'a Subject,
    rules: Result<Vec<&'a Rule>, MissingRole<'a>>,
}

impl fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, namespace, role, subject, .. } = self;
        if namespace.is_empty() {
            write!(f, "ClusterRoleBinding {name:?} of {role} to {subject}")
        } else {
            write!(f, "RoleBinding {:?} of {role} to {subject}", format!("{name}/{namespace}"))
        }
    }
}

/// A binding refers to a role that does not exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct MissingRole<'a>(&'a RoleRef);

impl fmt::Display for MissingRole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            RoleRef::ClusterRole(name) => write!(f, "clusterrole.rbac.authorization.k8s.io {name:?} not found"),
            RoleRef::Role(name) => write!(f, "role.rbac.authorization.k8s.io {name:?} not found"),
            RoleRef::Unknown { kind, .. } => write!(f, "unsupported role reference kind: {kind:?}"),
        }
    }
}

fn parse<T: DeserializeOwned>(object: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(object)
}

fn rules(rules: Option<Vec<v1::PolicyRule>>) -> Vec<Rule> {
    rules.unwrap_or_default().into_iter().map(Rule::from).collect()
}

fn name(metadata: &ObjectMeta) -> String {
    metadata.name.clone().unwrap_or_default()
}

fn namespace(metadata: &ObjectMeta) -> String {
    metadata.namespace.clone().unwrap_or_default()
}
