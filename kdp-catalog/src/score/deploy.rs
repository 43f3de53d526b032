//! Has a workload's needs ordered in a tenant's workspace.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kdp_core::{Error, ErrorKind};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    discovery::Discovery,
};
use serde_json::Value;

use super::{Known, KnownOutputs, Outputs, Setting, WORKLOAD, Workload, WorkloadPlan};
use crate::{
    GroupKind,
    resolution::{EnvironmentFacts, Shelf, WorkspaceFacts},
};

const FIELD_MANAGER: &str = "kdp-score";
/// Fields of a status that are no outputs.
const NO_OUTPUTS: [&str; 5] = ["phase", "message", "observedGeneration", "plan", "secretName"];

/// Has the needs of workloads ordered in one workspace.
///
/// Level-triggered: [`deploy`](Self::deploy) does what can be done now, and is called again until the deployment is
/// complete. Orders that are as needed are not written.
#[derive(Clone)]
pub struct ScoreDeployer {
    tenant: Client,
    workspace: WorkspaceFacts,
    namespace: String,
}

/// What has become of a workload's needs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Deployment {
    /// The orders, and what the containers get.
    pub plan: WorkloadPlan,
    /// Needs that are ordered and not ready yet.
    pub pending: BTreeSet<String>,
    /// Orders that were removed because nobody needs them any more.
    pub removed: BTreeSet<String>,
}

impl Deployment {
    /// Whether everything that is needed is ready.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.plan.is_complete() && self.pending.is_empty()
    }
}

impl ScoreDeployer {
    /// A deployer into a namespace of the workspace behind `tenant`.
    #[must_use]
    pub fn new(tenant: Client, workspace: WorkspaceFacts, namespace: impl Into<String>) -> Self {
        Self { tenant, workspace, namespace: namespace.into() }
    }

    /// Orders what can be ordered now, and removes what the workload does not need any more. What several workloads
    /// share is never removed by one of them.
    ///
    /// Can be dropped at any point and called again.
    ///
    /// # Errors
    /// `Invalid` with all that is wrong with the workload, in which case nothing was written; else as the API server
    /// answers.
    pub async fn deploy(
        &self,
        workload: &Workload,
        shelf: &Shelf,
        environment: Option<&EnvironmentFacts>,
    ) -> Result<Deployment, Error> {
        let subject = &workload.metadata.name;
        let served = self.served().await?;
        let kinds = served.iter().map(|(kind, resource)| (kind.clone(), resource.api_version.clone())).collect();
        let setting = Setting {
            shelf,
            workspace: &self.workspace,
            environment,
            namespace: &self.namespace,
            kinds: &kinds,
            now: Timestamp::now(),
        };
        let invalid =
            |faults: super::ScoreFaults| Error::new(ErrorKind::Invalid, "deploy", subject, faults.to_string());
        let bare = WorkloadPlan::new(workload, &setting, &Outputs::new()).map_err(invalid)?;
        let mut outputs = Outputs::new();
        let mut pending = BTreeSet::new();
        for (name, need) in &bare.needs {
            match self.outputs(&served[&need.kind], &need.order).await? {
                Some(known) => drop(outputs.insert(need.order.clone(), known)),
                None => drop(pending.insert(name.clone())),
            }
        }
        let plan = WorkloadPlan::new(workload, &setting, &outputs).map_err(invalid)?;
        for need in plan.needs.values() {
            if let Some(manifest) = &need.manifest {
                let params = PatchParams::apply(FIELD_MANAGER).force();
                let orders = self.orders(&served[&need.kind]);
                let applied = orders.patch(&need.order, &params, &Patch::Apply(manifest)).await;
                applied.map_err(|error| Error::from_kube("order", &need.order, error))?;
            }
        }
        let removed = self.prune(workload, shelf, &served, &plan).await?;
        Ok(Deployment { plan, pending, removed })
    }

    /// Removes all orders of a workload but those it shares.
    ///
    /// # Errors
    /// As the API server answers.
    pub async fn remove(&self, workload: &str, shelf: &Shelf) -> Result<BTreeSet<String>, Error> {
        self.prune_orders(workload, shelf, &self.served().await?, &BTreeSet::new()).await
    }

