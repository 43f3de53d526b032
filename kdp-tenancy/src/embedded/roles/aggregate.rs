//! The rules of aggregated ClusterRoles, written into them as in Kubernetes.
//!
//! Nothing is decided by what is written: a policy always works the rules out anew. It is for those
//! who read the roles.

use k8s_openapi::api::rbac::v1::PolicyRule;
use kdp_core::LogicalClusterName;
use serde_json::{Value, json};

use super::GROUP;
use crate::{
    embedded::{
        auth::{Policy, rbac::Rule},
        key::ResourceKey,
        object::{self, str_at},
        registry::Registry,
        status::Result,
    },
    store::{Change, Entry, RangeQuery, Transaction},
};

const FIELD: &str = "aggregationRule";

/// Whether a stored ClusterRole could be an aggregated one.
pub(super) fn may_aggregate(entry: &Entry) -> bool {
    std::str::from_utf8(&entry.value).is_ok_and(|text| text.contains(FIELD))
}

/// Brings the rules of every aggregated role of a workspace up to date.
pub(in super::super) async fn settle(registry: &Registry, cluster: &LogicalClusterName) -> Result<()> {
    let prefix = ResourceKey::new(cluster, GROUP, "clusterroles").prefix(None);
    let roles = registry.store.range(RangeQuery::prefix(prefix)).await?.entries;
    let Some(policy) = registry.index.policy(cluster).await? else { return Ok(()) };
    for entry in roles.iter().filter(|entry| may_aggregate(entry)) {
        let mut role = object::decode_plain(entry)?;
        let Some(rules) = rules(&policy, &role).filter(|rules| *rules != role["rules"]) else { continue };
        role["rules"] = rules;
        let key = entry.key.to_string();
        let change = Change::Put(key.clone(), object::encode(cluster, role)?);
        // Refused means that the role changed, and with it this is called again.
        let conditions = vec![(key, Some(entry.modified))];
        registry.commit(Transaction { conditions, changes: vec![change] }, true).await?;
    }
    Ok(())
}

/// The rules that an aggregated role should show; `None` when it is not aggregated.
fn rules(policy: &Policy, role: &Value) -> Option<Value> {
    if role[FIELD].is_null() {
        return None;
    }
    let mut rules: Vec<Rule> = Vec::new();
    for rule in policy.cluster_role_rules(str_at(role, &["metadata", "name"]))? {
        if !rules.contains(rule) {
            rules.push(rule.clone());
        }
    }
    Some(rules.into_iter().map(|rule| json!(PolicyRule::from(rule))).collect())
}
