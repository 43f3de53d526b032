//! The order of something that is needed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Resource, Setting, WORKLOAD, Workload};
use crate::{
    GroupKind,
    resolution::{CLASS, ENVIRONMENT, OFFERING, OrderFacts, PLAN, Request, Selection, Usage},
};

/// Label of orders that several workloads need: their id.
pub(super) const SHARED: &str = "score.dev/shared";

pub(super) fn order_name(workload: &Workload, name: &str, resource: &Resource) -> String {
    match &resource.id {
        Some(id) => format!("{}-{id}", resource.type_.to_lowercase()),
        None => format!("{}-{name}", workload.metadata.name),
    }
}

/// The order of a resource as a manifest, with its kind.
pub(super) fn order(
    workload: &Workload,
    name: &str,
    resource: &Resource,
    order: &str,
    params: &Value,
    setting: &Setting<'_>,
) -> Result<(GroupKind, Value), String> {
    let class = resource.class.as_deref().filter(|class| *class != "default");
    let mut labels = BTreeMap::new();
    match &resource.id {
        Some(id) => drop(labels.insert(SHARED.to_owned(), id.clone())),
        None => drop(labels.insert(WORKLOAD.to_owned(), workload.metadata.name.clone())),
    }
    if let Some(class) = class {
        labels.insert(CLASS.to_owned(), class.to_owned());
    }
    let facts = OrderFacts {
        // Its UID is not known, and decides only where it is placed.
        uid: order.to_owned(),
        labels: labels.clone(),
        spec: params.clone(),
        selection: Selection::default(),
        current: None,
    };
    let usage = Usage::default();
    let request = |kind| Request {
        kind,
        workspace: setting.workspace,
        environment: setting.environment,
        order: &facts,
        usage: &usage,
        now: setting.now,
    };
    let mut unbound = Vec::new();
    let mut without_class = Vec::new();
    for kind in setting.shelf.kinds_of_type(&resource.type_) {
        let request = request(kind);
        let of_type = setting.shelf.of_type(&request, &resource.type_);
        let (fitting, others): (Vec<_>, Vec<_>) = of_type.partition(|(_, takes)| class.is_none_or(takes));
        let Some((offering, _)) = fitting.first() else {
            without_class.extend(others.into_iter().map(|(offering, _)| offering.to_owned()));
            continue;
        };
        let Some(api_version) = setting.kinds.get(kind) else {
            unbound.push(kind.to_string());
            continue;
        };
        let mut annotations = BTreeMap::from([(OFFERING, *offering)]);
        annotations.extend(setting.environment.map(|environment| (ENVIRONMENT, environment.name.as_str())));
        let plan = class.filter(|class| setting.shelf.has_plan(offering, class));
        annotations.extend(plan.map(|plan| (PLAN, plan)));
        let manifest = json!({
            "apiVersion": api_version, "kind": kind.kind,
            "metadata": {
                "name": order, "namespace": setting.namespace, "labels": labels, "annotations": annotations,
            },
            "spec": params,
        });
        return Ok((kind.clone(), manifest));
    }
    Err(if !unbound.is_empty() {
        format!("{} is not bound in this workspace; bind its service for {name}", unbound.join(", "))
    } else if let Some(class) = class.filter(|_| !without_class.is_empty()) {
        format!("{} has no class {class}", without_class.join(", "))
    } else {
        format!("nothing is offered here for the type {}", resource.type_)
    })
}
