//! What the provider of an export sees of its consumers, now and in the past.

use std::sync::Arc;

use kdp_core::LogicalClusterName;

use super::{Place, Registry};
use crate::{
    embedded::{
        consumers::{Grants, Past, Sight},
        key::{ParsedKey, ResourceKey},
        object,
        status::{Result, StatusError},
        surface::ExportId,
    },
    store::{RangeQuery, Revision, StoreError},
};

/// The view through the virtual workspace of an export.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) export: ExportId,
    /// Only this consumer; every one when `None`.
    pub(crate) consumer: Option<LogicalClusterName>,
    /// What the provider is about to do with what it sees.
    pub(crate) verb: &'static str,
}

impl View {
    /// What is seen of a resource in a workspace with these bindings.
    pub(crate) fn sight(&self, grants: &Grants, place: &Place) -> Sight {
        let resource = &place.served.resource;
        grants.sight(&self.export, &resource.group, &resource.plural, self.verb)
    }
}

impl Registry {
    /// The revision a view is to be read at, which the index has seen.
    ///
    /// # Errors
    /// `Timeout` when it is not yet reached.
    pub(crate) async fn view_revision(&self, asked: Option<Revision>) -> Result<Revision> {
        let newest = self.store.revision();
        let revision = asked.unwrap_or(newest);
        if revision > newest {
            return Err(StoreError::Future { asked: revision, newest }.into());
        }
        self.index.seen(revision).await;
        Ok(revision)
    }

    /// The workspaces that a view may show something of, in order.
    pub(crate) fn viewed(&self, view: &View) -> Vec<LogicalClusterName> {
        match &view.consumer {
            Some(cluster) => vec![cluster.clone()],
            None => self.index.consumers(&view.export),
        }
    }

    /// What a view shows of the state of a workspace at `revision`.
    ///
    /// What a provider must not see now it does not see of the past either, and what it could not see
    /// then it cannot look up later.
    ///
    /// # Errors
    /// `Expired` when it is no longer known what was granted then.
    pub(crate) async fn sight(
        &self,
        view: &View,
        place: &Place,
        cluster: &LogicalClusterName,
        revision: Revision,
    ) -> Result<Sight> {
        let now = view.sight(&self.index.grants(cluster), place);
        if now == Sight::Nothing {
            return Ok(now);
        }
        let then = view.sight(&*self.grants_at(cluster, revision).await?, place);
        Ok(now.and(then))
    }

    /// What the bindings of a workspace granted at `revision`, which the index has seen.
    ///
    /// # Errors
    /// `Expired` when that is no longer known.
    pub(crate) async fn grants_at(&self, cluster: &LogicalClusterName, revision: Revision) -> Result<Arc<Grants>> {
        match self.index.grants_at(cluster, revision) {
            Past::Known(grants) => return Ok(grants),
            Past::Forgotten => {
                return Err(StatusError::expired("too old resource version: bindings have changed since"));
            }
            Past::Changed => {}
        }
        let prefix = ResourceKey::new(cluster, "apis.kcp.io", "apibindings").prefix(None);
        let range = RangeQuery { revision: Some(revision), ..RangeQuery::prefix(prefix) };
        let page = self.store.range(range).await?;
        let mut bindings = Vec::new();
        for entry in &page.entries {
            if let Some(key) = ParsedKey::parse(&entry.key) {
                bindings.push((key.name, object::decode(entry)?));
            }
        }
        Ok(Arc::new(Grants::of(bindings)))
    }
}
