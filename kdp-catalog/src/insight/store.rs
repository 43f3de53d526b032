//! Where a journal is kept: one ConfigMap for each page that has anything in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kdp_core::{Error, ErrorKind};
use kube::{Api, Client, ResourceExt, api::PostParams};

use super::journal::PAGES;

/// The key of a page in its ConfigMap.
const PAGE: &str = "page.json";
/// The key of a page that could not be read, for whoever wants to look at it.
const DAMAGED: &str = "damaged.json";
/// The annotation that says which process has written a page.
const WRITER: &str = "catalog.kdp.k8c.io/insight-writer";
/// Largest page in bytes. The API server takes a little more.
pub(super) const LARGEST: usize = 900 << 10;

/// A namespace that belongs to the platform, in which journals are kept.
///
/// Whoever can read there learns who has ordered what, and whoever can write there decides what reports say; so no
/// tenant may.
#[derive(Clone)]
pub struct InsightHome {
    client: Client,
    namespace: String,
}

impl InsightHome {
    /// This namespace, which exists, in the cluster or workspace that `client` talks to.
    #[must_use]
    pub fn new(client: Client, namespace: impl Into<String>) -> Self {
        Self { client, namespace: namespace.into() }
    }
}

impl std::fmt::Debug for InsightHome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InsightHome").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// The pages of one journal.
#[derive(Debug)]
pub(super) struct Store {
    api: Api<ConfigMap>,
    name: String,
    /// Tells this process from all others.
    writer: String,
    /// The ConfigMaps as they were last read or written, without their data.
    known: Vec<Option<ObjectMeta>>,
    damaged: BTreeMap<usize, String>,
}

impl Store {
    pub(super) fn new(home: &InsightHome, name: &str) -> Self {
        let api = Api::namespaced(home.client.clone(), &home.namespace);
        let writer = format!("{}-{}", std::process::id(), Timestamp::now().as_nanosecond());
        Self { api, name: name.to_owned(), writer, known: vec![None; PAGES], damaged: BTreeMap::new() }
    }

    /// The name of the ConfigMap of a page.
    pub(super) fn object(&self, page: usize) -> String {
        format!("{}-{page:02}", self.name)
    }

    /// What is kept as this page.
    pub(super) async fn load(&mut self, page: usize) -> Result<Option<String>, Error> {
        let object = self.object(page);
        let found = self.api.get_opt(&object).await.map_err(|error| Error::from_kube("read", &object, error))?;
        let Some(found) = found else { return Ok(None) };
        self.known[page] = Some(found.metadata);
        let mut data = found.data.unwrap_or_default();
        if let Some(damaged) = data.remove(DAMAGED) {
            self.damaged.insert(page, damaged);
        }
        Ok(data.remove(PAGE))
    }

    /// Keeps aside what could not be read of a page, as far as there is room beside the page.
    pub(super) fn set_aside(&mut self, page: usize, text: String) {
        self.damaged.insert(page, text);
    }

    /// Keeps this as the page. The call may be dropped; then the page was kept or was not.
    ///
    /// # Errors
    /// `Stale` when somebody else has written since.
    pub(super) async fn save(&mut self, page: usize, text: &str) -> Result<(), Error> {
        let object = self.object(page);
        if text.len() > LARGEST {
            let message = "there are too many orders for a page; divide the kinds among several collectors";
            return Err(Error::new(ErrorKind::Unsupported, "write", object, message));
        }
        let mut data = BTreeMap::from([(PAGE.to_owned(), text.to_owned())]);
        if let Some(damaged) = self.damaged.get(&page).filter(|damaged| text.len() + damaged.len() <= LARGEST) {
            data.insert(DAMAGED.to_owned(), damaged.clone());
        }
        match self.write(page, data.clone()).await {
            // An earlier write may have arrived although its answer did not, and somebody may have put a label on it.
            Err(error) if error.kind() == ErrorKind::Stale && self.is_own(page).await? => self.write(page, data).await,
            written => written,
        }
    }

    async fn write(&mut self, page: usize, data: BTreeMap<String, String>) -> Result<(), Error> {
        let object = self.object(page);
        let known = self.known.get(page).cloned().flatten();
        let is_new = known.is_none();
        let mut metadata = known.unwrap_or_else(|| ObjectMeta { name: Some(object.clone()), ..ObjectMeta::default() });
        metadata.annotations.get_or_insert_default().insert(WRITER.into(), self.writer.clone());
        let next = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
        let params = PostParams::default();
        let written = if is_new {
            self.api.create(&params, &next).await
        } else {
            self.api.replace(&object, &params, &next).await
        };
        let written = written.map_err(|error| Error::from_kube("write", &object, error))?;
        self.known[page] = Some(written.metadata);
        Ok(())
    }

    /// Whether this process was the last to write a page, which is then known as it is.
    async fn is_own(&mut self, page: usize) -> Result<bool, Error> {
        let object = self.object(page);
        let found = self.api.get_opt(&object).await.map_err(|error| Error::from_kube("read", &object, error))?;
        let Some(found) = found else { return Ok(false) };
        let is_own = found.annotations().get(WRITER) == Some(&self.writer);
        if is_own {
            self.known[page] = Some(found.metadata);
        }
        Ok(is_own)
    }
}
