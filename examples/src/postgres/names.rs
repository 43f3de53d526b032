//! What things are called in the server. Nobody chooses a name, so no order meets another one's.

use kdp_core::provider::OrderId;
use sha2::{Digest, Sha256};

/// Name of the database of an order, and of the role that owns it.
pub(super) fn database(id: &OrderId) -> String {
    let mut digest = Sha256::new();
    let workspace = id.workspace.as_ref().map(ToString::to_string).unwrap_or_default();
    for part in [&workspace, &id.uid] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = format!("{:x}", digest.finalize());
    format!("kdp_{}", &digest[..24])
}

/// The two roles that log in as the owner, of which one has the current password.
pub(super) fn owner(database: &str, slot: i16) -> String {
    format!("{database}_{}", if slot == 0 { "a" } else { "b" })
}

/// A role that was ordered under this name.
pub(super) fn extra(database: &str, name: &str) -> String {
    format!("{database}_r_{name}")
}

/// What the owner is when the quota is exhausted: it reads and removes, and adds nothing.
pub(super) fn frugal(database: &str) -> String {
    format!("{database}_f")
}

/// A password of 160 bits.
pub(super) fn password() -> String {
    format!("{:032x}{:08x}", rand::random::<u128>(), rand::random::<u32>())
}
