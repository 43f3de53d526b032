//! The state in which both sides have to come to rest.

use serde_json::Value;

use super::{
    scene::Scene,
    shape::{CONFIGS, config_name},
};
use crate::{
    engine::{OrderKey, Place, STATE_PREFIX},
    object, wire,
};

/// Compares everything there is with what people have done; both sides agree from then on.
pub(super) fn check(scene: &mut Scene) -> Result<(), String> {
    for (key, object) in &scene.foreign {
        if scene.sides.get(key).as_ref() != Some(object) {
            return Err(format!("{key} of somebody else was {object}, and is {:?}", scene.sides.get(key)));
        }
    }
    for at in 0..scene.shape.orders.len() {
        check_order(scene, at).map_err(|fault| format!("{}: {fault}", scene.shape.orders[at]))?;
    }
    for at in 0..scene.shape.orders.len() {
        for config in 0..CONFIGS {
            let key = scene.shape.config(at, config);
            check_config(scene, at, config).map_err(|fault| format!("{key}: {fault}"))?;
        }
    }
    Ok(())
}

fn check_order(scene: &mut Scene, at: usize) -> Result<(), String> {
    let order = scene.sides.get(&scene.shape.order(at));
    let copy = scene.own_copy(at);
    let delivered = scene.shape.delivered(at);
    let secret = scene.sides.get(&delivered).filter(|_| !scene.foreign.contains_key(&delivered));
    let Some(order) = order else {
        let leftovers = [("copy", copy.is_some()), ("credentials", secret.is_some())];
        return leftovers.iter().try_for_each(|(what, is_left)| {
            if *is_left { Err(format!("its {what} is left without it")) } else { Ok(()) }
        });
    };
    if object::is_deleting(&order) {
        return Err(format!("its deletion does not end: {order}, copy {copy:?}"));
    }
    scene.orders.entry(at).or_default().check_source(&order)?;
    if !is_wanted(scene, at, &order) {
        // Left as it is, whatever that is.
        return Ok(());
    }
    let problems = scene.problems.get(&scene.shape.orders[at]).cloned().unwrap_or_default();
    if scene.foreign.contains_key(&scene.shape.copy(at)) {
        return if copy.is_none() && !problems.is_empty() { Ok(()) } else { Err("it took what is foreign".into()) };
    }
    let Some((_, copy)) = copy else {
        let is_taken = (0..scene.shape.orders.len())
            .any(|other| scene.shape.collide(at, other) && scene.own_copy(other).is_some());
        return if is_taken { Ok(()) } else { Err(format!("it has no copy: {problems:?}")) };
    };
    let model = scene.orders.entry(at).or_default();
    model.check_copy(&copy)?;
    model.agree(&copy);
    if copy.get("status").filter(|status| !status.is_null()) != order.get("status").filter(|s| !s.is_null()) {
        return Err(format!("its status is {}, and its copy's {}", order["status"], copy["status"]));
    }
    let finalizers = object::finalizers(&order).iter().filter(|name| **name == wire::FINALIZER).count();
    if finalizers != 1 {
        return Err(format!("it has the finalizer {finalizers} times"));
    }
    if scene.foreign.contains_key(&delivered) {
        return Ok(());
    }
    let original = scene.sides.get(&scene.shape.credentials(at)).filter(|_| is_own_original(scene, at));
    let model = scene.credentials.entry(at).or_default();
    match (&original, &secret) {
        (None, None) => Ok(()),
        (Some(original), Some(secret)) => {
            model.check_source(original)?;
            model.check_copy(secret).map_err(|fault| format!("credentials: {fault}"))?;
            model.agree(secret);
            Ok(())
        }
        _ => Err(format!("credentials: {original:?} was delivered as {secret:?}; {problems:?}")),
    }
}

/// In the shape where copies have the names that tenants choose, credentials may be those of
/// another order's copy.
fn is_own_original(scene: &Scene, at: usize) -> bool {
    scene.own_copy(at).is_some()
}

fn is_wanted(scene: &Scene, at: usize, order: &Value) -> bool {
    let is_open = || {
        let namespace = scene.shape.namespace(at).and_then(|key| scene.sides.get(&key));
        namespace.is_none_or(|namespace| object::label(&namespace, "open") == Some("yes"))
    };
    !scene.shape.is_filtered || (object::label(order, "plan") == Some("gold") && is_open())
}

