//! JSON merge patches (RFC 7386): how an object got from one state to another, and the same step
//! done to a third.

use serde_json::{Map, Value};

/// The patch that leads from `old` to `new`; none if they are equal.
pub(super) fn diff(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(old_map), Value::Object(new_map)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = Map::new();
    for (key, new) in new_map {
        match old_map.get(key) {
            Some(old) => patch.extend(diff(old, new).map(|patch| (key.clone(), patch))),
            None => {
                patch.insert(key.clone(), new.clone());
            }
        }
    }
    patch.extend(old_map.keys().filter(|key| !new_map.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Does a patch to an object.
pub(crate) fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(map) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            apply(map.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// Makes a patch do what another one does, too; where they differ, the other one wins.
pub(super) fn join(patch: &mut Value, other: &Value) {
    match (patch, other) {
        (Value::Object(patch), Value::Object(other)) => {
            for (key, other) in other {
                match patch.get_mut(key) {
                    Some(patch) => join(patch, other),
                    None => {
                        patch.insert(key.clone(), other.clone());
                    }
                }
            }
        }
        (patch, other) => patch.clone_from(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_changed_at_the_source_changes_at_the_destination() {
        let last = json!({"spec": {"size": 1, "image": "a", "old": true}});
        let now = json!({"spec": {"size": 2, "image": "a"}});
        let mut destination = json!({"spec": {"size": 1, "image": "changed here", "old": true, "added here": 1}});
        apply(&mut destination, &diff(&last, &now).unwrap());
        assert_eq!(destination, json!({"spec": {"size": 2, "image": "changed here", "added here": 1}}));
    }

    /// Values without null, which a merge patch cannot write.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<bool>().prop_map(Value::from), (0..4i64).prop_map(Value::from)];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_patch_leads_from_one_state_to_the_other(old in any_value(), new in any_value()) {
            let mut target = old.clone();
            match diff(&old, &new) {
                Some(patch) => apply(&mut target, &patch),
                None => prop_assert_eq!(&old, &new),
            }
            prop_assert_eq!(target, new);
        }

        #[test]
        fn joined_patches_lead_to_the_same_state_from_either_of_their_beginnings(
            a in any_value(), b in any_value(), new in any_value()
        ) {
            let mut patch = json!({});
            for old in [&a, &b] {
                if let Some(change) = diff(&json!({"x": old}), &json!({"x": new})) {
                    join(&mut patch, &change);
                }
            }
            for old in [a, b] {
                let mut target = json!({"x": old});
                apply(&mut target, &patch);
                prop_assert_eq!(&target["x"], &new);
            }
        }

        #[test]
        fn a_patch_done_twice_is_done_once(old in any_value(), new in any_value(), mut other in any_value()) {
            if let Some(patch) = diff(&old, &new) {
                apply(&mut other, &patch);
                let once = other.clone();
                apply(&mut other, &patch);
                prop_assert_eq!(other, once);
            }
        }

        #[test]
        fn fields_the_source_did_not_change_keep_what_the_destination_says(
            last in prop::collection::btree_map("[a-d]", any_value(), 0..4),
            now in prop::collection::btree_map("[a-d]", any_value(), 0..4),
            here in prop::collection::btree_map("[a-d]", any_value(), 0..4),
        ) {
            let object = |map: &std::collections::BTreeMap<String, Value>| map.clone().into_iter().collect::<Value>();
            let mut destination = object(&here);
            if let Some(patch) = diff(&object(&last), &object(&now)) {
                apply(&mut destination, &patch);
            }
            for key in ["a", "b", "c", "d"] {
                if last.get(key) == now.get(key) {
                    prop_assert_eq!(destination.get(key), here.get(key));
                }
            }
        }
    }
}
