//! What single kinds need beyond storage: derived fields, rules, and what is written with them.

mod binding;
pub(crate) mod bound_schema;
pub(crate) mod claims;
pub(crate) mod crd;
pub(crate) mod export;
pub(crate) mod logical_cluster;
pub(crate) mod namespace;
pub(crate) mod quota;
mod rbac;
mod reserved;
mod secret;
pub(crate) mod service_account;
pub(crate) mod slice;
mod suspension;
pub(crate) mod workspace;
pub(crate) mod workspace_type;

pub(crate) use binding::{base62, settle as settle_binding};

use kdp_core::{
    LogicalClusterName,
    api::{apis::BINDING_FINALIZER, core::LOGICAL_CLUSTER_NAME, tenancy::LOGICAL_CLUSTER_FINALIZER},
};
use serde_json::Value;

use super::{
    auth::{is_unbounded, workspace_authentication},
    crd as definition,
    index::Index,
    object::{self, metadata_mut, object_at, str_at},
    registry::{Caller, Extra, Place, Registry, api_version, rules::seconds, write::Part},
    roles,
    status::{FieldError, Result, StatusError},
};
use crate::store::Change;

const SYSTEM_FINALIZERS: [&str; 2] = [LOGICAL_CLUSTER_FINALIZER, BINDING_FINALIZER];

/// Completes an object that is about to be created, and says what else is created with it.
pub(crate) async fn prepare_create(
    registry: &Registry,
    place: &Place,
    caller: &Caller,
    object: &mut Value,
    extra: &mut Extra,
) -> Result<()> {
    match kind(place) {
        ("", "namespaces") => {
            namespace::complete(object);
            let name = str_at(object, &["metadata", "name"]);
            extra.changes.extend(service_account::namespace_content(registry, &place.cluster, name)?);
        }
        ("", "secrets") => {
            secret::complete(object);
            service_account::fill_secret(registry, place, object).await?;
        }
        ("tenancy.kcp.io", "workspaces") => workspace::create(registry, place, caller, object, extra).await?,
        ("tenancy.kcp.io", "workspacetypes") => workspace_type::create(registry, place, caller, object).await?,
        ("core.kcp.io", "logicalclusters") => only_system(place, caller, object)?,
        ("apis.kcp.io", "apiresourceschemas") => reserved::check_group(place, caller, object)?,
        ("apiextensions.k8s.io", "customresourcedefinitions") => {
            reserved::check_group(place, caller, object)?;
            claim_names(registry, &place.cluster, extra).await?;
            crd::create(registry, place, object).await?;
        }
        ("apis.kcp.io", "apiexports") => export::create(registry, place, object, extra).await?,
        ("apis.kcp.io", "apiexportendpointslices") => slice::create(registry, place, caller, object).await?,
        ("apis.kcp.io", "apibindings") => {
            claim_names(registry, &place.cluster, extra).await?;
            binding::create(registry, place, caller, object, extra).await?;
            roles::defaults::settle(registry, &place.cluster, object, extra).await?;
        }
        ("rbac.authorization.k8s.io", _) => rbac::check_create(registry, place, caller, object).await?,
        ("", "resourcequotas") => quota::create(registry, place, extra).await?,
        _ => {}
    }
    quota::charge(registry, place, object, extra).await
}

