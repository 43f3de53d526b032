//! Which fields differ between two objects of one type.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::FieldSet;
use super::path::PathElement;
use super::schema_types::Type;
use super::values::same;
use super::view::View;

/// The fields in which a new object differs from an old one; no field is in two of the sets.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Only the new object has them.
    pub(super) added: FieldSet,
    /// Both have them, with different values.
    pub(super) modified: FieldSet,
    /// Only the old object has them.
    pub(super) removed: FieldSet,
}

impl Comparison {
    /// Compares `old` with `new`.
    pub(super) fn of(ty: Type<'_>, old: &Value, new: &Value) -> Self {
        compare(ty, Some(old), Some(new))
    }

    /// The fields that have a value they did not have.
    pub(super) fn set(&self) -> FieldSet {
        let mut set = self.added.clone();
        set.extend(&self.modified);
        set
    }

    /// Leaves out these top-level fields.
    pub(super) fn forget(&mut self, names: &[&str]) {
        for set in [&mut self.added, &mut self.modified, &mut self.removed] {
            set.forget(names);
        }
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    fn insert(&mut self, element: &PathElement, below: Self) {
        self.added.insert_child(element.clone(), below.added);
        self.modified.insert_child(element.clone(), below.modified);
        self.removed.insert_child(element.clone(), below.removed);
    }

    fn maps(&mut self, ty: Type<'_>, old: &Map<String, Value>, new: &Map<String, Value>) {
        let only_new =
            new.iter().filter(|(name, _)| !old.contains_key(*name)).map(|(name, new)| (name, None, Some(new)));
        let of_old = old.iter().map(|(name, value)| (name, Some(value), new.get(name)));
        for (name, old, new) in of_old.chain(only_new) {
            let below = compare(ty.at(name), old, new);
            if !below.is_empty() {
                self.insert(&PathElement::Field(name.clone()), below);
            }
        }
    }

    fn lists(&mut self, ty: Type<'_>, old: &[(PathElement, &Value)], new: &[(PathElement, &Value)]) {
        let mut items: BTreeMap<&PathElement, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        for (element, item) in old {
            items.entry(element).or_default().0.push(item);
        }
        for (element, item) in new {
            items.entry(element).or_default().1.push(item);
        }
        for (element, (old, new)) in items {
            self.insert(element, compare_items(ty.items(), &old, &new));
        }
    }
}

fn compare(ty: Type<'_>, old: Option<&Value>, new: Option<&Value>) -> Comparison {
    if old == new {
        return Comparison::default();
    }
    let (old_view, new_view) = (View::of(ty, old), View::of(ty, new));
    let mut diff = Comparison::default();
    match ((old_view.as_map(), new_view.as_map()), (old_view.as_list(), new_view.as_list())) {
        ((Some(a), Some(b)), _) if !(a.is_empty() && b.is_empty()) => diff.maps(ty, a, b),
        (_, (Some(a), Some(b))) if !(a.is_empty() && b.is_empty()) => diff.lists(ty, a, b),
        (maps, lists) => {
            // A leaf, or a value whose kind changed: then all that was inside is gone or new.
            match maps {
                (Some(a), None) => diff.maps(ty, a, &Map::new()),
                (None, Some(b)) => diff.maps(ty, &Map::new(), b),
                _ => {}
            }
            match lists {
                (Some(a), None) => diff.lists(ty, a, &[]),
                (None, Some(b)) => diff.lists(ty, &[], b),
                _ => {}
            }
            if let (Some(old), Some(new)) = (old, new)
                && !same(old, new)
            {
                diff.modified.add_self();
            }
        }
    }
    match (old, new) {
        (None, Some(_)) => diff.added.add_self(),
        (Some(_), None) => diff.removed.add_self(),
        _ => {}
    }
    diff
}

/// Compares the items of one element; more than one on a side means duplicates in a stored list,
/// which are owned together.
fn compare_items(ty: Type<'_>, old: &[&Value], new: &[&Value]) -> Comparison {
    let mut diff = match (old, new) {
        ([] | [_], [] | [_]) => return compare(ty, old.first().copied(), new.first().copied()),
        ([_, _, ..], [_, _, ..]) => {
            let mut diff = Comparison::default();
            if old.len() != new.len() || !old.iter().zip(new).all(|(old, new)| same(old, new)) {
                diff.modified.add_self();
            }
            return diff;
        }
        ([_, _, ..], [new]) => compare(ty, None, Some(new)),
        ([old], [_, _, ..]) => compare(ty, Some(old), None),
        _ => Comparison::default(),
    };
    if old.len() > 1 {
        diff.removed.add_self();
    } else {
        diff.added.add_self();
    }
    diff
}
