//! Makes an APIExport of every Service.

mod agent;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use kdp_core::{
    Component, ComponentContext, ControlPlaneExt, Error, LogicalClusterName, SharedControlPlane, WorkspacePath,
    api::{
        CLUSTER_ANNOTATION,
        apis::{APIBinding, APIExport, APIExportSpec},
    },
    condition::{Condition, find_condition, set_condition},
    reconcile,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions},
    runtime::{
        Controller,
        controller::Action,
        reflector::ObjectRef,
        watcher::{self},
    },
};
use serde_json::json;

use self::agent::{Agent, KUBECONFIG_READY};
use crate::{ExportLocation, Service, catalog::locate, reach::path_of, service::install_service_crd};

pub(crate) const FIELD_MANAGER: &str = "kdp-catalog";

/// Keeps a Service until its export is released.
const FINALIZER: &str = "core.kdp.k8c.io/export";
/// On an APIExport: UID of the Service it was created for. An export without it belongs to somebody else.
const CREATED_FOR: &str = "core.kdp.k8c.io/created-for-service";

const READY: &str = "Ready";
const RESOURCES_OFFERED: &str = "ResourcesOffered";
const EXPORT_DELETED: &str = "ExportDeleted";

/// Bindings live in every tenant's workspace; looking again now and then, only while a service is
/// held by them, is cheaper than watching all of them all the time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN_AT_ACCOUNTS: Duration = Duration::from_secs(60);
/// Bindings named in a condition.
const NAMED_HOLDERS: usize = 10;

/// Makes and keeps an APIExport for every Service in some provider workspaces.
///
/// The export has the service's name. One that exists is adopted; what others put into it is never
/// touched. Conditions on the Service: `Ready` when it can be bound, `ResourcesOffered` when the
/// export offers a resource of the service's group, `KubeconfigReady` when the Secret that
/// `spec.kubeconfig` names has, under the key `kubeconfig`, what the service's agent needs. Its account may
/// keep this export and see what is ordered through it, and nothing else.
///
/// A deleted Service takes its export with it when the controller made that export. It waits, with
/// condition `ExportDeleted` naming the bindings, until no workspace binds it.
///
/// The provider workspaces must exist when the component starts; the kind `Service` is installed
/// into them.
#[derive(Clone, Debug)]
pub struct ServiceController {
    providers: Vec<WorkspacePath>,
}

impl ServiceController {
    /// A controller for the services in `provider_workspaces`.
    pub fn new(provider_workspaces: impl IntoIterator<Item = WorkspacePath>) -> Self {
        Self { providers: provider_workspaces.into_iter().collect() }
    }
}

#[async_trait]
impl Component for ServiceController {
    fn name(&self) -> &str {
        "service-controller"
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        let mut controllers = Vec::new();
        for path in self.providers {
            let client = context.control_plane().system_client(&path)?;
            install_service_crd(&client).await?;
            let provider = Arc::new(Provider { path, client, control_plane: context.control_plane().clone() });
            let exports: Api<APIExport> = Api::all(provider.client.clone());
            let controller = Controller::new(Api::<Service>::all(provider.client.clone()), watcher::Config::default())
                .watches(exports, watcher::Config::default(), |export| Some(ObjectRef::new(&export.name_any())));
            controllers.push(reconcile::run(controller, context.shutdown().clone(), move |service| {
                let provider = provider.clone();
                async move { provider.reconcile(&service).await }
            }));
        }
        context.ready();
        join_all(controllers).await;
        Ok(())
    }
}

/// One provider workspace.
struct Provider {
    path: WorkspacePath,
    client: kube::Client,
    control_plane: SharedControlPlane,
}

impl Provider {
    async fn reconcile(&self, service: &Service) -> Result<Action, Error> {
        if service.metadata.deletion_timestamp.is_some() {
            self.release(service).await
        } else {
            self.offer(service).await
        }
    }

