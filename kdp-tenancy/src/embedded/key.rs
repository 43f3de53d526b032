//! Where objects stand in the store.
//!
//! A key is `<logical cluster>/<group>/<plural>/[<namespace>/]<name>`. Only this module builds
//! one, and only from a [`LogicalClusterName`] that a request was resolved to, so a key of another
//! tenant cannot be written down by mistake.

use kdp_core::LogicalClusterName;

/// Stands for the core group, whose own name is empty.
pub(super) const CORE: &str = "-";

/// One resource in one logical cluster: everything below it is that resource's objects there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceKey(String);

impl ResourceKey {
    pub(crate) fn new(cluster: &LogicalClusterName, group: &str, plural: &str) -> Self {
        let group = if group.is_empty() { CORE } else { group };
        Self(format!("{cluster}/{group}/{plural}/"))
    }

    /// The prefix of all objects, or of those in one namespace.
    pub(crate) fn prefix(&self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) => format!("{}{namespace}/", self.0),
            None => self.0.clone(),
        }
    }

    /// The key of one object.
    pub(crate) fn object(&self, namespace: Option<&str>, name: &str) -> String {
        match namespace {
            Some(namespace) => format!("{}{namespace}/{name}", self.0),
            None => format!("{}{name}", self.0),
        }
    }
}

/// The prefix of everything in a logical cluster.
pub(crate) fn cluster_prefix(cluster: &LogicalClusterName) -> String {
    format!("{cluster}/")
}

/// A key taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParsedKey<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) group: &'a str,
    pub(crate) plural: &'a str,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
}

impl<'a> ParsedKey<'a> {
    /// The parts of a key that [`ResourceKey::object`] built; `None` for any other string.
    pub(crate) fn parse(key: &'a str) -> Option<Self> {
        let mut parts = key.split('/');
        let (cluster, group, plural) = (parts.next()?, parts.next()?, parts.next()?);
        let (first, second) = (parts.next()?, parts.next());
        if parts.next().is_some() {
            return None;
        }
        let (namespace, name) = match second {
            Some(name) => (Some(first), name),
            None => (None, first),
        };
        Some(Self { cluster, group: if group == CORE { "" } else { group }, plural, namespace, name })
    }

    pub(crate) fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_gives_back_what_it_was_built_from(
            cluster in "[a-z0-9]{1,16}", group in "([a-z]{1,8}(\\.[a-z]{1,8}){0,2})?", plural in "[a-z]{1,12}",
            namespace in proptest::option::of("[a-z0-9]{1,12}"), name in "[a-z0-9:.-]{1,20}",
        ) {
            let cluster: LogicalClusterName = cluster.parse().unwrap();
            let key = ResourceKey::new(&cluster, &group, &plural).object(namespace.as_deref(), &name);
            let parsed = ParsedKey::parse(&key).unwrap();
            let expected = ParsedKey {
                cluster: cluster.as_str(), group: &group, plural: &plural, namespace: namespace.as_deref(), name: &name,
            };
            prop_assert_eq!(parsed, expected);
            prop_assert!(key.starts_with(&cluster_prefix(&cluster)));
        }
    }
}
