//! The merge of a strategic merge patch.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::unprocessable;
use crate::embedded::managed_fields::schema_types::{PatchStrategy, Type};
use crate::embedded::managed_fields::values::Scalar;
use crate::embedded::status::{Result, StatusError};

type Object = Map<String, Value>;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
const SET_ORDER: &str = "$setElementOrder";

/// Merges `patch` into `current`.
pub(super) fn merge_maps(ty: Type<'_>, mut current: Object, patch: &Object) -> Result<Object> {
    match patch.get(PATCH) {
        None => {}
        Some(Value::String(directive)) if directive == "replace" => return Ok(adopt_map(patch)),
        Some(Value::String(directive)) if directive == "delete" => return Ok(Object::new()),
        Some(directive) => return Err(unknown_directive(directive)),
    }
    if let Some(keys) = patch.get(RETAIN_KEYS) {
        retain_keys(&mut current, patch, keys)?;
    }
    for (key, order) in patch {
        if let Some(field) = field_of(key, SET_ORDER)? {
            let order = as_list(order)?;
            reorder(ty.at(field), field, &mut current, patch.get(field), order)?;
        }
    }
    for (key, value) in patch {
        if let Some(field) = field_of(key, DELETE_FROM_LIST)? {
            delete_from_list(&mut current, field, as_list(value)?);
        } else if !is_directive(key) && !patch.contains_key(&format!("{SET_ORDER}/{key}")) {
            merge_field(ty.at(key), &mut current, key, value)?;
        }
    }
    Ok(current)
}

fn merge_field(ty: Type<'_>, current: &mut Object, key: &str, patch: &Value) -> Result<()> {
    let merged = match (current.remove(key), patch) {
        (_, Value::Null) => return Ok(()),
        (Some(Value::Object(current)), Value::Object(patch)) if ty.patch_strategy() != PatchStrategy::Replace => {
            Value::Object(merge_maps(ty, current, patch)?)
        }
        (Some(Value::Array(current)), Value::Array(patch)) => Value::Array(merge_lists(ty, current, patch)?),
        (_, patch) => adopt(patch),
    };
    current.insert(key.to_owned(), merged);
    Ok(())
}

/// Merges `patch` into `current` if the list is of the merging kind, else replaces it.
fn merge_lists(ty: Type<'_>, current: Vec<Value>, patch: &[Value]) -> Result<Vec<Value>> {
    let PatchStrategy::Merge(merge_key) = ty.patch_strategy() else { return Ok(adopt_list(patch)) };
    let items = || current.iter().chain(patch);
    if items().any(Value::is_array) {
        return Err(unprocessable());
    }
    if !items().any(Value::is_object) {
        let merged = current.iter().chain(patch).cloned().collect();
        return in_order(distinct(merged), patch, &current, Identity(None));
    }
    if !items().all(Value::is_object) {
        return Err(StatusError::bad_request("list element types are not identical"));
    }
    let Some(key) = merge_key else {
        return Err(StatusError::bad_request("cannot merge lists without merge key"));
    };
    merge_keyed(ty, current, patch, Identity(Some(key)))
}

fn merge_keyed(ty: Type<'_>, mut current: Vec<Value>, patch: &[Value], identity: Identity<'_>) -> Result<Vec<Value>> {
    let mut replaces = false;
    let mut plain = Vec::new();
    for item in patch {
        match item.get(PATCH) {
            None => plain.push(item.clone()),
            Some(Value::String(directive)) if directive == "delete" => {
                let gone = identity.of(item)?;
                current.retain(|item| identity.of(item).ok().as_ref() != Some(&gone));
            }
            Some(Value::String(directive)) if directive == "replace" => replaces = true,
            Some(directive) => return Err(unknown_directive(directive)),
        }
    }
    if replaces {
        return Ok(adopt_list(&plain));
    }
    let mut merged = current.clone();
    let mut positions: BTreeMap<Scalar, usize> = BTreeMap::new();
    for (position, item) in merged.iter().enumerate() {
        // The first of several equal items is the one that is patched.
        positions.entry(identity.of(item)?).or_insert(position);
    }
    for item in &plain {
        let position = *positions.entry(identity.of(item)?).or_insert(merged.len());
        match (merged.get_mut(position), item) {
            (Some(Value::Object(current)), Value::Object(item)) => {
                *current = merge_maps(ty.items(), std::mem::take(current), item)?;
            }
            _ => merged.push(adopt(item)),
        }
    }
    in_order(merged, &plain, &current, identity)
}

/// Merges the list `field` and puts its items in the order the patch states.
fn reorder(ty: Type<'_>, field: &str, current: &mut Object, patch: Option<&Value>, order: &[Value]) -> Result<()> {
    let PatchStrategy::Merge(merge_key) = ty.patch_strategy() else {
        return patch.map_or(Ok(()), |patch| merge_field(ty, current, field, patch));
    };
    let identity = Identity(merge_key);
    let patch = patch.map(as_list).transpose()?;
    check_order(patch.unwrap_or_default(), order, identity)?;
    let before = match current.get(field) {
        None | Some(Value::Null) => None,
        Some(list) => Some(as_list(list)?.to_vec()),
    };
    let merged = match (&before, patch) {
        (None, None) => return Ok(()),
        (Some(before), None) => before.clone(),
        (_, Some(patch)) => merge_lists(ty, before.clone().unwrap_or_default(), patch)?,
    };
    let ordered = in_order(merged, order, before.as_deref().unwrap_or_default(), identity)?;
    current.insert(field.to_owned(), Value::Array(ordered));
    Ok(())
}

