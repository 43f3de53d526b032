//! The messages between a platform and a plugin: JSON-RPC 2.0, one message on a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    Error, ErrorKind,
    provider::{Action, ActionCall, Lease, Operation, Order, OrderId, Plan, PlanHash, Run, Step, Teardown, Weight},
};

/// Name of the protocol, as it stands in the handshake.
pub const PROTOCOL: &str = "kdp-provider";
/// The version of the protocol that is spoken here.
pub const VERSION: u32 = 1;
/// Environment variable by which a plugin knows that a platform has started it, and not a person.
pub const COOKIE: &str = "KDP_PROVIDER_PLUGIN";

/// Code of an error that a provider answers with; what it is stands in its data.
const FAILED: i32 = -32000;

/// A message in either direction.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Message {
    jsonrpc: String,
    /// Of requests and their answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u64>,
    /// Of requests and notifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) params: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Failure>,
}

impl Message {
    pub(super) fn request(id: u64, method: &str, params: Value) -> Self {
        Self { id: Some(id), ..Self::notification(method, params) }
    }

    pub(super) fn notification(method: &str, params: Value) -> Self {
        Self { jsonrpc: "2.0".into(), method: Some(method.into()), params: Some(params), ..Self::default() }
    }

    pub(super) fn answer(id: u64, outcome: Result<Value, Error>) -> Self {
        let (result, error) = match outcome {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(Failure::of(&error))),
        };
        Self { jsonrpc: "2.0".into(), id: Some(id), result, error, ..Self::default() }
    }

    /// The message as a line.
    pub(super) fn line(&self) -> String {
        serde_json::to_string(self).expect("messages are made of text, numbers and JSON")
    }
}

/// What went wrong, in an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    code: i32,
    message: String,
    #[serde(default)]
    data: Option<FailureData>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct FailureData {
    kind: String,
}

impl Failure {
    fn of(error: &Error) -> Self {
        let kind = format!("{:?}", error.kind());
        Self { code: FAILED, message: error.message().into(), data: Some(FailureData { kind }) }
    }

    /// The error it stands for; one of a kind that is not known is `Internal`.
    pub(super) fn into_error(self, op: &'static str, id: &OrderId) -> Error {
        let kind = match self.data.as_ref().map(|data| data.kind.as_str()) {
            Some("Invalid") => ErrorKind::Invalid,
            Some("NotFound") => ErrorKind::NotFound,
            Some("Stale") => ErrorKind::Stale,
            Some("Forbidden") => ErrorKind::Forbidden,
            Some("Unsupported") => ErrorKind::Unsupported,
            Some("Unavailable") => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        };
        Error::new(kind, op, id, self.message)
    }
}

/// What a platform says first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: String,
    pub(super) versions: Vec<u32>,
}

impl Hello {
    pub(super) fn ours() -> Self {
        Self { protocol: PROTOCOL.into(), versions: vec![VERSION] }
    }
}

/// What a plugin says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Welcome {
    pub(super) version: u32,
    pub(super) name: String,
    #[serde(default)]
    pub(super) actions: Vec<Action>,
    /// In MiB, by the names of operations.
    #[serde(default)]
    pub(super) weights: BTreeMap<String, u32>,
    /// Whether it refuses plans that are not current by itself.
    #[serde(default)]
    pub(super) checks_plans: bool,
}

impl Welcome {
    pub(super) fn weight(&self, operation: Operation) -> Weight {
        self.weights.get(operation.as_str()).map_or(Weight::LIGHT, |mib| Weight::mib(*mib))
    }
}

/// A [`Run`] without what stays on its side.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireRun {
    pub(super) lease: Lease,
    #[serde(default)]
    pub(super) holder: String,
    /// In milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deadline_ms: Option<u64>,
}

impl WireRun {
    pub(super) fn of(run: &Run) -> Self {
        let left = run.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let deadline_ms = left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        Self { lease: run.lease, holder: run.holder.clone(), deadline_ms }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PlanParams {
    pub(super) order: Order,
    pub(super) run: WireRun,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ApplyParams {
    pub(super) order: Order,
    pub(super) hash: PlanHash,
    /// The plan with this hash; only for plugins that do not check plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<Plan>,
    pub(super) run: WireRun,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ObserveParams {
    pub(super) order: OrderId,
    pub(super) sealed: Option<Teardown>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DeleteParams {
    pub(super) sealed: Teardown,
    pub(super) run: WireRun,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ImportParams {
    pub(super) order: Order,
    pub(super) existing: String,
    pub(super) run: WireRun,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ActParams {
    pub(super) order: Order,
    pub(super) call: ActionCall,
    pub(super) run: WireRun,
}

/// How a request goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) id: u64,
    pub(super) step: Step,
}

/// Which request a notification is about.
pub(super) fn about(id: u64) -> Value {
    json!({ "id": id })
}

/// A value as JSON.
pub(super) fn to_value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("messages are made of text, numbers and JSON")
}
