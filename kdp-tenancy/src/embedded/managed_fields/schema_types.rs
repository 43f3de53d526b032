//! What a schema says about merging: which maps and lists have owners inside, and what keys them.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// The type of one value, read from an OpenAPI schema on demand.
///
/// Where the schema is silent the type is deduced from the value: maps are granular, lists atomic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type<'a> {
    /// `None`: deduced.
    schema: Option<&'a Value>,
    /// Whether this or an outer schema preserves unknown fields.
    open: bool,
    /// Whether this is a whole Kubernetes object, whose metadata has the well-known type.
    object: bool,
}

/// The JSON types a schema allows, as far as merging cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `type: object`.
    Object,
    /// `type: array`.
    Array,
    /// A string, number or boolean.
    Scalar,
    /// No type given.
    Any,
}

/// How a list is merged by server-side apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListType<'a> {
    /// Owned as a whole.
    Atomic,
    /// Items are owned one by one and are their own keys.
    Set,
    /// Items are maps, identified by these fields.
    Map(Vec<&'a str>),
}

/// How a strategic merge patch treats a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchStrategy<'a> {
    /// Merge a map, replace a list.
    Default,
    /// Replace the value.
    Replace,
    /// Merge a list: items are matched by the key, or by value without one.
    Merge(Option<&'a str>),
}

impl<'a> Type<'a> {
    /// The type of an object with this schema; `Value::Null` when there is none.
    pub(crate) fn root(schema: &'a Value) -> Self {
        Self { object: true, ..Self::of(schema, false) }
    }

    /// What JSON types are allowed.
    pub(crate) fn kind(self) -> Kind {
        if self.object {
            return Kind::Object;
        }
        match self.keyword("type").and_then(Value::as_str) {
            Some("object") => Kind::Object,
            Some("array") => Kind::Array,
            Some(_) => Kind::Scalar,
            None => Kind::Any,
        }
    }

    /// Whether the schema declares anything to hold values against.
    pub(crate) fn is_deduced(self) -> bool {
        self.schema.is_none()
    }

    /// Whether a map of this type is owned as a whole.
    pub(crate) fn is_atomic_map(self) -> bool {
        self.keyword("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic")
    }

    /// How a list of this type is merged.
    pub(crate) fn list_type(self) -> ListType<'a> {
        match self.keyword("x-kubernetes-list-type").and_then(Value::as_str) {
            Some("set") => ListType::Set,
            Some("map") => ListType::Map(self.list_map_keys()),
            Some(_) => ListType::Atomic,
            None => match self.patch_strategy() {
                PatchStrategy::Merge(Some(key)) => ListType::Map(vec![key]),
                PatchStrategy::Merge(None) => ListType::Set,
                PatchStrategy::Default | PatchStrategy::Replace => ListType::Atomic,
            },
        }
    }

    /// How a strategic merge patch treats a value of this type.
    pub(crate) fn patch_strategy(self) -> PatchStrategy<'a> {
        let strategies = self.keyword("x-kubernetes-patch-strategy").and_then(Value::as_str).unwrap_or_default();
        for strategy in strategies.split(',') {
            match strategy {
                "merge" => {
                    return PatchStrategy::Merge(self.keyword("x-kubernetes-patch-merge-key").and_then(Value::as_str));
                }
                "replace" => return PatchStrategy::Replace,
                // `retainKeys` only matters to who makes a patch: it says to send that directive.
                _ => {}
            }
        }
        PatchStrategy::Default
    }

    /// The type of the declared property `name`.
    pub(crate) fn field(self, name: &str) -> Option<Self> {
        if self.object && name == "metadata" {
            return Some(Self::of(&OBJECT_META, false));
        }
        if self.object && (name == "apiVersion" || name == "kind") {
            return Some(Self::of(&STRING, false));
        }
        self.properties()?.get(name).map(|schema| Self::of(schema, self.is_open()))
    }

    /// The type of keys that are not declared; `None` when there may be none.
    pub(crate) fn entry(self) -> Option<Self> {
        match self.keyword("additionalProperties") {
            Some(Value::Bool(false)) => None,
            Some(Value::Bool(true)) => Some(Self::DEDUCED),
            Some(schema) => Some(Self::of(schema, self.is_open())),
            None if self.is_open() || self.properties().is_none_or(Map::is_empty) => Some(Self::DEDUCED),
            None => None,
        }
    }

    /// The type of the value at `name`, deduced where the schema knows no such key.
    pub(crate) fn at(self, name: &str) -> Self {
        self.field(name).or_else(|| self.entry()).unwrap_or(Self::DEDUCED)
    }

    /// The type of a list's items.
    pub(crate) fn items(self) -> Self {
        self.keyword("items").map_or(Self::DEDUCED, |schema| Self::of(schema, self.is_open()))
    }

    /// The default of the declared property `name`.
    pub(crate) fn default_of(self, name: &str) -> Option<&'a Value> {
        self.properties()?.get(name)?.get("default")
    }

    const DEDUCED: Self = Self { schema: None, open: true, object: false };

    fn of(schema: &'a Value, open: bool) -> Self {
        let is_true = |keyword| schema.get(keyword) == Some(&Value::Bool(true));
        Self {
            schema: schema.as_object().map(|_| schema),
            open: open || is_true("x-kubernetes-preserve-unknown-fields"),
            object: is_true("x-kubernetes-embedded-resource"),
        }
    }

    fn keyword(self, name: &str) -> Option<&'a Value> {
        self.schema?.get(name)
    }

    fn properties(self) -> Option<&'a Map<String, Value>> {
        self.keyword("properties")?.as_object()
    }

    fn is_open(self) -> bool {
        self.open
    }

    fn list_map_keys(self) -> Vec<&'a str> {
        let keys = self.keyword("x-kubernetes-list-map-keys").and_then(Value::as_array);
        keys.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

static STRING: LazyLock<Value> = LazyLock::new(|| json!({"type": "string"}));

/// ObjectMeta is the same for every kind; CRD schemas say no more of it than `type: object`.
static OBJECT_META: LazyLock<Value> = LazyLock::new(|| {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": text});
    json!({
        "type": "object",
        "properties": {
            "annotations": texts,
            "clusterName": text,
            "creationTimestamp": text,
            "deletionGracePeriodSeconds": {"type": "integer"},
            "deletionTimestamp": text,
            "finalizers": {
                "type": "array", "items": text,
                "x-kubernetes-list-type": "set",
                "x-kubernetes-patch-strategy": "merge",
            },
            "generateName": text,
            "generation": {"type": "integer"},
            "labels": texts,
            "managedFields": {"type": "array", "items": {}, "x-kubernetes-list-type": "atomic"},
            "name": text,
            "namespace": text,
            "ownerReferences": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["uid"],
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "uid",
                "items": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "properties": {
                        "apiVersion": text,
                        "blockOwnerDeletion": {"type": "boolean"},
                        "controller": {"type": "boolean"},
                        "kind": text,
                        "name": text,
                        "uid": text,
                    },
                },
            },
            "resourceVersion": text,
            "selfLink": text,
            "uid": text,
        },
    })
});
