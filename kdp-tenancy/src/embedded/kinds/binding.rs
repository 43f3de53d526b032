//! APIBindings: they bring the resources of an export into their workspace.

use kdp_core::{LogicalClusterName, WorkspacePath, api::apis::BINDING_FINALIZER};
use serde_json::{Value, json};
use sha2::{Digest, Sha224};

use super::{is_system, set_condition};
use crate::{
    embedded::{
        auth::{Attributes, ResourceAttributes},
        index::{BOUND_SCHEMAS, bound_schema_key},
        object::{self, metadata_mut, object_at, str_at},
        registry::{Caller, Extra, Place, Registry, rules::invalid},
        status::{FieldError, Result, StatusError},
        surface::{ExportId, Origin},
    },
    store::Change,
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
    metadata_mut(binding).insert("finalizers".into(), json!([BINDING_FINALIZER]));
    if let Some(export) = referred(registry, &place.cluster, binding) {
        let hash = Sha224::digest(format!("{}:{}", export.cluster, export.name));
        object_at(&mut binding["metadata"], "labels").insert(EXPORT_LABEL.into(), base62(&hash).into());
    }
    settle(registry, &place.cluster, binding, extra).await
}

pub(super) async fn update(
    registry: &Registry,
    place: &Place,
    caller: &Caller,
    before: &Value,
    binding: &mut Value,
    extra: &mut Extra,
) -> Result<()> {
    if before["spec"] == binding["spec"] {
        return Ok(());
    }
    if before["spec"]["reference"] != binding["spec"]["reference"] {
        let error = FieldError::invalid("spec.reference", binding["spec"]["reference"].clone(), "field is immutable");
        return Err(invalid(place, str_at(before, &["metadata", "name"]), vec![error]));
    }
    check_bind(registry, place, caller, binding).await?;
    settle(registry, &place.cluster, binding, extra).await
}

/// The caller must be allowed to bind the export; a missing export looks the same as a forbidden one.
async fn check_bind(registry: &Registry, place: &Place, caller: &Caller, binding: &Value) -> Result<()> {
    if is_system(caller) {
        return Ok(());
    }
    let reference = &binding["spec"]["reference"]["export"];
    let name = str_at(reference, &["name"]);
    let cluster = referred(registry, &place.cluster, binding).and_then(|export| export.cluster.parse().ok());
    let allowed = match cluster {
        Some(cluster) => {
            let attributes = Attributes::Resource(ResourceAttributes {
                verb: "bind",
                group: "apis.kcp.io",
                resource: "apiexports",
                name,
                ..ResourceAttributes::default()
            });
            registry.authorizer.has_right(&caller.identity, &cluster, &attributes).await?
        }
        None => false,
    };
    if allowed {
        return Ok(());
    }
    let message = format!("no permission to bind to export {}:{name}", str_at(reference, &["path"]));
    Err(StatusError::forbidden(place.reference(), str_at(binding, &["metadata", "name"]), message))
}

fn referred(registry: &Registry, cluster: &LogicalClusterName, binding: &Value) -> Option<ExportId> {
    let reference = &binding["spec"]["reference"]["export"];
    let name = str_at(reference, &["name"]).to_owned();
    let cluster = match str_at(reference, &["path"]) {
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
    let found = match referred(registry, cluster, binding) {
        Some(id) => match id.cluster.parse() {
            Ok(home) => {
                registry.find(&home, "apis.kcp.io", "apiexports", None, &id.name).await?.map(|(_, e)| (id, home, e))
            }
            Err(_) => None,
        },
        None => None,
    };
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
        let (storage, change) = keep_schema(registry, &schema).await?;
        extra.changes.extend(change);
        bound.push(json!({
            "group": schema["spec"]["group"], "resource": schema["spec"]["names"]["plural"],
            "schema": {"name": schema_name, "UID": schema["metadata"]["uid"], "identityHash": identity},
            "storageVersions": storage,
        }));
    }
    for old in binding["status"]["boundResources"].as_array().into_iter().flatten() {
        let same = |new: &Value| new["group"] == old["group"] && new["resource"] == old["resource"];
        if !bound.iter().any(same) {
            bound.push(old.clone());
        }
    }
    let exported = export["spec"]["permissionClaims"].as_array().cloned().unwrap_or_default();
    let applied = applied_claims(binding, &exported);
    let status = object_at(binding, "status");
    status.insert("apiExportClusterName".into(), id.cluster.into());
    status.insert("boundResources".into(), bound.into());
    status.insert("exportPermissionClaims".into(), exported.into());
    status.insert("appliedPermissionClaims".into(), applied.into());
    status.insert("phase".into(), "Bound".into());
    let conditions = [
        "APIExportValid",
        "InitialBindingCompleted",
        "BindingUpToDate",
        "PermissionClaimsValid",
        "PermissionClaimsApplied",
        "Ready",
    ];
    for condition in conditions {
        set_condition(binding, condition, "True", "", "");
    }
    Ok(())
}

