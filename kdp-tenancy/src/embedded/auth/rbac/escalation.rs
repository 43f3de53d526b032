//! Nobody may grant what they do not have.

use k8s_openapi::{api::rbac::v1, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kdp_core::Identity;
use serde::Deserialize;
use serde_json::Value;

use super::{Policy, Rule, binding::RoleRef, rule::quoted, uncovered};
use crate::embedded::{
    auth::{Attributes, ResourceAttributes, names::is_master},
    status::{ResourceRef, Result, StatusError},
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// The fields of roles and bindings that these checks read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    kind: String,
    metadata: ObjectMeta,
    #[serde(default)]
    rules: Option<Vec<v1::PolicyRule>>,
    #[serde(default)]
    aggregation_rule: Option<Value>,
    #[serde(default)]
    role_ref: Option<v1::RoleRef>,
}

impl Policy {
    /// As [`super::super::WorkspaceAuthorizer::check_role`].
    pub(in super::super) fn check_role(&self, identity: &Identity, role: &Value) -> Result<()> {
        let Written { kind, metadata, rules, aggregation_rule, .. } = read(role)?;
        let (name, namespace) = (metadata.name.unwrap_or_default(), metadata.namespace.unwrap_or_default());
        let (resource, namespace) = match kind.as_str() {
            // Whatever namespace a client writes into it, a ClusterRole counts everywhere.
            "ClusterRole" => ("clusterroles", String::new()),
            "Role" if !namespace.is_empty() => ("roles", namespace),
            _ => return Err(StatusError::bad_request(format!("{kind:?} is not a role, or lacks a namespace"))),
        };
        if is_master(identity) || self.has_verb(identity, "escalate", resource, &name, &namespace) {
            return Ok(());
        }
        let wanted: Vec<Rule> = rules.unwrap_or_default().into_iter().map(Rule::from).collect();
        self.confirm_no_escalation(identity, &namespace, &wanted)
            .map_err(|message| refuse(resource, &name, message))?;
        if aggregation_rule.is_some_and(|rule| !rule.is_null()) {
            // What it will come to include cannot be known now.
            self.confirm_no_escalation(identity, "", &Rule::everything()).map_err(|_| {
                refuse(resource, &name, "must have cluster-admin privileges to use the aggregationRule".into())
            })?;
        }
        Ok(())
    }

    /// As [`super::super::WorkspaceAuthorizer::check_binding`].
    pub(in super::super) fn check_binding(&self, identity: &Identity, binding: &Value) -> Result<()> {
        let Written { kind, metadata, role_ref, .. } = read(binding)?;
        let (name, namespace) = (metadata.name.unwrap_or_default(), metadata.namespace.unwrap_or_default());
        let (resource, namespace) = match kind.as_str() {
            "ClusterRoleBinding" => ("clusterrolebindings", String::new()),
            "RoleBinding" if !namespace.is_empty() => ("rolebindings", namespace),
            _ => return Err(StatusError::bad_request(format!("{kind:?} is not a binding, or lacks a namespace"))),
        };
        let role = RoleRef::from(role_ref.ok_or_else(|| StatusError::bad_request("roleRef is missing"))?);
        let (role_resource, role_name) = role.resource();
        if is_master(identity) || self.has_verb(identity, "bind", role_resource, role_name, &namespace) {
            return Ok(());
        }
        let wanted = self
            .rules_of(&role, &namespace)
            .map_err(|_| StatusError::not_found(ResourceRef { group: GROUP, plural: role_resource }, role_name))?;
        let wanted: Vec<Rule> = wanted.into_iter().cloned().collect();
        self.confirm_no_escalation(identity, &namespace, &wanted).map_err(|message| refuse(resource, &name, message))
    }

    /// As [`super::super::WorkspaceAuthorizer::has_every_right`].
    pub(in super::super) fn check_every_right(&self, identity: &Identity) -> Result<()> {
        if is_master(identity) {
            return Ok(());
        }
        self.confirm_no_escalation(identity, "", &Rule::everything())
            .map_err(|message| refuse("clusterroles", "", message))
    }

    fn has_verb(&self, identity: &Identity, verb: &str, resource: &str, name: &str, namespace: &str) -> bool {
        let attributes =
            ResourceAttributes { verb, group: GROUP, resource, name, namespace, ..ResourceAttributes::default() };
        self.decide(identity, &Attributes::Resource(attributes)).is_allowed()
    }

    fn confirm_no_escalation(&self, identity: &Identity, namespace: &str, wanted: &[Rule]) -> Result<(), String> {
        let (owned, problems) = self.rules_for(identity, namespace);
        let missing = uncovered(&owned, wanted);
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let mut message = format!(
            "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
            identity.username,
            quoted(&identity.groups),
            missing.join("\n")
        );
        if !problems.is_empty() {
            message = format!("{message}; resolution errors: {}", quoted(&problems));
        }
        Err(message)
    }
}

fn read(object: &Value) -> Result<Written> {
    Written::deserialize(object).map_err(|error| StatusError::bad_request(format!("the object is malformed: {error}")))
}

fn refuse(resource: &str, name: &str, message: String) -> StatusError {
    StatusError::forbidden(ResourceRef { group: GROUP, plural: resource }, name, message)
}
