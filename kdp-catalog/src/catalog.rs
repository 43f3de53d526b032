//! What can be bound, as each identity may see it.

use std::{collections::BTreeMap, fmt::Debug};

use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use kdp_core::{
    ControlPlaneExt, Error, ErrorKind, Identity, LogicalClusterName, SharedControlPlane, WorkspacePath,
    api::{
        CLUSTER_ANNOTATION,
        apis::{APIExport, APIResourceSchema},
    },
    workspace::ParseError,
};
use kube::{Api, Resource, ResourceExt, api::ListParams};
use serde::de::DeserializeOwned;

use crate::{CatalogEntry, ExportLocation, Service, access::Access, portal::names::is_dns_subdomain};

/// Access reviews under way at once for one list.
const REVIEWS_AT_ONCE: usize = 16;

/// The services of some provider workspaces.
///
/// It holds nothing: every call reads the provider workspaces as the platform and asks them, by
/// SubjectAccessReview, what the identity may see. Verb `get` on a Service shows the whole tile,
/// verb `catalog` only its name and labels; verb `bind` on the APIExport lets it be bound. All
/// methods are cancel-safe.
#[derive(Clone, Debug)]
pub struct Catalog {
    control_plane: SharedControlPlane,
    providers: Vec<WorkspacePath>,
}

impl Catalog {
    /// The catalog over `provider_workspaces`.
    pub fn new(
        control_plane: SharedControlPlane,
        provider_workspaces: impl IntoIterator<Item = WorkspacePath>,
    ) -> Self {
        Self { control_plane, providers: provider_workspaces.into_iter().collect() }
    }

    /// Every service that `identity` may see, ordered by name, then by workspace.
    ///
    /// # Errors
    /// When a provider workspace cannot be read; a list with a part missing is never returned.
    pub async fn list(&self, identity: &Identity) -> Result<Vec<CatalogEntry>, Error> {
        let shelves = self.providers.iter().map(|provider| self.shelf(provider, identity));
        let mut entries = try_join_all(shelves).await?.concat();
        entries.sort_by(|a, b| a.export.name.cmp(&b.export.name).then_with(|| a.export.cmp(&b.export)));
        Ok(entries)
    }

    /// As [`list`](Self::list), and says of each service how the workspace behind `tenant` binds it.
    ///
    /// # Errors
    /// As [`list`](Self::list), and when `tenant` may not list APIBindings.
    pub async fn list_in(&self, identity: &Identity, tenant: &kube::Client) -> Result<Vec<CatalogEntry>, Error> {
        let (entries, bindings) = futures::try_join!(self.list(identity), crate::binding::list(tenant))?;
        Ok(entries.into_iter().map(|entry| entry.with_bound_among(&bindings)).collect())
    }

    /// The service `name`, when `identity` may see it.
    ///
    /// A name that several provider workspaces use is told apart by `<workspace path>:<name>`.
    ///
    /// # Errors
    /// `Invalid` when the name is ambiguous; otherwise as [`list`](Self::list).
    pub async fn get(&self, identity: &Identity, name: &str) -> Result<Option<CatalogEntry>, Error> {
        let (workspace, name) = match name.rsplit_once(':') {
            Some((workspace, name)) => (Some(workspace), name),
            None => (None, name),
        };
        // It becomes a part of paths that are read with the platform's rights.
        if !is_dns_subdomain(name) {
            return Ok(None);
        }
        let providers = self.providers.iter().filter(|path| workspace.is_none_or(|named| path.as_str() == named));
        let found = try_join_all(providers.map(|provider| self.find(provider, identity, name))).await?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        match found.as_slice() {
            [] | [_] => Ok(found.pop()),
            [a, b, ..] => Err(Error::new(
                ErrorKind::Invalid,
                "get service",
                name,
                format!(
                    "several providers offer it; say {}:{name} or {}:{name}",
                    a.export.workspace, b.export.workspace
                ),
            )),
        }
    }

    /// As [`get`](Self::get), and says how the workspace behind `tenant` binds the service.
    ///
    /// # Errors
    /// As [`get`](Self::get), and when `tenant` may not list APIBindings.
    pub async fn get_in(
        &self,
        identity: &Identity,
        name: &str,
        tenant: &kube::Client,
    ) -> Result<Option<CatalogEntry>, Error> {
        let (entry, bindings) = futures::try_join!(self.get(identity, name), crate::binding::list(tenant))?;
        Ok(entry.map(|entry| entry.with_bound_among(&bindings)))
    }