/// The items that are not deleted must all be in `order`, and in that order.
fn check_order(patch: &[Value], order: &[Value], identity: Identity<'_>) -> Result<()> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut order = order.iter();
    for item in patch.iter().filter(|item| item.get(PATCH).is_none()) {
        let wanted = identity.of(item)?;
        let mut found = false;
        for next in order.by_ref() {
            if identity.of(next)? == wanted {
                found = true;
                break;
            }
        }
        if !found {
            return Err(StatusError::bad_request(format!("the order in patch list doesn't match {SET_ORDER} list")));
        }
    }
    Ok(())
}

/// Sorts `items` by the patch's order, and the others in between by the server's.
fn in_order(items: Vec<Value>, wanted: &[Value], server: &[Value], identity: Identity<'_>) -> Result<Vec<Value>> {
    let wanted = positions(wanted, identity)?;
    let server = positions(server, identity)?;
    let (mut of_patch, mut of_server) = (Vec::new(), Vec::new());
    for item in items {
        let id = identity.of(&item)?;
        let on_server = server.get(&id).copied();
        match wanted.get(&id) {
            Some(position) => of_patch.push((*position, on_server, item)),
            None => of_server.push((on_server, item)),
        }
    }
    of_patch.sort_by_key(|(position, ..)| *position);
    of_server.sort_by_key(|(position, _)| *position);

    let mut of_server = of_server.into_iter().peekable();
    let mut ordered = Vec::new();
    for (_, position, item) in of_patch {
        let precedes = |(other, _): &(Option<usize>, Value)| position.is_some() && other.is_some() && *other < position;
        while let Some((_, earlier)) = of_server.next_if(precedes) {
            ordered.push(earlier);
        }
        ordered.push(item);
    }
    ordered.extend(of_server.map(|(_, item)| item));
    Ok(ordered)
}

fn positions(items: &[Value], identity: Identity<'_>) -> Result<BTreeMap<Scalar, usize>> {
    let mut positions = BTreeMap::new();
    for (position, item) in items.iter().enumerate() {
        positions.entry(identity.of(item)?).or_insert(position);
    }
    Ok(positions)
}

/// What makes two items the same: the value of the merge key, or the item itself without one.
#[derive(Clone, Copy)]
struct Identity<'a>(Option<&'a str>);

impl Identity<'_> {
    fn of(self, item: &Value) -> Result<Scalar> {
        let Some(key) = self.0 else { return Ok(Scalar::new(item)) };
        let value = item.get(key).ok_or_else(|| {
            StatusError::bad_request(format!("map: {item} does not contain declared merge key: {key}"))
        })?;
        Ok(Scalar::new(value))
    }
}

fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    items.into_iter().filter(|item| seen.insert(Scalar::new(item))).collect()
}

fn delete_from_list(current: &mut Object, field: &str, gone: &[Value]) {
    if let Some(Value::Array(items)) = current.get_mut(field) {
        let gone: BTreeSet<Scalar> = gone.iter().map(Scalar::new).collect();
        items.retain(|item| !gone.contains(&Scalar::new(item)));
    }
}

fn retain_keys(current: &mut Object, patch: &Object, keys: &Value) -> Result<()> {
    let malformed = || StatusError::bad_request("invalid patch format of retainKeys");
    let keys = keys.as_array().ok_or_else(malformed)?;
    let keys: BTreeSet<&str> = keys.iter().filter_map(Value::as_str).collect();
    if patch.iter().any(|(key, value)| !value.is_null() && !is_directive(key) && !keys.contains(key.as_str())) {
        return Err(malformed());
    }
    current.retain(|key, _| keys.contains(key.as_str()));
    Ok(())
}

/// The value a patch gives to a field that has nothing to merge with: without nulls, which delete
/// nothing there, and without directives.
fn adopt(patch: &Value) -> Value {
    match patch {
        Value::Object(fields) => Value::Object(adopt_map(fields)),
        Value::Array(items) => Value::Array(adopt_list(items)),
        scalar => scalar.clone(),
    }
}

fn adopt_map(patch: &Object) -> Object {
    let kept = patch.iter().filter(|(key, value)| !value.is_null() && !is_directive(key));
    kept.map(|(key, value)| (key.clone(), adopt(value))).collect()
}

fn adopt_list(patch: &[Value]) -> Vec<Value> {
    patch.iter().filter(|item| item.get(PATCH).is_none()).map(adopt).collect()
}

fn is_directive(key: &str) -> bool {
    key == PATCH || key == RETAIN_KEYS || key.starts_with(DELETE_FROM_LIST) || key.starts_with(SET_ORDER)
}

/// The field that the directive key `<prefix>/<field>` is about.
fn field_of<'k>(key: &'k str, prefix: &str) -> Result<Option<&'k str>> {
    match key.strip_prefix(prefix) {
        None => Ok(None),
        Some(rest) => match rest.strip_prefix('/') {
            Some(field) => Ok(Some(field)),
            None => Err(StatusError::bad_request(format!("invalid patch format of {prefix} list"))),
        },
    }
}

fn as_list(value: &Value) -> Result<&[Value]> {
    let list = value.as_array().map(Vec::as_slice);
    list.ok_or_else(|| StatusError::bad_request(format!("expected a list, but received {value}")))
}

fn unknown_directive(directive: &Value) -> StatusError {
    StatusError::bad_request(format!("unknown patch type: {directive}"))
}
