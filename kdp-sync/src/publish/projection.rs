//! How a kind looks to tenants.

use kube::core::Version;
use serde_json::{Value, json};

use crate::{
    api::{PublishedResourceSpec, ResourceProjection, Scope},
    diagnostic::{Diagnostic, Diagnostics},
    object::ResourceType,
};

/// A kind on both sides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Projection {
    /// The spec of the CustomResourceDefinition, as tenants see it.
    pub(crate) spec: Value,
    /// Generation of the source definition.
    pub(crate) generation: i64,
    /// The kind on the service cluster, in its own storage version.
    pub(crate) local: ResourceType,
    pub(crate) local_scope: Scope,
    /// The kind in the workspaces, in the storage version that is left.
    pub(crate) remote: ResourceType,
    pub(crate) remote_scope: Scope,
    /// Whether tenants see a status subresource.
    pub(crate) has_status: bool,
}

/// Projects the definition of a kind; nothing but names, versions and scope changes.
///
/// # Errors
/// Each field of the published resource that does not fit the definition.
pub(crate) fn project(crd: &Value, published: &PublishedResourceSpec) -> Result<Projection, Vec<Diagnostic>> {
    let mut faults = Diagnostics::default();
    let projected = try_project(crd, published).map_err(|fault| faults.push(fault.field, fault.message)).ok();
    faults.finish(projected)
}

fn try_project(crd: &Value, published: &PublishedResourceSpec) -> Result<Projection, Diagnostic> {
    let source = &crd["spec"];
    let mut spec = source.clone();
    let mut versions = selected(source, published)?;
    for version in &mut versions {
        if version["schema"]["openAPIV3Schema"].is_null() {
            version["schema"] =
                json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        }
    }
    keep_a_storage_version(&mut versions)?;
    if let Some(projection) = &published.projection {
        rename_versions(&mut versions, projection)?;
        rename(&mut spec, projection);
    }
    spec["versions"] = Value::Array(versions);
    if text(&spec["group"]).is_empty() {
        return Err(Diagnostic::new(
            "spec.projection.group",
            "a kind of the core group needs another group for tenants",
        ));
    }
    let storage = storage_version(&spec).unwrap_or_default();
    Ok(Projection {
        generation: crd["metadata"]["generation"].as_i64().unwrap_or_default(),
        local: resource_type(source),
        local_scope: scope(source),
        remote: resource_type(&spec),
        remote_scope: scope(&spec),
        has_status: storage["subresources"]["status"].is_object(),
        spec,
    })
}

fn selected(source: &Value, published: &PublishedResourceSpec) -> Result<Vec<Value>, Diagnostic> {
    let (single, several) = (&published.resource.version, &published.resource.versions);
    if !single.is_empty() && !several.is_empty() {
        return Err(Diagnostic::new("spec.resource.version", "cannot be set together with versions"));
    }
    let is_selected = |version: &Value| {
        let name = text(&version["name"]);
        if !single.is_empty() { name == single } else { several.is_empty() || several.iter().any(|v| v == name) }
    };
    let all = source["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let selected: Vec<_> = all.iter().filter(|version| is_selected(version)).cloned().collect();
    if selected.is_empty() {
        let known: Vec<_> = all.iter().map(|version| text(&version["name"])).collect();
        let field = if single.is_empty() { "spec.resource.versions" } else { "spec.resource.version" };
        return Err(Diagnostic::new(field, format!("no such version; the kind has {}", known.join(", "))));
    }
    Ok(selected)
}

/// Makes the last served version the storage version if that was not selected.
fn keep_a_storage_version(versions: &mut [Value]) -> Result<(), Diagnostic> {
    let last_served = versions.iter().rposition(|version| version["served"] == json!(true));
    let last_served =
        last_served.ok_or_else(|| Diagnostic::new("spec.resource.versions", "none of the versions is served"))?;
    if !versions.iter().any(|version| version["storage"] == json!(true)) {
        versions[last_served]["storage"] = true.into();
    }
    Ok(())
}

fn rename_versions(versions: &mut [Value], projection: &ResourceProjection) -> Result<(), Diagnostic> {
    if !projection.version.is_empty() {
        let count = versions.len();
        let [only] = versions else {
            let message = format!("needs exactly one version, but {count} are selected; use versions");
            return Err(Diagnostic::new("spec.projection.version", message));
        };
        only["name"] = projection.version.clone().into();
        return Ok(());
    }
    if projection.versions.is_empty() {
        return Ok(());
    }
    for version in versions.iter_mut() {
        if let Some(new) = projection.versions.get(text(&version["name"])).filter(|new| !new.is_empty()) {
            version["name"] = new.clone().into();
        }
    }
    versions.sort_by_key(priority);
    if let Some(pair) = versions.windows(2).find(|pair| pair[0]["name"] == pair[1]["name"]) {
        let message = format!("two versions would be called {}", text(&pair[0]["name"]));
        return Err(Diagnostic::new("spec.projection.versions", message));
    }
    Ok(())
}

fn priority(version: &Value) -> impl Ord + use<> {
    Version::parse(text(&version["name"])).priority()
}

fn rename(spec: &mut Value, projection: &ResourceProjection) {
    if !projection.group.is_empty() {
        spec["group"] = projection.group.clone().into();
    }
    let names = &mut spec["names"];
    if !projection.kind.is_empty() {
        let singular = projection.kind.to_lowercase();
        names["kind"] = projection.kind.clone().into();
        names["listKind"] = format!("{}List", projection.kind).into();
        names["plural"] = format!("{singular}s").into();
        names["singular"] = singular.into();
    }
    if !projection.plural.is_empty() {
        names["plural"] = projection.plural.clone().into();
    }
    if let Some(categories) = &projection.categories {
        names["categories"] = categories.clone().into();
    }
    if let Some(short_names) = &projection.short_names {
        names["shortNames"] = short_names.clone().into();
    }
    if let Some(scope) = projection.scope {
        spec["scope"] = json!(scope);
    }
}

fn resource_type(spec: &Value) -> ResourceType {
    ResourceType {
        group: text(&spec["group"]).into(),
        version: storage_version(spec).map(|version| text(&version["name"])).unwrap_or_default().into(),
        kind: text(&spec["names"]["kind"]).into(),
        plural: text(&spec["names"]["plural"]).into(),
    }
}

fn storage_version(spec: &Value) -> Option<&Value> {
    spec["versions"].as_array()?.iter().find(|version| version["storage"] == json!(true))
}

fn scope(spec: &Value) -> Scope {
    if spec["scope"] == json!("Cluster") { Scope::Cluster } else { Scope::Namespaced }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
