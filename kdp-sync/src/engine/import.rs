//! Objects on the service cluster that ask to become the copy of an order.
//!
//! The order is made first, from the object, then the object is marked as its copy. Until then
//! nobody makes another copy: an agent works on one step of an order at a time, and asks here
//! before it decides on the order.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Batch, Command, Evidence, Facts, Next, ObjectKey, OrderKey, Part, Stop,
    copy::{self, Marks},
    decide::workspace_path,
    ownership,
    plan::Plan,
    policies::is_paused,
    primary::{Subject, key_of_copy},
    state::State,
};
use crate::{object, wire};

/// The order that an object asks for; its workspace may be given as a logical cluster or a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) workspace: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

/// What an object asks for; none when it does not, or does not make sense.
pub(crate) fn wanted(object: &Value) -> Option<Wanted> {
    let (workspace, order) = object::annotation(object, wire::IMPORT)?.split_once('|')?;
    let (namespace, name) = order.split_once('/').unwrap_or(("", order));
    if workspace.is_empty() || name.is_empty() || name.contains('/') {
        return None;
    }
    let namespace = Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty());
    Some(Wanted { workspace: workspace.into(), namespace, name: name.into() })
}

/// The next step of making the object the copy of the order; none if that is done, or nothing can
/// be done about it now.
pub(crate) fn import(
    plan: &Plan,
    key: &OrderKey,
    object: &ObjectKey,
    facts: &Facts<'_>,
    failed: &BTreeSet<Part>,
) -> Option<Next> {
    if plan.policies.is_paused || failed.contains(&Part::Import) {
        return None;
    }
    match step(plan, key, object, facts) {
        Ok(commands) => Some(Next::Act(Batch { part: Part::Import, commands: commands? })),
        Err(stop) => Some(stop.of(Part::Import)),
    }
}

fn step(plan: &Plan, key: &OrderKey, object_key: &ObjectKey, facts: &Facts<'_>) -> Result<Option<Vec<Command>>, Stop> {
    let Some(object) = facts.get(object_key, Evidence::Heard)? else { return Ok(None) };
    if wanted(&object).is_none() || is_paused(&object) || object::is_deleting(&object) {
        return Ok(None);
    }
    if !copy::belongs_to(&object, key) && !ownership::is_free(plan, &object) {
        return Err(Stop::Failed("it cannot be imported, because it belongs to something else".into()));
    }
    let order_key = plan.order_object(key);
    // Without marks of its own: it is the tenant's from now on.
    let fresh = copy::new_copy(&copy::strip(&object), &order_key, &Marks::default());
    let Some(order) = facts.get(&order_key, Evidence::Heard)? else {
        let is_unheard = facts.get(&order_key, Evidence::Seen)?.is_some();
        return Ok((!is_unheard).then(|| vec![Command::Create { key: order_key, object: fresh }]));
    };
    // An order that is not held yet could vanish with its copy left behind.
    if object::is_deleting(&order)
        || plan.policies.is_held_up(&order)
        || !object::has_finalizer(&order, &plan.finalizer)
    {
        return Ok(None);
    }
    let state = State::load(plan, key, object::uid(&order), facts)?;
    let copies = ownership::copies(plan, key, &state, facts, Evidence::Heard)?;
    if copies.iter().any(|copy| key_of_copy(plan, copy) != *object_key) {
        return Err(Stop::Failed("it cannot be imported, because its order has another copy".into()));
    }
    let path = workspace_path(plan, key, facts)?;
    let subject = Subject { plan, key, path: &path, order: &order, state: &state };
    if let Some(bring_up) = subject.bring_up(&object) {
        return Ok(Some(vec![bring_up]));
    }
    let base = copy::strip(&plan.spec_mutations.apply(fresh, &object)?);
    let commands = subject.link(object_key, &object, &base, facts)?;
    Ok((!commands.is_empty()).then_some(commands))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: &str, expected: Option<(&str, Option<&str>, &str)>) {
        let object = json!({"metadata": {"annotations": {wire::IMPORT: value}}});
        let found = wanted(&object);
        let found = found.as_ref().map(|w| (w.workspace.as_str(), w.namespace.as_deref(), w.name.as_str()));
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn an_order_is_named_by_workspace_namespace_and_name() {
        check("abc|default/db", Some(("abc", Some("default"), "db")));
        check("root:a|default/db", Some(("root:a", Some("default"), "db")));
        check("abc|/db", Some(("abc", None, "db")));
        check("abc|db", Some(("abc", None, "db")));
        for nonsense in ["", "abc", "abc|", "|default/db", "abc|default/", "abc|a/b/c"] {
            check(nonsense, None);
        }
    }
}