fn has_unwanted(scene: &Scene) -> bool {
    let order = |at: usize| scene.sides.get(&scene.shape.order(at));
    (0..scene.shape.orders.len()).any(|at| order(at).is_some_and(|order| !is_wanted(scene, at, &order)))
}

/// Whether an agent holds a ConfigMap.
fn is_held(source: &Value) -> bool {
    let is_agents = |name: &&str| *name == wire::FINALIZER || name.starts_with(wire::CLAIM_PREFIX);
    object::finalizers(source).iter().any(is_agents)
}

/// Whether a copy was made for an order that has stopped matching, or may be another agent's.
fn is_kept_for_unwanted(scene: &Scene, copy: &Value) -> bool {
    let mark = object::annotation(copy, wire::RELATED_OWNER).unwrap_or_default();
    scene.shape.orders.iter().enumerate().any(|(at, OrderKey { cluster, namespace, name })| {
        let namespace = namespace.as_deref().unwrap_or_default();
        let is_its = mark.contains(&format!("{cluster}/")) && mark.contains(&format!("/{namespace}/{name}/"));
        let is_unwanted = |order| !is_wanted(scene, at, &order);
        is_its && (scene.shape.plans.len() > 1 || scene.sides.get(&scene.shape.order(at)).is_some_and(is_unwanted))
    })
}

/// A ConfigMap goes down as long as an order refers to it, and is let go of when none does.
fn check_config(scene: &mut Scene, at: usize, config: usize) -> Result<(), String> {
    if !scene.shape.has_configs {
        return Ok(());
    }
    let source = scene.sides.get(&scene.shape.config(at, config));
    let key = scene.shape.config_copy(at, config);
    let copy = scene.sides.get(&key).filter(|_| !scene.foreign.contains_key(&key));
    let Some(source) = source else {
        return if copy.is_none() || has_unwanted(scene) { Ok(()) } else { Err("its copy is left without it".into()) };
    };
    if object::is_deleting(&source) {
        return Err("its deletion does not end".into());
    }
    let id = scene.config_id(at, config);
    scene.configs.entry(id).or_default().check_source(&source)?;
    let (mut is_needed, mut may_stay) = (false, false);
    for other in (0..scene.shape.orders.len()).filter(|other| scene.config_id(*other, config) == id) {
        let Some(order) = scene.sides.get(&scene.shape.order(other)) else { continue };
        // An order that has once referred to it keeps its copy.
        may_stay = true;
        let is_served = is_wanted(scene, other, &order) && scene.own_copy(other).is_some();
        is_needed |= is_served && order["spec"]["config"] == config_name(config).as_str();
    }
    let is_held = is_held(&source);
    let is_kept_for_unwanted = copy.as_ref().is_some_and(|copy| is_kept_for_unwanted(scene, copy));
    match copy {
        Some(copy) => {
            if !may_stay {
                return Err("its copy is left though no order is".into());
            }
            let model = scene.configs.entry(id).or_default();
            // Nobody takes such a copy over; whoever needs it is told so.
            if is_needed && !is_kept_for_unwanted {
                model.check_copy(&copy)?;
            }
            model.agree(&copy);
        }
        None if is_needed && !scene.foreign.contains_key(&key) => return Err("it has no copy".into()),
        None => {}
    }
    if is_needed && !is_held {
        return Err("it is not held".into());
    }
    if is_held && !may_stay { Err("it is still held".into()) } else { Ok(()) }
}

/// After the end of all orders there is only what others have made.
pub(super) fn check_nothing_is_left(scene: &Scene) -> Result<(), String> {
    for (key, object) in scene.sides.objects() {
        if scene.foreign.contains_key(key) || key.types.kind == "Namespace" {
            continue;
        }
        let is_tenants = matches!(key.place, Place::Workspace(_)) && key.types.kind == "ConfigMap";
        if is_tenants && object::finalizers(object).is_empty() {
            continue;
        }
        let what = if key.name.starts_with(STATE_PREFIX) { "what is remembered" } else { "something" };
        return Err(format!("{what} is left: {key}: {object}"));
    }
    Ok(())
}
