//! What a portal is told of: services, orders and workspaces.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kdp_core::{
    WorkspacePath,
    condition::{Condition, find_condition},
};
use serde_json::Value;

use super::{Error, names};
use crate::CatalogEntry;

/// Everything a portal shows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Site {
    /// Name of the platform.
    pub name: String,
    /// The team that runs the platform and owns what nobody else does.
    pub owner: String,
    /// Services of the catalog.
    pub services: Vec<ServiceInput>,
    /// What has been ordered.
    pub orders: Vec<OrderInput>,
    /// Workspaces; those of services and orders need not be given.
    pub workspaces: Vec<WorkspaceInput>,
    base_url: String,
    location: String,
}

/// A service and what its kinds look like.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceInput {
    /// What the catalog shows of it.
    pub entry: CatalogEntry,
    /// Kinds to order, with their schemas.
    pub kinds: Vec<KindInput>,
    /// The team that offers it; the platform's when empty.
    pub owner: String,
    /// How far it is: `experimental`, `production` or `deprecated`, by convention.
    pub lifecycle: String,
}

/// One version of a kind, with its schema.
///
/// Its names are valid ones, so they can stand in paths and expressions.
#[derive(Clone, Debug)]
pub struct KindInput {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) plural: String,
    pub(super) namespaced: bool,
    pub(super) schema: Value,
}

/// Something ordered: an object of a service's kind in a tenant's workspace.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OrderInput {
    /// Where it is.
    pub workspace: WorkspacePath,
    /// Name of the service, or `<workspace path>:<name>` when several have that name.
    pub service: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, when it lives in one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// What controllers say of it; messages are not shown.
    pub conditions: Vec<Condition>,
    /// When it was ordered.
    pub created: Option<Timestamp>,
}

/// A workspace and who has it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkspaceInput {
    /// Where it is.
    pub path: WorkspacePath,
    /// The team that works there; the platform's when empty.
    pub owner: String,
}

impl Site {
    /// An empty site, whose Kubernetes API is at `base_url` and whose catalog file will be at `location`.
    ///
    /// The location is Backstage's, such as `url:https://git.example.com/portal/catalog-info.yaml`.
    ///
    /// # Errors
    /// When the address is not one of HTTP, or the location has no known type.
    pub fn new(base_url: &str, location: &str) -> Result<Self, Error> {
        if !names::is_web_url(base_url) {
            return Err(Error::Url { url: base_url.into() });
        }
        let is_location = match location.split_once(':') {
            Some(("url", url)) => names::is_web_url(url),
            Some(("file", path)) => !path.is_empty() && names::readable(path) == path,
            _ => false,
        };
        if !is_location {
            return Err(Error::Location { location: location.into() });
        }
        Ok(Self {
            name: "kdp".into(),
            owner: "platform".into(),
            services: Vec::new(),
            orders: Vec::new(),
            workspaces: Vec::new(),
            base_url: base_url.trim_end_matches('/').into(),
            location: location.into(),
        })
    }

    /// Address of the Kubernetes API, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where the catalog file is, as Backstage says it.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Address of a workspace's Kubernetes API.
    #[must_use]
    pub fn workspace_url(&self, workspace: &WorkspacePath) -> String {
        format!("{}/clusters/{workspace}", self.base_url)
    }

    /// The services in order of their keys, each once.
    pub(super) fn services_by_key(&self) -> BTreeMap<String, &ServiceInput> {
        self.services.iter().rev().map(|service| (service.key(), service)).collect()
    }

    /// The orders in order of their keys, each once.
    pub(super) fn orders_by_key(&self) -> BTreeMap<String, &OrderInput> {
        self.orders.iter().rev().map(|order| (order.key(), order)).collect()
    }

    /// Every workspace there is talk of, with the team that works there.
    pub(super) fn workspace_owners(&self) -> BTreeMap<WorkspacePath, &str> {
        let providers = self.services.iter().map(|service| &service.entry.export.workspace);
        let tenants = self.orders.iter().map(|order| &order.workspace);
        let mut owners: BTreeMap<_, _> = providers.chain(tenants).map(|path| (path.clone(), self.owner())).collect();
        for workspace in self.workspaces.iter().rev() {
            owners.insert(workspace.path.clone(), self.or_owner(&workspace.owner));
        }
        owners
    }

    /// Every team there is talk of.
    pub(super) fn teams(&self) -> BTreeSet<&str> {
        let services = self.services.iter().map(|service| self.or_owner(&service.owner));
        services.chain(self.workspace_owners().into_values()).chain([self.owner()]).collect()
    }

    pub(super) fn owner(&self) -> &str {
        if self.owner.trim().is_empty() { "platform" } else { &self.owner }
    }

    pub(super) fn or_owner<'a>(&'a self, owner: &'a str) -> &'a str {
        if owner.trim().is_empty() { self.owner() } else { owner }
    }
}

impl ServiceInput {
    /// A service in production that the platform's team offers, without kinds.
    #[must_use]
    pub fn new(entry: CatalogEntry) -> Self {
        Self { entry, kinds: Vec::new(), owner: String::new(), lifecycle: "production".into() }
    }

