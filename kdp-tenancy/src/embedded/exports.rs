//! Which exports have which identity, and who speaks of which export.

use std::{
    borrow::Borrow,
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use kdp_core::{LogicalClusterName, WorkspacePath};
use serde_json::Value;

use super::{object::str_at, surface::ExportId};

/// Exports by identity, and what refers to an export.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    by_identity: HashMap<String, BTreeSet<ExportId>>,
    /// By the name of the export and the last part of the path to its workspace: paths can be written
    /// in several ways, which differ before that.
    slices: HashMap<(String, String), BTreeSet<Named>>,
}

/// An endpoint slice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    pub(crate) cluster: LogicalClusterName,
    pub(crate) name: String,
}

impl Exports {
    /// Says what became of an export.
    pub(crate) fn set_export(&mut self, id: &ExportId, previous: Option<&Value>, now: Option<&Value>) {
        let identity = |export: Option<&Value>| {
            export.map(|export| str_at(export, &["status", "identityHash"]).to_owned()).filter(|hash| !hash.is_empty())
        };
        let (previous, now) = (identity(previous), identity(now));
        if previous != now {
            if let Some(hash) = previous {
                remove(&mut self.by_identity, &*hash, id);
            }
            if let Some(hash) = now {
                self.by_identity.entry(hash).or_default().insert(id.clone());
            }
        }
    }

    /// Says what became of an endpoint slice; its reference never changes.
    pub(crate) fn set_slice(&mut self, slice: Named, object: &Value, exists: bool) {
        let reference = &object["spec"]["export"];
        let path = str_at(reference, &["path"]);
        let place = if path.is_empty() { slice.cluster.as_str() } else { path };
        let place = place.rsplit(':').next().unwrap_or_default().to_owned();
        let key = (str_at(reference, &["name"]).to_owned(), place);
        if exists {
            self.slices.entry(key).or_default().insert(slice);
        } else {
            remove(&mut self.slices, &key, &slice);
        }
    }

    /// The exports with an identity, in order.
    pub(crate) fn with_identity(&self, hash: &str) -> Vec<ExportId> {
        self.by_identity.get(hash).into_iter().flatten().cloned().collect()
    }

    /// The endpoint slices that may refer to an export whose workspace is at `path`.
    pub(crate) fn slices_of(&self, id: &ExportId, path: &WorkspacePath) -> BTreeSet<Named> {
        let last = path.as_str().rsplit(':').next().unwrap_or_default();
        let of = |place: &str| self.slices.get(&(id.name.clone(), place.to_owned())).into_iter().flatten().cloned();
        of(last).chain(of(&id.cluster)).collect()
    }
}

fn remove<K, Q, V>(sets: &mut HashMap<K, BTreeSet<V>>, key: &Q, value: &V)
where
    K: Borrow<Q> + Hash + Eq,
    Q: Hash + Eq + ?Sized,
    V: Ord,
{
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_slice_is_found_however_its_path_is_written() {
        let mut exports = Exports::default();
        let id = ExportId { cluster: "abc123".into(), name: "e".into() };
        let path = "root:org:provider".parse().unwrap();
        let slice = |cluster: &str, name: &str| Named { cluster: cluster.parse().unwrap(), name: name.into() };
        for (slice, path) in [
            (slice("x", "by-path"), "root:org:provider"),
            (slice("x", "from-a-name"), "org99:provider"),
            (slice("x", "by-name"), "abc123"),
            (slice("abc123", "at-home"), ""),
            (slice("x", "elsewhere"), ""),
            (slice("x", "other"), "root:org:other"),
        ] {
            exports.set_slice(slice, &json!({"spec": {"export": {"path": path, "name": "e"}}}), true);
        }
        let found: Vec<_> = exports.slices_of(&id, &path).into_iter().map(|slice| slice.name).collect();
        assert_eq!(found, ["at-home", "by-name", "by-path", "from-a-name"]);
        let gone = json!({"spec": {"export": {"path": "abc123", "name": "e"}}});
        exports.set_slice(slice("x", "by-name"), &gone, false);
        assert_eq!(exports.slices_of(&id, &path).len(), 3);
    }

    #[test]
    fn an_identity_leads_to_the_exports_that_have_it() {
        let mut exports = Exports::default();
        let id = |name: &str| ExportId { cluster: "p".into(), name: name.into() };
        let with = |hash: &str| json!({"status": {"identityHash": hash}});
        exports.set_export(&id("b"), None, Some(&with("h")));
        exports.set_export(&id("a"), None, Some(&with("h")));
        exports.set_export(&id("c"), None, Some(&json!({})));
        assert_eq!(exports.with_identity("h"), [id("a"), id("b")]);
        exports.set_export(&id("a"), Some(&with("h")), None);
        assert_eq!((exports.with_identity("h"), exports.with_identity("")), (vec![id("b")], vec![]));
    }
}
