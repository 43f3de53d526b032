//! The event, in the exact shape of `audit.k8s.io/v1`.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::StatusDetails;
use kdp_core::{Identity, LogicalClusterName};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

/// How much of a request an event holds; each level holds what the ones before it hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Nothing: there is no event.
    #[default]
    None,
    /// Who asked what, when, and how it ended.
    Metadata,
    /// Also the body of the request.
    Request,
    /// Also the body of the answer.
    RequestResponse,
}

/// The moment in the life of a request that an event is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// The caller is known, and nothing was done yet.
    RequestReceived,
    /// The answer has begun and goes on; only of watches, and of requests without valid credentials.
    ResponseStarted,
    /// The answer is complete.
    ResponseComplete,
    /// The server failed in a way nobody foresaw.
    Panic,
}

/// Identifies a request in all its events; answered in the header `Audit-Id`.
///
/// A client may choose it: 1 to 64 letters, digits, `-`, `_`, `.` and `:`. It need not be unique.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct AuditId(String);

/// The longest id a client may choose, as in Kubernetes.
const MAX_ID: usize = 64;

impl AuditId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// The one a client chose; `None` when it is not well-formed.
    #[must_use]
    pub fn parse(chosen: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        ((1..=MAX_ID).contains(&chosen.len()) && chosen.bytes().all(is_plain)).then(|| Self(chosen.to_owned()))
    }

    /// The id as a string slice.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a request was about; an empty string is what does not apply, and is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// Plural name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// Namespace of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// UID that the request named.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_group: String,
    /// API version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Resource version that the request named.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// Such as `status`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
}

/// How a request ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ResponseStatus {
    /// Always empty; Kubernetes has it here.
    pub metadata: BTreeMap<String, String>,
    /// `Failure`, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What kind of wrong that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which fields were wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<StatusDetails>,
    /// The HTTP code.
    pub code: u16,
}

/// One moment of one request.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Event {
    kind: &'static str,
    api_version: &'static str,
    /// How much of the request is in the event.
    pub level: Level,
    /// Identifies the request.
    #[serde(rename = "auditID")]
    pub audit_id: AuditId,
    /// The moment.
    pub stage: Stage,
    /// The URI, without the values of query parameters that the API does not know.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    /// The verb; of a request that is not about a resource, the method in lower case.
    pub verb: String,
    /// Who asked; empty when the caller's credentials were not valid.
    pub user: Identity,
    /// Whom the caller acted as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impersonated_user: Option<Identity>,
    /// The other end of the connection; empty for a request from inside the process.
    #[serde(rename = "sourceIPs", skip_serializing_if = "Vec::is_empty")]
    pub source_ips: Vec<String>,
    /// What the client says it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// What the request was about, if that is a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<ObjectReference>,
    /// How the request ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_status: Option<ResponseStatus>,
    /// The body of the request, from [`Level::Request`] on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object: Option<Value>,
    /// The body of the answer, at [`Level::RequestResponse`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_object: Option<Value>,
    /// When the request came.
    #[serde(serialize_with = "microseconds")]
    pub request_received_timestamp: Timestamp,
    /// When the moment was.
    #[serde(serialize_with = "microseconds")]
    pub stage_timestamp: Timestamp,
    /// What was decided about the request. The last field, so that a chain can be hooked on.
    pub annotations: BTreeMap<String, String>,
    /// The logical cluster that the request was let near, which exists; `None` when it was about
    /// none in particular.
    #[serde(skip)]
    pub cluster: Option<LogicalClusterName>,
}

impl Event {
    /// An event of a request that has just come.
    pub(crate) fn new(audit_id: AuditId, request_uri: String, verb: String, received: Timestamp) -> Self {
        Self {
            kind: "Event",
            api_version: "audit.k8s.io/v1",
            level: Level::None,
            audit_id,
            stage: Stage::RequestReceived,
            request_uri,
            verb,
            user: Identity::default(),
            impersonated_user: None,
            source_ips: Vec::new(),
            user_agent: String::new(),
            object_ref: None,
            response_status: None,
            request_object: None,
            response_object: None,
            request_received_timestamp: received,
            stage_timestamp: received,
            annotations: BTreeMap::new(),
            cluster: None,
        }
    }

    /// The event as one line of JSON, without the line break.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event has only string keys")
    }
}

/// As Kubernetes' `MicroTime`.
fn microseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.6}"))
}
