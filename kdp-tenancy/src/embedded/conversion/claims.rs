//! A list of permission claims between `v1alpha1` and `v1alpha2`.
//!
//! A claim of `v1alpha1` is on every verb; it may carry `all` and `resourceSelector`, which never had
//! an effect. A claim of `v1alpha2` names verbs and, where a consumer speaks, selects by labels. Each
//! version parks what the other one has in an annotation that lists whole claims of the other version.

use serde_json::{Map, Value, json};

use crate::embedded::{object::object_at, status::FieldError};

/// Where one list of claims stands, and where its rest is parked.
pub(super) struct Claims {
    pub(super) path: &'static [&'static str; 2],
    /// While the object is in `v1alpha1`: claims of `v1alpha2` that say more than `v1alpha1` can.
    pub(super) in_v1: &'static str,
    /// While the object is in `v1alpha2`: claims of `v1alpha1` that say more than `v1alpha2` can.
    pub(super) in_v2: &'static str,
    /// Whether claims of `v1alpha2` select objects here.
    pub(super) has_selector: bool,
}

const ONLY_V1: [&str; 2] = ["all", "resourceSelector"];
const ONLY_V2: [&str; 3] = ["verbs", "selector", "defaultSelector"];

impl Claims {
    /// Brings the claims of an object from `v1alpha2` to `v1alpha1`.
    pub(super) fn show(&self, object: &mut Value) {
        let parked = annotation(object, self.in_v2).unwrap_or_default();
        let mut rest = Vec::new();
        for claim in self.list(object) {
            if !self.is_plain(claim) {
                rest.push(claim.clone());
            }
            if self.has_selector && claim["selector"]["matchAll"] == true {
                claim["all"] = true.into();
            }
            set_members(claim, &ONLY_V2, None);
            if let Some(old) = parked.iter().find(|old| is_same(old, claim)) {
                set_members(claim, &ONLY_V1, Some(old));
            }
        }
        annotations_mut(object, |annotations| drop(annotations.remove(self.in_v2)));
        store_annotation(object, self.in_v1, &rest);
    }

    /// Brings the claims of an object from `v1alpha1` to `v1alpha2`.
    ///
    /// # Errors
    /// When the annotation with what `v1alpha2` said is not a list of claims.
    pub(super) fn store(&self, object: &mut Value) -> Result<(), FieldError> {
        let parked = annotation(object, self.in_v1)?;
        let mut rest = Vec::new();
        for claim in self.list(object) {
            let before = claim.clone();
            set_members(claim, &ONLY_V1, None);
            claim["verbs"] = json!(["*"]);
            if self.has_selector {
                claim["selector"] = json!({"matchAll": true});
            }
            if let Some(old) = parked.iter().find(|old| is_same(old, claim)) {
                set_members(claim, &ONLY_V2, Some(old));
            }
            let would_be_all = self.has_selector && claim["selector"]["matchAll"] == true;
            if !before["resourceSelector"].is_null() || (before["all"] == true) != would_be_all {
                rest.push(before);
            }
        }
        annotations_mut(object, |annotations| drop(annotations.remove(self.in_v1)));
        store_annotation(object, self.in_v2, &rest);
        Ok(())
    }

    fn list<'a>(&self, object: &'a mut Value) -> impl Iterator<Item = &'a mut Value> + use<'a> {
        let [part, field] = self.path;
        let list = object.get_mut(part).and_then(|part| part.get_mut(field)).and_then(Value::as_array_mut);
        list.into_iter().flatten().filter(|claim| claim.is_object())
    }

    /// Whether a claim of `v1alpha2` says nothing that `v1alpha1` does not say.
    fn is_plain(&self, claim: &Value) -> bool {
        claim["verbs"] == json!(["*"])
            && claim.get("defaultSelector").is_none()
            && (!self.has_selector || claim["selector"] == json!({"matchAll": true}))
    }
}

/// Whether two claims are about the same resource.
fn is_same(a: &Value, b: &Value) -> bool {
    ["group", "resource", "identityHash"]
        .iter()
        .all(|field| a[field].as_str().unwrap_or_default() == b[field].as_str().unwrap_or_default())
}

/// Makes these members what they are in `from`.
fn set_members(claim: &mut Value, members: &[&str], from: Option<&Value>) {
    let Some(claim) = claim.as_object_mut() else { return };
    for member in members {
        match from.and_then(|from| from.get(member)) {
            Some(value) => drop(claim.insert((*member).into(), value.clone())),
            None => drop(claim.remove(*member)),
        }
    }
}

/// The list parked in an annotation; empty when there is none.
///
/// # Errors
/// When it is not a list of objects.
pub(super) fn annotation(object: &Value, key: &str) -> Result<Vec<Value>, FieldError> {
    let Some(text) = object["metadata"]["annotations"][key].as_str() else { return Ok(Vec::new()) };
    match serde_json::from_str::<Vec<Value>>(text) {
        Ok(list) if list.iter().all(Value::is_object) => Ok(list),
        _ => Err(FieldError::invalid(
            format!("metadata.annotations[{key}]"),
            text,
            "must be the JSON of a list of objects, as the server wrote it",
        )),
    }
}

/// Parks a list in an annotation, or removes it when there is nothing to park.
pub(super) fn store_annotation(object: &mut Value, key: &str, list: &[Value]) {
    if list.is_empty() {
        annotations_mut(object, |annotations| drop(annotations.remove(key)));
    } else {
        let text = Value::from(list).to_string();
        object_at(&mut object["metadata"], "annotations").insert(key.into(), text.into());
    }
}

/// Changes the annotations of an object; they are gone when none is left.
pub(super) fn annotations_mut(object: &mut Value, change: impl FnOnce(&mut Map<String, Value>)) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else { return };
    change(annotations);
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
}
