//! A value seen through its type: as a map or list with owners inside, or as one leaf.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::path::PathElement;
use super::schema_types::{Kind, ListType, Type};
use super::values::Scalar;

/// How a value takes part in merging.
#[derive(Debug)]
pub(super) enum View<'v> {
    /// Absent or null: an empty container if the other side is one, else a leaf.
    Nothing,
    /// Owned and compared as a whole.
    Leaf,
    /// Owned entry by entry.
    Map(&'v Map<String, Value>),
    /// Owned item by item.
    List(Items<'v>),
}

/// The items of a list, each with the path element that identifies it.
pub(super) type Items<'v> = Vec<(PathElement, &'v Value)>;

impl<'v> View<'v> {
    /// Sees `value` as `ty` has it.
    ///
    /// A stored value that does not fit its type (the schema changed since) counts as a leaf, so
    /// that it can still be owned and replaced.
    pub(super) fn of(ty: Type<'_>, value: Option<&'v Value>) -> Self {
        match (value, ty.kind()) {
            (None | Some(Value::Null), _) => Self::Nothing,
            (Some(Value::Object(map)), Kind::Object | Kind::Any) if !ty.is_atomic_map() => Self::Map(map),
            (Some(Value::Array(list)), Kind::Array | Kind::Any) => {
                let list_type = ty.list_type();
                if list_type == ListType::Atomic {
                    return Self::Leaf;
                }
                let element = |item: &'v Value| Some((element_of(ty, &list_type, item).ok()?, item));
                list.iter().map(element).collect::<Option<_>>().map_or(Self::Leaf, Self::List)
            }
            _ => Self::Leaf,
        }
    }

    /// The entries, if this can stand for a map.
    pub(super) fn as_map(&self) -> Option<&'v Map<String, Value>> {
        static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        match self {
            Self::Map(map) => Some(map),
            Self::Nothing => Some(&EMPTY),
            Self::Leaf | Self::List(_) => None,
        }
    }

    /// The items, if this can stand for a list.
    pub(super) fn as_list(&self) -> Option<&[(PathElement, &'v Value)]> {
        match self {
            Self::List(items) => Some(items),
            Self::Nothing => Some(&[]),
            Self::Leaf | Self::Map(_) => None,
        }
    }
}

/// The path element of `item` in a list of type `ty`.
///
/// # Errors
/// In structured-merge-diff's words, when the item cannot be identified.
pub(super) fn element_of(ty: Type<'_>, list_type: &ListType<'_>, item: &Value) -> Result<PathElement, String> {
    match (list_type, item) {
        (ListType::Atomic, _) => Err("invalid indexing of non-associative list".into()),
        (ListType::Set, Value::Object(_)) => {
            Err("associative list without keys has an element that's a map type".into())
        }
        (ListType::Set, Value::Array(_)) => Err("not supported: associative list with lists as elements".into()),
        (ListType::Set, Value::Null) => {
            Err("associative list without keys has an element that's an explicit null".into())
        }
        (ListType::Set, scalar) => Ok(PathElement::Value(Scalar::new(scalar))),
        (ListType::Map(_), Value::Null) => Err("associative list with keys may not have a null element".into()),
        (ListType::Map(keys), Value::Object(fields)) => {
            let defaults = ty.items();
            let value_of = |key: &&str| fields.get(*key).or_else(|| defaults.default_of(key));
            let mut key: Vec<_> =
                keys.iter().filter_map(|key| Some(((*key).to_owned(), Scalar::new(value_of(key)?)))).collect();
            if key.is_empty() {
                return Err(format!(
                    "associative list with keys has an element that omits all key fields {keys:?} \
                     (and doesn't have default values for any key fields)"
                ));
            }
            key.sort_unstable();
            Ok(PathElement::Key(key.into()))
        }
        (ListType::Map(_), _) => Err("associative list with keys may not have non-map elements".into()),
    }
}

/// The elements that occur more than once.
pub(super) fn duplicates<'i>(items: &'i [(PathElement, &Value)]) -> BTreeSet<&'i PathElement> {
    let mut seen = BTreeSet::new();
    items.iter().map(|(element, _)| element).filter(|element| !seen.insert(*element)).collect()
}
