//! Tokens that a workspace accepts because its type says so, as in kcp.
//!
//! A WorkspaceType names WorkspaceAuthenticationConfigurations beside it. Their issuers are asked
//! about tokens that nobody else knows, and whom they vouch for is confined to the one workspace the
//! request is for. Everything is looked up when such a token comes: an idle workspace costs nothing.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use kdp_core::{
    LogicalClusterName,
    api::{core::LOGICAL_CLUSTER_NAME, tenancy::WorkspaceAuthenticationConfigurationSpec},
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use super::{
    oidc::{self, Oidc, Trust},
    scope,
    tokens::{TokenAuthenticator, TokenIdentity, TokenRejected},
};
use crate::{
    embedded::{
        index::Index,
        key::ResourceKey,
        kinds::workspace_type,
        object::{self, str_at},
        status::{FieldError, Result, StatusError},
    },
    store::{Entry, SharedStore},
};

const GROUP: &str = "tenancy.kcp.io";
const PLURAL: &str = "workspaceauthenticationconfigurations";

/// How many configurations stay compiled, with the keys of their issuers.
const CACHED: usize = 256;
/// How many configurations of a type count: whoever shows a token has all of them looked up.
const MOST_CONFIGURATIONS: usize = 16;

/// What is wrong with a WorkspaceAuthenticationConfiguration.
pub(crate) fn validate(object: &Value) -> Vec<FieldError> {
    let faults = match read(object) {
        Ok(spec) => Oidc::compile(&spec.jwt, Trust::Tenant).err().unwrap_or_default(),
        // The schema has already said what is wrong.
        Err(_) => Vec::new(),
    };
    faults.into_iter().map(|fault| FieldError { field: format!("spec.{}", fault.field), ..fault }).collect()
}

/// The configurations of all workspaces, compiled as they are needed.
#[derive(Debug)]
pub(crate) struct WorkspaceAuthenticators {
    store: SharedStore,
    index: Arc<Index>,
    compiled: Mutex<HashMap<String, Compiled>>,
}

/// A configuration by the revision of its object.
#[derive(Debug)]
struct Compiled {
    revision: crate::store::Revision,
    oidc: Arc<Oidc>,
}

impl WorkspaceAuthenticators {
    pub(crate) fn new(store: SharedStore, index: Arc<Index>) -> Self {
        Self { store, index, compiled: Mutex::default() }
    }

    /// What one workspace accepts beside what all accept.
    pub(crate) fn of(self: &Arc<Self>, cluster: LogicalClusterName) -> InWorkspace {
        InWorkspace { all: self.clone(), cluster }
    }

    /// The authenticators that the type of a workspace names, in its order.
    async fn find(&self, cluster: &LogicalClusterName) -> Result<Vec<Arc<Oidc>>> {
        let key = ResourceKey::new(cluster, "core.kcp.io", "logicalclusters").object(None, LOGICAL_CLUSTER_NAME);
        let Some((_, workspace)) = self.get(&key).await? else { return Ok(Vec::new()) };
        let Some((home, name)) = workspace_type::place(&self.index, &workspace) else { return Ok(Vec::new()) };
        let key = ResourceKey::new(&home, GROUP, "workspacetypes").object(None, &name);
        let Some((_, type_)) = self.get(&key).await? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let references = type_["spec"]["authenticationConfigurations"].as_array().into_iter().flatten();
        for reference in references.take(MOST_CONFIGURATIONS) {
            let key = ResourceKey::new(&home, GROUP, PLURAL).object(None, str_at(reference, &["name"]));
            if let Some((entry, configuration)) = self.get(&key).await? {
                found.extend(self.compiled(&entry, &configuration));
            }
        }
        Ok(found)
    }

    /// The compiled form of a stored configuration; `None` when it cannot be used, which only one that
    /// was stored by another release can be.
    fn compiled(&self, entry: &Entry, configuration: &Value) -> Option<Arc<Oidc>> {
        let uid = str_at(configuration, &["metadata", "uid"]);
        if let Some(known) = self.compiled.lock().get(uid).filter(|known| known.revision == entry.modified) {
            return Some(known.oidc.clone());
        }
        let spec = read(configuration).ok()?;
        let oidc = Oidc::compile(&spec.jwt, Trust::Tenant)
            .inspect_err(|_| tracing::warn!(key = %entry.key, "workspace_authentication.unusable"))
            .ok()
            .map(Arc::new)?;
        let mut compiled = self.compiled.lock();
        if compiled.len() >= CACHED && !compiled.contains_key(uid) {
            // Any one: nobody can have all those of others thrown away at once.
            let one = compiled.keys().next().cloned();
            one.map(|one| compiled.remove(&one));
        }
        compiled.insert(uid.to_owned(), Compiled { revision: entry.modified, oidc: oidc.clone() });
        Some(oidc)
    }

    async fn get(&self, key: &str) -> Result<Option<(Entry, Value)>> {
        let Some(entry) = self.store.get(key).await? else { return Ok(None) };
        let object = object::decode(&entry)?;
        Ok(Some((entry, object)))
    }
}

/// What one workspace accepts beside what all accept.
#[derive(Clone, Debug)]
pub(crate) struct InWorkspace {
    all: Arc<WorkspaceAuthenticators>,
    cluster: LogicalClusterName,
}

#[async_trait]
impl TokenAuthenticator for InWorkspace {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
    ) -> std::result::Result<Option<TokenIdentity>, TokenRejected> {
        if !oidc::is_token(token) {
            return Ok(None);
        }
        let unreadable = |_| TokenRejected::new("the authentication of the workspace cannot be read");
        let mut rejected = None;
        for oidc in self.all.find(&self.cluster).await.map_err(unreadable)? {
            match oidc.authenticate(token, audiences).await {
                Ok(Some(mut found)) => {
                    scope::confine(&mut found.identity, &self.cluster);
                    return Ok(Some(found));
                }
                Ok(None) => {}
                Err(error) => rejected = Some(error),
            }
        }
        rejected.map_or(Ok(None), Err)
    }
}

fn read(configuration: &Value) -> Result<WorkspaceAuthenticationConfigurationSpec> {
    WorkspaceAuthenticationConfigurationSpec::deserialize(&configuration["spec"]).map_err(StatusError::internal)
}
