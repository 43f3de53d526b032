//! Events: what has happened to an order, for whoever runs `kubectl describe`.

use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{Api, ResourceExt, api::DynamicObject, api::PostParams};

use super::{queue::Key, reach::Orders};
use crate::Error;

/// Longest message that the API allows, in bytes.
const LONGEST: usize = 1024;
/// Namespace of events about objects that have none.
const NAMESPACE: &str = "default";

/// How an event is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Normal,
    Warning,
}

/// Tells that something has happened. It is told once or not at all: nothing depends on it, and
/// whoever lets the runner write orders may not let it write events.
pub(super) async fn tell(
    orders: &Orders,
    key: &Key,
    object: &DynamicObject,
    reporter: &str,
    (tone, reason, message): (Tone, &str, &str),
) {
    let namespace = if key.namespace.is_empty() { NAMESPACE } else { &key.namespace };
    let now = Timestamp::now();
    let kind = orders.kind();
    let event = Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{:016x}", object.name_any(), rand::random::<u64>())),
            namespace: Some(namespace.into()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(kind.api_version.clone()),
            kind: Some(kind.kind.clone()),
            name: Some(object.name_any()),
            namespace: object.namespace(),
            uid: object.uid(),
            ..ObjectReference::default()
        },
        type_: Some(if tone == Tone::Normal { "Normal" } else { "Warning" }.into()),
        reason: Some(reason.into()),
        message: Some(shortened(message)),
        source: Some(EventSource { component: Some(reporter.into()), host: None }),
        reporting_component: Some(reporter.into()),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Event::default()
    };
    let told = async {
        let api = Api::<Event>::namespaced(orders.client(key)?, namespace);
        api.create(&PostParams::default(), &event).await.map_err(|e| Error::from_kube("tell", object.name_any(), e))
    };
    if let Err(error) = told.await {
        tracing::debug!(order = %object.name_any(), %error, "event.lost");
    }
}

fn shortened(message: &str) -> String {
    let end = (0..=LONGEST.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
    message[..end.unwrap_or_default()].to_owned()
}
