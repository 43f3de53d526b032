//! ResourceQuotas: how many objects of which resources a namespace may have.
//!
//! Every create that a quota counts writes the quota's new status in the same transaction, on the
//! condition that nobody else has: of two that want the last place, here or at another replica, one
//! has to look again. Deletions need no such care, because nobody is refused before everything has
//! been counted anew; the status follows them a moment later.

use std::{collections::BTreeMap, ops::Bound};

use kdp_core::{LogicalClusterName, api::limits::MAX_TOTAL_OBJECTS_ANNOTATION};
use serde_json::{Map, Value, json};

use crate::{
    embedded::{
        key::ResourceKey,
        limits,
        object::{self, object_at, str_at},
        quantity::Quantity,
        registry::{Extra, Place, Registry},
        status::{FieldError, Result, StatusError},
        surface::Surface,
    },
    store::{Change, Entry, RangePage, RangeQuery, Revision},
};

/// Resources that may be counted by their bare name, as in Kubernetes.
const BARE: [&str; 7] =
    ["configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services"];
/// The scopes of Kubernetes; all of them are about pods or volumes, of which there are none here.
const SCOPES: [&str; 7] = [
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];

/// Makes whoever creates something in the namespace right now look again, and see the quota.
pub(super) async fn create(registry: &Registry, place: &Place, extra: &mut Extra) -> Result<()> {
    let Some(namespace) = &place.namespace else { return Ok(()) };
    if let Some((entry, _)) = registry.find(&place.cluster, "", "namespaces", None, namespace).await? {
        let key = entry.key.to_string();
        extra.conditions.push((key.clone(), Some(entry.modified)));
        extra.changes.push(Change::Put(key, entry.value));
    }
    Ok(())
}

pub(super) async fn update(
    registry: &Registry,
    place: &Place,
    before: &Value,
    object: &Value,
    extra: &mut Extra,
) -> Result<()> {
    if before["spec"] == object["spec"] { Ok(()) } else { create(registry, place, extra).await }
}

/// Counts an object that is about to be created in the quotas of its namespace.
pub(super) async fn charge(registry: &Registry, place: &Place, object: &Value, extra: &mut Extra) -> Result<()> {
    let Some(namespace) = &place.namespace else { return Ok(()) };
    let resource = &place.served.resource;
    if quotas(registry, &place.cluster, namespace).await?.is_empty() {
        return Ok(());
    }
    let turns = &registry.index.limits.turns;
    extra.turn = Some(limits::unseated(turns.take(&format!("{}/{namespace}", place.cluster))).await);
    for entry in quotas(registry, &place.cluster, namespace).await? {
        let mut quota = object::decode_plain(&entry)?;
        let names = counted(&quota).filter(|(_, group, plural)| *group == resource.group && *plural == resource.plural);
        let mut used = BTreeMap::new();
        for (name, group, plural) in names {
            let hard = amount(&quota["spec"]["hard"][name]).unwrap_or_default();
            let mut count = amount(&quota["status"]["used"][name]);
            if count.is_none_or(|count| count >= hard) {
                count = Some(count_objects(registry, &place.cluster, namespace, group, plural).await?);
            }
            let count = count.unwrap_or_default();
            if count >= hard {
                let message = format!(
                    "exceeded quota: {}, requested: {name}=1, used: {name}={count}, limited: {name}={hard}",
                    str_at(&quota, &["metadata", "name"])
                );
                return Err(StatusError::forbidden(place.reference(), str_at(object, &["metadata", "name"]), message));
            }
            used.insert(name.to_owned(), (count + 1).to_string());
        }
        if used.is_empty() {
            continue;
        }
        let hard = quota["spec"]["hard"].clone();
        let status = object_at(&mut quota, "status");
        status.insert("hard".into(), hard);
        let all = object_at(&mut quota["status"], "used");
        all.extend(used.into_iter().map(|(name, count)| (name, count.into())));
        let key = entry.key.to_string();
        extra.conditions.push((key.clone(), Some(entry.modified)));
        extra.changes.push(Change::Put(key, object::encode(&place.cluster, quota)?));
    }
    Ok(())
}

/// Brings the status of every quota of a namespace up to date. When somebody else was faster,
/// returns below what a change is to be waited for, and since when.
pub(crate) async fn settle(
    registry: &Registry,
    cluster: &LogicalClusterName,
    namespace: &str,
) -> Result<Option<(String, Revision)>> {
    let Some(served) = Surface::base().find("", "v1", "resourcequotas").cloned() else { return Ok(None) };
    let place = Place::new(cluster.clone(), served, Some(namespace.into()));
    for entry in quotas(registry, cluster, namespace).await? {
        let mut quota = object::decode_plain(&entry)?;
        let mut used = Map::new();
        for name in quota["spec"]["hard"].as_object().into_iter().flat_map(Map::keys) {
            // Nothing here uses what is not counted: there are no pods and no volumes.
            used.insert(name.clone(), "0".into());
        }
        for (name, group, plural) in counted(&quota) {
            let count = count_objects(registry, cluster, namespace, group, plural).await?;
            used.insert(name.to_owned(), count.to_string().into());
        }
        let status = json!({"hard": quota["spec"]["hard"], "used": used});
        if quota["status"] == status {
            continue;
        }
        quota["status"] = status;
        let key = entry.key.to_string();
        if registry.put(&place, key, Some(entry.modified), quota, Extra::default()).await?.is_none() {
            return Ok(Some((place.prefix(), entry.modified)));
        }
    }
    Ok(None)
}

