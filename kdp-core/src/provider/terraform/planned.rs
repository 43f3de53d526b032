//! What a plan of the engine says, without the secrets that it has in clear text.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::provider::{Change, ChangeAction, InventoryItem, Shown, ValueChange, redact_masked};

/// The changes of a plan, as `show -json` prints it.
pub(super) fn changes(plan: &Value) -> Vec<Change> {
    let drifted: BTreeSet<_> = each(&plan["resource_drift"]).filter_map(|drift| drift["address"].as_str()).collect();
    let resources = each(&plan["resource_changes"]).filter(|resource| resource["mode"] == "managed");
    let resources = resources.filter_map(|resource| {
        let address = resource["address"].as_str()?;
        let change = &resource["change"];
        let action = action_of(change)?;
        let deposed = resource["deposed"].as_str().map(|key| format!(" (deposed {key})")).unwrap_or_default();
        let changed =
            Change::new(action, format!("{address}{deposed}")).with_detail(detail(resource, drifted.contains(address)));
        Some(values(change).into_iter().fold(changed, Change::with_value))
    });
    let outputs = plan["output_changes"].as_object().into_iter().flatten().filter_map(|(name, change)| {
        let is_sensitive = is_marked(&change["before_sensitive"]) || is_marked(&change["after_sensitive"]);
        let value = if is_sensitive {
            ValueChange::sensitive("value")
        } else {
            let after = shown(&change["after"], &change["after_unknown"], &change["after_sensitive"]);
            ValueChange::plain("value", shown(&change["before"], &Value::Null, &change["before_sensitive"]), after)
        };
        Some(Change::new(action_of(change)?, format!("output {name}")).with_value(value))
    });
    resources.chain(outputs).collect()
}

/// The resources there may be while the plan is carried out and after it, the last dependents first as
/// far as `known` tells. Their order is the same for the same plan.
pub(super) fn inventory(plan: &Value, known: &[InventoryItem]) -> Vec<(String, String)> {
    let managed = each(&plan["resource_changes"]).filter(|resource| resource["mode"] == "managed");
    let wanted: BTreeSet<_> = managed
        .filter(|resource| !each(&resource["change"]["actions"]).all(|action| action == "delete" || action == "forget"))
        .filter_map(|resource| Some((text(&resource["type"])?, text(&resource["address"])?)))
        .collect();
    let is_known = |kind: &str, id: &str| known.iter().any(|item| item.kind == kind && item.id == id);
    let new = wanted.iter().filter(|(kind, id)| !is_known(kind, id)).cloned();
    let kept = known.iter().map(|item| (item.kind.clone(), item.id.clone())).filter(|item| wanted.contains(item));
    new.chain(kept).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(Into::into)
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What the actions of a change amount to; none when nothing is done.
fn action_of(change: &Value) -> Option<ChangeAction> {
    let actions: Vec<_> = each(&change["actions"]).filter_map(Value::as_str).collect();
    let has = |action| actions.contains(&action);
    Some(match () {
        () if has("delete") && has("create") => ChangeAction::Replace,
        () if has("delete") => ChangeAction::Delete,
        () if has("forget") => ChangeAction::Forget,
        () if has("create") => ChangeAction::Create,
        () if has("update") => ChangeAction::Update,
        // What is imported by the module and is already as wanted.
        () if !change["importing"].is_null() => ChangeAction::Update,
        () => return None,
    })
}

fn detail(resource: &Value, is_drifted: bool) -> String {
    let reason = match resource["action_reason"].as_str().unwrap_or_default() {
        "replace_because_tainted" => "its creation was not finished",
        "replace_because_cannot_update" => "it cannot be changed where it is",
        "replace_by_request" => "as requested",
        "replace_by_triggers" => "something it depends on is replaced",
        "delete_because_no_resource_config"
        | "delete_because_no_module"
        | "delete_because_wrong_repetition"
        | "delete_because_count_index"
        | "delete_because_each_key" => "the module no longer wants it",
        _ => "",
    };
    let imported = if resource["change"]["importing"].is_null() { "" } else { "taken over" };
    let drift = if is_drifted { "it was changed by others" } else { "" };
    [reason, imported, drift].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The attributes that change.
fn values(change: &Value) -> Vec<ValueChange> {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (before, after, unknown) = (fields(&change["before"]), fields(&change["after"]), &change["after_unknown"]);
    let unknown_names = unknown.as_object().into_iter().flatten();
    let unknown_names = unknown_names.filter(|(_, mask)| is_marked(mask)).map(|(name, _)| name);
    let names: BTreeSet<_> = before.keys().chain(after.keys()).chain(unknown_names).collect();
    let is_gone = change["after"].is_null();
    let names = names.into_iter().filter(|name| {
        let becomes_known = is_marked(&unknown[name.as_str()]);
        becomes_known || before.get(*name).unwrap_or(&Value::Null) != after.get(*name).unwrap_or(&Value::Null)
    });
    names
        .map(|name| {
            let (mask_before, mask_after) = (&change["before_sensitive"][name], &change["after_sensitive"][name]);
            let all_sensitive = [&change["before_sensitive"], &change["after_sensitive"], mask_before, mask_after];
            if all_sensitive.into_iter().any(|mask| mask == &Value::Bool(true)) {
                return ValueChange::sensitive(name);
            }
            // What is masked on one side only is the same secret on the other.
            let [before, after] = [before.get(name), after.get(name)]
                .map(|value| redact_masked(redact_masked(value.cloned().unwrap_or_default(), mask_before), mask_after));
            let unknown = if is_gone { &Value::Null } else { &unknown[name] };
            ValueChange::plain(name, shown(&before, &Value::Null, &Value::Null), shown(&after, unknown, &Value::Null))
        })
        .collect()
}

fn shown(value: &Value, unknown: &Value, sensitive: &Value) -> Shown {
    match value {
        _ if is_marked(sensitive) => Shown::Sensitive,
        _ if unknown == &Value::Bool(true) => Shown::Unknown,
        Value::Null => Shown::Absent,
        value => Shown::Value(value.clone()),
    }
}

/// Whether a mask marks anything.
fn is_marked(mask: &Value) -> bool {
    match mask {
        Value::Bool(is_marked) => *is_marked,
        Value::Array(items) => items.iter().any(is_marked),
        Value::Object(fields) => fields.values().any(is_marked),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