    /// The schemas behind the kinds of a service, for those who may see its whole tile.
    ///
    /// # Errors
    /// `Forbidden` when `identity` may not see the tile; otherwise as [`list`](Self::list).
    pub async fn schemas(&self, identity: &Identity, entry: &CatalogEntry) -> Result<Vec<APIResourceSchema>, Error> {
        let client = self.control_plane.system_client(&entry.export.workspace)?;
        if !Access::ask(&client, identity, &entry.name).await?.get {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "read schemas of",
                &entry.name,
                "it needs the verb get on the Service",
            ));
        }
        let Some(export) = get_opt::<APIExport>(&client, &entry.name).await? else { return Ok(Vec::new()) };
        schemas_of(&client, &export).await
    }

    async fn shelf(&self, provider: &WorkspacePath, identity: &Identity) -> Result<Vec<CatalogEntry>, Error> {
        let client = self.control_plane.system_client(provider)?;
        let (services, exports, schemas) = futures::try_join!(
            list::<Service>(&client, provider),
            list::<APIExport>(&client, provider),
            list::<APIResourceSchema>(&client, provider),
        )?;
        let exports: BTreeMap<_, _> = exports.into_iter().map(|export| (export.name_any(), export)).collect();
        let schemas: BTreeMap<_, _> = schemas.into_iter().map(|schema| (schema.name_any(), schema)).collect();
        let reviewed = stream::iter(services).map(|service| {
            let client = &client;
            async move {
                let access = Access::ask(client, identity, &service.name_any()).await?;
                Ok::<_, Error>((service, access))
            }
        });
        reviewed
            .buffered(REVIEWS_AT_ONCE)
            .map(|reviewed| {
                let (service, access) = reviewed?;
                let location = locate(&service, provider)?;
                let export = exports.get(&location.name);
                let schema = |name: &str| schemas.get(name);
                Ok(CatalogEntry::new(&service, location, export, schema, access.visibility(), access.bind))
            })
            .try_filter_map(|entry| std::future::ready(Ok(entry)))
            .try_collect()
            .await
    }

    async fn find(
        &self,
        provider: &WorkspacePath,
        identity: &Identity,
        name: &str,
    ) -> Result<Option<CatalogEntry>, Error> {
        let client = self.control_plane.system_client(provider)?;
        let (service, export, access) = futures::try_join!(
            get_opt::<Service>(&client, name),
            get_opt::<APIExport>(&client, name),
            Access::ask(&client, identity, name),
        )?;
        let Some(service) = service else { return Ok(None) };
        let schemas = match &export {
            Some(export) => schemas_of(&client, export).await?,
            None => Vec::new(),
        };
        let location = locate(&service, provider)?;
        let schema = |name: &str| schemas.iter().find(|schema| schema.name_any() == name);
        Ok(CatalogEntry::new(&service, location, export.as_ref(), schema, access.visibility(), access.bind))
    }
}

/// Where the export of a service is; it has the service's name and lives beside it.
pub(crate) fn locate(service: &Service, provider: &WorkspacePath) -> Result<ExportLocation, Error> {
    let cluster = service.annotations().get(CLUSTER_ANNOTATION).map_or("", String::as_str);
    let cluster: LogicalClusterName = cluster.parse().map_err(|error: ParseError| {
        let subject = format!("service {} in {provider}", service.name_any());
        let message = format!("the API server returned it without the annotation {CLUSTER_ANNOTATION}");
        Error::new(ErrorKind::Internal, "locate", subject, message).with_source(error)
    })?;
    Ok(ExportLocation::new(provider.clone(), cluster, service.name_any()))
}

async fn list<K>(client: &kube::Client, provider: &WorkspacePath) -> Result<Vec<K>, Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let list = Api::<K>::all(client.clone()).list(&ListParams::default()).await;
    list.map(|list| list.items)
        .map_err(|error| Error::from_kube("list", format!("{} in {provider}", K::plural(&())), error))
}

async fn get_opt<K>(client: &kube::Client, name: &str) -> Result<Option<K>, Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let object = Api::<K>::all(client.clone()).get_opt(name).await;
    object.map_err(|error| Error::from_kube("get", format!("{} {name}", K::plural(&())), error))
}

/// The schemas an export offers; one that is named but not there yet is left out.
async fn schemas_of(client: &kube::Client, export: &APIExport) -> Result<Vec<APIResourceSchema>, Error> {
    let schemas = export.spec.resources.iter().map(|resource| get_opt::<APIResourceSchema>(client, &resource.schema));
    Ok(try_join_all(schemas).await?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