pub(super) fn validate(quota: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let scopes: Vec<&str> =
        quota["spec"]["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, value) in quota["spec"]["hard"].as_object().into_iter().flatten() {
        let field = format!("spec.hard[{name}]");
        let parsed = quantity(value);
        match parsed {
            None => errors.push(FieldError::invalid(field, value.clone(), "must be a quantity such as 10 or 500m")),
            Some(quantity) if resource(name).is_some() && quantity.whole().is_none() => {
                errors.push(FieldError::invalid(field, value.clone(), "must be an integer that is not negative"));
            }
            Some(quantity) if quantity < Quantity::ZERO => {
                errors.push(FieldError::invalid(field, value.clone(), "must be greater than or equal to 0"));
            }
            Some(_) => {}
        }
        if is_scoped(quota) && resource(name).is_some_and(|(_, plural)| plural != "pods") {
            let message = "unsupported scope applied to resource";
            errors.push(FieldError::invalid("spec.scopes", quota["spec"]["scopes"].clone(), message));
        }
    }
    for (i, scope) in scopes.iter().enumerate().filter(|(_, scope)| !SCOPES.contains(scope)) {
        errors.push(FieldError::invalid(format!("spec.scopes[{i}]"), *scope, "unsupported scope"));
    }
    for field in ["scopes", "scopeSelector"] {
        if old.is_some_and(|old| old["spec"][field] != quota["spec"][field]) {
            let value = quota["spec"][field].clone();
            errors.push(FieldError::invalid(format!("spec.{field}"), value, "field is immutable"));
        }
    }
    errors
}

/// A LimitRange limits pods, containers and volumes; here it must only make sense.
pub(super) fn validate_limit_range(range: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut types = Vec::new();
    for (i, item) in range["spec"]["limits"].as_array().into_iter().flatten().enumerate() {
        let path = format!("spec.limits[{i}]");
        let type_ = str_at(item, &["type"]);
        if types.contains(&type_) {
            let kind = crate::embedded::status::FieldErrorKind::Duplicate;
            errors.push(FieldError::new(format!("{path}.type"), kind, type_.into(), ""));
        }
        types.push(type_);
        for (lower, upper) in [
            ("min", "max"),
            ("min", "default"),
            ("min", "defaultRequest"),
            ("default", "max"),
            ("defaultRequest", "max"),
        ] {
            for (resource, low) in item[lower].as_object().into_iter().flatten() {
                let (low_at, high) = (format!("{path}.{lower}[{resource}]"), &item[upper][resource]);
                let Some(parsed) = quantity(low) else {
                    errors.push(FieldError::invalid(low_at, low.clone(), "must be a quantity such as 10 or 500m"));
                    continue;
                };
                if quantity(high).is_some_and(|high| parsed > high) {
                    let message = format!("must be less than or equal to {upper}");
                    errors.push(FieldError::invalid(low_at, low.clone(), message));
                }
            }
        }
    }
    errors
}

/// The annotation that limits a logical cluster must be a number.
pub(super) fn validate_total(logical_cluster: &Value) -> Vec<FieldError> {
    let total = &logical_cluster["metadata"]["annotations"][MAX_TOTAL_OBJECTS_ANNOTATION];
    if total.is_null() || total.as_str().is_some_and(|total| total.parse::<u64>().is_ok()) {
        return Vec::new();
    }
    let field = format!("metadata.annotations[{MAX_TOTAL_OBJECTS_ANNOTATION}]");
    vec![FieldError::invalid(field, total.clone(), "must be an integer that is not negative")]
}

/// What a quota counts, as its name in `hard`, the group and the plural.
fn counted(quota: &Value) -> impl Iterator<Item = (&str, &str, &str)> {
    let hard = quota["spec"]["hard"].as_object().filter(|_| !is_scoped(quota));
    hard.into_iter().flat_map(Map::keys).filter_map(|name| {
        let (group, plural) = resource(name)?;
        Some((name.as_str(), group, plural))
    })
}

/// The group and plural of a name such as `count/databases.example.com`, or `secrets`.
fn resource(name: &str) -> Option<(&str, &str)> {
    match name.strip_prefix("count/") {
        Some(resource) => {
            let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
            Some((group, plural))
        }
        None => BARE.contains(&name).then_some(("", name)),
    }
}

fn is_scoped(quota: &Value) -> bool {
    let is_set = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
    is_set(&quota["spec"]["scopes"]) || is_set(&quota["spec"]["scopeSelector"]["matchExpressions"])
}

fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

fn amount(value: &Value) -> Option<u64> {
    quantity(value)?.whole()
}

async fn quotas(registry: &Registry, cluster: &LogicalClusterName, namespace: &str) -> Result<Vec<Entry>> {
    let prefix = ResourceKey::new(cluster, "", "resourcequotas").prefix(Some(namespace));
    Ok(registry.store.range(RangeQuery::prefix(prefix)).await?.entries)
}

async fn count_objects(
    registry: &Registry,
    cluster: &LogicalClusterName,
    namespace: &str,
    group: &str,
    plural: &str,
) -> Result<u64> {
    let prefix = ResourceKey::new(cluster, group, plural).prefix(Some(namespace));
    // A store counts only so far: what is beyond is read, and counted on from there.
    let mut range = RangeQuery { limit: Some(0), ..RangeQuery::prefix(prefix) };
    let mut count = 0;
    loop {
        let page = registry.store.range(range.clone()).await?;
        count += page.entries.len() as u64;
        if page.remaining < RangePage::COUNTED {
            return Ok(count + page.remaining as u64);
        }
        let start = page.entries.last().map_or(Bound::Unbounded, |last| Bound::Excluded(last.key.to_string()));
        range = RangeQuery { start, limit: Some(RangePage::COUNTED), revision: Some(page.revision), ..range };
    }
}