/// Completes an object that is about to replace another one.
pub(crate) async fn prepare_update(
    registry: &Registry,
    place: &Place,
    caller: &Caller,
    part: Part,
    before: &Value,
    object: &mut Value,
    extra: &mut Extra,
) -> Result<()> {
    keep_system_finalizers(place, caller, before, object)?;
    match kind(place) {
        ("", "namespaces") => namespace::complete(object),
        ("", "secrets") => secret::complete(object),
        ("tenancy.kcp.io", "workspaces") if part == Part::Main => workspace::update(place, caller, before, object)?,
        ("tenancy.kcp.io", "workspaces" | "workspacetypes") if part == Part::Status => {
            only_system(place, caller, object)?;
        }
        ("tenancy.kcp.io", "workspacetypes") => {
            workspace_type::update(registry, place, caller, before, object).await?;
        }
        ("core.kcp.io", "logicalclusters") => {
            logical_cluster::update(registry, place, caller, part, before, object, extra).await?;
        }
        ("apiextensions.k8s.io", "customresourcedefinitions") if part == Part::Status => {
            only_system(place, caller, object)?;
        }
        ("apiextensions.k8s.io", "customresourcedefinitions") if part == Part::Main => {
            crd::update(registry, place, before, object, extra).await?;
        }
        ("apis.kcp.io", "apibindings" | "apiexports" | "apiexportendpointslices") if part == Part::Status => {
            only_system(place, caller, object)?;
        }
        ("", "resourcequotas") if part == Part::Status => only_system(place, caller, object)?,
        ("", "resourcequotas") => quota::update(registry, place, before, object, extra).await?,
        ("apis.kcp.io", "apiexports") => export::update(before, object),
        ("apis.kcp.io", "apibindings") => {
            binding::update(registry, place, before, object, extra).await?;
            roles::defaults::settle(registry, &place.cluster, object, extra).await?;
        }
        ("rbac.authorization.k8s.io", _) if part == Part::Main => {
            rbac::check_update(registry, place, caller, object).await?;
        }
        _ => {}
    }
    Ok(())
}

/// The rules of a kind that its schema cannot say.
pub(crate) fn validate(place: &Place, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    match kind(place) {
        ("", "secrets" | "configmaps") => secret::validate(object, old),
        ("apiextensions.k8s.io", "customresourcedefinitions") => definition::validate(object, old),
        ("apis.kcp.io", "apiresourceschemas") => definition::validate_api_resource_schema(object, old),
        ("apis.kcp.io", "apiexports") => export::validate(object),
        ("apis.kcp.io", "apibindings") => claims::validate_answers(object),
        ("apis.kcp.io", "apiexportendpointslices") => slice::validate(object),
        ("tenancy.kcp.io", "workspacetypes") => workspace_type::validate(&place.cluster, object),
        ("tenancy.kcp.io", "workspaceauthenticationconfigurations") => workspace_authentication::validate(object),
        ("core.kcp.io", "logicalclusters") => {
            let mut errors = logical_cluster::validate(object, old);
            errors.extend(quota::validate_total(object));
            errors
        }
        ("", "resourcequotas") => quota::validate(object, old),
        ("", "limitranges") => quota::validate_limit_range(object),
        _ => Vec::new(),
    }
}

/// Whether an object may be deleted at all.
pub(crate) fn check_delete(place: &Place, caller: &Caller, object: &Value) -> Result<()> {
    match kind(place) {
        ("core.kcp.io", "logicalclusters") => only_system(place, caller, object),
        ("", "namespaces") => namespace::check_delete(place, caller, object),
        ("rbac.authorization.k8s.io", _) => rbac::check_delete(place, object),
        _ => Ok(()),
    }
}

/// Marks an object whose deletion begins.
pub(crate) fn prepare_deletion(place: &Place, object: &mut Value) {
    match kind(place) {
        ("", "namespaces") => object_at(object, "status").insert("phase".into(), "Terminating".into()).map_or((), drop),
        ("tenancy.kcp.io", "workspaces") => workspace::mark_deleting(object),
        ("apiextensions.k8s.io", "customresourcedefinitions") => crd::set_terminating(object),
        _ => {}
    }
}

/// Says what goes together with an object that is removed.
pub(crate) async fn prepare_removal(
    registry: &Registry,
    place: &Place,
    object: &Value,
    extra: &mut Extra,
) -> Result<()> {
    match kind(place) {
        ("tenancy.kcp.io", "workspaces") => workspace::remove(registry, object, extra).await,
        ("apis.kcp.io", "apiexports") => export::remove(registry, place, object, extra).await,
        ("apis.kcp.io", "apibindings") => roles::defaults::remove(registry, &place.cluster, object, extra).await,
        _ => Ok(()),
    }
}

