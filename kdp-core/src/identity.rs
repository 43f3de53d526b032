//! Who a request acts as.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who a request acts as, in the shape of Kubernetes' `UserInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Name that uniquely identifies the user.
    pub username: String,
    /// Identifier that survives a renaming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Groups the user is a member of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Further facts the authenticator vouches for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Identity {
    /// The platform itself: a member of `system:masters`, allowed everything everywhere.
    #[must_use]
    pub fn system_masters() -> Self {
        Self { username: "kdp:system".into(), groups: vec!["system:masters".into()], ..Self::default() }
    }
}
