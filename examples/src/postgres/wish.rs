//! What an order may say.

use std::collections::{BTreeMap, BTreeSet};

use kdp_core::{Error, ErrorKind, provider::Order};
use serde::Deserialize;
use serde_json::Value;

use super::PostgresOptions;

/// What was ordered, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// So many at once, of all roles together.
    pub(super) connections: i32,
    pub(super) quota_mib: Option<i64>,
    pub(super) extensions: BTreeSet<String>,
    pub(super) roles: BTreeMap<String, Access>,
}

/// What a role may do with the tables of the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Access {
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Read, Self::Write].into_iter().find(|access| access.as_str() == text)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    #[serde(default = "some_connections")]
    connections: i32,
    #[serde(default)]
    quota_mib: Option<i64>,
    #[serde(default)]
    extensions: BTreeSet<String>,
    #[serde(default)]
    roles: Vec<Role>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Role {
    name: String,
    access: String,
}

fn some_connections() -> i32 {
    20
}

impl Wish {
    /// # Errors
    /// `Invalid` with all fields that are wrong.
    pub(super) fn parse(order: &Order, options: &PostgresOptions) -> Result<Self, Error> {
        let invalid = |message: String| Error::new(ErrorKind::Invalid, "plan", &order.id, message);
        let spec = if order.spec.is_null() { Value::Object(Default::default()) } else { order.spec.clone() };
        let spec: Spec = serde_json::from_value(spec).map_err(|e| invalid(format!("spec: {e}")))?;
        let mut faults = Vec::new();
        if !(1..=options.most_connections).contains(&spec.connections) {
            faults.push(format!("connections: must be 1 to {}", options.most_connections));
        }
        if spec.quota_mib.is_some_and(|mib| !(16..=options.largest_mib).contains(&mib)) {
            faults.push(format!("quotaMib: must be 16 to {}", options.largest_mib));
        }
        for extension in spec.extensions.difference(&options.extensions) {
            let known = options.extensions.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            faults.push(format!("extensions: {extension:?} is not offered, only {known}"));
        }
        let mut roles = BTreeMap::new();
        for Role { name, access } in spec.roles {
            let Some(access) = Access::parse(&access) else {
                faults.push(format!("roles: the access of {name:?} must be read or write"));
                continue;
            };
            if !is_name(&name) {
                faults.push(format!("roles: {name:?} is no name of at most 20 lower-case letters, digits and '_'"));
            } else if roles.insert(name.clone(), access).is_some() {
                faults.push(format!("roles: there are two {name:?}"));
            }
        }
        if !faults.is_empty() {
            return Err(invalid(faults.join("; ")));
        }
        let Spec { connections, quota_mib, extensions, .. } = spec;
        Ok(Self { connections, quota_mib, extensions, roles })
    }
}

fn is_name(name: &str) -> bool {
    let is_sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= 20 && name.bytes().all(is_sound) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests;