fn kind(place: &Place) -> (&str, &str) {
    (&place.served.resource.group, &place.served.resource.plural)
}

/// Makes whoever takes names in the API of a logical cluster do so one after the other: each writes
/// the LogicalCluster, as it was, in the same transaction, so of two at once one has to look again.
pub(crate) async fn claim_names(registry: &Registry, cluster: &LogicalClusterName, extra: &mut Extra) -> Result<()> {
    registry.index.seen(registry.store.revision()).await;
    let key =
        super::key::ResourceKey::new(cluster, "core.kcp.io", "logicalclusters").object(None, LOGICAL_CLUSTER_NAME);
    if let Some(entry) = registry.store.get(&key).await? {
        extra.conditions.push((key.clone(), Some(entry.modified)));
        extra.changes.push(Change::Put(key, entry.value));
    }
    Ok(())
}

/// Only the system takes its finalizers off: what they hold would stay behind.
fn keep_system_finalizers(place: &Place, caller: &Caller, before: &Value, object: &Value) -> Result<()> {
    let left = object::finalizers(object);
    let taken = object::finalizers(before)
        .into_iter()
        .find(|finalizer| SYSTEM_FINALIZERS.contains(finalizer) && !left.contains(finalizer));
    match taken {
        Some(finalizer) if !is_system(caller) => {
            let name = str_at(before, &["metadata", "name"]);
            let message = format!("only the system may remove the finalizer {finalizer}");
            Err(StatusError::forbidden(place.reference(), name, message))
        }
        _ => Ok(()),
    }
}

fn is_system(caller: &Caller) -> bool {
    is_unbounded(&caller.identity)
}

fn only_system(place: &Place, caller: &Caller, object: &Value) -> Result<()> {
    if is_system(caller) {
        return Ok(());
    }
    let name = str_at(object, &["metadata", "name"]);
    Err(StatusError::forbidden(place.reference(), name, "only the system may do this"))
}

/// A change that writes a new object of a builtin kind.
pub(crate) fn put_new(
    cluster: &LogicalClusterName,
    group: &str,
    plural: &str,
    version: &str,
    mut object: Value,
) -> Result<Change> {
    object["apiVersion"] = api_version(group, version).into();
    let metadata = metadata_mut(&mut object);
    metadata.insert("uid".into(), uuid::Uuid::new_v4().to_string().into());
    metadata.insert("creationTimestamp".into(), seconds(jiff::Timestamp::now()).into());
    if Index::follows(group, plural) && group.ends_with("kcp.io") {
        metadata.insert("generation".into(), 1.into());
    }
    let namespace = metadata.get("namespace").and_then(Value::as_str).map(str::to_owned);
    let name = metadata.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = super::key::ResourceKey::new(cluster, group, plural).object(namespace.as_deref(), &name);
    Ok(Change::Put(key, object::encode(cluster, object)?))
}

/// Sets a condition in `status.conditions`, in kcp's or Kubernetes' shape alike.
pub(crate) fn set_condition(object: &mut Value, type_: &str, status: &str, reason: &str, message: &str) {
    let now = seconds(jiff::Timestamp::now());
    let conditions = object_at(object, "status").entry("conditions").or_insert_with(|| Value::Array(Vec::new()));
    let Some(conditions) = conditions.as_array_mut() else { return };
    let mut condition = serde_json::json!({"type": type_, "status": status, "lastTransitionTime": now});
    for (key, value) in [("reason", reason), ("message", message)] {
        if !value.is_empty() {
            condition[key] = value.into();
        }
    }
    match conditions.iter_mut().find(|old| old["type"] == *type_) {
        Some(old) => {
            if old["status"] == condition["status"] {
                condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
            }
            *old = condition;
        }
        None => conditions.push(condition),
    }
}
