//! Request bodies in Kubernetes' protobuf encoding, which typed clients of Go send by default.
//!
//! The server works on JSON. A body is therefore turned into the JSON that the same Go object would
//! have been written as, by tables that say for each message which field number is which JSON
//! field. Answers stay JSON: a client that sends protobuf also accepts JSON.
//!
//! Field numbers and types are those of the `generated.proto` files next to the Go types, and what
//! JSON leaves out those of the `json:` tags, as of Kubernetes 1.37: `k8s.io/api`,
//! `k8s.io/apimachinery` and `k8s.io/apiextensions-apiserver`. Numbers are never reused, so the
//! tables stay right for other versions; fields they do not know are skipped.

mod apiextensions;
mod authentication;
mod authorization;
mod coordination;
mod core;
mod decoder;
mod json_schema;
mod meta;
mod rbac;
mod scalars;
mod table;
#[cfg(test)]
mod tests;
mod wire;

use prost::Message as _;
use serde_json::Value;

use self::table::Table;
use super::status::StatusError;

/// Marks a body as this encoding; the envelope follows.
const MAGIC: &[u8] = b"k8s\0";

/// Decodes a request body: the magic bytes, an envelope that names the kind, and an object of a known kind.
///
/// What comes back equals the JSON that Go writes for the object, `apiVersion` and `kind` included.
///
/// # Errors
/// 400 for malformed bytes, or an object too deep or too large to be kept; 415 for a kind that has no table.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, StatusError> {
    let envelope = bytes.strip_prefix(MAGIC).ok_or_else(|| malformed("the body does not start with \"k8s\\0\""))?;
    let envelope = Unknown::decode(envelope).map_err(malformed)?;
    let TypeMeta { api_version, kind } = envelope.type_meta;
    if api_version.is_empty() || kind.is_empty() {
        return Err(malformed("the envelope must name apiVersion and kind"));
    }
    let plain = envelope.content_encoding.is_empty() && matches!(&*envelope.content_type, "" | MEDIA_TYPE);
    let Some(table) = table_of(&api_version, &kind).filter(|_| plain) else {
        return Err(unsupported(&api_version, &kind));
    };
    let mut object = decoder::object(table, &envelope.raw)?;
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    Ok(Value::Object(object))
}

const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// `k8s.io.apimachinery.pkg.runtime.Unknown`
#[derive(Clone, PartialEq, prost::Message)]
struct Unknown {
    #[prost(message, required, tag = "1")]
    type_meta: TypeMeta,
    #[prost(bytes = "vec", tag = "2")]
    raw: Vec<u8>,
    #[prost(string, tag = "3")]
    content_encoding: String,
    #[prost(string, tag = "4")]
    content_type: String,
}

/// `k8s.io.apimachinery.pkg.runtime.TypeMeta`
#[derive(Clone, PartialEq, prost::Message)]
struct TypeMeta {
    #[prost(string, tag = "1")]
    api_version: String,
    #[prost(string, tag = "2")]
    kind: String,
}

fn table_of(api_version: &str, kind: &str) -> Option<&'static Table> {
    Some(match (api_version, kind) {
        // Go registers the options in every group, and clients name the group they talk to.
        (_, "DeleteOptions") => &meta::DELETE_OPTIONS,
        ("v1", "ConfigMap") => &core::CONFIG_MAP,
        ("v1", "Event") => &core::EVENT,
        ("v1", "LimitRange") => &core::LIMIT_RANGE,
        ("v1", "Namespace") => &core::NAMESPACE,
        ("v1", "ResourceQuota") => &core::RESOURCE_QUOTA,
        ("v1", "Secret") => &core::SECRET,
        ("v1", "ServiceAccount") => &core::SERVICE_ACCOUNT,
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition") => &apiextensions::CUSTOM_RESOURCE_DEFINITION,
        ("authentication.k8s.io/v1", "SelfSubjectReview") => &authentication::SELF_SUBJECT_REVIEW,
        ("authentication.k8s.io/v1", "TokenRequest") => &authentication::TOKEN_REQUEST,
        ("authentication.k8s.io/v1", "TokenReview") => &authentication::TOKEN_REVIEW,
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview") => &authorization::SELF_SUBJECT_ACCESS_REVIEW,
        ("authorization.k8s.io/v1", "SelfSubjectRulesReview") => &authorization::SELF_SUBJECT_RULES_REVIEW,
        ("authorization.k8s.io/v1", "LocalSubjectAccessReview" | "SubjectAccessReview") => {
            &authorization::SUBJECT_ACCESS_REVIEW
        }
        ("coordination.k8s.io/v1", "Lease") => &coordination::LEASE,
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => &rbac::CLUSTER_ROLE,
        ("rbac.authorization.k8s.io/v1", "Role") => &rbac::ROLE,
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding" | "RoleBinding") => &rbac::ROLE_BINDING,
        _ => return None,
    })
}

fn malformed(what: impl std::fmt::Display) -> StatusError {
    StatusError::bad_request(format!("the body is not a valid object in protobuf: {what}"))
}

fn unsupported(api_version: &str, kind: &str) -> StatusError {
    let message = format!("{kind} of {api_version} is not accepted in this encoding of protobuf: use application/json");
    StatusError::new(415, "UnsupportedMediaType", message)
}
