//! Which kinds a rule is about.

use std::fmt;

/// Kinds by group and kind. Either may be `*`; a group may begin and a kind may end with one.
///
/// ```
/// use kdp_core::provider::readiness::Kinds;
///
/// assert!(Kinds::new("*.services.k8s.aws", "*").contain("rds.services.k8s.aws", "DBInstance"));
/// assert!(Kinds::new("kafka.strimzi.io", "Kafka*").contain("kafka.strimzi.io", "KafkaTopic"));
/// assert!(!Kinds::new("", "Pod").contain("example.com", "Pod"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kinds {
    group: String,
    kind: String,
}

impl Kinds {
    /// The kinds of this group; the group of core kinds is empty.
    pub fn new(group: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { group: group.into(), kind: kind.into() }
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn contain(&self, group: &str, kind: &str) -> bool {
        let is_group = match self.group.strip_prefix('*') {
            Some(end) => group.ends_with(end),
            None => group == self.group,
        };
        let is_kind = match self.kind.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => kind == self.kind,
        };
        is_group && is_kind
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.group)
    }
}
