//! Objects as they stand in a teardown record.

use std::fmt;

use crate::{
    Error, ErrorKind,
    provider::{InventoryItem, OrderId},
};

/// Where an object is: all that finding it takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reference {
    /// Group, empty for core kinds.
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    /// None for kinds without namespaces.
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Reference {
    /// Its item: the kind is like `Cluster.v1.postgresql.cnpg.io`, the id like `databases/main-1f2e`.
    pub(super) fn item(&self) -> (String, String) {
        let kind = format!("{}.{}", self.kind, self.version);
        let kind = if self.group.is_empty() { kind } else { format!("{kind}.{}", self.group) };
        (kind, self.place())
    }

    /// # Errors
    /// `Invalid` when no operator provider has written the item.
    pub(super) fn parse(item: &InventoryItem, id: &OrderId) -> Result<Self, Error> {
        let parsed = || {
            let (kind, version) = item.kind.split_once('.')?;
            let (version, group) = version.split_once('.').unwrap_or((version, ""));
            let (namespace, name) = match item.id.split_once('/') {
                Some((namespace, name)) => (Some(namespace), name),
                None => (None, item.id.as_str()),
            };
            let is_sound = |part: &str| !part.is_empty() && !part.contains('/');
            let is_group = group.is_empty() || is_sound(group);
            (is_sound(kind) && is_sound(version) && is_group && namespace.is_none_or(is_sound) && is_sound(name)).then(
                || Self {
                    group: group.into(),
                    version: version.into(),
                    kind: kind.into(),
                    namespace: namespace.map(Into::into),
                    name: name.into(),
                },
            )
        };
        parsed().ok_or_else(|| {
            let message = format!("its teardown record has {} {:?}, which is no object", item.kind, item.id);
            Error::new(ErrorKind::Invalid, "remove", id, message)
        })
    }

    /// Whether both are the same object, whatever version of its kind they name.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let key = |one: &Self| (one.group.clone(), one.kind.clone(), one.namespace.clone(), one.name.clone());
        key(self) == key(other)
    }

    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    fn place(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// For people, such as `Cluster databases/main-1f2e`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.place())
    }
}

#[cfg(test)]
mod tests;
