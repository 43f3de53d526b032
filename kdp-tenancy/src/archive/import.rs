//! Brings a workspace in.

use std::{collections::BTreeMap, time::Duration};

use kdp_core::{
    ControlPlane, ControlPlaneExt, Error, ErrorKind, Identity, WorkspacePath,
    api::tenancy::{Workspace as Child, WorkspaceSpec},
    workspace::ensure_workspace,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::io::AsyncRead;

use super::{
    Summary,
    format::{Archive, Object, Record, Workspace},
    rules::{self, Phase},
};

/// How long a kind may take to be served after its definition or binding was made.
const SERVED_DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Makes the workspace at `target`, with every level that is missing above it, and everything in the
/// archive within it. Nothing in an archive can reach beyond `target`.
///
/// The whole archive is checked before anything is written. Objects that exist already are left as they
/// are, except that a missing status is added; so an import that was cut off is completed by another one.
/// Objects get new UIDs, and references to owners follow them. The summary counts what was created, and
/// names owners that are not in the archive.
///
/// # Errors
/// `Invalid` when the archive is damaged, cut off or malicious, before anything was written; else
/// what the control plane refused.
pub async fn import(
    control_plane: &dyn ControlPlane,
    target: &WorkspacePath,
    input: impl AsyncRead + Unpin,
) -> Result<Summary, Error> {
    let archive = Archive::read(input).await?;
    let mut import = Import { control_plane, target, uids: BTreeMap::new(), summary: Summary::default() };
    for phase in [Phase::Apis, Phase::Bindings, Phase::Content] {
        import.phase(&archive, phase).await?;
    }
    import.owners(&archive).await?;
    Ok(import.summary)
}

struct Import<'a> {
    control_plane: &'a dyn ControlPlane,
    target: &'a WorkspacePath,
    /// New uids, by the workspace and the uid in the archive.
    uids: BTreeMap<(WorkspacePath, String), String>,
    summary: Summary,
}

