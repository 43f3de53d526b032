//! Identities that are at home in one workspace.
//!
//! A service account exists in one workspace, and an impersonated user was made up by somebody
//! with rights in one workspace. Elsewhere neither may pass for the local user of the same name.

use std::borrow::Cow;

use kdp_core::{Identity, LogicalClusterName};

use super::names::{ANONYMOUS, AUTHENTICATED, is_master, service_account};

/// Extra field with the logical cluster a service account lives in.
pub(super) const HOME: &str = "authentication.kcp.io/cluster-name";
/// Extra field with the logical clusters an identity is good for: each value is a comma-separated
/// list of alternatives, and every value must admit the cluster.
pub(super) const SCOPES: &str = "authentication.kcp.io/scopes";
const CLUSTER_SCOPE: &str = "cluster:";

/// The identity to be checked against the policy of `cluster`.
pub(crate) fn effective<'a>(identity: &'a Identity, cluster: &LogicalClusterName) -> Cow<'a, Identity> {
    let home = home(identity);
    let is_local = match service_account(&identity.username) {
        Some(_) => home.is_some_and(|home| home == cluster.as_str()),
        None => true,
    };
    if is_local && is_in_scope(identity, cluster) {
        return Cow::Borrowed(identity);
    }
    let mut stranger =
        Identity { username: ANONYMOUS.into(), groups: vec![AUTHENTICATED.into()], ..Identity::default() };
    if let (Some((namespace, name)), Some(home), true) =
        (service_account(&identity.username), home, is_in_scope(identity, cluster))
    {
        stranger.username = format!("system:kcp:serviceaccount:{home}:{namespace}:{name}");
        stranger.groups.push(format!("system:cluster:{home}"));
    }
    Cow::Owned(stranger)
}

/// Whether the identity is a service account that lives in `cluster`.
pub(super) fn is_local_service_account(identity: &Identity, cluster: &LogicalClusterName) -> bool {
    service_account(&identity.username).is_some()
        && home(identity) == Some(cluster.as_str())
        && is_in_scope(identity, cluster)
}

/// Whether the identity has power over all workspaces, and is not confined to one.
pub(crate) fn is_unbounded(identity: &Identity) -> bool {
    is_master(identity) && !identity.extra.contains_key(SCOPES)
}

/// Ties an identity to one workspace, in addition to what already ties it.
pub(super) fn confine(identity: &mut Identity, cluster: &LogicalClusterName) {
    identity.extra.entry(SCOPES.into()).or_default().push(format!("{CLUSTER_SCOPE}{cluster}"));
    if service_account(&identity.username).is_some() {
        identity.extra.insert(HOME.into(), vec![cluster.to_string()]);
    }
}

/// The logical cluster that the identity is a service account of.
pub(crate) fn service_account_home(identity: &Identity) -> Option<LogicalClusterName> {
    service_account(&identity.username)?;
    home(identity)?.parse().ok()
}

fn home(identity: &Identity) -> Option<&str> {
    match identity.extra.get(HOME).map(Vec::as_slice) {
        Some([home]) => Some(home),
        _ => None,
    }
}

fn is_in_scope(identity: &Identity, cluster: &LogicalClusterName) -> bool {
    let admits = |scope: &str| scope.trim().strip_prefix(CLUSTER_SCOPE) == Some(cluster.as_str());
    identity.extra.get(SCOPES).is_none_or(|scopes| scopes.iter().all(|any_of| any_of.split(',').any(admits)))
}
