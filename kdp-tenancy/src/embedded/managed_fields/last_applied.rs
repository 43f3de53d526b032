//! Living together with client-side `kubectl apply`, which keeps its last configuration in an
//! annotation.

use serde_json::Value;

use super::check::faults;
use super::compare::Comparison;
use super::fields::FieldSet;
use super::schema_types::Type;
use super::typed::fields_of;

/// The field manager of `kubectl apply --server-side`; other names opt out of all this.
pub(super) const KUBECTL: &str = "kubectl";

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Limit for an object's annotations together, as Kubernetes validates it.
const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// The fields that still have the value client-side apply gave them; `None` when the object was
/// not managed that way, or in another version.
pub(super) fn still_as_last_applied(ty: Type<'_>, live: &Value, api_version: &str) -> Option<FieldSet> {
    let last_applied = live.get("metadata")?.get("annotations")?.get(ANNOTATION)?.as_str()?;
    let last_applied: Value = serde_json::from_str(last_applied).ok()?;
    if last_applied.get("apiVersion")? != api_version || !faults(ty, &last_applied).is_empty() {
        return None;
    }
    let diff = Comparison::of(ty, &last_applied, live);
    let mut fields = fields_of(ty, &last_applied);
    for set in [&diff.modified, &diff.added, &diff.removed] {
        fields.subtract(set);
    }
    Some(fields)
}

/// Where `object` has the annotation, makes it say `applied`, so that a later client-side apply
/// starts from there.
pub(super) fn refresh(object: &mut Value, applied: &Value) {
    let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) else { return };
    if annotations.get(ANNOTATION).and_then(Value::as_str).is_none_or(str::is_empty) {
        return;
    }
    let mut applied = applied.clone();
    if let Some(theirs) = applied.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        theirs.remove(ANNOTATION);
    }
    annotations.insert(ANNOTATION.into(), Value::String(format!("{applied}\n")));
    let size: usize = annotations.iter().map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum();
    if size > MAX_ANNOTATION_BYTES {
        annotations.remove(ANNOTATION);
    }
}
