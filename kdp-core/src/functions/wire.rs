//! The messages of `apiextensions.fn.proto.v1`, which those of `v1beta1` are as well.

use std::collections::BTreeMap;

use prost::Message;

use crate::protobuf::Struct;

#[derive(Clone, PartialEq, Message)]
pub(super) struct RunFunctionRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) meta: Option<RequestMeta>,
    #[prost(message, optional, tag = "2")]
    pub(super) observed: Option<State>,
    #[prost(message, optional, tag = "3")]
    pub(super) desired: Option<State>,
    #[prost(message, optional, tag = "4")]
    pub(super) input: Option<Struct>,
    #[prost(message, optional, tag = "5")]
    pub(super) context: Option<Struct>,
    /// As they were called before Crossplane 2; those cores know no others.
    #[prost(btree_map = "string, message", tag = "6")]
    pub(super) extra_resources: BTreeMap<String, Resources>,
    #[prost(btree_map = "string, message", tag = "7")]
    pub(super) credentials: BTreeMap<String, Credentials>,
    #[prost(btree_map = "string, message", tag = "8")]
    pub(super) required_resources: BTreeMap<String, Resources>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RunFunctionResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) meta: Option<ResponseMeta>,
    #[prost(message, optional, tag = "2")]
    pub(super) desired: Option<State>,
    #[prost(message, repeated, tag = "3")]
    pub(super) results: Vec<Outcome>,
    #[prost(message, optional, tag = "4")]
    pub(super) context: Option<Struct>,
    #[prost(message, optional, tag = "5")]
    pub(super) requirements: Option<Requirements>,
    #[prost(message, repeated, tag = "6")]
    pub(super) conditions: Vec<Condition>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RequestMeta {
    #[prost(string, tag = "1")]
    pub(super) tag: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResponseMeta {
    #[prost(string, tag = "1")]
    pub(super) tag: String,
    #[prost(message, optional, tag = "2")]
    pub(super) ttl: Option<Span>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Span {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct State {
    #[prost(message, optional, tag = "1")]
    pub(super) composite: Option<Resource>,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(super) resources: BTreeMap<String, Resource>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Struct>,
    #[prost(btree_map = "string, bytes", tag = "2")]
    pub(super) connection_details: BTreeMap<String, Vec<u8>>,
    /// 1 is ready, 2 is not.
    #[prost(int32, tag = "3")]
    pub(super) ready: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Resources {
    #[prost(message, repeated, tag = "1")]
    pub(super) items: Vec<Resource>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Credentials {
    #[prost(message, optional, tag = "1")]
    pub(super) credential_data: Option<CredentialData>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CredentialData {
    #[prost(btree_map = "string, bytes", tag = "1")]
    pub(super) data: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Requirements {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(super) extra_resources: BTreeMap<String, ResourceSelector>,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(super) resources: BTreeMap<String, ResourceSelector>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceSelector {
    #[prost(string, tag = "1")]
    pub(super) api_version: String,
    #[prost(string, tag = "2")]
    pub(super) kind: String,
    #[prost(oneof = "Match", tags = "3, 4")]
    pub(super) matching: Option<Match>,
    #[prost(string, optional, tag = "5")]
    pub(super) namespace: Option<String>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Match {
    #[prost(string, tag = "3")]
    Name(String),
    #[prost(message, tag = "4")]
    Labels(Labels),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Labels {
    #[prost(btree_map = "string, string", tag = "1")]
    pub(super) labels: BTreeMap<String, String>,
}

/// `Result` in the protocol.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Outcome {
    #[prost(int32, tag = "1")]
    pub(super) severity: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(string, optional, tag = "3")]
    pub(super) reason: Option<String>,
    #[prost(int32, optional, tag = "4")]
    pub(super) target: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Condition {
    #[prost(string, tag = "1")]
    pub(super) r#type: String,
    /// 1 is unknown, 2 is true, 3 is false.
    #[prost(int32, tag = "2")]
    pub(super) status: i32,
    #[prost(string, tag = "3")]
    pub(super) reason: String,
    #[prost(string, optional, tag = "4")]
    pub(super) message: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(super) target: Option<i32>,
}
