//! Publishes one PublishedResource.

mod rehearsal;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kdp_core::{
    Error, ErrorKind,
    api::apis::APIResourceSchema,
    condition::{Condition, set_condition},
    reconcile::Chain,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    AgentOptions, Mandate,
    definition::{definition_of, install},
    definitions::{Definitions, kind_if, kind_of},
    discovery, export,
};
use crate::{
    api::{PublishedResource, PublishedResourceSpec, Side},
    diagnostic::Diagnostic,
    driver::{Caches, MANAGER, Remote, RunningSync, Slots, in_time},
    engine::{Kinds, Plan, PlanOptions, Policies, needed_kinds},
    event::event,
    publish::{Export, Projection, claims, project, related_faults, resource_schema},
    telemetry::Telemetry,
    wire,
};

/// Publishes PublishedResources, one at a time.
pub(super) struct Publisher {
    service: Client,
    pub(super) provider: Client,
    pub(super) options: AgentOptions,
    remote: Remote,
    slots: Slots,
    pub(super) mandate: Mandate,
    pub(super) telemetry: Telemetry,
}

/// A resource that tenants can bind.
#[derive(Debug)]
pub(super) struct Published {
    spec: PublishedResourceSpec,
    policies: Policies,
    projection: Projection,
    kinds: Kinds,
    pub(super) schema: String,
    claims: BTreeMap<(String, String), String>,
    pub(super) sync: Option<RunningSync>,
}

/// A resource that fits its definition and can be published.
struct Prepared {
    spec: PublishedResourceSpec,
    policies: Policies,
    projection: Projection,
    kinds: Kinds,
    plan: Plan,
    schema: APIResourceSchema,
    /// What is made in place of the schema where there are no exports.
    definition: Option<CustomResourceDefinition>,
}

impl Prepared {
    /// What is published once its schema has this name, and how its orders are synced.
    fn into_published(self, schema: String) -> (Published, Plan) {
        let Self { spec, policies, projection, kinds, plan, .. } = self;
        let related = plan.related.iter().map(|r| (&r.types, r.origin, r.identity_hash.as_str()));
        let claims = claims(&spec, related);
        (Published { spec, policies, projection, kinds, schema, claims, sync: None }, plan)
    }
}

/// Why a resource is not published.
pub(super) enum Refusal {
    /// Somebody must change it.
    Faults(Vec<Diagnostic>),
    /// It is to be tried again.
    Failed(Error),
    /// Somebody else makes its schema, and has not named it yet.
    Waits,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Vec<Diagnostic>> for Refusal {
    fn from(faults: Vec<Diagnostic>) -> Self {
        Self::Faults(faults)
    }
}

impl Publisher {
    pub(super) fn new(
        service: Client,
        provider: Client,
        options: AgentOptions,
        remote: Remote,
        slots: Slots,
        mandate: Mandate,
        telemetry: Telemetry,
    ) -> Self {
        Self { service, provider, options, remote, slots, mandate, telemetry }
    }

    pub(super) fn service(&self) -> &Client {
        &self.service
    }

    /// Publishes a resource and starts its sync, or restarts it if it is to be another one.
    ///
    /// A resource that was published before stays so, and is synced as before, when it is refused.
    pub(super) async fn publish(
        &self,
        name: &str,
        resource: &Value,
        definitions: &Definitions,
        published: &mut BTreeMap<String, Published>,
        caches: &Caches,
    ) -> Result<(), Refusal> {
        let prepared = self.prepare(resource, definitions, published).await?;
        let schema = self.schema_name(resource, &prepared.schema, prepared.definition.as_ref()).await?;
        let (mut now, plan) = prepared.into_published(schema);
        let before = published.remove(name);
        let is_same = before.as_ref().is_some_and(|before| {
            (&before.spec, &before.projection, &before.kinds) == (&now.spec, &now.projection, &now.kinds)
                && before.policies == now.policies
        });
        let running = before.and_then(|before| before.sync);
        let is_synchronized = now.spec.is_synchronized() && self.options.syncs;
        match running {
            Some(sync) if is_same => now.sync = Some(sync),
            Some(sync) => sync.stop().await,
            None => {}
        }
        published.insert(name.to_owned(), now);
        self.update_export(published).await?;
        if let Some(now) = published.get_mut(name)
            && now.sync.is_none()
            && is_synchronized
        {
            let ownership = self.mandate.ownership.clone();
            let (remote, slots, metrics) =
                (self.remote.clone(), self.slots.clone(), self.telemetry.metrics.resource(name));
            now.sync = Some(RunningSync::start(name, plan, remote, caches, slots, ownership, metrics));
        }
        Ok(())
    }

