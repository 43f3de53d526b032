//! Acting as somebody else, by the `Impersonate-…` headers.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use kdp_core::{Identity, LogicalClusterName};

use super::{
    Attributes, ResourceAttributes,
    names::{self, KCP_GROUP_PREFIX, MASTERS, service_account, service_account_groups},
    scope,
};
use crate::embedded::status::{Result, StatusError};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA_PREFIX: &str = "impersonate-extra-";
const AUTHENTICATION_GROUP: &str = "authentication.k8s.io";

/// Whom a request asks to act as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impersonation {
    username: String,
    uid: Option<String>,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

impl Impersonation {
    /// What the headers ask for; `None` when they do not ask.
    ///
    /// # Errors
    /// 400 when a group, uid or extra field is asked for without a user, when a user or uid is
    /// given twice, or when a header is not text.
    pub fn parse(headers: &HeaderMap) -> Result<Option<Self>> {
        let username = single(headers, USER)?;
        let uid = single(headers, UID)?;
        let groups = headers.get_all(GROUP).iter().map(text).collect::<Result<Vec<_>>>()?;
        let mut extra = BTreeMap::<_, Vec<_>>::new();
        for (name, value) in headers {
            if let Some(key) = name.as_str().strip_prefix(EXTRA_PREFIX) {
                extra.entry(percent_decoded(key)?).or_default().push(text(value)?);
            }
        }
        let Some(username) = username else {
            return if uid.is_none() && groups.is_empty() && extra.is_empty() {
                Ok(None)
            } else {
                Err(StatusError::bad_request("requested groups, a uid or extra fields without impersonating a user"))
            };
        };
        Ok(Some(Self { username, uid, groups, extra }))
    }

    /// The rights the requestor needs: every one of them.
    #[must_use]
    pub fn checks(&self) -> Vec<Attributes<'_>> {
        let impersonate = |group, resource, name| ResourceAttributes {
            verb: "impersonate",
            group,
            resource,
            name,
            ..ResourceAttributes::default()
        };
        let user = match service_account(&self.username) {
            Some((namespace, name)) => ResourceAttributes { namespace, ..impersonate("", "serviceaccounts", name) },
            None => impersonate("", "users", &self.username),
        };
        let groups = self.groups.iter().map(|group| impersonate("", "groups", group));
        let uid = self.uid.iter().map(|uid| impersonate(AUTHENTICATION_GROUP, "uids", uid));
        let extra = self.extra.iter().flat_map(|(key, values)| {
            values.iter().map(move |value| ResourceAttributes {
                subresource: key,
                ..impersonate(AUTHENTICATION_GROUP, "userextras", value)
            })
        });
        std::iter::once(user).chain(groups).chain(uid).chain(extra).map(Attributes::Resource).collect()
    }

    /// A part that rights within a workspace do not suffice for: membership in a group that has
    /// power beyond it, unless the requestor is a member too, or a field this server itself sets.
    pub(super) fn beyond_workspace(&self, requestor: &Identity) -> Option<Attributes<'_>> {
        if scope::is_unbounded(requestor) {
            return None;
        }
        let is_special = |group: &str| group == MASTERS || group.starts_with(KCP_GROUP_PREFIX);
        self.checks().into_iter().find(|check| match check {
            Attributes::Resource(ResourceAttributes { resource: "groups", name, .. }) => {
                is_special(name) && !names::is_member(requestor, name)
            }
            Attributes::Resource(ResourceAttributes { resource: "userextras", subresource: key, .. }) => {
                let domain = key.split('/').next().unwrap_or(key);
                domain == "kcp.io" || domain.ends_with(".kcp.io")
            }
            _ => false,
        })
    }

    /// The identity the request acts as from now on.
    ///
    /// It is good for `cluster` only, where `requestor` has the right to impersonate, unless that is
    /// a master.
    pub(super) fn into_identity(self, requestor: &Identity, cluster: &LogicalClusterName) -> Identity {
        let Self { username, uid, mut groups, extra } = self;
        if groups.is_empty()
            && let Some((namespace, _)) = service_account(&username)
        {
            groups = service_account_groups(namespace);
        }
        let mut identity = Identity { username, uid, groups, extra };
        names::add_authentication_group(&mut identity);
        if !scope::is_unbounded(requestor) {
            // What confines the requestor confines whom it impersonates.
            if let Some(scopes) = requestor.extra.get(scope::SCOPES) {
                identity.extra.insert(scope::SCOPES.into(), scopes.clone());
            }
            scope::confine(&mut identity, cluster);
        } else if service_account(&identity.username).is_some() {
            identity.extra.entry(scope::HOME.into()).or_insert_with(|| vec![cluster.to_string()]);
        }
        identity
    }
}

fn single(headers: &HeaderMap, name: &str) -> Result<Option<String>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(text).transpose()?.filter(|value| !value.is_empty());
    if values.next().is_some() {
        return Err(StatusError::bad_request(format!("header {name} is given more than once")));
    }
    Ok(first)
}

fn text(value: &HeaderValue) -> Result<String> {
    std::str::from_utf8(value.as_bytes())
        .map(str::to_owned)
        .map_err(|_| StatusError::bad_request("an impersonation header is not valid UTF-8"))
}

/// Header names cannot hold a slash, so keys of extra fields come percent-encoded.
fn percent_decoded(key: &str) -> Result<String> {
    let invalid =
        || StatusError::bad_request(format!("impersonation of extra field {key:?}: invalid percent-encoding"));
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else { return Err(invalid()) };
            u8::try_from(high * 16 + low).map_err(|_| invalid())?
        } else {
            byte
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).map(|key| key.to_lowercase()).map_err(|_| invalid())
}
