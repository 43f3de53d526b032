//! Field ownership: server-side apply, and the bookkeeping of every other write.
//!
//! `metadata.managedFields` says which field manager owns which fields. [`apply()`] merges a
//! manager's configuration into an object, refuses to change what others own, and removes what the
//! manager used to apply and nobody else has. [`track_update`] records who changed what in plain
//! writes. Both are pure: an object goes in, an object comes out.
//!
//! The rules are those of Kubernetes' structured-merge-diff. Fields are told apart by the schema:
//! maps are owned entry by entry unless `x-kubernetes-map-type: atomic`, lists as a whole unless
//! `x-kubernetes-list-type` is `set` or `map`; builtin schemas may instead say
//! `x-kubernetes-patch-strategy: merge`. Objects come in the version of the schema given, and the
//! sets recorded in other versions are read with it too: there is no conversion of sets.

mod apply;
mod check;
mod compare;
mod conflict;
mod fields;
mod last_applied;
mod merge;
mod owners;
mod path;
pub(crate) mod schema_types;
#[cfg(test)]
mod tests;
mod typed;
mod unchanged;
mod update;
pub(crate) mod values;
mod view;

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::Value;

use self::fields::FieldSet;
use self::owners::{Operation, Owner};
use self::schema_types::Type;
use super::status::StatusError;

/// Who writes, where and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manager<'a> {
    /// The request's `fieldManager`, or what stands for it; empty is recorded as `unknown`.
    pub name: &'a str,
    /// Group and version of the request, such as `example.com/v1`.
    pub api_version: &'a str,
    /// The subresource written through; `None` for the main resource.
    pub subresource: Option<&'a str>,
    /// Top-level fields this endpoint cannot write. What a request says of them is not applied, and
    /// their ownership does not change: `["status"]` on the main endpoint of a kind with a status
    /// subresource, `["metadata", "spec"]` on that subresource, none otherwise.
    pub reset: &'a [&'a str],
    /// Time of the write; recorded to the second.
    pub time: Timestamp,
}

/// Server-side apply: the object that results, with its `metadata.managedFields`.
///
/// `live` is the stored object, `None` to create. `force` takes fields from other managers instead
/// of failing. When the apply changes nothing the result equals `live`, times included, and need
/// not be written.
///
/// # Errors
/// 400 when `applied` is of another type than `live` and `manager` say, has managed fields of its
/// own, or does not fit `schema`; 409 with one cause per field when it would change fields of other
/// managers.
pub(crate) fn apply(
    live: Option<&Value>,
    applied: &Value,
    schema: &Value,
    manager: &Manager<'_>,
    force: bool,
) -> Result<Value, StatusError> {
    apply::apply(live, applied, Type::root(schema), manager, force)
}

/// Sets the `metadata.managedFields` of `new`, the object about to replace `old`.
///
/// For every create (`old` is `None`), update, and patch but apply. What changed belongs to
/// `manager` from now on. The request may state the managed fields it wants by having them in
/// `new`: `[]` and `[{}]` clear them, after which the object is not tracked until it is applied to;
/// malformed ones are ignored. Through a subresource only `old`'s count. Fields in `manager.reset`
/// must already have been set back to their old values.
pub(crate) fn track_update(old: Option<&Value>, new: &mut Value, schema: &Value, manager: &Manager<'_>) {
    update::track(old, new, Type::root(schema), manager);
}

/// Whether a write that makes `after` of `before` changes nothing but the times of managed fields.
///
/// It need not be written then, as in Kubernetes: when somebody last changed a field is not changed by
/// saying the same again.
pub(crate) fn is_unchanged(before: &Value, after: &Value) -> bool {
    unchanged::is_unchanged(before, after)
}

impl Manager<'_> {
    fn owner(&self, operation: Operation) -> Owner {
        Owner {
            manager: if self.name.is_empty() { "unknown" } else { self.name }.into(),
            operation,
            api_version: if operation == Operation::Apply { String::new() } else { self.api_version.into() },
            subresource: self.subresource.unwrap_or_default().into(),
        }
    }
}

/// The fields that identify an object or that the server keeps; nobody owns them.
fn never_tracked() -> &'static FieldSet {
    static FIELDS: LazyLock<FieldSet> = LazyLock::new(|| {
        FieldSet::of_fields(&[
            &["apiVersion"],
            &["kind"],
            &["metadata"],
            &["metadata", "clusterName"],
            &["metadata", "creationTimestamp"],
            &["metadata", "deletionGracePeriodSeconds"],
            &["metadata", "deletionTimestamp"],
            &["metadata", "generation"],
            &["metadata", "managedFields"],
            &["metadata", "name"],
            &["metadata", "namespace"],
            &["metadata", "resourceVersion"],
            &["metadata", "selfLink"],
            &["metadata", "uid"],
        ])
    });
    &FIELDS
}
