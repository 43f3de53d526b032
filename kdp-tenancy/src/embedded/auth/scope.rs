//! Identities that are at home in one workspace, and as whom they count in another.
//!
//! A service account exists in one workspace, and an impersonated user was made up by somebody
//! with rights in one workspace. Elsewhere neither may pass for the local user of the same name.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use kdp_core::{Identity, LogicalClusterName};

use super::names::{
    ANONYMOUS, AUTHENTICATED, INITIALIZER_PREFIX, TERMINATOR_PREFIX, UNAUTHENTICATED, is_master, is_member,
    service_account,
};

/// Extra field with the logical cluster a service account lives in.
pub(super) const HOME: &str = "authentication.kcp.io/cluster-name";
/// Extra field with the logical clusters an identity is good for: each value is a comma-separated
/// list of alternatives, and every value must admit the cluster.
pub(super) const SCOPES: &str = "authentication.kcp.io/scopes";
/// Extra field with further identities, as JSON, whose rights are added to those of the identity.
const WARRANT: &str = "authorization.kcp.io/warrant";
const CLUSTER_SCOPE: &str = "cluster:";
/// How deep warrants may be nested in warrants.
const WARRANT_DEPTH: usize = 4;

/// As whom an identity counts in one logical cluster: what any of these may do, it may do.
#[derive(Clone, Debug)]
pub(super) struct Callers<'a> {
    own: Cow<'a, Identity>,
    /// The full name of a local service account, and whoever the identity holds a warrant of.
    further: Vec<Identity>,
}

impl<'a> Callers<'a> {
    /// As whom `identity` counts in `cluster`.
    pub(super) fn of(identity: &'a Identity, cluster: &LogicalClusterName) -> Self {
        let own = effective(identity, cluster);
        let mut further = Vec::new();
        if is_local_service_account(identity, cluster) {
            further.extend(stranger(identity, cluster));
        }
        collect_warrants(identity, cluster, WARRANT_DEPTH, &mut further);
        Self { own, further }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Identity> {
        std::iter::once(&*self.own).chain(&self.further)
    }

    pub(super) fn has_master(&self) -> bool {
        self.iter().any(is_master)
    }

    /// The same callers with `prefix` before every name and group, as the RBAC objects of an
    /// export's workspace name the users of its consumers.
    pub(super) fn prefixed(&self, prefix: &str) -> Callers<'static> {
        let prefixed = |identity: &Identity| Identity {
            username: format!("{prefix}{}", identity.username),
            groups: identity.groups.iter().map(|group| format!("{prefix}{group}")).collect(),
            ..Identity::default()
        };
        Callers { own: Cow::Owned(prefixed(&self.own)), further: self.further.iter().map(prefixed).collect() }
    }
}

/// The identity to be checked against the policy of `cluster`, warrants left aside.
fn effective<'a>(identity: &'a Identity, cluster: &LogicalClusterName) -> Cow<'a, Identity> {
    let is_local = service_account(&identity.username).is_none() || home(identity) == Some(cluster.as_str());
    if is_local && is_in_scope(identity, cluster) {
        return Cow::Borrowed(identity);
    }
    Cow::Owned(stranger(identity, cluster).unwrap_or_else(|| {
        let group = if is_member(identity, AUTHENTICATED) { AUTHENTICATED } else { UNAUTHENTICATED };
        Identity { username: ANONYMOUS.into(), groups: vec![group.into()], ..Identity::default() }
    }))
}

/// A service account by the name it has everywhere.
fn stranger(identity: &Identity, cluster: &LogicalClusterName) -> Option<Identity> {
    let ((namespace, name), home) = (service_account(&identity.username)?, home(identity)?);
    is_in_scope(identity, cluster).then(|| Identity {
        username: format!("system:kcp:serviceaccount:{home}:{namespace}:{name}"),
        groups: vec![AUTHENTICATED.into(), format!("system:cluster:{home}")],
        ..Identity::default()
    })
}

fn collect_warrants(identity: &Identity, cluster: &LogicalClusterName, depth: usize, found: &mut Vec<Identity>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for warrant in identity.extra.get(WARRANT).into_iter().flatten() {
        // A warrant that cannot be read is worth nothing, as in kcp.
        let Some(warranted) = read_warrant(warrant) else { continue };
        if service_account(&warranted.username).is_some() && home(&warranted).is_none() {
            continue;
        }
        collect_warrants(&warranted, cluster, depth, found);
        found.push(effective(&warranted, cluster).into_owned());
    }
}

fn read_warrant(text: &str) -> Option<Identity> {
    let mut warrant: serde_json::Value = serde_json::from_str(text).ok()?;
    let fields = warrant.as_object_mut()?;
    let username = fields.remove("user").unwrap_or_else(|| "".into());
    fields.insert("username".into(), username);
    serde_json::from_value(warrant).ok()
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

/// Whether the identity is good for some workspaces only.
pub(crate) fn is_confined(identity: &Identity) -> bool {
    identity.extra.contains_key(SCOPES)
}

/// The user that a binding in `cluster` has to name to mean this identity; `None` when no binding can.
///
/// A service account of another workspace is not called there what it is called at home.
pub(crate) fn name_in<'a>(identity: &'a Identity, cluster: &LogicalClusterName) -> Option<Cow<'a, str>> {
    if service_account(&identity.username).is_none() {
        return Some(Cow::Borrowed(&identity.username));
    }
    let name = effective(identity, cluster).username.clone();
    (name != ANONYMOUS).then_some(Cow::Owned(name))
}

/// Ties an identity to one workspace, in addition to what already ties it. A service account stays at home where it
/// was.
pub(crate) fn tie(identity: &mut Identity, cluster: &LogicalClusterName) {
    identity.extra.entry(SCOPES.into()).or_default().push(format!("{CLUSTER_SCOPE}{cluster}"));
}

/// Ties an identity to one workspace, and makes it at home there.
pub(super) fn confine(identity: &mut Identity, cluster: &LogicalClusterName) {
    tie(identity, cluster);
    settle_home(identity, cluster);
}

/// Takes a service account that does not say where it lives for one of `cluster`, as kcp does in
/// reviews.
pub(crate) fn localized(mut identity: Identity, cluster: &LogicalClusterName) -> Identity {
    if !identity.extra.contains_key(HOME) {
        settle_home(&mut identity, cluster);
    }
    identity
}

fn settle_home(identity: &mut Identity, cluster: &LogicalClusterName) {
    if service_account(&identity.username).is_some() {
        identity.extra.insert(HOME.into(), vec![cluster.to_string()]);
    }
}

/// The logical cluster that the identity is a service account of.
pub(crate) fn service_account_home(identity: &Identity) -> Option<LogicalClusterName> {
    service_account(&identity.username)?;
    home(identity)?.parse().ok()
}

/// The identity without what only the control plane itself may vouch for: warrants, and the groups
/// by which its virtual workspaces mark what they have decided about.
///
/// For whoever proved its identity by a certificate or a token: neither can have come from here.
pub(crate) fn from_outside(mut identity: Identity) -> Identity {
    identity.extra.remove(WARRANT);
    identity.groups.retain(|group| !group.starts_with(INITIALIZER_PREFIX) && !group.starts_with(TERMINATOR_PREFIX));
    identity
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
