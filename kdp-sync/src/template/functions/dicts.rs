//! Functions of sprig on maps.

use std::{collections::BTreeMap, rc::Rc};

use super::{Args, Function, function, reflect::is_empty};
use crate::template::{
    fuel::DEEPEST_VALUE,
    value::{Element, List, Map, Val},
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("dict", "a*", |a| {
        let mut entries = BTreeMap::new();
        for pair in a.values.chunks(2) {
            let value = pair.get(1).cloned().unwrap_or_else(|| Val::text(""));
            entries.insert(a.strval(&pair[0])?, value);
        }
        Ok(Val::map(entries))
    }),
    function("get", "ms", |a| Ok(a.map(0).and_then(|map| map.get(a.text(1))).unwrap_or_else(|| Val::text("")))),
    function("hasKey", "ms", |a| Ok(Val::Bool(a.map(0).is_some_and(|map| map.get(a.text(1)).is_some())))),
    function("set", "msa", |a| {
        a.map(0).ok_or("a missing map cannot be set")?.set(a.text(1), a.any(2).clone(), a.fuel)?;
        Ok(a.any(0).clone())
    }),
    function("unset", "ms", |a| {
        if let Some(map) = a.map(0) {
            map.remove(a.text(1))?;
        }
        Ok(a.any(0).clone())
    }),
    function("pluck", "sm*", |a| {
        let maps = (1..a.values.len()).filter_map(|at| a.map(at));
        Ok(Val::list(maps.filter_map(|map| map.get(a.text(0))).collect()))
    }),
    // Go gives them in random order; ours is sorted, so that nothing is rewritten.
    function("keys", "m*", |a| {
        let maps = (0..a.values.len()).filter_map(|at| a.map(at));
        Ok(Val::texts(maps.flat_map(|map| map.entries().into_keys())))
    }),
    function("values", "m", |a| Ok(Val::list(entries(a, 0).into_values().collect()))),
    function("pick", "ms*", |a| {
        let mut all = entries(a, 0);
        all.retain(|key, _| (1..a.values.len()).any(|at| a.text(at) == &**key));
        Ok(Val::map(all))
    }),
    function("omit", "ms*", |a| {
        let mut all = entries(a, 0);
        all.retain(|key, _| (1..a.values.len()).all(|at| a.text(at) != &**key));
        Ok(Val::map(all))
    }),
    function("dig", "a*", dig),
    function("merge", "mm*", |a| merge(a, false)),
    function("mustMerge", "mm*", |a| merge(a, false)),
    function("mergeOverwrite", "mm*", |a| merge(a, true)),
    function("mustMergeOverwrite", "mm*", |a| merge(a, true)),
    function("deepCopy", "a", |a| copy(a, a.any(0), 0)),
    function("mustDeepCopy", "a", |a| copy(a, a.any(0), 0)),
];

fn entries<'v>(args: &Args<'_, 'v>, at: usize) -> BTreeMap<Rc<str>, Val<'v>> {
    args.map(at).map(Map::entries).unwrap_or_default()
}

fn dig<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let [keys @ .., default, root] = args.values else { return Err("needs at least three arguments".into()) };
    if keys.is_empty() {
        return Err("needs at least three arguments".into());
    }
    let keys = keys
        .iter()
        .map(|key| match key {
            Val::Text(key) => Ok(key),
            other => Err(format!("a key is a string, not a {}", other.type_name())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut value = root.clone();
    for key in keys {
        let Val::Map(map) = &value else { return Err(format!("a {} has no keys", value.type_name())) };
        if !map.holds_anything() {
            return Err(format!("a {} is not a map of anything", value.type_name()));
        }
        match map.get(key) {
            Some(found) => value = found,
            None => return Ok(default.clone()),
        }
    }
    Ok(value)
}

fn merge<'v>(args: &Args<'_, 'v>, overwrites: bool) -> Result<Val<'v>, String> {
    let target = match args.any(0) {
        Val::Map(map) => map.clone(),
        _ => Map::made(BTreeMap::new(), Element::Any),
    };
    for at in 1..args.values.len() {
        if let Some(source) = args.map(at) {
            merge_into(args, &target, source, overwrites, 0)?;
        }
    }
    Ok(Val::Map(target))
}

/// Fills in what is missing or empty; or takes everything over, and merges maps in both cases.
fn merge_into<'v>(
    args: &Args<'_, 'v>,
    target: &Map<'v>,
    source: &Map<'v>,
    overwrites: bool,
    depth: usize,
) -> Result<(), String> {
    if depth > DEEPEST_VALUE {
        return Err("a value nests too deep to be merged".into());
    }
    for (key, value) in source.entries() {
        args.fuel.burn(1)?;
        match (target.get(&key), &value) {
            (_, Val::Nil) if !overwrites => {}
            (Some(Val::Map(old)), Val::Map(new)) if old.len() > 0 => {
                merge_into(args, &old, new, overwrites, depth + 1)?;
            }
            (Some(old), _) if !overwrites && !is_empty(&old) => {}
            _ => target.set(&key, value, args.fuel)?,
        }
    }
    Ok(())
}

fn copy<'v>(args: &Args<'_, 'v>, value: &Val<'v>, depth: usize) -> Result<Val<'v>, String> {
    args.fuel.burn(1)?;
    if depth > DEEPEST_VALUE {
        return Err("a value nests too deep to be copied".into());
    }
    match value {
        Val::List(list) => {
            let items = list.items().iter().map(|item| copy(args, item, depth + 1)).collect::<Result<_, _>>()?;
            Ok(Val::List(List::new(items, list.element)))
        }
        Val::Map(map) if map.holds_anything() => {
            let entries = map.entries().into_iter();
            let entries = entries.map(|(key, value)| Ok((key, copy(args, &value, depth + 1)?)));
            Ok(Val::map(entries.collect::<Result<_, String>>()?))
        }
        other => Ok(other.clone()),
    }
}
