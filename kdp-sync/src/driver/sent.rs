//! Objects as an API server sends them, less what nobody here looks at.

use std::{borrow::Cow, fmt};

use kdp_core::LogicalClusterName;
use kube::{
    Resource,
    api::{ApiResource, ObjectMeta},
    core::DynamicResourceScope,
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::object;

/// Often half of an object, and of no interest: it is skipped while it is read.
const MANAGED_FIELDS: &str = "managedFields";

/// An object of any kind, without the record of who manages which field.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// The version only, which watches go on from.
    metadata: ObjectMeta,
    pub(super) object: Value,
    /// The workspace that it is known to be from, which it need not say itself.
    pub(super) cluster: Option<LogicalClusterName>,
}

impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::Object(deserializer.deserialize_map(Fields { is_metadata: false })?);
        let resource_version = object::resource_version(&object).map(Into::into);
        Ok(Self { metadata: ObjectMeta { resource_version, ..ObjectMeta::default() }, object, cluster: None })
    }
}

/// Reads the fields of an object, or of its metadata.
struct Fields {
    is_metadata: bool,
}

impl<'de> Visitor<'de> for Fields {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            if self.is_metadata && key == MANAGED_FIELDS {
                fields.next_value::<IgnoredAny>()?;
            } else if !self.is_metadata && key == "metadata" {
                let metadata = fields.next_value_seed(Self { is_metadata: true })?;
                map.insert(key, Value::Object(metadata));
            } else {
                map.insert(key, fields.next_value()?);
            }
        }
        Ok(map)
    }
}

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl Resource for Sent {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(types: &ApiResource) -> Cow<'_, str> {
        (&*types.kind).into()
    }

    fn group(types: &ApiResource) -> Cow<'_, str> {
        (&*types.group).into()
    }

    fn version(types: &ApiResource) -> Cow<'_, str> {
        (&*types.version).into()
    }

    fn api_version(types: &ApiResource) -> Cow<'_, str> {
        (&*types.api_version).into()
    }

    fn plural(types: &ApiResource) -> Cow<'_, str> {
        (&*types.plural).into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_is_kept_but_who_manages_the_fields() {
        let sent = json!({
            "apiVersion": "v1", "kind": "Secret", "data": {"managedFields": "eA==", "metadata": "eA=="},
            "metadata": {"name": "s", "resourceVersion": "7", "managedFields": [{"manager": "m"}], "labels": {"a": "b"}},
        });
        let read: Sent = serde_json::from_value(sent.clone()).unwrap();
        let mut expected = sent;
        object::child(&mut expected, "metadata").remove(MANAGED_FIELDS);
        assert_eq!(read.object, expected);
        assert_eq!(read.resource_version().unwrap(), "7");
        assert!(serde_json::from_value::<Sent>(json!([1])).is_err());
    }
}
