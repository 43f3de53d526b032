//! Further objects that belong to an order.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{ResourceMutations, atomic_selector, is_false, map_of, plain_bool, plain_string};

/// One set of objects that is delivered along with an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.kind) != (has(self.version) || has(self.resource))",
        "message": "either kind, or version and resource must be given"
    },
    {
        "rule": "has(self.resource) == has(self.version)",
        "message": "resource and version must be given together"
    },
    {
        "rule": "!has(self.group) || (has(self.resource) && has(self.version))",
        "message": "group needs resource and version"
    },
    {
        "rule": "!has(self.identityHash) || (has(self.group) && has(self.version) && has(self.resource))",
        "message": "identityHash needs group, version and resource"
    },
    {
        "rule": "self.origin != 'service' || !has(self.syncStatus) || !self.syncStatus || has(self.watch)",
        "message": "syncStatus of an object that originates on the service cluster needs watch"
    }
]))]
pub struct RelatedResource {
    /// Name of the entry, unique in its published resource; part of annotations.
    pub identifier: String,
    /// The side that owns the objects; the other side gets copies.
    pub origin: Side,
    /// API group on the origin side; empty for core.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub group: String,
    /// Version on the origin side.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub version: String,
    /// Plural resource name on the origin side.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub resource: String,
    /// `ConfigMap` or `Secret`; deprecated, use `version` and `resource`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "config_kind")]
    pub kind: String,
    /// Identity of the export that provides the kind, when it is not a builtin one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub identity_hash: String,
    /// Deletes the copies when the order is deleted. Copies of objects that originate in the
    /// tenant's workspace are always deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schemars(schema_with = "plain_bool")]
    pub cleanup: bool,
    /// How the kind is called on the other side, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection: Option<RelatedProjection>,
    /// Which objects.
    pub object: RelatedObject,
    /// What is rewritten on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutation: Option<ResourceMutations>,
    /// How the existing agent learns of changes. This agent follows every object it has resolved,
    /// so the field changes nothing here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<RelatedWatch>,
    /// Copies the status, too, from the origin.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schemars(schema_with = "plain_bool")]
    pub sync_status: bool,
}

/// A side of the sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The tenant's workspace.
    Kcp,
    /// The service cluster.
    Service,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Kcp, Self::Service];

    /// Its name, as PublishedResources write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kcp => "kcp",
            Self::Service => "service",
        }
    }

    /// The side across.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Kcp => Self::Service,
            Self::Service => Self::Kcp,
        }
    }
}

/// How a related kind is called on the other side, where it differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelatedProjection {
    /// API group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub group: String,
    /// Version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub version: String,
    /// Plural resource name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub resource: String,
}

/// Which objects are related: by name, and in which namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelatedObject {
    /// Names.
    #[serde(flatten)]
    pub names: ObjectSpec,
    /// Namespaces; those of the order and its copy when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<RelatedNamespace>,
}

/// In which namespaces related objects are.
pub type RelatedNamespace = ObjectSpec;

/// Names, found in one of three ways; if several are set, the first in order of declaration counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectSpec {
    /// A field of the order and of its copy holds the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<ObjectReference>,
    /// Labels on the origin side find the objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<ObjectSelector>,
    /// A Go template, rendered once for each side, makes the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<ObjectTemplate>,
}

/// A field that holds a name, or a list of names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectReference {
    /// Dotted path of the field in the order and in its copy.
    pub path: String,
    /// Rewrites each value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<RegexRewrite>,
}

/// Labels that find objects, and how their names look on the other side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ObjectSelector {
    /// Labels; keys and values with `{{` are Go templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "map_of::<String>")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::list_of::<LabelSelectorRequirement>")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
    /// How a name found on the origin looks on the other side.
    pub rewrite: Rewrite,
}

/// How a name looks on the other side; if both are set, the regular expression counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rewrite {
    /// By regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<RegexRewrite>,
    /// By Go template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRewrite>,
}

/// Replaces parts of a name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegexRewrite {
    /// What to look for; the whole name when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub pattern: String,
    /// What to write instead; `$1` and `${name}` stand for groups.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub replacement: String,
}

/// Makes a name by a Go template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateRewrite {
    /// The template.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub template: String,
}

/// Makes a name by a Go template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectTemplate {
    /// The template.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub template: String,
}

/// How changes of related objects find their order; exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.byOwner) != has(self.bySelector)",
    "message": "exactly one of byOwner and bySelector must be given"
}]))]
pub struct RelatedWatch {
    /// By owner reference to the order or its copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_owner: Option<WatchByOwner>,
    /// By labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "atomic_selector")]
    pub by_selector: Option<LabelSelector>,
}

/// By owner reference; has no settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WatchByOwner {}

fn config_kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["ConfigMap", "Secret"]})
}