    async fn offer(&self, service: &Service) -> Result<Action, Error> {
        let held;
        let service = if service.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
            service
        } else {
            // Before the export exists, so that a deletion in between cannot leave it behind.
            let finalizers = service.finalizers().iter().cloned().chain([FINALIZER.into()]).collect();
            held = self.write_finalizers(service, finalizers).await?;
            &held
        };
        let export = self.ensure_export(service).await?;
        let conditions = [readiness(&export), offering(service, &export)];
        let is_asked = service.spec.kubeconfig.is_some();
        let kubeconfig = match (is_asked, knows_of_kubeconfig(service)) {
            (false, false) => None,
            // It is noted before anything is made, so that what is made is known to be there.
            (true, false) => Some(Condition::fails(KUBECONFIG_READY, "Making", "the account of the agent is made")),
            (_, true) => Some(self.agent().ensure(service, is_created_for(&export, service)).await?),
        };
        self.write_conditions(service, conditions.into_iter().chain(kubeconfig)).await?;
        // Accounts and Secrets are not watched.
        Ok(if is_asked { Action::requeue(LOOK_AGAIN_AT_ACCOUNTS) } else { Action::await_change() })
    }

    fn agent(&self) -> Agent<'_> {
        Agent { control_plane: &self.control_plane, workspace: &self.path, client: &self.client }
    }

    async fn ensure_export(&self, service: &Service) -> Result<APIExport, Error> {
        let name = service.name_any();
        let failed = |error| Error::from_kube("export", format!("service {name} in {}", self.path), error);
        if let Some(export) = self.exports().get_opt(&name).await.map_err(failed)? {
            return Ok(export);
        }
        let new = APIExport {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                annotations: Some([(CREATED_FOR.to_owned(), uid(service).to_owned())].into()),
                ..ObjectMeta::default()
            },
            spec: APIExportSpec::default(),
            status: None,
        };
        let manager = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        match self.exports().create(&manager, &new).await {
            Ok(export) => Ok(export),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                self.exports().get(&name).await.map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn release(&self, service: &Service) -> Result<Action, Error> {
        if !service.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(Action::await_change());
        }
        let name = service.name_any();
        let failed = |error| Error::from_kube("delete export of", format!("service {name} in {}", self.path), error);
        let export = self.exports().get_opt(&name).await.map_err(failed)?;
        if let Some(export) = export.filter(|export| is_created_for(export, service)) {
            let location = locate(service, &self.path)?;
            let holders = match self.holders(&location).await {
                Ok(holders) => holders,
                Err(error) => {
                    let why = format!("the workspaces that may bind it cannot be seen: {}", error.message());
                    self.write_conditions(service, [Condition::fails(EXPORT_DELETED, "BindingsUnknown", why)]).await?;
                    return Err(error);
                }
            };
            if !holders.is_empty() {
                let places = self.places(&holders).await?;
                self.write_conditions(service, [held_by(&places, holders.len())]).await?;
                return Ok(Action::requeue(LOOK_AGAIN));
            }
            let same = Preconditions { uid: export.uid(), resource_version: None };
            match self.exports().delete(&name, &DeleteParams::default().preconditions(same)).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => return Err(failed(error)),
            }
        }
        if knows_of_kubeconfig(service) {
            self.agent().remove(service).await?;
        }
        let finalizers = service.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).cloned().collect();
        self.write_finalizers(service, finalizers).await?;
        Ok(Action::await_change())
    }

    /// The bindings of an export in all workspaces.
    async fn holders(&self, export: &ExportLocation) -> Result<Vec<APIBinding>, Error> {
        let everywhere: Api<APIBinding> = Api::all(self.control_plane.wildcard_client()?);
        let bindings = everywhere.list(&ListParams::default()).await;
        let bindings = bindings.map_err(|error| Error::from_kube("list", "apibindings of all workspaces", error))?;
        Ok(bindings.items.into_iter().filter(|binding| export.is_bound_by(binding)).collect())
    }

    /// Where the first of `holders` are, as people know the workspaces: by path.
    async fn places(&self, holders: &[APIBinding]) -> Result<Vec<String>, Error> {
        let place = async |binding: &APIBinding| {
            let cluster = binding.annotations().get(CLUSTER_ANNOTATION).map_or("", String::as_str);
            let Ok(name) = cluster.parse::<LogicalClusterName>() else {
                return Ok(format!("{} in a workspace without a name", binding.name_any()));
            };
            // A workspace that is going away at this moment is still known by its cluster.
            let path = path_of(&self.control_plane, name).await?;
            Ok(format!("{} in {}", binding.name_any(), path.as_deref().unwrap_or(cluster)))
        };
        try_join_all(holders.iter().take(NAMED_HOLDERS).map(place)).await
    }

    async fn write_finalizers(&self, service: &Service, finalizers: Vec<String>) -> Result<Service, Error> {
        let patch = json!({
            "metadata": {"resourceVersion": service.resource_version(), "finalizers": finalizers},
        });
        let patched = self.services().patch(&service.name_any(), &patch_params(), &Patch::Merge(patch)).await;
        patched.map_err(|error| self.cannot_write(service, error))
    }

    /// Writes the status only when a condition is news.
    async fn write_conditions(
        &self,
        service: &Service,
        conditions: impl IntoIterator<Item = Condition>,
    ) -> Result<(), Error> {
        let mut known = service.status.clone().unwrap_or_default().conditions;
        let mut is_news = false;
        for mut condition in conditions {
            condition.observed_generation = service.meta().generation;
            is_news |= set_condition(&mut known, condition, Timestamp::now());
        }
        if !is_news {
            return Ok(());
        }
        // Other writers have conditions of their own in this list: a conflict is tried again.
        let patch = json!({
            "metadata": {"resourceVersion": service.resource_version()},
            "status": {"conditions": known},
        });
        let patched = self.services().patch_status(&service.name_any(), &patch_params(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| self.cannot_write(service, error))
    }

    fn cannot_write(&self, service: &Service, error: kube::Error) -> Error {
        Error::from_kube("update", format!("service {} in {}", service.name_any(), self.path), error)
    }

    fn services(&self) -> Api<Service> {
        Api::all(self.client.clone())
    }

    fn exports(&self) -> Api<APIExport> {
        Api::all(self.client.clone())
    }
}

fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

fn uid(service: &Service) -> &str {
    service.metadata.uid.as_deref().unwrap_or_default()
}

fn is_created_for(export: &APIExport, service: &Service) -> bool {
    export.annotations().get(CREATED_FOR).is_some_and(|owner| owner == uid(service))
}

/// Whether a kubeconfig was ever asked for.
fn knows_of_kubeconfig(service: &Service) -> bool {
    let conditions = service.status.as_ref().map_or(&[][..], |status| &status.conditions);
    find_condition(conditions, KUBECONFIG_READY).is_some()
}

fn readiness(export: &APIExport) -> Condition {
    let conditions = export.status.as_ref().map_or(&[][..], |status| &status.conditions);
    match find_condition(conditions, "IdentityValid").filter(|identity| identity.status == "False") {
        Some(identity) => {
            Condition::fails(READY, &identity.reason, format!("the APIExport is invalid: {}", identity.message))
        }
        None => Condition::holds(READY),
    }
}

fn offering(service: &Service, export: &APIExport) -> Condition {
    let group = &service.spec.api_group;
    let resources = &export.spec.resources;
    if resources.iter().any(|resource| resource.group == *group) {
        return Condition::holds(RESOURCES_OFFERED);
    }
    let (reason, message) = match resources.first() {
        None => ("NothingPublished", format!("no resource is published yet; publish one of group {group}")),
        Some(other) => {
            ("OtherGroup", format!("the APIExport offers {}.{}, but nothing of group {group}", other.name, other.group))
        }
    };
    // An offer that is being set up is no error.
    Condition { severity: "Info".into(), ..Condition::fails(RESOURCES_OFFERED, reason, message) }
}

/// `places` are those named of the `count` there are.
fn held_by(places: &[String], count: usize) -> Condition {
    let mut places = places.to_vec();
    if let Some(others) = count.checked_sub(places.len()).filter(|others| *others > 0) {
        places.push(format!("{others} more"));
    }
    let message = format!("the APIExport is kept until nobody binds it; bound by {}", places.join(", "));
    Condition { severity: "Warning".into(), ..Condition::fails(EXPORT_DELETED, "StillBound", message) }
}

#[cfg(test)]
mod tests;
