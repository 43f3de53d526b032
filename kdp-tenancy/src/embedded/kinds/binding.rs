//! APIBindings: they bring the resources of an export into their workspace.

use kdp_core::{LogicalClusterName, WorkspacePath, api::apis::BINDING_FINALIZER};
use serde_json::{Value, json};
use sha2::{Digest, Sha224};

use super::{bound_schema, claim_names, claims, is_system, set_condition};
use crate::embedded::{
    auth::{Attributes, ResourceAttributes},
    consumers::bound_export,
    object::{self, metadata_mut, object_at, str_at},
    registry::{Caller, Extra, Place, Registry, rules::invalid},
    status::{FieldError, Result, StatusError},
    surface::{ExportId, Origin},
};

const EXPORT_LABEL: &str = "internal.apis.kcp.io/export";

pub(super) async fn create(
    registry: &Registry,
    place: &Place,
    caller: &Caller,
    binding: &mut Value,
    extra: &mut Extra,
) -> Result<()> {
    check_bind(registry, place, caller, binding).await?;
    object::add_finalizer(binding, BINDING_FINALIZER);
    label(registry, &place.cluster, binding);
    settle(registry, &place.cluster, binding, extra).await
}

pub(super) async fn update(
    registry: &Registry,
    place: &Place,
    before: &Value,
    binding: &mut Value,
    extra: &mut Extra,
) -> Result<()> {
    label(registry, &place.cluster, binding);
    if before["spec"] == binding["spec"] {
        return Ok(());
    }
    if before["spec"]["reference"] != binding["spec"]["reference"] {
        let error = FieldError::invalid("spec.reference", binding["spec"]["reference"].clone(), "field is immutable");
        return Err(invalid(place, str_at(before, &["metadata", "name"]), vec![error]));
    }
    // Nobody needs the provider's leave to say what he grants it, least of all to take it back.
    if bound_export(before).is_none() {
        claim_names(registry, &place.cluster, extra).await?;
    }
    settle(registry, &place.cluster, binding, extra).await
}

/// Says in the label by which kcp finds the bindings of an export which one this is.
fn label(registry: &Registry, cluster: &LogicalClusterName, binding: &mut Value) {
    if let Some(export) = referred(registry, cluster, &binding["spec"]["reference"]["export"]) {
        let hash = Sha224::digest(format!("{}:{}", export.cluster, export.name));
        metadata_mut(binding);
        object_at(&mut binding["metadata"], "labels").insert(EXPORT_LABEL.into(), base62(&hash).into());
    }
}

/// The caller must be allowed to bind the export; a missing export looks the same as a forbidden one.
async fn check_bind(registry: &Registry, place: &Place, caller: &Caller, binding: &Value) -> Result<()> {
    if is_system(caller) {
        return Ok(());
    }
    let export = &binding["spec"]["reference"]["export"];
    if may_bind(registry, &place.cluster, caller, export).await? {
        return Ok(());
    }
    let name = str_at(binding, &["metadata", "name"]);
    Err(StatusError::forbidden(place.reference(), name, no_right_to_bind(export)))
}

/// Whether the caller may bind an export that is referred to from `cluster`.
pub(super) async fn may_bind(
    registry: &Registry,
    cluster: &LogicalClusterName,
    caller: &Caller,
    export: &Value,
) -> Result<bool> {
    let Some(home) = referred(registry, cluster, export).and_then(|export| export.cluster.parse().ok()) else {
        return Ok(false);
    };
    let attributes = Attributes::Resource(ResourceAttributes {
        verb: "bind",
        group: "apis.kcp.io",
        resource: "apiexports",
        name: str_at(export, &["name"]),
        ..ResourceAttributes::default()
    });
    registry.authorizer.has_right(&caller.identity, &home, &attributes).await
}

pub(super) fn no_right_to_bind(export: &Value) -> String {
    format!("no permission to bind to export {}:{}", str_at(export, &["path"]), str_at(export, &["name"]))
}

