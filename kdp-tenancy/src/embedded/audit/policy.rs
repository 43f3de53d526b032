//! How much of which request is kept: Kubernetes' `Policy` object, evaluated purely.

#[cfg(test)]
mod tests;

use kdp_core::Identity;
use serde::{Deserialize, Serialize};

use super::{Level, Stage};
use crate::embedded::auth::{Attributes, ResourceAttributes};

/// Which requests are audited, and how much of them; `audit.k8s.io/v1` `Policy`.
///
/// The first rule that matches a request decides; a request that none matches is not audited. The
/// default keeps the metadata of everything but health checks and API discovery, once it is complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// `audit.k8s.io/v1`.
    api_version: ApiVersion,
    /// `Policy`.
    kind: Kind,
    /// Ignored; Kubernetes has it here.
    #[serde(default, skip_serializing)]
    metadata: serde_json::Value,
    /// The rules, in order.
    rules: Vec<PolicyRule>,
    /// Moments that no event is made of, in addition to those of the matching rule.
    #[serde(default)]
    omit_stages: Vec<Stage>,
    /// Whether objects are kept without `metadata.managedFields`, where a rule does not say.
    #[serde(default)]
    omit_managed_fields: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum ApiVersion {
    #[default]
    #[serde(rename = "audit.k8s.io/v1")]
    V1,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Kind {
    #[default]
    Policy,
}

/// One rule of a [`Policy`]; what is empty matches everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyRule {
    /// How much of a matching request is kept.
    pub level: Level,
    /// Users, of whom the caller must be one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Groups, of which the caller must be in one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_groups: Vec<String>,
    /// Verbs, of which the request must have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<String>,
    /// Resources, of which the request must be about one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<GroupResources>,
    /// Namespaces, of which the object must be in one; `""` is cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Paths that are about no resource, of which the request must have one; `*` at the end matches
    /// any rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "nonResourceURLs")]
    pub non_resource_urls: Vec<String>,
    /// Moments that no event is made of, in addition to those of the policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omit_stages: Vec<Stage>,
    /// Whether objects are kept without `metadata.managedFields`; the policy's choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omit_managed_fields: Option<bool>,
}

/// Resources of one API group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupResources {
    /// The group; `""` is the core group.
    #[serde(default)]
    pub group: String,
    /// `pods`, `pods/log`, `pods/*`, `*/scale` or `*`; empty means every resource of the group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Names of objects; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
}

/// What a policy looks at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The caller, impersonation left aside, as in Kubernetes; one without name or groups when the
    /// credentials were not valid.
    pub user: &'a Identity,
    /// What is asked.
    pub attributes: Attributes<'a>,
}

/// What a policy says about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rating {
    /// How much of it is kept.
    pub level: Level,
    /// Moments that no event is made of.
    pub omit_stages: Vec<Stage>,
    /// Whether objects are kept without `metadata.managedFields`.
    pub omit_managed_fields: bool,
}

impl Policy {
    /// A policy of these rules.
    #[must_use]
    pub fn new(rules: Vec<PolicyRule>) -> Self {
        Self {
            api_version: ApiVersion::V1,
            kind: Kind::Policy,
            metadata: serde_json::Value::Null,
            rules,
            omit_stages: Vec::new(),
            omit_managed_fields: false,
        }
    }

    /// Makes no events of `stages`.
    #[must_use]
    pub fn with_omit_stages(mut self, stages: Vec<Stage>) -> Self {
        self.omit_stages = stages;
        self
    }

    /// Keeps objects without `metadata.managedFields`, where a rule does not say otherwise.
    #[must_use]
    pub fn without_managed_fields(mut self) -> Self {
        self.omit_managed_fields = true;
        self
    }

