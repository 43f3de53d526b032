//! Types of workspaces: what a workspace is made with, and where it may stand in the tree.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::WorkspaceTypeReference;
use crate::condition::Condition;

/// What the workspaces of a type are made with, and where they may stand.
///
/// An object is named after the type; a workspace names it as `spec.type`. A user needs the verb `use` on the
/// type, and on every type that it extends, to create a workspace of it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "tenancy.kcp.io",
    version = "v1alpha1",
    kind = "WorkspaceType",
    status = "WorkspaceTypeStatus",
    category = "kcp"
)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkspaceTypeSpec {
    /// Whether a controller initializes workspaces of this type before they are ready.
    #[serde(skip_serializing_if = "is_false")]
    pub initializer: bool,
    /// Whether a controller cleans up after workspaces of this type before their content is deleted.
    #[serde(skip_serializing_if = "is_false")]
    pub terminator: bool,
    /// The types that this one is too.
    #[serde(skip_serializing_if = "WorkspaceTypeExtension::is_empty")]
    pub extend: WorkspaceTypeExtension,
    /// Labels that a workspace of this type gets when it is created.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub additional_workspace_labels: BTreeMap<String, String>,
    /// The type of a workspace that is created in one of this type without naming any; not inherited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {"name": "universal", "path": "root"}))]
    pub default_child_workspace_type: Option<WorkspaceTypeReference>,
    /// Which types may be created in workspaces of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_allowed_children: Option<WorkspaceTypeSelector>,
    /// In workspaces of which types this one may be created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_allowed_parents: Option<WorkspaceTypeSelector>,
    /// The exports that a workspace of this type binds before it is ready.
    #[serde(rename = "defaultAPIBindings", skip_serializing_if = "Vec::is_empty")]
    pub default_api_bindings: Vec<APIExportReference>,
    /// What becomes of those bindings later.
    #[serde(rename = "defaultAPIBindingLifecycle", skip_serializing_if = "Option::is_none")]
    pub default_api_binding_lifecycle: Option<BindingLifecycle>,
    /// Further ways to prove an identity in workspaces of this type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authentication_configurations: Vec<AuthenticationConfigurationReference>,
    /// What the initializer may do in a workspace; none means that it acts as the workspace's creator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub initializer_permissions: Vec<PolicyRule>,
    /// What the terminator may do in a workspace; none means that it acts as the workspace's creator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terminator_permissions: Vec<PolicyRule>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The types that a type is too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkspaceTypeExtension {
    /// Their initializers, terminators, default bindings and limits apply as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<WorkspaceTypeReference>,
}

impl WorkspaceTypeExtension {
    fn is_empty(&self) -> bool {
        self.with.is_empty()
    }
}

/// A set of types: no type, or these. A type is in the set when one that it extends is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("oneOf" = [{"required": ["none"]}, {"required": ["types"]}]))]
#[serde(default)]
pub struct WorkspaceTypeSelector {
    /// No type at all.
    #[serde(skip_serializing_if = "is_false")]
    pub none: bool,
    /// These types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub types: Vec<WorkspaceTypeReference>,
}

/// An APIExport by the workspace that holds it and its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct APIExportReference {
    /// Path of the workspace; the one of the type when it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(:[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"))]
    pub path: String,
    /// Name of the APIExport.
    pub export: String,
}

/// What becomes of the bindings that a workspace has from its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum BindingLifecycle {
    /// They are made once.
    #[default]
    InitializeOnly,
    /// They are kept in step with the type.
    Maintain,
}

/// A WorkspaceAuthenticationConfiguration in the workspace of the type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthenticationConfigurationReference {
    /// Its name.
    pub name: String,
}

/// What is known of a type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkspaceTypeStatus {
    /// What was observed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Where the type's controllers reach the workspaces that wait for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub virtual_workspaces: Vec<VirtualWorkspace>,
}

/// Where a controller of a type reaches the workspaces that wait for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VirtualWorkspace {
    /// The URL, to be followed by `/clusters/…`.
    pub url: String,
    /// What the workspaces there wait for.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<VirtualWorkspaceType>,
}

/// What the workspaces at a URL wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum VirtualWorkspaceType {
    /// The initializer of the type.
    Initializing,
    /// The terminator of the type.
    Terminating,
}
