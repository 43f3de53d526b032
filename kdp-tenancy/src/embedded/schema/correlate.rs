//! Which old value a new one is compared with on update.

use std::cell::OnceCell;
use std::collections::HashMap;

use serde_json::Value;

use super::node::{ListType, Node};

/// The old value of the field `name`; none when the object is replaced as a whole.
pub(super) fn field<'o>(node: &Node, old: Option<&'o Value>, name: &str) -> Option<&'o Value> {
    if node.atomic_map { None } else { old?.get(name) }
}

/// Old items of a list, found by the key fields of the list; other lists have no old items.
pub(super) struct OldItems<'o, 'n> {
    keys: &'n [String],
    items: &'o [Value],
    by_key: OnceCell<HashMap<String, &'o Value>>,
}

impl<'o, 'n> OldItems<'o, 'n> {
    pub(super) fn new(node: &'n Node, old: Option<&'o Value>) -> Self {
        let items = old.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        match &node.list {
            ListType::Map(keys) => Self { keys, items, by_key: OnceCell::new() },
            ListType::Atomic | ListType::Set => Self { keys: &[], items: &[], by_key: OnceCell::new() },
        }
    }

    /// The old item with the keys of `item`, which is now at `index`.
    pub(super) fn find(&self, index: usize, item: &Value) -> Option<&'o Value> {
        if self.items.is_empty() {
            return None;
        }
        // Most updates leave items where they are.
        let here = self.items.get(index);
        if here.is_some_and(|old| self.keys.iter().all(|key| old.get(key) == item.get(key))) {
            return here;
        }
        let by_key = self.by_key.get_or_init(|| self.items.iter().map(|old| (self.identity(old), old)).collect());
        by_key.get(&self.identity(item)).copied()
    }

    fn identity(&self, item: &Value) -> String {
        self.keys.iter().map(|key| item.get(key).unwrap_or(&Value::Null).to_string()).collect::<Vec<_>>().join(",")
    }
}
