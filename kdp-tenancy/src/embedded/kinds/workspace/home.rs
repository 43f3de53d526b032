//! Home workspaces: one for each user, made when the user first asks for it.
//!
//! A home has no Workspace object and no parent. Its logical cluster is named after the user, so that
//! `user:<name>` leads to it without any table.

use kdp_core::{Identity, LogicalClusterName, api::core::LOGICAL_CLUSTER_NAME};
use serde_json::{Value, json};
use sha2::{Digest, Sha224};

use super::NewCluster;
use crate::{
    embedded::{
        kinds::{logical_cluster::Stage, workspace_type},
        object::str_at,
        registry::Registry,
        status::{Result, StatusError},
    },
    store::Transaction,
};

const HOME_TYPE: &str = "home";
/// What a path to a home begins with.
const PREFIX: &str = "user";
/// How many bytes of the hash make the name.
const NAME_BYTES: usize = 8;

/// The logical cluster that is the home of a user.
pub(crate) fn cluster_name(username: &str) -> LogicalClusterName {
    let hash = Sha224::digest(username);
    base36_padded(hash.first_chunk().expect("SHA-224 has 28 bytes"))
        .parse()
        .expect("digits and letters make a logical cluster name")
}

/// The path that `user:<name>:<rest>` means: `<home>:<rest>`. `None` for a path that begins otherwise.
pub(crate) fn path_of(path: &str) -> Option<String> {
    let (username, rest) = match path.strip_prefix(PREFIX)?.strip_prefix(':')?.split_once(':') {
        Some((username, rest)) => (username, Some(rest)),
        None => (&path[PREFIX.len() + 1..], None),
    };
    let home = cluster_name(username);
    Some(rest.map_or_else(|| home.to_string(), |rest| format!("{home}:{rest}")))
}

/// The LogicalCluster of somebody's home, if it was made.
pub(crate) async fn find(registry: &Registry, identity: &Identity) -> Result<Option<Value>> {
    let home = cluster_name(&identity.username);
    let found = registry.find(&home, "core.kcp.io", "logicalclusters", None, LOGICAL_CLUSTER_NAME).await?;
    Ok(found.map(|(_, object)| object))
}

/// Makes somebody's home, unless another request does so at this moment.
///
/// # Errors
/// 500 when the type `home` is gone from the root workspace.
pub(crate) async fn make(registry: &Registry, identity: &Identity) -> Result<()> {
    let type_ = workspace_type::find(registry, &LogicalClusterName::root(), HOME_TYPE).await?;
    let lineage = match type_ {
        Some(type_) => workspace_type::lineage(registry, type_).await?,
        None => None,
    };
    let lineage = lineage.ok_or_else(|| StatusError::internal("the workspace type root:home is gone"))?;
    let home = cluster_name(&identity.username);
    let (path, type_) = (format!("{PREFIX}:{}", identity.username), lineage.itself().qualified());
    let new = NewCluster::new(&home, &path, &type_, identity)
        .with_type_cluster(&lineage.itself().cluster)
        .with_controllers(lineage.controllers(Stage::Initializing), lineage.controllers(Stage::Terminating));
    let transaction = Transaction { conditions: vec![new.is_free()], changes: new.changes(registry)? };
    registry.commit(transaction, true).await.map(drop)
}

/// The home as the Workspace that it would be in the root.
pub(crate) fn as_workspace(logical_cluster: &Value, home: &LogicalClusterName) -> Value {
    let status = &logical_cluster["status"];
    json!({
        "apiVersion": "tenancy.kcp.io/v1alpha1",
        "kind": "Workspace",
        "metadata": {
            "name": str_at(logical_cluster, &["metadata", "name"]),
            "creationTimestamp": logical_cluster["metadata"]["creationTimestamp"],
        },
        "spec": {"type": {"name": HOME_TYPE, "path": "root"}, "cluster": home.as_str(), "URL": status["URL"]},
        "status": {"phase": status["phase"]},
    })
}

/// A big-endian number in the digits 0-9 and a-z, with one 0 in front for each leading zero byte, as kcp writes
/// the names of homes.
fn base36_padded(bytes: &[u8; NAME_BYTES]) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut number = u64::from_be_bytes(*bytes);
    let mut digits = Vec::new();
    while number > 0 {
        digits.push(char::from(DIGITS[usize::try_from(number % 36).expect("a remainder below 36 fits")]));
        number /= 36;
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).map(|_| '0');
    zeros.chain(digits.into_iter().rev()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_are_named_as_kcp_names_them() {
        for (user, name) in [
            ("", "36ks9xj4a2n61"),
            ("alice", "v1u4alow0iv9"),
            ("bob", "2okdry95y5lkv"),
            ("user-with-dash", "1e25681jymk1l"),
            ("user:with:colons", "2bqfj6xlthg3t"),
            ("user172", "0f9mt7goyif7"),
        ] {
            assert_eq!(cluster_name(user).as_str(), name, "{user}");
        }
    }

    #[test]
    fn a_path_to_a_user_leads_below_the_users_home() {
        let check = |path, expected: Option<&str>| assert_eq!(path_of(path).as_deref(), expected, "{path}");
        check("user:alice", Some("v1u4alow0iv9"));
        check("user:alice:a:b", Some("v1u4alow0iv9:a:b"));
        check("user:", Some("36ks9xj4a2n61"));
        check("user", None);
        check("users:alice", None);
        check("root:user:alice", None);
    }
}
