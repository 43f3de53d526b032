//! What counts around an order: its object, its workspace, its environment.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Namespace;
use kdp_core::{
    ControlPlaneExt, Error, ErrorKind, Identity, LogicalClusterName, SharedControlPlane, WorkspacePath,
    api::{
        PATH_ANNOTATION,
        core::{LOGICAL_CLUSTER_NAME, LogicalCluster},
        tenancy::Workspace,
    },
    provider::OrderId,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject},
};

use crate::{
    Environment,
    portal::names::is_dns_subdomain,
    resolution::{ENVIRONMENT, EnvironmentFacts, WorkspaceFacts},
};

/// What counts around an order beside its spec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Around {
    /// Its workspace.
    pub workspace: WorkspaceFacts,
    /// Its environment; none when it is in none.
    pub environment: Option<EnvironmentFacts>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Looks up what counts around orders.
#[async_trait]
pub trait Surroundings: fmt::Debug + Send + Sync + 'static {
    /// What counts around an order now. Changes nothing and may be dropped.
    ///
    /// # Errors
    /// `Invalid` when the order is in an environment that is not there; `NotFound` when there is no such
    /// order; `Unavailable` when the evidence could not be gathered.
    async fn around(&self, order: &OrderId) -> Result<Around, Error>;
}

/// The surroundings of the orders of one kind in the workspaces of a control plane.
pub struct WorkspaceSurroundings {
    control_plane: SharedControlPlane,
    kind: ApiResource,
    levels: usize,
}

impl WorkspaceSurroundings {
    /// Those of orders of this kind.
    ///
    /// Of labels of workspaces, only those count that the platform sets: of the workspaces in the root.
    #[must_use]
    pub fn new(control_plane: SharedControlPlane, kind: ApiResource) -> Self {
        Self { control_plane, kind, levels: 1 }
    }

    /// The same for a platform that labels the workspaces of so many levels below the root. Whoever administers a
    /// workspace sets the labels of those below it, so a tenant that administers one of these levels can choose
    /// what is offered to it. Where two levels say different things, the upper one counts.
    #[must_use]
    pub fn with_labelled_levels(mut self, levels: usize) -> Self {
        self.levels = levels;
        self
    }

    async fn workspace(&self, cluster: &LogicalClusterName, client: &Client) -> Result<WorkspaceFacts, Error> {
        let failed = |error| Error::from_kube("look at", cluster, error);
        let itself = Api::<LogicalCluster>::all(client.clone()).get(LOGICAL_CLUSTER_NAME).await.map_err(failed)?;
        let Some(path) = itself.annotations().get(PATH_ANNOTATION) else {
            let message = format!("the logical cluster has no annotation {PATH_ANNOTATION}");
            return Err(Error::new(ErrorKind::Internal, "look at", cluster, message));
        };
        let mut facts = WorkspaceFacts { path: path.clone(), labels: BTreeMap::new() };
        let mut parent = WorkspacePath::root();
        let names: Vec<_> = path.split(':').skip(1).take(self.levels).collect();
        for name in names {
            let client = self.control_plane.system_client(&parent)?;
            let failed = |error| Error::from_kube("look at", format!("the workspace {name} in {parent}"), error);
            let workspace = Api::<Workspace>::all(client).get(name).await.map_err(failed)?;
            for (label, value) in workspace.labels() {
                facts.labels.entry(label.clone()).or_insert_with(|| value.clone());
            }
            parent = parent
                .join(name)
                .map_err(|e| Error::new(ErrorKind::Internal, "look at", cluster, e.to_string()).with_source(e))?;
        }
        Ok(facts)
    }

    async fn environment(
        &self,
        order: &OrderId,
        object: &DynamicObject,
        client: &Client,
    ) -> Result<Option<EnvironmentFacts>, Error> {
        let failed = |error| Error::from_kube("look at the environment of", order, error);
        let named = object.annotations().get(ENVIRONMENT).cloned();
        let (name, field) = match object.namespace() {
            _ if named.is_some() => (named, "metadata.annotations"),
            None => return Ok(None),
            Some(namespace) => {
                let namespace = Api::<Namespace>::all(client.clone()).get(&namespace).await.map_err(failed)?;
                (namespace.labels().get(ENVIRONMENT).cloned(), "the labels of its namespace")
            }
        };
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(None) };
        // It becomes a part of a path that is read with the platform's rights.
        let environment = match is_dns_subdomain(&name) {
            true => Api::<Environment>::all(client.clone()).get_opt(&name).await.map_err(failed)?,
            false => None,
        };
        match environment {
            Some(environment) => Ok(Some(environment.facts())),
            None => {
                let message = format!("{field}: there is no environment {name} in this workspace");
                Err(Error::new(ErrorKind::Invalid, "resolve", order, message))
            }
        }
    }
}

#[async_trait]
impl Surroundings for WorkspaceSurroundings {
    async fn around(&self, order: &OrderId) -> Result<Around, Error> {
        let Some(cluster) = &order.workspace else {
            let message = "it is in no workspace; only orders in workspaces are in the catalog";
            return Err(Error::new(ErrorKind::Unsupported, "resolve", order, message));
        };
        let client = self.control_plane.client(&cluster.clone().into(), &Identity::system_masters())?;
        let objects: Api<DynamicObject> = match order.namespace.as_str() {
            "" => Api::all_with(client.clone(), &self.kind),
            namespace => Api::namespaced_with(client.clone(), namespace, &self.kind),
        };
        let object = objects.get(&order.name).await.map_err(|error| Error::from_kube("resolve", order, error))?;
        if object.uid().as_deref() != Some(order.uid.as_str()) {
            let message = "there is another object of this name now";
            return Err(Error::new(ErrorKind::NotFound, "resolve", order, message));
        }
        Ok(Around {
            workspace: self.workspace(cluster, &client).await?,
            environment: self.environment(order, &object, &client).await?,
            labels: object.labels().clone(),
            annotations: object.annotations().clone(),
        })
    }
}

impl fmt::Debug for WorkspaceSurroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkspaceSurroundings").field("kind", &self.kind.kind).finish_non_exhaustive()
    }
}
