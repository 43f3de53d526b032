//! Laying an applied configuration over a live object.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::path::PathElement;
use super::schema_types::Type;
use super::view::View;

/// The live object with everything `applied` says; nothing is removed.
pub(super) fn merge(ty: Type<'_>, live: &Value, applied: &Value) -> Value {
    if live == applied {
        return live.clone();
    }
    let (live_view, applied_view) = (View::of(ty, Some(live)), View::of(ty, Some(applied)));
    match ((live_view.as_map(), applied_view.as_map()), (live_view.as_list(), applied_view.as_list())) {
        ((Some(a), Some(b)), _) if !(a.is_empty() && b.is_empty()) => merge_maps(ty, a, b),
        (_, (Some(a), Some(b))) if !(a.is_empty() && b.is_empty()) => merge_lists(ty, a, b),
        _ => applied.clone(),
    }
}

fn merge_maps(ty: Type<'_>, live: &Map<String, Value>, applied: &Map<String, Value>) -> Value {
    let both = live.iter().map(|(name, live)| {
        let value = applied.get(name).map_or_else(|| live.clone(), |applied| merge(ty.at(name), live, applied));
        (name.clone(), value)
    });
    let only_applied = applied.iter().filter(|(name, _)| !live.contains_key(*name));
    let only_applied = only_applied.map(|(name, applied)| (name.clone(), applied.clone()));
    Value::Object(both.chain(only_applied).collect())
}

/// Items in both lists come in the applied order, live-only ones keep their place among them.
fn merge_lists(ty: Type<'_>, live: &[(PathElement, &Value)], applied: &[(PathElement, &Value)]) -> Value {
    // `None` for an element that occurs twice: which of the two to merge with cannot be told.
    let mut live_items: BTreeMap<&PathElement, Option<&Value>> = BTreeMap::new();
    for (element, item) in live {
        live_items.entry(element).and_modify(|seen| *seen = None).or_insert(Some(item));
    }
    let applied_items: BTreeMap<&PathElement, &Value> =
        applied.iter().map(|(element, item)| (element, *item)).collect();

    let mut shared =
        applied.iter().map(|(element, _)| element).filter(|element| live_items.contains_key(element)).peekable();
    let mut live_left = live.iter().peekable();
    let mut merged = Vec::with_capacity(live.len().max(applied.len()));
    for (element, item) in applied {
        while let Some((live_element, live_item)) =
            live_left.next_if(|(next, _)| next != element && shared.peek() != Some(&next))
        {
            // A shared item that comes too early here is put out at its place in the applied order.
            if !applied_items.contains_key(live_element) {
                merged.push((*live_item).clone());
            }
        }
        live_left.next_if(|(live_element, _)| live_element == element);
        shared.next_if(|next| *next == element);
        merged.push(match live_items.get(element) {
            Some(Some(live)) => merge(ty.items(), live, item),
            Some(None) | None => (*item).clone(),
        });
    }
    merged
        .extend(live_left.filter(|(element, _)| !applied_items.contains_key(element)).map(|(_, item)| (*item).clone()));
    Value::Array(merged)
}
