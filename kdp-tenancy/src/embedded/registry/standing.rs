//! ClusterRoles and ClusterRoleBindings that every workspace has without storing them.
//!
//! One copy serves all workspaces; a read fills in the name of the workspace. They never change,
//! so a watch has nothing to tell of them once it has shown them. They are left out of reads across
//! workspaces, which show what is stored.

use std::{ops::Bound, sync::LazyLock};

use kdp_core::LogicalClusterName;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Place;
use crate::{
    embedded::{
        auth::rbac::bootstrap::bootstrap_objects,
        object::{self, metadata_mut, str_at},
    },
    store::{Entry, Revision},
};

/// Stands for the workspace in the one copy; the name of no workspace, for it is too long.
const ANY_CLUSTER: &str = "any0workspace0of0all0that0there0are0any0workspace";
/// They have been there from the beginning.
const REVISION: Revision = Revision(1);

struct Standing {
    kind: String,
    name: String,
    /// The stored form before and after the name of the workspace.
    parts: (String, String),
}

static STANDING: LazyLock<Vec<Standing>> = LazyLock::new(|| {
    let any: LogicalClusterName = ANY_CLUSTER.parse().expect("letters and digits make a logical cluster name");
    let mut standing: Vec<_> = bootstrap_objects().iter().filter_map(|object| Standing::new(&any, object)).collect();
    standing.sort_by(|a, b| a.name.cmp(&b.name));
    standing
});

impl Standing {
    fn new(any: &LogicalClusterName, object: &Value) -> Option<Self> {
        let (kind, name) = (str_at(object, &["kind"]).to_owned(), str_at(object, &["metadata", "name"]).to_owned());
        let mut object = object.clone();
        let digest = Sha256::digest(format!("{kind}/{name}"));
        let uid = uuid::Builder::from_random_bytes(digest[..16].try_into().ok()?).into_uuid();
        metadata_mut(&mut object).insert("uid".into(), uid.to_string().into());
        let stored = object::encode(any, object).ok()?;
        let (before, after) = std::str::from_utf8(&stored).ok()?.split_once(ANY_CLUSTER)?;
        Some(Self { kind, name, parts: (before.into(), after.into()) })
    }

    fn entry(&self, place: &Place) -> Entry {
        let (before, after) = &self.parts;
        Entry {
            key: place.key(&self.name).into(),
            value: format!("{before}{}{after}", place.cluster).into(),
            created: REVISION,
            modified: REVISION,
        }
    }
}

fn standing(place: &Place) -> impl Iterator<Item = &'static Standing> {
    let resource = &place.served.resource;
    let all = if resource.group == "rbac.authorization.k8s.io" { STANDING.as_slice() } else { &[] };
    all.iter().filter(|standing| standing.kind == resource.kind)
}

/// The object of this name that a place has without storing it.
pub(super) fn entry(place: &Place, name: &str) -> Option<Entry> {
    standing(place).find(|standing| standing.name == name).map(|standing| standing.entry(place))
}

/// Puts what a place has without storing it among `stored`, in order: what lies behind `after`, and
/// not behind the last of `stored` unless nothing `follows`.
pub(super) fn insert(place: &Place, after: &Bound<String>, stored: &mut Vec<Entry>, follows: usize) {
    let last = stored.last().map(|entry| entry.key.clone()).filter(|_| follows > 0);
    for entry in standing(place).map(|standing| standing.entry(place)) {
        let is_behind = match after {
            Bound::Unbounded => true,
            Bound::Excluded(key) => *entry.key > **key,
            Bound::Included(key) => *entry.key >= **key,
        };
        let is_within = last.as_ref().is_none_or(|last| entry.key < *last);
        if let (true, Err(at)) = (is_behind && is_within, stored.binary_search_by(|other| other.key.cmp(&entry.key))) {
            stored.insert(at, entry);
        }
    }
}
