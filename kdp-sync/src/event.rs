//! Events: what is told to people about an object.

use jiff::Timestamp;
use rand::Rng;
use serde_json::{Value, json};

use crate::object;

/// Namespace of events about objects that are in none.
const CLUSTER_SCOPED: &str = "default";

/// How much of an object's name is in the name of its events.
const NAME_LENGTH: usize = 200;

/// An Event about `object`; `type_` is `Normal` or `Warning`.
pub(crate) fn event(object: &Value, type_: &str, reason: &str, note: &str, component: &str) -> Value {
    let now = Timestamp::now();
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    // Unique, and sorted by time for each object, as client-go names them.
    let suffix = format!("{:x}{:04x}", now.as_nanosecond(), rand::rng().random::<u16>());
    // Names are ASCII.
    let name: String = object::name(object).chars().take(NAME_LENGTH).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": format!("{name}.{suffix}"),
            "namespace": object::namespace(object).unwrap_or(CLUSTER_SCOPED),
        },
        "involvedObject": {
            "apiVersion": object["apiVersion"],
            "kind": object["kind"],
            "namespace": object::namespace(object),
            "name": object::name(object),
            "uid": object::uid(object),
            "resourceVersion": object::resource_version(object),
        },
        "type": type_,
        "reason": reason,
        "message": note,
        "source": {"component": component},
        "reportingComponent": component,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    })
}
