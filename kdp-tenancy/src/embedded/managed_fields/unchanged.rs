//! Whether a write changes anything.

use serde_json::Value;

use super::owners::Owners;

/// See [`super::is_unchanged`].
pub(super) fn is_unchanged(before: &Value, after: &Value) -> bool {
    before == after
        || (same_but("metadata", before, after)
            && same_but("managedFields", &before["metadata"], &after["metadata"])
            && same_owners(before, after))
}

/// Whether two maps are the same, one field left aside.
fn same_but(field: &str, one: &Value, other: &Value) -> bool {
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else { return one == other };
    one.iter().filter(|(name, _)| *name != field).eq(other.iter().filter(|(name, _)| *name != field))
}

fn same_owners(before: &Value, after: &Value) -> bool {
    let timeless = |object| Owners::of(object).map(Owners::timeless);
    timeless(before).is_ok_and(|before| timeless(after).is_ok_and(|after| before == after))
}
