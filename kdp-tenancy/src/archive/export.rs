//! Takes a workspace out.

use kdp_core::{ControlPlane, ControlPlaneExt, Error, ErrorKind, WorkspacePath, api::tenancy::Workspace as Child};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, VersionMatch},
    discovery::{ApiCapabilities, Discovery, verbs},
};
use serde_json::Value;
use tokio::io::AsyncWrite;

use super::{
    Summary,
    format::{Object, Record, Workspace, Writer},
    rules,
};

/// How many objects are read at once.
const PAGE: u32 = 500;

/// Writes the workspace at `source`, and every one below it, to `output`.
///
/// Of each logical cluster, all objects are read as they were at one moment; of two, the moments may
/// differ. Objects and workspaces that are being deleted are left out and named in the summary, and so are
/// child workspaces that are not ready. Dropped in the middle, it leaves an archive that is refused.
///
/// # Errors
/// When the control plane refuses, when it forgot the moment while it was read (`NotFound`; try
/// again), or when the output fails.
pub async fn export(
    control_plane: &dyn ControlPlane,
    source: &WorkspacePath,
    output: impl AsyncWrite + Unpin,
) -> Result<Summary, Error> {
    let mut export = Export { control_plane, source, writer: Writer::new(output), summary: Summary::default() };
    export.writer.write(&Record::begin(source)).await?;
    let mut waiting = vec![export.top().await?];
    while let Some(workspace) = waiting.pop() {
        waiting.extend(export.workspace(workspace).await?);
    }
    export.writer.write(&Record::Manifest(export.summary.clone())).await?;
    export.writer.finish().await?;
    Ok(export.summary)
}

struct Export<'a, W> {
    control_plane: &'a dyn ControlPlane,
    source: &'a WorkspacePath,
    writer: Writer<W>,
    summary: Summary,
}

impl<W: AsyncWrite + Unpin> Export<'_, W> {
    async fn top(&self) -> Result<Workspace, Error> {
        let Some(parent) = self.source.parent() else { return Ok(Workspace::default()) };
        let workspaces: Api<Child> = Api::all(self.control_plane.system_client(&parent)?);
        let found = workspaces.get(self.source.base()).await.map_err(|error| self.failed(error))?;
        Ok(self.archived(&found, Vec::new()))
    }

    fn archived(&self, workspace: &Child, path: Vec<String>) -> Workspace {
        let mut kind = workspace.spec.type_.clone();
        if let Some(path) = kind.as_mut().and_then(|kind| kind.path.as_mut()) {
            *path = rules::archived_path(path, self.source.as_str());
        }
        let labels = workspace.labels().iter().filter(|(key, _)| !key.contains("kcp.io/"));
        Workspace { path, r#type: kind, labels: labels.map(|(key, value)| (key.clone(), value.clone())).collect() }
    }

    /// Writes one workspace, and returns its children.
    async fn workspace(&mut self, workspace: Workspace) -> Result<Vec<Workspace>, Error> {
        let names = workspace.path.clone();
        let path = rules::workspace_path(self.source, &names)?;
        let client = self.control_plane.system_client(&path)?;
        let discovered = Discovery::new(client.clone()).run().await.map_err(|error| self.failed(error))?;
        let mut resources: Vec<(ApiResource, ApiCapabilities)> = discovered
            .groups()
            .flat_map(kube::discovery::ApiGroup::resources_by_stability)
            .filter(|(_, can)| can.supports_operation(verbs::LIST) && can.supports_operation(verbs::CREATE))
            .filter(|(resource, _)| !rules::is_derived_resource(&resource.group, &resource.plural))
            .collect();
        resources.sort_by_key(|(r, _)| (rules::rank(&r.group, &r.plural), r.group.clone(), r.plural.clone()));
        let children: Api<Child> = Api::all(client.clone());
        let now = children.list(&ListParams::default().limit(1)).await.map_err(|error| self.failed(error))?;
        let moment = now.metadata.resource_version.unwrap_or_default();
        self.writer.write(&Record::Workspace(Box::new(workspace))).await?;
        self.summary.workspaces += 1;
        for (resource, can) in &resources {
            let has_status = can.subresources.iter().any(|(sub, _)| sub.plural == "status");
            self.objects(&client, resource, has_status, &path, &moment).await?;
        }
        let mut found = Vec::new();
        let mut pages = Pages::new(children, &moment);
        while let Some(page) = pages.next().await.map_err(|error| self.failed(error))? {
            for child in page {
                let mut path = names.clone();
                path.push(child.name_any());
                let phase = child.status.as_ref().map(|status| status.phase).unwrap_or_default();
                if child.metadata.deletion_timestamp.is_some() || phase.as_str() != "Ready" {
                    self.summary.skipped.push(format!("workspace {}: it is not ready", path.join(":")));
                    continue;
                }
                found.push(self.archived(&child, path));
            }
        }
        Ok(found)
    }

    async fn objects(
        &mut self,
        client: &Client,
        resource: &ApiResource,
        has_status: bool,
        path: &WorkspacePath,
        moment: &str,
    ) -> Result<(), Error> {
        let (group, plural) = (&*resource.group, &*resource.plural);
        let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
        let mut pages = Pages::new(api, moment);
        while let Some(page) = pages.next().await.map_err(|error| self.failed(error))? {
            for mut object in page {
                // Items of a list do not always say what they are.
                object.types = Some(kube::api::TypeMeta {
                    api_version: resource.api_version.clone(),
                    kind: resource.kind.clone(),
                });
                if object.metadata.deletion_timestamp.is_some() {
                    let (name, kind) = (object.name_any(), rules::resource_name(group, plural));
                    self.summary.skipped.push(format!("{path} {kind} {name}: it is being deleted"));
                    continue;
                }
                let object = serde_json::to_value(&object).map_err(|error| self.broken(error))?;
                if rules::is_derived(group, plural, &object) {
                    continue;
                }
                let mut object = rules::portable(object);
                if let Some(path @ Value::String(_)) = rules::path_mut(group, plural, &mut object) {
                    *path = rules::archived_path(path.as_str().unwrap_or_default(), self.source.as_str()).into();
                }
                self.summary.count(group, plural);
                let record = Object {
                    group: group.into(),
                    version: resource.version.clone(),
                    kind: resource.kind.clone(),
                    plural: plural.into(),
                    has_status,
                    sensitive: group.is_empty() && plural == "secrets",
                    object,
                };
                self.writer.write(&Record::Object(Box::new(record))).await?;
            }
        }
        Ok(())
    }

    fn failed(&self, error: kube::Error) -> Error {
        Error::from_kube("export", self.source, error)
    }

    fn broken(&self, error: serde_json::Error) -> Error {
        Error::new(ErrorKind::Internal, "export", self.source, "an object is no JSON").with_source(error)
    }
}

/// The objects of a resource at one moment, page by page.
struct Pages<K> {
    api: Api<K>,
    next: Option<ListParams>,
}

impl<K> Pages<K>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    fn new(api: Api<K>, moment: &str) -> Self {
        let first = ListParams::default().limit(PAGE).at(moment).matching(VersionMatch::Exact);
        Self { api, next: Some(first) }
    }

    async fn next(&mut self) -> kube::Result<Option<Vec<K>>> {
        let Some(params) = self.next.take() else { return Ok(None) };
        let list = self.api.list(&params).await?;
        let token = list.metadata.continue_.filter(|token| !token.is_empty());
        self.next = token.map(|token| ListParams::default().limit(PAGE).continue_token(&token));
        Ok(Some(list.items))
    }
}
