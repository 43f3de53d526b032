//! Reads and writes of the objects of one resource in one logical cluster.

pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod rules;
mod standing;
mod versions;
pub(crate) mod view;
pub(crate) mod watch;
pub(crate) mod write;

use std::sync::Arc;

use bytes::Bytes;
use kdp_core::{Identity, LogicalClusterName};
use serde_json::Value;

use super::{
    authorizer::Authorizer,
    consumers::Sight,
    index::Index,
    key::ResourceKey,
    limits, object,
    status::{ResourceRef, Result, StatusError},
    surface::Served,
};
use crate::store::{Change, Entry, Outcome, Revision, SharedStore, StoreError, Transaction};

/// Reads and writes objects; one for the whole control plane.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    pub(crate) store: SharedStore,
    pub(crate) index: Arc<Index>,
    pub(crate) authorizer: Authorizer,
    pub(crate) urls: Arc<super::urls::Urls>,
    pub(crate) pki: Arc<super::pki::Pki>,
}

/// A resource in the place where a request wants it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) cluster: LogicalClusterName,
    pub(crate) served: Arc<Served>,
    /// `None` for cluster-scoped resources, and for reads across namespaces.
    pub(crate) namespace: Option<String>,
    /// `group/version` of what is asked for.
    pub(crate) api_version: String,
    /// Which of the objects there the request sees.
    pub(crate) sight: Sight,
    /// Whether it may create objects, should a patch come to that.
    pub(crate) may_create: bool,
}

/// Who writes, and under which name the fields are managed.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) manager: String,
}

impl Caller {
    /// The control plane itself.
    pub(crate) fn system() -> Self {
        Self { identity: Identity::system_masters(), manager: "kdp".into() }
    }
}

/// An object after a write.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    /// As [`object::encode`] makes it, in the version that was asked for.
    pub(crate) stored: Bytes,
    /// `None` for what a dry run would have created.
    pub(crate) revision: Option<Revision>,
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
}

/// Further things to check and change in the transaction of a write.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    pub(crate) conditions: Vec<(String, Option<Revision>)>,
    pub(crate) changes: Vec<Change>,
    /// Whether limits can refuse the write; what the system does by itself only counts.
    pub(crate) is_charged: bool,
    /// Held until the write is made: of those who count in the same quota, one writes at a time.
    pub(crate) turn: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Place {
    pub(crate) fn new(cluster: LogicalClusterName, served: Arc<Served>, namespace: Option<String>) -> Self {
        let api_version = served.resource.api_version();
        Self { cluster, served, namespace, api_version, sight: Sight::Everything, may_create: true }
    }

    pub(crate) fn reference(&self) -> ResourceRef<'_> {
        ResourceRef { group: &self.served.resource.group, plural: &self.served.resource.plural }
    }

    pub(crate) fn is(&self, group: &str, plural: &str) -> bool {
        self.served.resource.group == group && self.served.resource.plural == plural
    }

    pub(crate) fn resource_key(&self) -> ResourceKey {
        ResourceKey::new(&self.cluster, &self.served.resource.group, &self.served.resource.plural)
    }

    /// The prefix of the objects a list or watch covers.
    pub(crate) fn prefix(&self) -> String {
        self.resource_key().prefix(self.namespace.as_deref())
    }

    pub(crate) fn key(&self, name: &str) -> String {
        self.resource_key().object(self.namespace.as_deref(), name)
    }

    /// Whether objects are served just as they are stored.
    pub(crate) fn serves_what_is_stored(&self) -> bool {
        self.served.resource.version == self.served.resource.storage_version
    }

    /// `group/version` of what is stored.
    pub(crate) fn storage_api_version(&self) -> String {
        api_version(&self.served.resource.group, &self.served.resource.storage_version)
    }
}

/// The `apiVersion` of a group and a version.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

impl Registry {
    /// The stored object.
    pub(crate) async fn get(&self, place: &Place, name: &str) -> Result<Entry> {
        check_path_name(name)?;
        self.seen(place, name).await?.ok_or_else(|| StatusError::not_found(place.reference(), name))
    }

    /// The object, stored or standing, if there is one that the request sees.
    pub(crate) async fn seen(&self, place: &Place, name: &str) -> Result<Option<Entry>> {
        match self.store.get(&place.key(name)).await?.or_else(|| standing::entry(place, name)) {
            Some(entry) if place.sight.shows(&entry)? => Ok(Some(entry)),
            _ => Ok(None),
        }
    }

    /// Commits, and waits until this server's own view includes it.
    ///
    /// `None` when a condition did not hold.
    pub(crate) async fn commit(&self, transaction: Transaction, indexed: bool) -> Result<Option<Revision>> {
        match limits::unseated(self.store.commit(transaction)).await? {
            Outcome::Committed(revision) => {
                if indexed {
                    self.index.seen(revision).await;
                }
                Ok(Some(revision))
            }
            Outcome::Refused(_) => Ok(None),
        }
    }

    /// The object `name` of a builtin resource, if there is one.
    pub(crate) async fn find(
        &self,
        cluster: &LogicalClusterName,
        group: &str,
        plural: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<(Entry, Value)>> {
        let key = ResourceKey::new(cluster, group, plural).object(namespace, name);
        match self.store.get(&key).await? {
            Some(entry) => {
                let object = object::decode_plain(&entry)?;
                Ok(Some((entry, object)))
            }
            None => Ok(None),
        }
    }
}

/// Refuses names that no object can have but that could confuse a path.
pub(crate) fn check_path_name(name: &str) -> Result<()> {
    let reason = match name {
        "." => "may not be '.'",
        ".." => "may not be '..'",
        _ if name.contains('/') => "may not contain '/'",
        _ if name.contains('%') => "may not contain '%'",
        _ => return Ok(()),
    };
    Err(StatusError::bad_request(format!("invalid resource name {name:?}: [{reason}]")))
}

impl From<StoreError> for StatusError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Compacted { asked, oldest } => {
                Self::expired(format!("too old resource version: {asked} ({oldest})"))
            }
            StoreError::Future { asked, newest } => {
                Self::new(504, "Timeout", format!("Too large resource version: {asked}, current: {newest}"))
            }
            StoreError::Closed | StoreError::ReadOnly(_) => Self::unavailable(error.to_string()),
            _ => {
                tracing::error!(%error, "store.failed");
                Self::internal("the store failed")
            }
        }
    }
}