/// The export that a reference in `cluster` means.
pub(super) fn referred(registry: &Registry, cluster: &LogicalClusterName, export: &Value) -> Option<ExportId> {
    let name = str_at(export, &["name"]).to_owned();
    let cluster = match str_at(export, &["path"]) {
        "" => cluster.clone(),
        path => registry.index.resolve(&path.parse::<WorkspacePath>().ok()?)?,
    };
    Some(ExportId { cluster: cluster.as_str().into(), name })
}

/// Works out what the binding brings, from the export and its schemas as they are now.
///
/// Once bound, a binding stays bound: a resource that its export no longer offers remains.
pub(crate) async fn settle(
    registry: &Registry,
    cluster: &LogicalClusterName,
    binding: &mut Value,
    extra: &mut Extra,
) -> Result<()> {
    let was_bound = str_at(binding, &["status", "phase"]) == "Bound";
    if !was_bound {
        object_at(binding, "status").insert("phase".into(), "Binding".into());
    }
    let found = match referred(registry, cluster, &binding["spec"]["reference"]["export"]) {
        Some(id) => match id.cluster.parse() {
            Ok(home) => {
                registry.find(&home, "apis.kcp.io", "apiexports", None, &id.name).await?.map(|(_, e)| (id, home, e))
            }
            Err(_) => None,
        },
        None => None,
    };
    let made = |export: &Value| export["spec"]["permissionClaims"].as_array().cloned().unwrap_or_default();
    if was_bound {
        // First of all, whatever else is wrong: a consumer can always take back what it granted.
        let bound_to = str_at(binding, &["status", "apiExportClusterName"]);
        let of = found.as_ref().filter(|(id, ..)| id.cluster == bound_to).map(|(.., export)| made(export));
        let known = || binding["status"]["exportPermissionClaims"].as_array().cloned().unwrap_or_default();
        let made = of.unwrap_or_else(known);
        claims::settle(binding, made);
    }
    let Some((id, home, export)) = found else {
        refuse(binding, "APIExportValid", "APIExportNotFound", "the APIExport was not found");
        return Ok(());
    };
    let bound_to = str_at(binding, &["status", "apiExportClusterName"]);
    if !bound_to.is_empty() && bound_to != id.cluster {
        // What the consumer consented to was another export, whoever stands at its path now.
        refuse(binding, "APIExportValid", "APIExportNotFound", "the APIExport that was bound is gone");
        return Ok(());
    }
    let own_name = str_at(binding, &["metadata", "name"]);
    if registry.index.binding_name(&id, cluster).is_some_and(|name| name != own_name) {
        let message = "another APIBinding of this workspace binds the export already";
        refuse(binding, "InitialBindingCompleted", "NamingConflicts", message);
        return Ok(());
    }
    let identity = str_at(&export, &["status", "identityHash"]).to_owned();
    if identity.is_empty() {
        refuse(binding, "APIExportValid", "MissingIdentityHash", "the APIExport has no identity yet");
        return Ok(());
    }
    let mut bound = Vec::new();
    for resource in export["spec"]["resources"].as_array().into_iter().flatten() {
        let schema_name = str_at(resource, &["schema"]);
        let schema = registry.find(&home, "apis.kcp.io", "apiresourceschemas", None, schema_name).await?;
        let Some((_, schema)) = schema else {
            let message = format!("APIResourceSchema {schema_name} was not found");
            refuse(binding, "APIExportValid", "APIResourceSchemaInvalid", &message);
            return Ok(());
        };
        if let Some(conflict) = conflict(registry, cluster, &id, &schema).await? {
            refuse(binding, "InitialBindingCompleted", "NamingConflicts", &conflict);
            return Ok(());
        }
        let old = binding["status"]["boundResources"].as_array().cloned().unwrap_or_default();
        if !old.iter().any(|old| old["schema"]["UID"] == schema["metadata"]["uid"]) {
            bound_schema::keep(registry, &schema, extra).await?;
        }
        bound.push(json!({
            "group": schema["spec"]["group"], "resource": schema["spec"]["names"]["plural"],
            "schema": {"name": schema_name, "UID": schema["metadata"]["uid"], "identityHash": identity},
            "storageVersions": storage_versions(&schema, &old),
        }));
    }
    for old in binding["status"]["boundResources"].as_array().into_iter().flatten() {
        let same = |new: &Value| new["group"] == old["group"] && new["resource"] == old["resource"];
        if !bound.iter().any(same) {
            bound.push(old.clone());
        }
    }
    claims::settle(binding, made(&export));
    let status = object_at(binding, "status");
    status.insert("apiExportClusterName".into(), id.cluster.into());
    status.insert("boundResources".into(), bound.into());
    status.insert("phase".into(), "Bound".into());
    for condition in ["APIExportValid", "InitialBindingCompleted", "BindingUpToDate", "Ready"] {
        set_condition(binding, condition, "True", "", "");
    }
    Ok(())
}

