//! What no write of an agent may ever do.

use serde_json::Value;

use super::scene::Scene;
use crate::{
    engine::{ObjectKey, OrderKey, Place, STATE_PREFIX, copy},
    object, wire,
};

/// Checks what a write made in a pass over `order` has done to an object.
pub(super) fn check(
    scene: &Scene,
    order: &OrderKey,
    key: &ObjectKey,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Result<(), String> {
    if scene.foreign.contains_key(key) {
        return Err(format!("{key} is somebody else's"));
    }
    if let Place::Workspace(cluster) = &key.place
        && *cluster != order.cluster
    {
        return Err(format!("{key} is in another workspace"));
    }
    let Some(before) = before else { return Ok(()) };
    let is_original = |original: &ObjectKey| original == key;
    let at = (0..scene.shape.orders.len()).find(|at| scene.shape.orders[*at] == *order).unwrap();
    if scene.shape.plans[0].order_object(order) == *key {
        return after.map_or(Ok(()), |after| same(&tenants_part(before), &tenants_part(after), key));
    }
    if (0..super::shape::CONFIGS).any(|config| is_original(&scene.shape.config(at, config))) {
        return after.map_or(Ok(()), |after| same(&tenants_part(before), &tenants_part(after), key));
    }
    if (0..scene.shape.orders.len()).any(|at| is_original(&scene.shape.credentials(at))) {
        return Err(format!("{key} is the operator's"));
    }
    let is_copy = key.types == scene.shape.plans[0].local && key.place == Place::Service;
    if is_copy && !copy::belongs_to(before, order) {
        return Err(format!("{key} is the copy of another order"));
    }
    if key.place == Place::Service && !is_copy && !key.name.starts_with(STATE_PREFIX) {
        let owner = object::annotation(before, wire::RELATED_OWNER).unwrap_or_default();
        if !owner.starts_with(&format!("{}/", order.cluster)) {
            return Err(format!("{key} was made for {owner:?}"));
        }
    }
    Ok(())
}

/// What is the tenant's in an object that the tenant has made.
fn tenants_part(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["resourceVersion", "finalizers"] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.starts_with(wire::RELATED_PREFIX));
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    object
}

fn same(before: &Value, after: &Value, key: &ObjectKey) -> Result<(), String> {
    if before == after { Ok(()) } else { Err(format!("{key} said {before}, and says {after}")) }
}
