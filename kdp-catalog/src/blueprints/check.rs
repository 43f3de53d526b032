//! What a blueprint may not ask for, whatever its graph says.

use serde_json::{Map, Value};

use super::{kinds::Known, names};
use crate::blueprint::{
    Fault, ResourceGraph,
    definition::{InstanceScope, Resource},
};

/// Groups whose kinds decide who may do what, and where; no blueprint makes them.
const FORBIDDEN_GROUPS: [&str; 8] = [
    "rbac.authorization.k8s.io",
    "apis.kcp.io",
    "tenancy.kcp.io",
    "core.kcp.io",
    "apiextensions.k8s.io",
    "admissionregistration.k8s.io",
    "certificates.k8s.io",
    "authentication.k8s.io",
];
/// Fields of the status that the platform writes.
pub(super) const RESERVED_STATUS: [&str; 6] =
    ["ready", "waitingOn", "childRefs", "conditions", "revision", "observedGeneration"];
/// Fields of the metadata that a template may have.
const METADATA: [&str; 4] = ["name", "namespace", "labels", "annotations"];

/// Whether the kinds of a group are no blueprint's business.
pub(super) fn is_forbidden(group: &str) -> bool {
    FORBIDDEN_GROUPS.contains(&group) || group.ends_with(".kcp.io")
}

/// Everything a graph asks for that it may not have. `known` are the kinds that its resources are of.
pub(super) fn faults(graph: &ResourceGraph, version: &str, known: &[Known]) -> Vec<Fault> {
    let mut faults = Vec::new();
    if semver::Version::parse(version).is_err() {
        faults.push(Fault::new("version", format!("{version:?} is no version such as 1.0.0")));
    }
    if is_forbidden(names::group_of(graph)) || !names::group_of(graph).contains('.') {
        faults.push(Fault::new("schema.group", format!("no blueprint can be of {:?}", names::group_of(graph))));
    }
    for field in graph.schema.status.as_object().into_iter().flat_map(Map::keys) {
        if RESERVED_STATUS.contains(&field.as_str()) {
            faults.push(Fault::new(format!("schema.status.{field}"), "the platform writes this field"));
        }
    }
    for (position, resource) in graph.resources.iter().enumerate() {
        let at = format!("resources[{position}]");
        check_kind(graph, resource, known, &at, &mut faults);
        if let Some(template) = &resource.template {
            check_metadata(graph, template, &at, &mut faults);
        }
    }
    faults
}

/// API version, kind, and where they are said.
pub(super) fn kind_of(resource: &Resource) -> Option<(&str, &str, &'static str)> {
    let (api_version, kind, place) = match (&resource.template, &resource.external_ref) {
        (Some(template), _) => {
            let text = |field| template.get(field).and_then(Value::as_str).unwrap_or_default();
            (text("apiVersion"), text("kind"), "template")
        }
        (None, Some(external)) => (external.api_version.as_str(), external.kind.as_str(), "externalRef"),
        (None, None) => return None,
    };
    let is_plain = |text: &str| !text.is_empty() && !text.contains("${");
    (is_plain(api_version) && is_plain(kind)).then_some((api_version, kind, place))
}

fn check_kind(graph: &ResourceGraph, resource: &Resource, known: &[Known], at: &str, faults: &mut Vec<Fault>) {
    let Some((api_version, kind, place)) = kind_of(resource) else { return };
    let at = format!("{at}.{place}");
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    if is_forbidden(group) {
        faults.push(Fault::new(at, format!("a blueprint cannot have objects of {group}")));
        return;
    }
    let Some(used) = known.iter().map(|known| &known.used).find(|u| u.api_version == api_version && u.kind == kind)
    else {
        return;
    };
    if !used.namespaced && graph.schema.scope == InstanceScope::Namespaced {
        let message = format!("a {kind} is in no namespace, and cannot belong to an instance that is in one");
        faults.push(Fault::new(&at, message));
    }
    if used.identity_hash.is_empty() && !is_claimable(group, &used.plural) {
        let message = format!("{kind} of {api_version} is no kind that other workspaces can bind; export it");
        faults.push(Fault::new(&at, message));
    }
}

/// Builtin kinds that an export can ask its consumers for.
fn is_claimable(group: &str, plural: &str) -> bool {
    let core = ["configmaps", "secrets", "serviceaccounts", "resourcequotas", "namespaces", "events"];
    match group {
        "" => core.contains(&plural),
        "coordination.k8s.io" => plural == "leases",
        _ => false,
    }
}

fn check_metadata(graph: &ResourceGraph, template: &Map<String, Value>, at: &str, faults: &mut Vec<Fault>) {
    let Some(metadata) = template.get("metadata").and_then(Value::as_object) else { return };
    let at = format!("{at}.template.metadata");
    for field in metadata.keys().filter(|field| !METADATA.contains(&field.as_str())) {
        faults.push(Fault::new(format!("{at}.{field}"), "only the platform writes this field"));
    }
    for part in ["labels", "annotations"] {
        let names = metadata.get(part).and_then(Value::as_object).into_iter().flat_map(Map::keys);
        for name in names.filter(|name| is_reserved(name)) {
            faults.push(Fault::new(format!("{at}.{part}[{name:?}]"), "only the platform writes this key"));
        }
    }
    let namespace = metadata.get("namespace").and_then(Value::as_str).map(str::trim);
    let own = ["${schema.metadata.namespace}", "${ schema.metadata.namespace }"];
    if graph.schema.scope == InstanceScope::Namespaced && namespace.is_some_and(|namespace| !own.contains(&namespace)) {
        faults.push(Fault::new(format!("{at}.namespace"), "objects are made in the namespace of the instance"));
    }
    if namespace.is_none() && metadata.contains_key("namespace") {
        faults.push(Fault::new(format!("{at}.namespace"), "it must be a text"));
    }
}

/// Whether a label or annotation is the platform's.
pub(super) fn is_reserved(name: &str) -> bool {
    let prefix = name.split_once('/').map_or("", |(prefix, _)| prefix);
    prefix == "kcp.io" || prefix.ends_with(".kcp.io") || prefix.ends_with("kdp.k8c.io")
}
