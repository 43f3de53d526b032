//! Users and groups with a meaning of their own.

use kdp_core::Identity;

/// Group of those who may do everything everywhere.
pub const MASTERS: &str = "system:masters";
/// Group of everybody who proved who they are.
pub const AUTHENTICATED: &str = "system:authenticated";
/// Group of everybody who did not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// User that a request without credentials acts as.
pub const ANONYMOUS: &str = "system:anonymous";
/// kcp's group of administrators of the whole installation.
pub const KCP_ADMIN: &str = "system:kcp:admin";

/// Prefix of kcp's own groups, each of which opens something that RBAC alone does not.
pub(super) const KCP_GROUP_PREFIX: &str = "system:kcp:";
/// Prefix of the groups that an initializing virtual workspace lets an initializer act in.
pub(super) const INITIALIZER_PREFIX: &str = "system:kcp:initializer:";
/// Prefix of the groups that a terminating virtual workspace lets a terminator act in.
pub(super) const TERMINATOR_PREFIX: &str = "system:kcp:terminator:";
const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// Whether the identity may do everything everywhere.
#[must_use]
pub fn is_master(identity: &Identity) -> bool {
    is_member(identity, MASTERS)
}

/// Whether the identity is a member of the group.
#[must_use]
pub fn is_member(identity: &Identity, group: &str) -> bool {
    identity.groups.iter().any(|own| own == group)
}

/// Namespace and name of the service account with this username.
#[must_use]
pub fn service_account(username: &str) -> Option<(&str, &str)> {
    let (namespace, name) = username.strip_prefix(SERVICE_ACCOUNT_PREFIX)?.split_once(':')?;
    let plain = |part: &str| !part.is_empty() && !part.contains([':', '/']);
    (plain(namespace) && plain(name)).then_some((namespace, name))
}

/// The groups of a service account in `namespace`, apart from [`AUTHENTICATED`].
#[must_use]
pub fn service_account_groups(namespace: &str) -> Vec<String> {
    vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")]
}

/// Adds the group that says whether the identity was proved, unless it already has one.
pub(super) fn add_authentication_group(identity: &mut Identity) {
    if is_member(identity, AUTHENTICATED) || is_member(identity, UNAUTHENTICATED) {
        return;
    }
    let group = if identity.username == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
    identity.groups.push(group.to_owned());
}