    async fn prune(
        &self,
        workload: &Workload,
        shelf: &Shelf,
        served: &BTreeMap<GroupKind, ApiResource>,
        plan: &WorkloadPlan,
    ) -> Result<BTreeSet<String>, Error> {
        let needed = plan.needs.values().map(|need| (&need.kind, need.order.as_str())).collect();
        self.prune_orders(&workload.metadata.name, shelf, served, &needed).await
    }

    async fn prune_orders(
        &self,
        workload: &str,
        shelf: &Shelf,
        served: &BTreeMap<GroupKind, ApiResource>,
        needed: &BTreeSet<(&GroupKind, &str)>,
    ) -> Result<BTreeSet<String>, Error> {
        let mut removed = BTreeSet::new();
        let own = ListParams::default().labels(&format!("{WORKLOAD}={workload}"));
        for (kind, resource) in served.iter().filter(|(kind, _)| shelf.offers(kind)) {
            let orders = self.orders(resource);
            let list = orders
                .list_metadata(&own)
                .await
                .map_err(|error| Error::from_kube("list orders of", workload, error))?;
            for order in list.items {
                let name = order.name_any();
                // A label alone is no reason to remove what somebody else has made.
                let is_own =
                    order.managed_fields().iter().any(|fields| fields.manager.as_deref() == Some(FIELD_MANAGER));
                if needed.contains(&(kind, name.as_str())) || !is_own {
                    continue;
                }
                match orders.delete(&name, &DeleteParams::default()).await {
                    Ok(_) => drop(removed.insert(name)),
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    Err(error) => return Err(Error::from_kube("remove", &name, error)),
                }
            }
        }
        Ok(removed)
    }

    /// The outputs of an order; none while it is not ready.
    async fn outputs(&self, resource: &ApiResource, order: &str) -> Result<Option<KnownOutputs>, Error> {
        let failed = |error| Error::from_kube("look at", order, error);
        let Some(object) = self.orders(resource).get_opt(order).await.map_err(failed)? else { return Ok(None) };
        if !is_ready(&object) {
            return Ok(None);
        }
        let mut known = KnownOutputs::new();
        let status = object.data["status"].as_object();
        if let Some(name) = status.and_then(|status| status.get("secretName")?.as_str()) {
            let secrets: Api<Secret> = Api::namespaced(self.tenant.clone(), &self.namespace);
            let secret = secrets.get_opt(name).await.map_err(failed)?.unwrap_or_default();
            for key in secret.data.unwrap_or_default().into_keys() {
                known.insert(key.clone(), Known::Secret { name: name.to_owned(), key });
            }
        }
        // What is in the status may be seen by everybody who sees the order.
        for (output, value) in status.into_iter().flatten().filter(|(name, _)| !NO_OUTPUTS.contains(&name.as_str())) {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => continue,
            };
            known.insert(output.clone(), Known::Plain(text));
        }
        Ok(Some(known))
    }

    fn orders(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.tenant.clone(), &self.namespace, resource)
    }

    async fn served(&self) -> Result<BTreeMap<GroupKind, ApiResource>, Error> {
        let failed = |error| Error::from_kube("discover", &self.workspace.path, error);
        let discovery = Discovery::new(self.tenant.clone()).run().await.map_err(failed)?;
        let kinds = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources);
        Ok(kinds.map(|(kind, _)| (GroupKind::new(&kind.group, &kind.kind), kind)).collect())
    }
}

fn is_ready(object: &DynamicObject) -> bool {
    let status = &object.data["status"];
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let ready =
        conditions.into_iter().any(|condition: &Value| condition["type"] == "Ready" && condition["status"] == "True");
    let is_current = status["observedGeneration"].as_i64().is_none_or(|seen| Some(seen) == object.metadata.generation);
    ready && is_current && object.metadata.deletion_timestamp.is_none()
}

impl std::fmt::Debug for ScoreDeployer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScoreDeployer").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}
