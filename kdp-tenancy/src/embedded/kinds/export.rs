//! APIExports: identity, and the endpoint slice that belongs to each.

use kdp_core::api::PATH_ANNOTATION;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{claims, namespace, put_new, set_condition};
use crate::{
    embedded::{
        key::ResourceKey,
        object::{object_at, str_at},
        registry::{Extra, Place, Registry},
        status::{FieldError, Result},
    },
    store::Change,
};

const IDENTITY_NAMESPACE: &str = "kcp-system";

pub(super) async fn create(registry: &Registry, place: &Place, export: &mut Value, extra: &mut Extra) -> Result<()> {
    let name = str_at(export, &["metadata", "name"]).to_owned();
    let path = registry.index.path(&place.cluster);
    object_at(&mut export["metadata"], "annotations").insert(PATH_ANNOTATION.into(), path.as_str().into());
    settle_identity(registry, place, export, &name, extra).await?;
    let slice = ResourceKey::new(&place.cluster, "apis.kcp.io", "apiexportendpointslices").object(None, &name);
    if registry.store.get(&slice).await?.is_none() {
        let object = json!({
            "kind": "APIExportEndpointSlice",
            "metadata": {"name": name, "ownerReferences": [{
                "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "name": name, "uid": export["metadata"]["uid"],
            }]},
            "spec": {"export": {"path": path.as_str(), "name": name}},
            "status": {"conditions": [], "endpoints": []},
        });
        extra.conditions.push((slice, None));
        extra.changes.push(put_new(&place.cluster, "apis.kcp.io", "apiexportendpointslices", "v1alpha1", object)?);
    }
    Ok(())
}

/// The server owns the status and the identity.
pub(super) fn update(before: &Value, export: &mut Value) {
    export["status"] = before["status"].clone();
    object_at(export, "spec").insert("identity".into(), before["spec"]["identity"].clone());
}

pub(super) fn validate(export: &Value) -> Vec<FieldError> {
    let secret = &export["spec"]["identity"]["secretRef"];
    let misnamed =
        ["namespace", "name"].into_iter().filter(|field| str_at(secret, &[field]).contains('/')).map(|field| {
            let path = format!("spec.identity.secretRef.{field}");
            FieldError::invalid(path, str_at(secret, &[field]), "must be a name")
        });
    let resources = export["spec"]["resources"].as_array();
    let of_resources = resources.into_iter().flatten().enumerate().filter_map(|(i, resource)| {
        let path = format!("spec.resources[{i}]");
        if !resource["storage"]["virtual"].is_null() {
            let detail = "resources behind a virtual workspace are not supported; use crd";
            return Some(FieldError::forbidden(format!("{path}.storage.virtual"), detail));
        }
        let group = match str_at(resource, &["group"]) {
            "" => "core",
            group => group,
        };
        let suffix = format!(".{}.{group}", str_at(resource, &["name"]));
        let schema = str_at(resource, &["schema"]);
        // Without another dot in front: v1alpha1 takes group and name from here.
        let is_named = schema.strip_suffix(&suffix).is_some_and(|prefix| !prefix.contains('.'));
        (!is_named).then(|| {
            FieldError::invalid(format!("{path}.schema"), schema, format!("must be a prefix without dots and {suffix}"))
        })
    });
    misnamed.chain(of_resources).chain(claims::validate_made(export)).collect()
}

/// Removes the endpoint slice with its export.
pub(super) async fn remove(registry: &Registry, place: &Place, export: &Value, extra: &mut Extra) -> Result<()> {
    let key = ResourceKey::new(&place.cluster, "apis.kcp.io", "apiexportendpointslices");
    let key = key.object(None, str_at(export, &["metadata", "name"]));
    if registry.store.get(&key).await?.is_some() {
        extra.changes.push(Change::Delete(key));
    }
    Ok(())
}

/// Finds or makes the key whose hash identifies the export.
async fn settle_identity(
    registry: &Registry,
    place: &Place,
    export: &mut Value,
    name: &str,
    extra: &mut Extra,
) -> Result<()> {
    let said = |field: &str, or: &str| match str_at(export, &["spec", "identity", "secretRef", field]) {
        "" => or.to_owned(),
        said => said.to_owned(),
    };
    let (holder, secret) = (said("namespace", IDENTITY_NAMESPACE), said("name", name));
    let key = match registry.find(&place.cluster, "", "secrets", Some(&holder), &secret).await? {
        Some((_, found)) => object_bytes(&found),
        None => {
            let key = new_key();
            if registry.find(&place.cluster, "", "namespaces", None, &holder).await?.is_none() {
                let holder_key = ResourceKey::new(&place.cluster, "", "namespaces").object(None, &holder);
                extra.conditions.push((holder_key, None));
                extra.changes.push(put_new(&place.cluster, "", "namespaces", "v1", namespace::new(&holder))?);
            }
            let mut object = json!({
                "kind": "Secret", "metadata": {"name": secret, "namespace": holder}, "stringData": {"key": key},
            });
            super::secret::complete(&mut object);
            extra
                .conditions
                .push((ResourceKey::new(&place.cluster, "", "secrets").object(Some(&holder), &secret), None));
            extra.changes.push(put_new(&place.cluster, "", "secrets", "v1", object)?);
            key.into_bytes()
        }
    };
    if key.is_empty() {
        let message = format!("Secret {holder}/{secret} has no field key");
        set_condition(export, "IdentityValid", "False", "IdentityVerificationFailed", &message);
        return Ok(());
    }
    object_at(export, "spec").insert("identity".into(), json!({"secretRef": {"namespace": holder, "name": secret}}));
    object_at(export, "status").insert("identityHash".into(), format!("{:x}", Sha256::digest(&key)).into());
    set_condition(export, "IdentityValid", "True", "", "");
    Ok(())
}

fn object_bytes(secret: &Value) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.decode(str_at(secret, &["data", "key"])).unwrap_or_default()
}

/// 256 random bits, in hex.
fn new_key() -> String {
    let (high, low): (u128, u128) = rand::random();
    format!("{high:032x}{low:032x}")
}
