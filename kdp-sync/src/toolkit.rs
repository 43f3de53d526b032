//! Looks at a PublishedResource without an agent.

use std::fmt;

use kdp_core::{Error, api::apis::APIResourceSchema};
use kube::Client;
use serde_json::{Value, json};

use crate::{
    Diagnostic,
    agent::kind_of,
    api::{PublishedResourceSpec, ResourceProjection, Scope, Side},
    engine::{FoundKind, Kinds, Plan, PlanOptions, Policies, needed_kinds},
    object::ResourceType,
    publish::{Projection, project, related_faults, resource_schema},
};

/// Everything that is wrong with a PublishedResource, with the field it is in.
///
/// Without the CustomResourceDefinition of its kind, nothing can be said of versions, and the kind is
/// taken to be in namespaces. Whether the kinds of related resources exist is looked at by
/// [`validate_on`] only; here it is seen whether they could.
///
/// ```
/// use serde_json::json;
///
/// let resource = json!({
///     "apiVersion": "syncagent.kcp.io/v1alpha1",
///     "kind": "PublishedResource",
///     "metadata": {"name": "databases"},
///     "spec": {
///         "resource": {"apiGroup": "example.com", "kind": "Database"},
///         "naming": {"name": "{{ .Object.metadata.name"},
///     },
/// });
/// let faults = kdp_sync::toolkit::validate(&resource, None);
/// assert_eq!(faults[0].field, "spec.naming.name");
/// ```
#[must_use]
pub fn validate(resource: &Value, definition: Option<&Value>) -> Vec<Diagnostic> {
    match spec(resource) {
        Ok(published) => {
            let kinds = needed_kinds(&published).into_iter().map(|kind| (kind, unknown())).collect();
            check(resource, &published, definition, &kinds)
        }
        Err(fault) => vec![fault],
    }
}

/// The same, where the kinds of related resources are looked up on a service cluster. Those in the
/// workspaces of tenants are taken to exist, and to be in namespaces.
///
/// # Errors
/// When the cluster does not tell its kinds.
pub async fn validate_on(
    service_cluster: &Client,
    resource: &Value,
    definition: Option<&Value>,
) -> Result<Vec<Diagnostic>, Error> {
    let published = match spec(resource) {
        // What cannot exist need not be asked for.
        Ok(published) if related_faults(&published).is_empty() => published,
        _ => return Ok(validate(resource, definition)),
    };
    let mut kinds = Kinds::new();
    for kind in needed_kinds(&published) {
        let found = match kind.side {
            Side::Service => kind_of(service_cluster, &kind).await?,
            Side::Kcp => Some(unknown()),
        };
        kinds.extend(found.map(|found| (kind, found)));
    }
    Ok(check(resource, &published, definition, &kinds))
}

/// A kind of which nothing is known.
fn unknown() -> FoundKind {
    FoundKind { kind: "Unknown".into(), scope: Scope::Namespaced }
}

fn check(
    resource: &Value,
    published: &PublishedResourceSpec,
    definition: Option<&Value>,
    kinds: &Kinds,
) -> Vec<Diagnostic> {
    let (projection, mut faults) = match definition.map(|definition| project(definition, published)) {
        Some(Ok(projection)) => (projection, Vec::new()),
        Some(Err(faults)) => (assumed(published), faults),
        None => (assumed(published), Vec::new()),
    };
    faults.extend(related_faults(published));
    let options = PlanOptions { agent: "validate".into(), state_namespace: "validate".into() };
    let plan = Plan::compile(published, &projection, kinds, &options);
    let policies = Policies::of(resource);
    faults.extend(plan.as_ref().err().into_iter().chain(policies.as_ref().err()).flatten().cloned());
    if let (Ok(plan), Ok(policies)) = (plan, policies) {
        faults.extend(plan.with_policies(policies).err().into_iter().flatten());
    }
    faults
}

/// The CustomResourceDefinition of a kind as tenants see it.
///
/// # Errors
/// Each field of the PublishedResource that does not fit the definition.
pub fn projected_definition(resource: &Value, definition: &Value) -> Result<Value, Vec<Diagnostic>> {
    let published = spec(resource).map_err(|fault| vec![fault])?;
    let Projection { remote, spec, .. } = project(definition, &published)?;
    Ok(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": remote.resource_name()},
        "spec": spec,
    }))
}

/// The APIResourceSchema that the agent of this name makes of a PublishedResource.
///
/// # Errors
/// As [`projected_definition`].
pub fn projected_schema(
    resource: &Value,
    definition: &Value,
    agent: &str,
) -> Result<APIResourceSchema, Vec<Diagnostic>> {
    let published = spec(resource).map_err(|fault| vec![fault])?;
    let projection = project(definition, &published)?;
    resource_schema(&projection, agent).map_err(|fault| vec![fault])
}

/// A fault that somebody else found in a PublishedResource.
#[must_use]
pub fn fault(field: &str, message: impl fmt::Display) -> Diagnostic {
    Diagnostic::new(field, message)
}

/// Whether a CustomResourceDefinition is that of a PublishedResource's kind.
#[must_use]
pub fn is_definition_of(definition: &Value, resource: &Value) -> bool {
    let source = &resource["spec"]["resource"];
    definition["spec"]["group"] == source["apiGroup"] && definition["spec"]["names"]["kind"] == source["kind"]
}

fn spec(resource: &Value) -> Result<PublishedResourceSpec, Diagnostic> {
    if resource["kind"] != "PublishedResource" {
        return Err(Diagnostic::new("kind", "it is no PublishedResource"));
    }
    serde_json::from_value(resource["spec"].clone()).map_err(|error| Diagnostic::new("spec", error))
}

/// The projection of a kind of which nothing is known but its name.
fn assumed(published: &PublishedResourceSpec) -> Projection {
    let ResourceProjection { group, kind, scope, .. } = published.projection.clone().unwrap_or_default();
    let or = |new: String, old: &str| if new.is_empty() { old.to_owned() } else { new };
    let types = |group: String, kind: String| ResourceType {
        group,
        version: "v1".into(),
        plural: format!("{}s", kind.to_lowercase()),
        kind,
    };
    let source = &published.resource;
    Projection {
        spec: Value::Null,
        generation: 0,
        local: types(source.api_group.clone(), source.kind.clone()),
        local_scope: Scope::Namespaced,
        remote: types(or(group, &source.api_group), or(kind, &source.kind)),
        remote_scope: scope.unwrap_or(Scope::Namespaced),
        has_status: true,
    }
}

#[cfg(test)]
mod tests;
