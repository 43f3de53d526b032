//! Cells of Kubernetes' own kinds that no JSON path can express.

use jiff::Timestamp;
use serde_json::Value;

use super::age;
use crate::embedded::resource::ApiResource;

/// The cell of the column called `column`; null when the kind has no such column.
pub(super) fn cell(resource: &ApiResource, column: &str, object: &Value, now: Timestamp) -> Value {
    match (resource.group.as_str(), resource.plural.as_str(), column) {
        ("", "configmaps", "Data") => (size(&object["data"]) + size(&object["binaryData"])).into(),
        ("", "secrets", "Data") => size(&object["data"]).into(),
        ("", "serviceaccounts", "Secrets") => size(&object["secrets"]).into(),
        ("", "resourcequotas", "Request") => quota(object, |resource| !resource.starts_with("limits.")).into(),
        ("", "resourcequotas", "Limit") => quota(object, |resource| resource.starts_with("limits.")).into(),
        ("", "events", column) => event(column, object, now),
        ("rbac.authorization.k8s.io", "clusterrolebindings" | "rolebindings", column) => binding(column, object),
        _ => Value::Null,
    }
}

fn event(column: &str, event: &Value, now: Timestamp) -> Value {
    match column {
        "Last Seen" => last_seen(event, now).into(),
        "First Seen" => first_seen(event, now).into(),
        "Object" => event_object(&event["involvedObject"]).into(),
        "Source" => source(event).into(),
        "Message" => text(&event["message"]).trim().into(),
        "Count" => count(event).into(),
        _ => Value::Null,
    }
}

/// An event of the newer API has a time, or a series, in place of timestamps and a count.
fn last_seen(event: &Value, now: Timestamp) -> String {
    match (&event["series"], text(&event["lastTimestamp"])) {
        (Value::Object(series), _) => age(series.get("lastObservedTime").map_or("", text), now),
        (_, "") => first_seen(event, now),
        (_, seen) => age(seen, now),
    }
}

fn first_seen(event: &Value, now: Timestamp) -> String {
    age(first_non_empty(&event["firstTimestamp"], &event["eventTime"]), now)
}

fn count(event: &Value) -> i64 {
    let count = if event["series"].is_object() { &event["series"]["count"] } else { &event["count"] };
    match count.as_i64() {
        Some(0) | None if !event["series"].is_object() => 1,
        count => count.unwrap_or_default(),
    }
}

fn event_object(involved: &Value) -> String {
    let kind = text(&involved["kind"]).to_lowercase();
    match text(&involved["name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn source(event: &Value) -> String {
    let component = first_non_empty(&event["source"]["component"], &event["reportingComponent"]);
    match first_non_empty(&event["source"]["host"], &event["reportingInstance"]) {
        "" => component.into(),
        instance => format!("{component}, {instance}"),
    }
}

fn binding(column: &str, binding: &Value) -> Value {
    let role = &binding["roleRef"];
    match column {
        "Role" => format!("{}/{}", text(&role["kind"]), text(&role["name"])).into(),
        "Users" => subjects(binding, "User", |subject| text(&subject["name"]).into()).into(),
        "Groups" => subjects(binding, "Group", |subject| text(&subject["name"]).into()).into(),
        "ServiceAccounts" => subjects(binding, "ServiceAccount", |subject| {
            format!("{}/{}", text(&subject["namespace"]), text(&subject["name"]))
        })
        .into(),
        _ => Value::Null,
    }
}

fn subjects(binding: &Value, kind: &str, name: impl Fn(&Value) -> String) -> String {
    let subjects = binding["subjects"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<String> = subjects.iter().filter(|subject| subject["kind"] == kind).map(name).collect();
    names.join(", ")
}

/// `RESOURCE: USED/HARD` of every resource that `shown` picks.
fn quota(quota: &Value, shown: impl Fn(&str) -> bool) -> String {
    let status = &quota["status"];
    let hard = status["hard"].as_object().into_iter().flatten().filter(|(resource, _)| shown(resource));
    let entries: Vec<String> = hard
        .map(|(resource, hard)| format!("{resource}: {}/{}", quantity(&status["used"][resource]), quantity(hard)))
        .collect();
    entries.join(", ")
}

fn quantity(value: &Value) -> String {
    match value {
        Value::Null => "0".into(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn size(collection: &Value) -> usize {
    match collection {
        Value::Object(entries) => entries.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    }
}

fn first_non_empty<'v>(first: &'v Value, second: &'v Value) -> &'v str {
    match text(first) {
        "" => text(second),
        first => first,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