    /// Whether this replica makes schemas now, and says on the resources what came of it.
    fn makes_schemas(&self) -> bool {
        self.options.publishes_schemas && self.mandate.leads.is_held()
    }

    /// The name of the schema: it is made, or somebody else has named it on the resource.
    async fn schema_name(
        &self,
        resource: &Value,
        schema: &APIResourceSchema,
        definition: Option<&CustomResourceDefinition>,
    ) -> Result<String, Refusal> {
        if self.makes_schemas() {
            return match definition {
                Some(definition) => self.while_leading(install(&self.provider, definition, &self.options.name)).await,
                None => self.while_leading(self.create_schema(schema)).await,
            };
        }
        let name = resource["status"]["resourceSchemaName"].as_str().filter(|name| !name.is_empty());
        name.map(ToOwned::to_owned).ok_or(Refusal::Waits)
    }

    /// Does what only the leader may, and no longer than it leads.
    async fn while_leading<T, E: From<Error>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let late =
            || Error::new(ErrorKind::Unavailable, "publish", &self.options.export, "another replica may lead now");
        self.mandate.leads.within(work).await.unwrap_or_else(|| Err(late().into()))
    }

    /// Makes the export offer what is published, if that is up to this replica.
    pub(super) async fn update_export(&self, published: &BTreeMap<String, Published>) -> Result<(), Error> {
        if !(self.options.updates_export && self.mandate.leads.is_held()) {
            return Ok(());
        }
        let wanted = wanted_export(published);
        let AgentOptions { export, name, creates_export, .. } = &self.options;
        let update = export::bring_up_to_date(&self.provider, export, &wanted, name, *creates_export);
        self.while_leading(update).await
    }

    async fn prepare(
        &self,
        resource: &Value,
        definitions: &Definitions,
        published: &BTreeMap<String, Published>,
    ) -> Result<Prepared, Refusal> {
        let spec: PublishedResourceSpec =
            serde_json::from_value(resource["spec"].clone()).map_err(|e| vec![Diagnostic::new("spec", e)])?;
        let faults = related_faults(&spec);
        if !faults.is_empty() {
            return Err(faults.into());
        }
        let projection = match definitions.of(&spec.resource) {
            Some(definition) => project(definition, &spec)?,
            None => project(&discovery::definition(&self.service, &spec).await?, &spec)?,
        };
        let kinds = self.kinds(&spec, &projection, published).await?;
        let options =
            PlanOptions { agent: self.options.name.clone(), state_namespace: self.options.state_namespace.clone() };
        let policies = Policies::of(resource)?;
        let mut plan = Plan::compile(&spec, &projection, &kinds, &options)?.with_policies(policies.clone())?;
        if self.options.has_own_finalizer {
            plan = plan.with_own_finalizer();
        }
        if self.options.is_direct && spec.enable_workspace_paths {
            return Err(
                vec![Diagnostic::new("spec.enableWorkspacePaths", "the tenants' cluster has no workspaces")].into()
            );
        }
        let fault = |fault| vec![fault];
        let schema = resource_schema(&projection, &self.options.name).map_err(fault)?;
        let definition = self.options.is_direct.then(|| definition_of(&projection, &self.options.name));
        let definition = definition.transpose().map_err(fault)?;
        Ok(Prepared { spec, policies, projection, kinds, plan, schema, definition })
    }

    /// How the kinds of the related resources are called on both sides.
    async fn kinds(
        &self,
        spec: &PublishedResourceSpec,
        projection: &Projection,
        published: &BTreeMap<String, Published>,
    ) -> Result<Kinds, Error> {
        let mut kinds = Kinds::new();
        for unknown in needed_kinds(spec) {
            let offered = published.values().map(|published| &published.projection).chain([projection]);
            let kind = match offered.filter_map(|projection| kind_if(projection, &unknown)).next() {
                Some(kind) => Some(kind),
                None => {
                    let client = if unknown.side == Side::Kcp { &self.provider } else { &self.service };
                    kind_of(client, &unknown).await?
                }
            };
            kinds.extend(kind.map(|kind| (unknown, kind)));
        }
        Ok(kinds)
    }