/// What was once bound stays so: then only what is new is refused.
fn refuse(binding: &mut Value, condition: &str, reason: &str, message: &str) {
    let is_bound = str_at(binding, &["status", "phase"]) == "Bound";
    match condition {
        "InitialBindingCompleted" if is_bound => set_condition(binding, "BindingUpToDate", "False", reason, message),
        _ => set_condition(binding, condition, "False", reason, message),
    }
    if !is_bound {
        set_condition(binding, "Ready", "False", reason, message);
    }
}

/// Whether the workspace serves something else under the names of `schema`.
async fn conflict(
    registry: &Registry,
    cluster: &LogicalClusterName,
    id: &ExportId,
    schema: &Value,
) -> Result<Option<String>> {
    let (group, plural) = (str_at(schema, &["spec", "group"]), str_at(schema, &["spec", "names", "plural"]));
    let kind = str_at(schema, &["spec", "names", "kind"]);
    let surface = registry.index.surface(cluster).await?;
    let taken = surface.each_resource().find(|served| {
        let own = matches!(&served.origin, Origin::Bound { export, .. } if export == id);
        !own && served.resource.group == group && (served.resource.plural == plural || served.resource.kind == kind)
    });
    Ok(taken.map(|served| format!("{}.{group} is already served in this workspace", served.resource.plural)))
}

/// The versions that objects may be stored in: that of `schema`, and those there were before it.
fn storage_versions(schema: &Value, bound: &[Value]) -> Vec<Value> {
    let (group, plural) = (&schema["spec"]["group"], &schema["spec"]["names"]["plural"]);
    let before = bound.iter().find(|old| old["group"] == *group && old["resource"] == *plural);
    let mut versions = before.and_then(|old| old["storageVersions"].as_array()).cloned().unwrap_or_default();
    let all = schema["spec"]["versions"].as_array().into_iter().flatten();
    for version in all.filter(|version| version["storage"] == true).map(|version| &version["name"]) {
        if !versions.contains(version) {
            versions.push(version.clone());
        }
    }
    versions
}

/// A big-endian number in the digits 0-9, a-z, A-Z, without leading zeros, as kcp writes hashes.
pub(crate) fn base62(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut number = bytes.to_vec();
    let mut digits = Vec::new();
    while number.iter().any(|byte| *byte != 0) {
        let mut remainder = 0u32;
        for byte in &mut number {
            let value = (remainder << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).expect("a remainder below 62 keeps the quotient below 256");
            remainder = value % 62;
        }
        digits.push(char::from(DIGITS[remainder as usize]));
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_written_as_kcp_writes_them() {
        assert_eq!(base62(&Sha224::digest("")), "aAkHCkvjglfF66mdhRcVKb0I3FT1lepYlWZNwj");
        assert_eq!(base62(&Sha224::digest("root:tenancy.kcp.io")), "bmCdly9xXiUpEHe3ypvDwvXMTfoVZUE92mqAQf");
    }
}
