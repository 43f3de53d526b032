//! What is kept of an object in order to see later what changed.
//!
//! Only whether a value changed is ever asked, so long values and everything in Secrets are kept
//! as digests: a state Secret stays small, and holds nothing that is secret.

use serde_json::{Map, Value};

use crate::hash;

/// Longer texts are kept as digests.
const LONGEST: usize = 256;
const DIGEST_PREFIX: &str = "sync.kdp.k8c.io/sha256:";

/// The object as it is kept.
pub(super) fn remembered(object: &Value) -> Value {
    let is_secret = object["apiVersion"] == "v1" && object["kind"] == "Secret";
    let keep = |(field, value): (&String, &Value)| {
        let is_secret = is_secret && matches!(field.as_str(), "data" | "stringData");
        (field.clone(), kept(value, is_secret))
    };
    object.as_object().into_iter().flatten().map(keep).collect()
}

fn kept(value: &Value, is_secret: bool) -> Value {
    match value {
        Value::String(text) if is_secret || text.len() > LONGEST || is_digest(text) => digest(text).into(),
        Value::Array(items) => items.iter().map(|item| kept(item, is_secret)).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), kept(value, is_secret))).collect(),
        other => other.clone(),
    }
}

/// Whether this is what was kept of `now`, or `now` itself: the existing agent keeps whole objects.
pub(super) fn is_same(before: &Value, now: &Value) -> bool {
    match (before, now) {
        // A text that looks like a digest is itself kept as one, so that nothing can be mistaken
        // for what it is not.
        (Value::String(before), Value::String(now)) => {
            (before == now && !is_digest(now)) || (is_digest(before) && *before == digest(now))
        }
        (Value::Array(before), Value::Array(now)) => {
            before.len() == now.len() && before.iter().zip(now).all(|(before, now)| is_same(before, now))
        }
        (Value::Object(before), Value::Object(now)) => {
            let is_kept = |(key, now)| before.get(key).is_some_and(|before| is_same(before, now));
            before.len() == now.len() && now.iter().all(is_kept)
        }
        (before, now) => before == now,
    }
}

/// The merge patch that leads from what was kept to `now`; none if nothing changed.
pub(super) fn changes(before: &Value, now: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(now)) = (before, now) else {
        return (!is_same(before, now)).then(|| now.clone());
    };
    let mut patch = Map::new();
    for (key, now) in now {
        let change = before.get(key).map_or_else(|| Some(now.clone()), |before| changes(before, now));
        patch.extend(change.map(|change| (key.clone(), change)));
    }
    patch.extend(before.keys().filter(|key| !now.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    (!patch.is_empty()).then_some(Value::Object(patch))
}

fn is_digest(text: &str) -> bool {
    text.starts_with(DIGEST_PREFIX)
}

fn digest(text: &str) -> String {
    format!("{DIGEST_PREFIX}{}", hash::sha256(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::engine::merge;

    #[test]
    fn nothing_secret_is_kept() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": "aHVudGVyMg=="}});
        let kept = remembered(&secret);
        assert!(!kept.to_string().contains("aHVudGVyMg"));
        assert!(is_same(&kept, &secret));
        let other = json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": "b3RoZXI="}});
        assert_eq!(changes(&kept, &other), Some(json!({"data": {"password": "b3RoZXI="}})));
    }

    #[test]
    fn long_values_are_kept_short() {
        let config = json!({"kind": "ConfigMap", "data": {"a": "x".repeat(100_000), "b": "short"}});
        let kept = remembered(&config);
        assert!(kept.to_string().len() < 1000);
        assert_eq!(kept["data"]["b"], "short");
        assert_eq!(changes(&kept, &config), None);
    }

    #[test]
    fn a_digest_that_a_tenant_writes_is_not_the_value_it_stands_for() {
        let before = json!({"spec": {"a": "x".repeat(1000)}});
        let kept = remembered(&before);
        let forged = json!({"spec": {"a": kept["spec"]["a"]}});
        assert_eq!(changes(&kept, &forged), Some(forged.clone()));
        assert_eq!(changes(&remembered(&forged), &forged), None);
        assert_eq!(changes(&remembered(&forged), &before), Some(before));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
            "[ab]".prop_map(|text| Value::from(text.repeat(LONGEST + 1))),
            "[ab]".prop_map(|text| Value::from(digest(&text))),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    fn any_object() -> impl Strategy<Value = Value> {
        let kind = prop_oneof![Just("Secret"), Just("Thing")];
        (kind, any_value()).prop_map(|(kind, data)| json!({"apiVersion": "v1", "kind": kind, "data": data}))
    }

    proptest! {
        #[test]
        fn what_changed_is_what_a_comparison_of_the_whole_objects_says(before in any_object(), now in any_object()) {
            let expected = merge::diff(&before, &now);
            prop_assert_eq!(changes(&remembered(&before), &now), expected.clone());
            prop_assert_eq!(is_same(&remembered(&before), &now), expected.is_none());
        }
    }
}
