//! The set of fields an object has, and how sets relate to a type.

use serde_json::Value;

use super::fields::FieldSet;
use super::path::PathElement;
use super::schema_types::{Kind, ListType, Type};
use super::view::{View, duplicates};

/// Every leaf and every list item that `object` specifies.
pub(super) fn fields_of(ty: Type<'_>, object: &Value) -> FieldSet {
    let mut set = subtree(ty, object);
    // The whole object is nobody's.
    set.subtract(&FieldSet::here());
    set
}

/// Adds to `set` the declared fields on the way to its members.
///
/// A declared field is not a member merely because something below it is; for deciding what to
/// remove it has to count as one, else it would stay behind empty.
pub(super) fn with_declared_parents(ty: Type<'_>, mut set: FieldSet) -> FieldSet {
    add_declared_parents(ty, &mut set);
    set
}

/// Turns ownership inside what the schema now calls atomic into ownership of the whole.
pub(super) fn collapse_atomics(ty: Type<'_>, set: &mut FieldSet) {
    if ty.is_deduced() {
        return;
    }
    set.update_children(|element, child| {
        let Some(ty) = below(ty, element) else { return };
        if is_atomic(ty) && child.children().next().is_some() {
            *child = FieldSet::here();
        } else {
            collapse_atomics(ty, child);
        }
    });
}

/// Takes the paths of `set` out of `value`; a container that loses all it had stays, empty.
pub(super) fn remove(ty: Type<'_>, value: &mut Value, set: &FieldSet) {
    match View::of(ty, Some(value)) {
        View::Nothing | View::Leaf => {}
        View::Map(_) => {
            let Value::Object(map) = value else { return };
            for (element, below) in set.children() {
                let PathElement::Field(name) = element else { continue };
                if below.is_member() {
                    map.remove(name);
                } else if let Some(value) = map.get_mut(name) {
                    remove(ty.at(name), value, below);
                }
            }
        }
        View::List(items) => {
            let elements: Vec<PathElement> = items.into_iter().map(|(element, _)| element).collect();
            let Value::Array(list) = value else { return };
            let mut elements = elements.iter();
            list.retain_mut(|item| match elements.next().and_then(|element| set.child(element)) {
                Some(below) if below.is_member() => false,
                Some(below) => {
                    remove(ty.items(), item, below);
                    true
                }
                None => true,
            });
        }
    }
}

/// The fields of `value` seen from its parent, itself included where that counts as a field.
fn subtree(ty: Type<'_>, value: &Value) -> FieldSet {
    match View::of(ty, Some(value)) {
        View::Nothing | View::Leaf => FieldSet::here(),
        View::Map(map) => {
            let mut set = if map.is_empty() { FieldSet::here() } else { FieldSet::default() };
            for (name, value) in map {
                let mut below = subtree(ty.at(name), value);
                if ty.field(name).is_none() {
                    below.add_self();
                }
                set.insert_child(PathElement::Field(name.clone()), below);
            }
            set
        }
        View::List(items) => {
            let repeated = duplicates(&items);
            let mut set = FieldSet::default();
            for (element, item) in &items {
                // What is inside one of several equal items cannot be told apart.
                let mut below = if repeated.contains(element) { FieldSet::here() } else { subtree(ty.items(), item) };
                below.add_self();
                set.insert_child(element.clone(), below);
            }
            set
        }
    }
}

fn add_declared_parents(ty: Type<'_>, set: &mut FieldSet) {
    set.update_children(|element, child| {
        if child.children().next().is_none() {
            return;
        }
        if let PathElement::Field(name) = element
            && ty.field(name).is_some()
        {
            child.add_self();
        }
        if let Some(ty) = below(ty, element) {
            add_declared_parents(ty, child);
        }
    });
}

fn below<'a>(ty: Type<'a>, element: &PathElement) -> Option<Type<'a>> {
    match element {
        PathElement::Field(name) => ty.field(name).or_else(|| ty.entry()),
        PathElement::Key(_) => Some(ty.items()),
        PathElement::Value(_) | PathElement::Index(_) => None,
    }
}

fn is_atomic(ty: Type<'_>) -> bool {
    match ty.kind() {
        Kind::Object | Kind::Any => ty.is_atomic_map(),
        Kind::Array => ty.list_type() == ListType::Atomic,
        Kind::Scalar => false,
    }
}