fn refuse(binding: &mut Value, condition: &str, reason: &str, message: &str) {
    set_condition(binding, condition, "False", reason, message);
    if str_at(binding, &["status", "phase"]) != "Bound" {
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

/// Copies a schema to where bindings keep what they use, so that deleting it at its export does
/// not take it from consumers. Returns the storage versions, and the change unless it is there.
async fn keep_schema(registry: &Registry, schema: &Value) -> Result<(Vec<Value>, Option<Change>)> {
    let versions = schema["spec"]["versions"].as_array();
    let storage = versions.into_iter().flatten().filter(|v| v["storage"] == true).map(|v| v["name"].clone()).collect();
    let key = bound_schema_key(str_at(schema, &["metadata", "uid"]));
    if registry.store.get(&key).await?.is_some() {
        return Ok((storage, None));
    }
    let home = BOUND_SCHEMAS.parse().expect("it is a system cluster name");
    Ok((storage, Some(Change::Put(key, object::encode(&home, schema.clone())?))))
}

/// The claims in force: those that the export makes and the consumer accepts.
fn applied_claims(binding: &Value, exported: &[Value]) -> Vec<Value> {
    let key = |claim: &Value| ["group", "resource", "identityHash"].map(|field| str_at(claim, &[field]).to_owned());
    binding["spec"]["permissionClaims"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|claim| claim["state"] == "Accepted")
        .filter_map(|claim| {
            let made = exported.iter().find(|made| key(made) == key(claim))?;
            let mut applied = claim.clone();
            applied["verbs"] = common_verbs(&claim["verbs"], &made["verbs"]);
            Some(applied)
        })
        .collect()
}

fn common_verbs(accepted: &Value, exported: &Value) -> Value {
    let list = |verbs: &Value| verbs.as_array().cloned().unwrap_or_default();
    let (accepted, exported) = (list(accepted), list(exported));
    let any = |verbs: &[Value]| verbs.iter().any(|verb| verb == "*");
    if any(&accepted) {
        return exported.into();
    }
    if any(&exported) {
        return accepted.into();
    }
    accepted.into_iter().filter(|verb| exported.contains(verb)).collect()
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

    #[test]
    fn a_claim_is_in_force_only_with_verbs_that_both_sides_name() {
        let binding = json!({"spec": {"permissionClaims": [
            {"group": "", "resource": "secrets", "verbs": ["*"], "state": "Accepted"},
            {"group": "", "resource": "configmaps", "verbs": ["*"], "state": "Rejected"},
            {"group": "", "resource": "events", "verbs": ["get", "list"], "state": "Accepted"},
            {"group": "", "resource": "namespaces", "verbs": ["*"], "state": "Accepted"},
        ]}});
        let exported = [
            json!({"group": "", "resource": "secrets", "verbs": ["get"]}),
            json!({"group": "", "resource": "configmaps", "verbs": ["*"]}),
            json!({"group": "", "resource": "events", "verbs": ["create", "list"]}),
        ];
        let applied = applied_claims(&binding, &exported);
        let seen: Vec<_> = applied.iter().map(|c| (c["resource"].clone(), c["verbs"].clone())).collect();
        assert_eq!(seen, [(json!("secrets"), json!(["get"])), (json!("events"), json!(["list"]))]);
    }
}