impl Import<'_> {
    async fn phase(&mut self, archive: &Archive, phase: Phase) -> Result<(), Error> {
        let mut place = None;
        for record in archive.records() {
            match record? {
                Record::Workspace(workspace) => {
                    let path = rules::workspace_path(self.target, &workspace.path)?;
                    if phase == Phase::Apis {
                        self.workspace(&path, *workspace).await?;
                    }
                    place = Some((self.control_plane.system_client(&path)?, path));
                }
                Record::Object(object) if rules::phase(&object.group, &object.plural) == phase => {
                    let (client, path) =
                        place.as_ref().ok_or_else(|| rules::invalid("an object is in no workspace"))?;
                    self.object(client, path, *object).await?;
                }
                Record::Archive { .. } | Record::Object(_) | Record::Manifest(_) => {}
            }
        }
        Ok(())
    }

    async fn workspace(&mut self, path: &WorkspacePath, workspace: Workspace) -> Result<(), Error> {
        let mut kind = workspace.r#type;
        if let Some(path) = kind.as_mut().and_then(|kind| kind.path.as_mut()) {
            *path = rules::restored_path(path, self.target.as_str());
        }
        let parent = path.parent().ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "import", path, "a logical cluster without a parent cannot be made")
        })?;
        if parent.parent().is_some() {
            ensure_workspace(self.control_plane, &parent, &Identity::system_masters()).await?;
        }
        let mut child = Child::new(path.base(), WorkspaceSpec { type_: kind, ..WorkspaceSpec::default() });
        child.metadata.labels = Some(workspace.labels).filter(|labels| !labels.is_empty());
        let children: Api<Child> = Api::all(self.control_plane.system_client(&parent)?);
        match children.create(&PostParams::default(), &child).await {
            Ok(_) => self.summary.workspaces += 1,
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => return Err(Error::from_kube("import", path, error)),
        }
        ensure_workspace(self.control_plane, path, &Identity::system_masters()).await?;
        Ok(())
    }

    async fn object(&mut self, client: &Client, path: &WorkspacePath, record: Object) -> Result<(), Error> {
        let (api, name) = (api(client, &record), name(&record));
        let failed = |error| Error::from_kube("import", format!("{path} {} {name}", record.plural), error);
        let mut object = rules::portable(record.object);
        if let Some(place @ Value::String(_)) = rules::path_mut(&record.group, &record.plural, &mut object) {
            *place = rules::restored_path(place.as_str().unwrap_or_default(), self.target.as_str()).into();
        }
        let status = object["status"].take();
        object.as_object_mut().map(|object| object.remove("status"));
        let uid = object["metadata"]["uid"].as_str().map(str::to_owned);
        if let Some(metadata) = object["metadata"].as_object_mut() {
            // Owners follow when every object has its new uid.
            metadata.retain(|field, _| !matches!(&**field, "uid" | "ownerReferences" | "deletionTimestamp"));
        }
        let wanted: DynamicObject = serde_json::from_value(object)
            .map_err(|error| rules::invalid("an object is malformed").with_source(error))?;
        let (mut found, is_new) = create(&api, &name, &wanted).await.map_err(failed)?;
        if is_new {
            self.summary.count(&record.group, &record.plural);
        }
        if let (Some(old), Some(new)) = (uid, found.metadata.uid.clone()) {
            self.uids.insert((path.clone(), old), new);
        }
        if record.plural == "apibindings" && record.group == "apis.kcp.io" && status["phase"] == "Bound" {
            return bound(&api, &name, path).await;
        }
        let is_missing = found.data.get("status").is_none_or(|status| status.is_null() || *status == json!({}));
        if record.has_status
            && is_missing
            && !status.is_null()
            && !rules::is_status_derived(&record.group, &record.plural)
        {
            found.data["status"] = status;
            api.replace_status(&name, &PostParams::default(), &found).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Gives objects their owners back.
    async fn owners(&mut self, archive: &Archive) -> Result<(), Error> {
        let mut place = None;
        for record in archive.records() {
            match record? {
                Record::Workspace(workspace) => {
                    let path = rules::workspace_path(self.target, &workspace.path)?;
                    place = Some((self.control_plane.system_client(&path)?, path));
                }
                Record::Object(record) => {
                    let Some((client, path)) = &place else { continue };
                    let archived = record.object["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len);
                    if archived == 0 {
                        continue;
                    }
                    let owners =
                        rules::owners(&record.object, |uid| self.uids.get(&(path.clone(), uid.to_owned())).cloned());
                    let name = name(&record);
                    if owners.len() < archived {
                        self.summary
                            .skipped
                            .push(format!("{path} {} {name}: an owner is not in the archive", record.plural));
                    }
                    let patch = Patch::Merge(json!({"metadata": {"ownerReferences": owners}}));
                    api(client, &record)
                        .patch(&name, &PatchParams::default(), &patch)
                        .await
                        .map_err(|error| Error::from_kube("import owners of", format!("{path} {name}"), error))?;
                }
                Record::Archive { .. } | Record::Manifest(_) => {}
            }
        }
        Ok(())
    }
}

fn name(record: &Object) -> String {
    record.object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn api(client: &Client, record: &Object) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: record.group.clone(),
        version: record.version.clone(),
        api_version: rules::api_version(&record.group, &record.version),
        kind: record.kind.clone(),
        plural: record.plural.clone(),
    };
    match record.object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// The object, made unless it is there. Its kind may take a moment to be served.
async fn create(api: &Api<DynamicObject>, name: &str, wanted: &DynamicObject) -> kube::Result<(DynamicObject, bool)> {
    let deadline = tokio::time::Instant::now() + SERVED_DEADLINE;
    loop {
        match api.create(&PostParams::default(), wanted).await {
            Ok(made) => return Ok((made, true)),
            Err(kube::Error::Api(status)) if status.is_already_exists() => return Ok((api.get(name).await?, false)),
            Err(kube::Error::Api(status)) if status.code == 404 && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Waits until a binding that was bound is so again, since objects that follow need its kinds.
async fn bound(api: &Api<DynamicObject>, name: &str, path: &WorkspacePath) -> Result<(), Error> {
    let wait = async {
        loop {
            let found = api.get(name).await.map_err(|error| Error::from_kube("import", path, error))?;
            if found.data["status"]["phase"] == "Bound" {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let late =
        || Error::new(ErrorKind::Unavailable, "import", path, format!("the binding {name} does not become bound"));
    tokio::time::timeout(SERVED_DEADLINE, wait).await.unwrap_or_else(|_| Err(late()))
}
