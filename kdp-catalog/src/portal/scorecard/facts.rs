//! What rules can look at.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::portal::{
    directory::Offers,
    names,
    site::{OrderInput, ServiceInput, Site},
};

/// The facts of a service: `name`, `workspace`, `title`, `description`, `documentation`, `category`,
/// `owner`, `lifecycle`, `labels`, `kinds` (each with `group`, `version`, `kind`, `plural`,
/// `namespaced` and `described`), and of its `orders` the numbers `total`, `ready` and `notReady`.
///
/// A text that is empty or may not be seen is not there, which `has()` tells. The owner is always
/// there: nobody's service is the platform's, and `owned` is false then.
#[must_use]
pub fn service_facts(site: &Site, service: &ServiceInput) -> Value {
    let offers = Offers::of(&site.services_by_key());
    let key = service.key();
    let orders = site.orders_by_key().into_values().filter(|order| offers.key(order) == Some(&key)).collect::<Vec<_>>();
    facts(site, service, &orders)
}

/// The facts of every service, by its key.
pub(super) fn facts_of_services(site: &Site) -> BTreeMap<String, Value> {
    let services = site.services_by_key();
    let offers = Offers::of(&services);
    let mut orders: BTreeMap<&str, Vec<&OrderInput>> = BTreeMap::new();
    for order in site.orders_by_key().into_values() {
        if let Some(key) = offers.key(order) {
            orders.entry(key).or_default().push(order);
        }
    }
    let orders_of = |key: &str| orders.get(key).map_or(&[][..], Vec::as_slice);
    services.iter().map(|(key, service)| (key.clone(), facts(site, service, orders_of(key)))).collect()
}

fn facts(site: &Site, service: &ServiceInput, orders: &[&OrderInput]) -> Value {
    let with = |status: &str| orders.iter().filter(|order| order.readiness().0 == status).count();
    let details = service.entry.details.as_ref();
    let kinds: Vec<_> = service
        .kinds_by_key()
        .into_values()
        .map(|kind| {
            let described = kind.schema.get("description").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            json!({
                "group": kind.group, "version": kind.version, "kind": kind.kind, "plural": kind.plural,
                "namespaced": kind.namespaced, "described": described,
            })
        })
        .collect();
    stated(json!({
        "name": service.entry.export.name,
        "workspace": service.entry.export.workspace,
        "title": service.title(),
        "description": details.map(|details| names::readable(&details.description)),
        "documentation": details.map(|details| details.documentation_url.clone()),
        "category": details.map(|details| details.category.clone()),
        "owner": site.or_owner(&service.owner),
        "owned": !service.owner.trim().is_empty(),
        "lifecycle": service.lifecycle(),
        "labels": service.entry.labels,
        "kinds": kinds,
        "orders": {"total": orders.len(), "ready": with("True"), "notReady": with("False")},
    }))
}

/// The facts of an order: `workspace`, `service`, `kind`, `namespace`, `name`, `uid`, `ready`,
/// `reason`, `created` (as text), `ageSeconds`, and of its `conditions` each `type` and `status`.
///
/// What is not known is not there, which `has()` tells; `ready` is `Unknown` then.
#[must_use]
pub fn order_facts(order: &OrderInput, now: Timestamp) -> Value {
    let (ready, reason) = order.readiness();
    let conditions: Vec<_> =
        order.conditions.iter().map(|condition| json!({"type": condition.type_, "status": condition.status})).collect();
    stated(json!({
        "workspace": order.workspace,
        "service": order.service,
        "kind": order.kind,
        "namespace": order.namespace,
        "name": order.name,
        "uid": order.uid,
        "ready": ready,
        "reason": reason,
        "created": order.created_text(),
        "ageSeconds": order.created.map(|created| now.as_second().saturating_sub(created.as_second())),
        "conditions": conditions,
    }))
}

/// The facts that say something.
fn stated(facts: Value) -> Value {
    match facts {
        Value::Object(facts) => {
            let says = |value: &Value| !value.is_null() && value.as_str() != Some("");
            Value::Object(facts.into_iter().filter(|(_, value)| says(value)).collect::<Map<_, _>>())
        }
        other => other,
    }
}