    /// The policy in a YAML document, as `--audit-policy-file` of a Kubernetes API server takes it.
    ///
    /// # Errors
    /// `Invalid` when it is not a `Policy` of `audit.k8s.io/v1`, or has fields that one does not have.
    pub fn from_yaml(text: &str) -> Result<Self, kdp_core::Error> {
        serde_saphyr::from_str(text).map_err(|error| {
            kdp_core::Error::new(kdp_core::ErrorKind::Invalid, "read", "audit policy", error.to_string())
        })
    }

    /// What is kept of a request. Token reviews and token requests carry credentials, and are never
    /// kept above [`Level::Metadata`], whatever the rules say.
    #[must_use]
    pub fn rate(&self, subject: &Subject<'_>) -> Rating {
        let Some(rule) = self.rules.iter().find(|rule| rule.matches(subject)) else {
            return Rating { level: Level::None, omit_stages: Vec::new(), omit_managed_fields: false };
        };
        let level = if carries_credentials(&subject.attributes) { rule.level.min(Level::Metadata) } else { rule.level };
        Rating {
            level,
            omit_stages: self.omit_stages.iter().chain(&rule.omit_stages).copied().collect(),
            omit_managed_fields: rule.omit_managed_fields.unwrap_or(self.omit_managed_fields),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        let urls = ["/healthz*", "/livez*", "/readyz*", "/version", "/api*", "/openapi*"];
        let documents = PolicyRule {
            level: Level::None,
            verbs: vec!["get".into(), "head".into()],
            non_resource_urls: urls.map(Into::into).into(),
            ..PolicyRule::default()
        };
        let rest = PolicyRule { level: Level::Metadata, ..PolicyRule::default() };
        Self::new(vec![documents, rest]).with_omit_stages(vec![Stage::RequestReceived])
    }
}

impl PolicyRule {
    fn matches(&self, Subject { user, attributes }: &Subject<'_>) -> bool {
        let is_any = |wanted: &[String], found: &str| wanted.is_empty() || wanted.iter().any(|one| one == found);
        if !is_any(&self.users, &user.username) || !is_any(&self.verbs, attributes.verb()) {
            return false;
        }
        if !self.user_groups.is_empty() && !user.groups.iter().any(|group| self.user_groups.contains(group)) {
            return false;
        }
        let of_resources = !self.namespaces.is_empty() || !self.resources.is_empty();
        match attributes {
            Attributes::Resource(attributes) if of_resources => {
                is_any(&self.namespaces, attributes.namespace)
                    && (self.resources.is_empty() || self.resources.iter().any(|one| one.matches(attributes)))
            }
            Attributes::Path { .. } if of_resources => false,
            _ if self.non_resource_urls.is_empty() => true,
            Attributes::Resource(_) => false,
            Attributes::Path { path, .. } => self.non_resource_urls.iter().any(|wanted| path_matches(wanted, path)),
        }
    }
}

impl GroupResources {
    fn matches(&self, attributes: &ResourceAttributes<'_>) -> bool {
        let ResourceAttributes { group, resource, subresource, name, .. } = *attributes;
        if self.group != group {
            return false;
        }
        if self.resources.is_empty() {
            return true;
        }
        let named = self.resource_names.is_empty() || self.resource_names.iter().any(|wanted| wanted == name);
        named
            && self.resources.iter().any(|wanted| match wanted.split_once('/') {
                _ if wanted == "*" => true,
                None => subresource.is_empty() && wanted == resource,
                Some(("*", sub)) => !subresource.is_empty() && sub == subresource,
                // Kubernetes' `pods/*` also matches `pods` itself.
                Some((main, "*")) => main == resource,
                Some((main, sub)) => main == resource && sub == subresource,
            })
    }
}

fn path_matches(wanted: &str, path: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => wanted == path,
    }
}

fn carries_credentials(attributes: &Attributes<'_>) -> bool {
    let Attributes::Resource(ResourceAttributes { group, resource, subresource, .. }) = attributes else {
        return false;
    };
    matches!(
        (*group, *resource, *subresource),
        ("authentication.k8s.io", "tokenreviews" | "tokenrequests", _) | (_, "serviceaccounts", "token")
    )
}