    /// Makes the schema unless it is there; returns its name.
    async fn create_schema(&self, schema: &APIResourceSchema) -> Result<String, Refusal> {
        let api: Api<APIResourceSchema> = Api::all(self.provider.clone());
        let name = schema.metadata.name.clone().unwrap_or_default();
        let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        let Some(existing) = in_time("get APIResourceSchema", &name, api.get_opt(&name)).await? else {
            return match in_time("create APIResourceSchema", &name, api.create(&params, schema)).await {
                Err(error) if error.kind() == ErrorKind::Invalid => {
                    Err(vec![Diagnostic::new("spec.resource", Chain(&error))].into())
                }
                Err(error) if error.kind() != ErrorKind::Stale => Err(error.into()),
                // Made now, or at this moment by somebody else.
                _ => Ok(name),
            };
        };
        // Two agents may make the same schema, and each leaves it to the first.
        let is_marked =
            |map: Option<BTreeMap<String, String>>| map.is_some_and(|map| map.contains_key(wire::AGENT_NAME));
        if !(is_marked(existing.metadata.labels) && is_marked(existing.metadata.annotations)) {
            let mark = json!({wire::AGENT_NAME: self.options.name});
            let patch = json!({"metadata": {"labels": mark, "annotations": mark}});
            let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
            in_time("mark APIResourceSchema", &name, api.patch(&name, &params, &Patch::Merge(&patch))).await?;
        }
        Ok(name)
    }

    /// Shows on the resource what came of it, if that is up to this replica.
    pub(super) async fn show(
        &self,
        name: &str,
        resource: &Value,
        result: &Result<(), Refusal>,
        published: &BTreeMap<String, Published>,
    ) -> Result<(), Error> {
        if !self.makes_schemas() {
            return Ok(());
        }
        let condition = match result {
            // There was no time to lead, so there is nothing to say.
            Err(Refusal::Waits) => return Ok(()),
            Ok(()) => Condition { reason: "Published".into(), ..Condition::holds("Ready") },
            Err(Refusal::Faults(faults)) => {
                let text: Vec<_> = faults.iter().map(ToString::to_string).collect();
                Condition::fails("Ready", "Invalid", text.join("; "))
            }
            Err(Refusal::Failed(error)) => Condition::fails("Ready", "ReconcilingError", Chain(error).to_string()),
        };
        let condition = Condition { observed_generation: resource["metadata"]["generation"].as_i64(), ..condition };
        let mut conditions: Vec<Condition> =
            serde_json::from_value(resource["status"]["conditions"].clone()).unwrap_or_default();
        // The existing agent writes no conditions; what it has published well stays as it left it.
        let goes_without_saying = conditions.is_empty() && condition.is_true();
        let is_new = set_condition(&mut conditions, condition.clone(), Timestamp::now());
        let schema = published.get(name).map(|published| published.schema.as_str());
        let is_named = schema.is_none() || resource["status"]["resourceSchemaName"].as_str() == schema;
        if is_named && (!is_new || goes_without_saying) {
            return Ok(());
        }
        let mut status = json!({"conditions": conditions});
        if let Some(schema) = schema {
            status["resourceSchemaName"] = schema.into();
        }
        let api: Api<PublishedResource> = Api::all(self.service.clone());
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({"status": status}));
        self.while_leading(in_time("update PublishedResource", name, api.patch_status(name, &params, &patch))).await?;
        if is_new && !condition.is_true() {
            let event = event(resource, "Warning", "ReconcilingError", &condition.message, &self.options.name);
            export::write_event(&self.service, event).await;
        }
        Ok(())
    }
}

/// What the export is to offer, and to ask for.
fn wanted_export(published: &BTreeMap<String, Published>) -> Export {
    let mut wanted = Export::default();
    for Published { projection, schema, claims, .. } in published.values() {
        let remote = &projection.remote;
        wanted.resources.insert((remote.group.clone(), remote.plural.clone()), schema.clone());
        wanted.claims.extend(claims.clone());
    }
    wanted
}