    /// The same with these kinds.
    #[must_use]
    pub fn with_kinds(mut self, kinds: impl IntoIterator<Item = KindInput>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// The same, offered by this team.
    #[must_use]
    pub fn with_owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }

    /// The same, so far along.
    #[must_use]
    pub fn with_lifecycle(mut self, lifecycle: impl Into<String>) -> Self {
        self.lifecycle = lifecycle.into();
        self
    }

    /// What tells it from every other service.
    pub(super) fn key(&self) -> String {
        format!("{}:{}", self.entry.export.workspace, self.entry.export.name)
    }

    /// Its kinds in order of their keys, each once.
    pub(super) fn kinds_by_key(&self) -> BTreeMap<String, &KindInput> {
        let key = |kind: &KindInput| format!("{}/{}", self.key(), kind.readable_name());
        self.kinds.iter().rev().map(|kind| (key(kind), kind)).collect()
    }

    pub(super) fn lifecycle(&self) -> String {
        let lifecycle = names::readable(&self.lifecycle);
        if lifecycle.is_empty() { "production".into() } else { lifecycle }
    }

    pub(super) fn title(&self) -> String {
        match names::readable(self.entry.title()) {
            title if title.is_empty() => self.entry.export.name.clone(),
            title => title,
        }
    }
}

impl KindInput {
    /// A namespaced kind without a schema.
    ///
    /// # Errors
    /// When Kubernetes does not allow one of the names.
    pub fn new(group: &str, version: &str, kind: &str, plural: &str) -> Result<Self, Error> {
        let is_kind = names::is_name(kind) && kind.bytes().all(|b| b.is_ascii_alphanumeric());
        let parts = [
            ("group", group, group.is_empty() || names::is_dns_subdomain(group)),
            ("version", version, names::is_dns_label(version)),
            ("kind", kind, is_kind),
            ("plural", plural, names::is_dns_label(plural)),
        ];
        if let Some((what, value, _)) = parts.into_iter().find(|(_, _, is_valid)| !is_valid) {
            return Err(Error::Kind { what, value: value.into() });
        }
        let schema = Value::Object(serde_json::Map::new());
        Ok(Self {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            plural: plural.into(),
            namespaced: true,
            schema,
        })
    }

    /// The same, with objects that live in no namespace.
    #[must_use]
    pub fn cluster_scoped(mut self) -> Self {
        self.namespaced = false;
        self
    }

    /// The same with this schema, as OpenAPI v3 writes it.
    #[must_use]
    pub fn with_schema(mut self, schema: Value) -> Self {
        self.schema = schema;
        self
    }

    /// `group/version`, or the version alone in the core group.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `version.plural.group`.
    pub(super) fn readable_name(&self) -> String {
        let dot = if self.group.is_empty() { "" } else { "." };
        format!("{}.{}{dot}{}", self.version, self.plural, self.group)
    }
}

impl OrderInput {
    /// An order of `kind` from `service`, of which nothing is known yet.
    pub fn new(
        workspace: WorkspacePath,
        service: impl Into<String>,
        kind: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            workspace,
            service: service.into(),
            kind: kind.into(),
            namespace: None,
            name: name.into(),
            uid: String::new(),
            conditions: Vec::new(),
            created: None,
        }
    }

    /// What tells it from every other order.
    pub(super) fn key(&self) -> String {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        [self.workspace.as_str(), &self.service, &self.kind, namespace, &self.name].join("\n")
    }

    /// A name that says what it is and where.
    pub(super) fn readable_name(&self) -> String {
        let namespace = self.namespace.as_deref().map(|namespace| format!("{namespace}.")).unwrap_or_default();
        format!("{}.{namespace}{}.{}", self.kind, self.name, self.workspace.as_str().replace(':', "."))
    }

    pub(super) fn title(&self) -> String {
        let title = names::readable(&self.name);
        if title.is_empty() { self.readable_name() } else { title }
    }

    /// When it was ordered, with second precision.
    pub(super) fn created_text(&self) -> Option<String> {
        self.created.map(|created| created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    /// Whether it is ready: `True`, `False` or `Unknown`; and why, in one word, when it is not.
    pub(super) fn readiness(&self) -> (&'static str, Option<&str>) {
        let Some(ready) = find_condition(&self.conditions, "Ready") else {
            return ("Unknown", None);
        };
        let status = match ready.status.as_str() {
            "True" => "True",
            "False" => "False",
            _ => "Unknown",
        };
        // A reason is one word; what is more may say what is nobody's business.
        let is_word = names::is_name(&ready.reason) && ready.reason.bytes().all(|b| b.is_ascii_alphanumeric());
        (status, (status != "True" && is_word).then_some(ready.reason.as_str()))
    }
}

impl WorkspaceInput {
    /// A workspace of the team `owner`.
    pub fn new(path: WorkspacePath, owner: impl Into<String>) -> Self {
        Self { path, owner: owner.into() }
    }
}
