//! Looks at what an agent would do and at what does not agree, and writes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use kdp_core::{Error, ErrorKind, SharedControlPlane, api::CLUSTER_ANNOTATION, reconcile::Chain};
use kube::{
    Api, Client, CustomResourceExt, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;

use super::{
    AgentOptions, Mandate,
    definitions::Definitions,
    publisher::{Publisher, Refusal},
    resources::{definition_resource, typed},
    topology::Topology,
};
use crate::{
    api::{PublishedResource, Side},
    driver::{Address, Endpoints, Remote, Slots, in_time},
    engine::{ListQuery, ObjectKey, OrderKey, Place, Plan},
    object::ResourceType,
    preview::{Cause, Drift, Preview, Problem, Snapshot, Source, is_state, rehearse, survey},
    telemetry::Telemetry,
    wire,
};

/// How many objects are asked for at once.
const PAGE: u32 = 500;

/// Looks at both sides as an agent does, and writes nothing.
///
/// Everything is read anew each time, so it takes as long as the start of an agent.
#[derive(Clone)]
pub struct Inspector {
    pub(super) service: Client,
    pub(super) options: AgentOptions,
    pub(super) telemetry: Telemetry,
}

/// Both sides, open.
pub(super) struct Site {
    publisher: Publisher,
    pub(super) remote: Remote,
    endpoints: Endpoints,
    addresses: BTreeSet<Address>,
}

impl Inspector {
    /// What the agent would write if it were started now. The requests of this are only such that read.
    ///
    /// # Errors
    /// When one of the sides cannot be read. What concerns a single PublishedResource or order is
    /// among the problems instead.
    pub async fn preview(&self, control_plane: &SharedControlPlane) -> Result<Preview, Error> {
        let site = self.open(control_plane).await?;
        let (mut preview, plans) = site.publish(&self.service).await?;
        for (name, plan) in plans {
            let (mut snapshot, orders) = site.read(&self.service, &plan).await?;
            for order in orders {
                let Preview { changes, problems, .. } =
                    rehearse(&name, &plan, &order, &mut snapshot, &site.remote).await;
                preview.changes.extend(changes);
                preview.problems.extend(problems);
            }
        }
        Ok(preview)
    }

    /// What does not agree between orders and copies. The agent's metrics tell the number of copies
    /// found to differ.
    ///
    /// # Errors
    /// As [`Inspector::preview`].
    pub async fn drift(&self, control_plane: &SharedControlPlane) -> Result<Drift, Error> {
        let site = self.open(control_plane).await?;
        let (preview, plans) = site.publish(&self.service).await?;
        let mut drift = Drift { problems: preview.problems, ..Drift::default() };
        let secrets = Arc::new(ResourceType::secrets());
        let states = site.states(&self.service, &self.options.state_namespace, &secrets).await?;
        let mut states: BTreeSet<_> = states.into_iter().map(|(key, _)| key).filter(is_state).collect();
        for (name, plan) in plans {
            let (mut snapshot, orders) = site.read(&self.service, &plan).await?;
            let found = survey(&name, &plan, &orders, &mut snapshot, &mut states, &site.remote).await;
            self.telemetry.metrics.resource(&name).set_drifted(found.drifted.len());
            drift.drifted.extend(found.drifted);
            drift.missing.extend(found.missing);
            drift.orphans.extend(found.orphans);
            drift.problems.extend(found.problems);
        }
        drift.leftovers.extend(states.iter().map(Into::into));
        Ok(drift)
    }

    pub(super) async fn open(&self, control_plane: &SharedControlPlane) -> Result<Site, Error> {
        self.options.check()?;
        let topology = Topology::find(control_plane, &self.options).await?;
        let endpoints = Endpoints::new(control_plane.clone(), self.options.identity.clone());
        let addresses = topology.addresses_now().await?;
        endpoints.set(addresses.clone());
        let remote = Remote::new(self.service.clone(), endpoints.clone());
        let mandate = Mandate::undivided();
        let options = AgentOptions { export: topology.export.clone(), ..self.options.clone() };
        let (service, provider) = (self.service.clone(), topology.provider.clone());
        let slots = Slots::new(1);
        let publisher =
            Publisher::new(service, provider, options, remote.clone(), slots, mandate, self.telemetry.clone());
        Ok(Site { publisher, remote, endpoints, addresses })
    }
}

impl Site {
    /// What publishing would write, and how the orders of each resource are synced.
    pub(super) async fn publish(&self, service: &Client) -> Result<(Preview, BTreeMap<String, Plan>), Error> {
        let mut preview = Preview::default();
        let mut definitions = Definitions::default();
        let all = ListParams::default();
        for definition in list_all(&Api::all_with(service.clone(), &definition_resource()), &all).await? {
            definitions.put(definition.name_any(), value(definition)?);
        }
        let resources = Api::all_with(service.clone(), &PublishedResource::api_resource());
        let selected = ListParams { label_selector: self.publisher.options.published_resources.clone(), ..all };
        let mut waiting = BTreeMap::new();
        for resource in list_all(&resources, &selected).await? {
            waiting.insert(resource.name_any(), typed(value(resource)?));
        }
        let (mut published, mut plans) = (BTreeMap::new(), BTreeMap::new());
        // A resource may need the kind that another one offers: as long as one comes through, the
        // others may, too.
        loop {
            let mut refused = BTreeMap::new();
            let mut problems = Vec::new();
            let tried = waiting.len();
            for (name, resource) in waiting {
                match self.publisher.rehearse(&name, &resource, &definitions, &mut published).await {
                    Ok((changes, plan)) => {
                        preview.changes.extend(changes);
                        plans.extend(plan.map(|plan| (name, plan)));
                    }
                    Err(refusal) => {
                        problems.extend(self::problems(&name, refusal));
                        refused.insert(name, resource);
                    }
                }
            }
            if refused.is_empty() || refused.len() == tried {
                preview.problems.extend(problems);
                break;
            }
            waiting = refused;
        }
        match self.publisher.rehearse_export(&published).await {
            Ok(change) => preview.changes.extend(change),
            Err(error) => preview.problems.push(problem(Cause::of_all(), &error)),
        }
        Ok((preview, plans))
    }

    /// Everything that decisions about the orders of a resource ask for, and the orders.
    async fn read(&self, service: &Client, plan: &Plan) -> Result<(Snapshot, BTreeSet<OrderKey>), Error> {
        let mut snapshot = Snapshot::new(plan.local.clone());
        let own = [(Side::Kcp, plan.remote.clone()), (Side::Service, plan.local.clone())];
        for (side, types) in own.into_iter().chain(plan.watched()) {
            let objects = match side {
                Side::Service => self.on_service(service, &types).await?,
                Side::Kcp => self.in_workspaces(&types).await?,
            };
            snapshot.take_all(side, &types, objects);
        }
        let secrets = Arc::new(ResourceType::secrets());
        snapshot.take(self.states(service, &plan.state_namespace, &secrets).await?);
        let orders = snapshot.of_kind(Side::Kcp, &plan.remote).filter_map(|(key, _)| order_key(key)).collect();
        Ok((snapshot, orders))
    }

    /// The orders of a resource.
    pub(super) async fn orders(&self, plan: &Plan) -> Result<BTreeSet<OrderKey>, Error> {
        Ok(self.in_workspaces(&plan.remote).await?.iter().filter_map(|(key, _)| order_key(key)).collect())
    }

    /// Everything of a kind on the service cluster.
    pub(super) async fn on_service(
        &self,
        service: &Client,
        types: &Arc<ResourceType>,
    ) -> Result<Vec<(ObjectKey, Value)>, Error> {
        let api = Api::all_with(service.clone(), &types.api_resource());
        keyed(list_all(&api, &ListParams::default()).await?, types)
    }

    async fn states(
        &self,
        service: &Client,
        namespace: &str,
        secrets: &Arc<ResourceType>,
    ) -> Result<Vec<(ObjectKey, Value)>, Error> {
        let api = Api::namespaced_with(service.clone(), namespace, &secrets.api_resource());
        let labelled = ListParams::default().labels(&format!("{}=true", wire::STATE_LABEL));
        keyed(list_all(&api, &labelled).await?, secrets)
    }

    /// The objects of a kind in all workspaces that bind the export.
    pub(super) async fn in_workspaces(&self, types: &Arc<ResourceType>) -> Result<Vec<(ObjectKey, Value)>, Error> {
        let mut all = Vec::new();
        for address in &self.addresses {
            let api = Api::all_with(self.endpoints.all_workspaces(address)?, &types.api_resource());
            let found = match list_all(&api, &ListParams::default()).await {
                // As long as nobody binds the export, or not with this kind, there is no such resource.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                found => found?,
            };
            for object in found {
                let told = || object.annotations().get(CLUSTER_ANNOTATION)?.parse().ok();
                let Some(cluster) = address.only().cloned().or_else(told) else { continue };
                self.endpoints.heard(&cluster, address);
                let object = value(object)?;
                all.push((ObjectKey::of(&Place::Workspace(cluster), types, &object), object));
            }
        }
        Ok(all)
    }
}

impl Source for Remote {
    async fn get(&self, key: &ObjectKey) -> Result<Option<Value>, Error> {
        self.look_up(key).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Value>, Error> {
        Self::list(self, query).await
    }
}

async fn list_all(api: &Api<DynamicObject>, params: &ListParams) -> Result<Vec<DynamicObject>, Error> {
    let mut all = Vec::new();
    let mut page = params.clone().limit(PAGE);
    loop {
        let list = in_time("list", api.resource_url(), api.list(&page)).await?;
        all.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(all),
        }
    }
}

fn keyed(objects: Vec<DynamicObject>, types: &Arc<ResourceType>) -> Result<Vec<(ObjectKey, Value)>, Error> {
    let keyed = |object| {
        let object = value(object)?;
        Ok((ObjectKey::of(&Place::Service, types, &object), object))
    };
    objects.into_iter().map(keyed).collect()
}

fn value(object: DynamicObject) -> Result<Value, Error> {
    let name = object.name_any();
    serde_json::to_value(object)
        .map_err(|error| Error::new(ErrorKind::Internal, "read", name, "it is no object").with_source(error))
}

fn order_key(key: &ObjectKey) -> Option<OrderKey> {
    let Place::Workspace(cluster) = &key.place else { return None };
    Some(OrderKey { cluster: cluster.clone(), namespace: key.namespace.clone(), name: key.name.clone() })
}

fn problems(name: &str, refusal: Refusal) -> Vec<Problem> {
    let cause = Cause::of_resource(name);
    match refusal {
        Refusal::Faults(faults) => {
            faults.iter().map(|fault| Problem { cause: cause.clone(), message: fault.to_string() }).collect()
        }
        Refusal::Failed(error) => vec![problem(cause, &error)],
        Refusal::Waits => vec![Problem { cause, message: "nobody has made its schema yet".into() }],
    }
}

fn problem(cause: Cause, error: &Error) -> Problem {
    Problem { cause, message: Chain(error).to_string() }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("options", &self.options).finish_non_exhaustive()
    }
}
