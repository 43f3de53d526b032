//! APIExport and APIBinding between `v1alpha1` and `v1alpha2`, which is stored.

use serde_json::{Value, json};

use super::claims::{Claims, annotation, annotations_mut, store_annotation};
use crate::embedded::status::FieldError;

/// Resources of an export that are not stored as objects, in `v1alpha1`.
const RESOURCES: &str = "apis.v1alpha2.kcp.io/resource-schemas";

const EXPORT_CLAIMS: Claims = Claims {
    path: &["spec", "permissionClaims"],
    in_v1: "apis.v1alpha2.kcp.io/permission-claims",
    in_v2: "apis.v1alpha2.kcp.io/v1alpha1-permission-claims",
    has_selector: false,
};

const BINDING_CLAIMS: [Claims; 3] = [
    Claims {
        path: &["spec", "permissionClaims"],
        in_v1: "apis.v1alpha2.kcp.io/acceptable-permission-claims",
        in_v2: "apis.v1alpha2.kcp.io/v1alpha1-permission-claims",
        has_selector: true,
    },
    Claims {
        path: &["status", "exportPermissionClaims"],
        in_v1: "apis.v1alpha2.kcp.io/status-export-permission-claims",
        in_v2: "apis.v1alpha2.kcp.io/v1alpha1-status-export-permission-claims",
        has_selector: false,
    },
    Claims {
        path: &["status", "appliedPermissionClaims"],
        in_v1: "apis.v1alpha2.kcp.io/status-applied-permission-claims",
        in_v2: "apis.v1alpha2.kcp.io/v1alpha1-status-applied-permission-claims",
        has_selector: true,
    },
];

pub(super) fn binding_from_stored(binding: &mut Value) {
    for claims in &BINDING_CLAIMS {
        claims.show(binding);
    }
}

pub(super) fn binding_to_stored(binding: &mut Value) -> Result<(), Vec<FieldError>> {
    let errors: Vec<_> = BINDING_CLAIMS.iter().filter_map(|claims| claims.store(binding).err()).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

pub(super) fn export_from_stored(export: &mut Value) {
    EXPORT_CLAIMS.show(export);
    let Some(Value::Array(resources)) = take(export, "resources") else {
        annotations_mut(export, |annotations| drop(annotations.remove(RESOURCES)));
        return;
    };
    let (virtual_ones, stored): (Vec<_>, Vec<_>) =
        resources.into_iter().partition(|resource| !resource["storage"]["virtual"].is_null());
    store_annotation(export, RESOURCES, &virtual_ones);
    let names: Vec<_> = stored.iter().map(|resource| resource["schema"].clone()).collect();
    if !names.is_empty() {
        export["spec"]["latestResourceSchemas"] = names.into();
    }
}

pub(super) fn export_to_stored(export: &mut Value) -> Result<(), Vec<FieldError>> {
    let mut errors: Vec<_> = EXPORT_CLAIMS.store(export).err().into_iter().collect();
    let mut resources = Vec::new();
    let names = take(export, "latestResourceSchemas");
    for (i, name) in names.as_ref().and_then(Value::as_array).into_iter().flatten().enumerate() {
        match resource(name.as_str().unwrap_or_default()) {
            Some(resource) => resources.push(resource),
            None => errors.push(FieldError::invalid(
                format!("spec.latestResourceSchemas[{i}]"),
                name.clone(),
                "must be <prefix>.<plural>.<group>, with core for the group without a name",
            )),
        }
    }
    match annotation(export, RESOURCES) {
        Ok(more) => resources.extend(more),
        Err(error) => errors.push(error),
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    annotations_mut(export, |annotations| drop(annotations.remove(RESOURCES)));
    if !resources.is_empty() {
        export["spec"]["resources"] = resources.into();
    }
    Ok(())
}

/// What the name of a schema says of its resource.
fn resource(schema: &str) -> Option<Value> {
    let mut parts = schema.splitn(3, '.');
    let (_prefix, name, group) = (parts.next()?, parts.next()?, parts.next()?);
    let group = if group == "core" { "" } else { group };
    Some(json!({"group": group, "name": name, "schema": schema, "storage": {"crd": {}}}))
}

fn take(export: &mut Value, field: &str) -> Option<Value> {
    export.get_mut("spec")?.as_object_mut()?.remove(field)
}
