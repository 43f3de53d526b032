//! Takes one instance a step further.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use kdp_core::{
    Error, Identity, SharedControlPlane,
    api::apis::APIExport,
    provider::{
        Phase,
        readiness::{Facts, Rules},
    },
};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    super::{
        FIELD_MANAGER, REVISION,
        revision::{BlueprintRevisionSpec, UsedKind},
    },
    children::{Child, Children, Trouble, key},
    offer::Offer,
    queue::Key,
    status::{Report, status},
};
use crate::blueprint::{Graph, InventoryEntry, Observed, Plan, Situation, deletion_waves, plan::Which};

/// Keeps an instance until its children are gone.
const FINALIZER: &str = "blueprints.kdp.k8c.io/children";

/// How an instance is after a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It does not exist.
    Gone,
    /// There is nothing to do.
    Settled,
    /// Something was done, so that there may be more to do at once.
    Progressed,
    /// It waits for something.
    Waits,
}

/// Looks after the instances of one blueprint.
pub(super) struct Instances {
    control_plane: SharedControlPlane,
    provider: Client,
    offer: Arc<Offer>,
    /// By version.
    graphs: HashMap<String, Result<Graph, String>>,
    rules: Rules,
}

impl Instances {
    /// `provider` is a client of the workspace with the export.
    pub(super) fn new(control_plane: SharedControlPlane, provider: Client, offer: Arc<Offer>) -> Self {
        let compile = |revision: &BlueprintRevisionSpec| {
            (revision.version.clone(), revision.compile().map_err(|faults| faults.to_string()))
        };
        let graphs = offer.revisions.iter().map(compile).collect();
        Self { control_plane, provider, offer, graphs, rules: Rules::builtin() }
    }

    /// Takes an instance one step further.
    pub(super) async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let endpoint = self.offer.endpoint(Some(key.cluster.clone()));
        let client = self.control_plane.client(&endpoint, &Identity::system_masters())?;
        let api: Api<DynamicObject> = match &key.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &self.offer.kind),
            None => Api::all_with(client.clone(), &self.offer.kind),
        };
        let failed = |error| Error::from_kube("look at", key, error);
        let Some(instance) = api.get_opt(&key.name).await.map_err(failed)? else { return Ok(Next::Gone) };
        if instance.metadata.deletion_timestamp.is_some() {
            return self.delete(&api, client, &instance).await;
        }
        if self.offer.current.is_none() {
            return Ok(Next::Settled);
        }
        if !instance.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
            let finalizers: Vec<_> = instance.finalizers().iter().cloned().chain([FINALIZER.into()]).collect();
            write_finalizers(&api, &instance, &finalizers).await?;
            return Ok(Next::Progressed);
        }
        self.advance(&api, client, instance).await
    }

    async fn advance(
        &self,
        api: &Api<DynamicObject>,
        client: Client,
        mut instance: DynamicObject,
    ) -> Result<Next, Error> {
        let before = instance.clone();
        let children = Children { client, offer: &self.offer, instance: &before };
        let (known, unreachable) = children.list().await?;
        let chosen = choose(&self.offer, &instance, &known);
        let mut report = Report { fault: chosen.fault, ..Report::default() };
        let resolved = chosen.revision.map(|revision| (revision, self.graphs.get(&revision.version)));
        let (revision, graph) = match resolved {
            Some((revision, Some(Ok(graph)))) => (revision, graph),
            Some((_, Some(Err(message)))) => {
                report.fault = Some(message.clone());
                return self.store(api, &mut instance, &status(&before, None, &report)).await.map(|_| Next::Waits);
            }
            _ => return self.store(api, &mut instance, &status(&before, None, &report)).await.map(|_| Next::Waits),
        };
        // Before anything is made, so that what was made is never without.
        let pinned = json!({"version": revision.version, "hash": revision.hash});
        let is_new = instance.data["status"]["revision"].is_null();
        if is_new && !self.is_up_to_date().await? {
            return Ok(Next::Waits);
        }
        if instance.data["status"]["revision"] != pinned {
            let mut pin = instance.data["status"].as_object().cloned().unwrap_or_default();
            pin.insert("revision".into(), pinned);
            self.store(api, &mut instance, &Value::Object(pin)).await?;
        }
        let uses = |kind: &UsedKind| revision.kinds.contains(kind);
        report.troubles.extend(unreachable.into_iter().filter(|(kind, _)| uses(kind)).map(|(_, trouble)| trouble));
        let step = Step { children: &children, revision, graph, rules: &self.rules };
        let plan = step.take(&instance, known, &mut report).await?;
        let next = if report.is_ready(&plan) { Next::Settled } else { Next::Waits };
        let was_written = self.store(api, &mut instance, &status(&before, Some((revision, &plan)), &report)).await?;
        Ok(if was_written || report.has_deleted { Next::Progressed } else { next })
    }

    /// Deletes children, those that were made last first, and lets the instance go when they are gone.
    async fn delete(&self, api: &Api<DynamicObject>, client: Client, instance: &DynamicObject) -> Result<Next, Error> {
        if !instance.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(Next::Gone);
        }
        let children = Children { client, offer: &self.offer, instance };
        let (known, unreachable) = children.list().await?;
        // A kind that is not bound any more has no objects.
        let mut report = Report::default();
        report.troubles.extend(unreachable.into_iter().map(|(_, trouble)| trouble).filter(|t| t.reason != "NotBound"));
        if known.is_empty() && report.troubles.is_empty() {
            let others: Vec<_> = instance.finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
            write_finalizers(api, instance, &others).await?;
            return Ok(Next::Gone);
        }
        let entries: Vec<InventoryEntry> = known.iter().map(|child| child.entry.clone()).collect();
        let waves = deletion_waves(&entries, None);
        let first = waves.first().map(Vec::as_slice).unwrap_or_default();
        // What cannot be seen may need what can.
        let is_blind = !report.troubles.is_empty();
        for child in known.iter().filter(|child| !is_blind && first.contains(&child.entry)) {
            if let Err(trouble) = children.delete(child).await? {
                report.troubles.push(trouble);
            }
        }
        report.children = known.iter().map(|child| (child.key(), child.entry.clone())).collect();
        report.is_going = true;
        self.store(api, &mut instance.clone(), &status(instance, None, &report)).await?;
        Ok(if report.troubles.is_empty() { Next::Progressed } else { Next::Waits })
    }

    /// Whether what is offered is still what is known; if not, that is heard in a moment.
    async fn is_up_to_date(&self) -> Result<bool, Error> {
        let failed = |error| Error::from_kube("look at", &self.offer.export, error);
        let exports: Api<APIExport> = Api::all(self.provider.clone());
        let export = exports.get_opt(&self.offer.export).await.map_err(failed)?;
        Ok(export.is_some_and(|export| Offer::current_of(&export) == self.offer.current))
    }

    /// Writes the status if it is news, and says whether it was.
    async fn store(
        &self,
        api: &Api<DynamicObject>,
        instance: &mut DynamicObject,
        status: &Value,
    ) -> Result<bool, Error> {
        if instance.data["status"] == *status {
            return Ok(false);
        }
        let mut new = instance.clone();
        new.data["status"] = status.clone();
        let name = instance.name_any();
        let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        *instance = api
            .replace_status(&name, &params, &new)
            .await
            .map_err(|error| Error::from_kube("update the status of", name, error))?;
        Ok(true)
    }
}

/// One step of an instance with its revision.
struct Step<'a> {
    children: &'a Children<'a>,
    revision: &'a BlueprintRevisionSpec,
    graph: &'a Graph,
    rules: &'a Rules,
}

impl Step<'_> {
    async fn take(&self, instance: &DynamicObject, known: Vec<Child>, report: &mut Report) -> Result<Plan, Error> {
        let instance = serde_json::to_value(instance).unwrap_or_default();
        let home = instance.pointer("/metadata/namespace").and_then(Value::as_str);
        let inventory: Vec<_> = known.iter().map(|child| child.entry.clone()).collect();
        let mut observed = Observed::new();
        let mut by_key = BTreeMap::new();
        for child in known {
            observed = observed.with(&child.entry.id, child.object.clone());
            report.children.insert(child.key(), child.entry.clone());
            by_key.insert(child.key(), child);
        }
        let facts = Facts::at(Timestamp::now());
        let is_healthy = |object: &Value| self.rules.judge(object, &facts).phase == Phase::Ready;
        let mut done = BTreeSet::new();
        let plan = loop {
            let plan = self
                .graph
                .plan(&Situation::new(&instance, &observed).with_inventory(&inventory).with_health(&is_healthy));
            let mut is_news = false;
            for desired in &plan.apply {
                if !done.insert((desired.id.clone(), Some(desired.position))) {
                    continue;
                }
                is_news = true;
                let text = |pointer| desired.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
                let namespace = Some(text("/metadata/namespace")).filter(|name| !name.is_empty()).or(home);
                let known = by_key.get(&key(group, text("/kind"), namespace, text("/metadata/name")));
                let wave = self.graph.wave(&desired.id);
                match self.children.apply(desired, wave, &self.revision.version, known).await? {
                    Ok(child) => {
                        observed = observed.with(&desired.id, child.object.clone());
                        report.children.insert(child.key(), child.entry.clone());
                    }
                    Err(trouble) => report.troubles.push(trouble),
                }
            }
            for read in &plan.read {
                if !done.insert((read.id.clone(), None)) {
                    continue;
                }
                is_news = true;
                match self.children.read(read, &self.revision.kinds).await? {
                    Ok(found) if matches!(read.which, Which::Named(_)) => {
                        for object in found {
                            observed = observed.with(&read.id, object);
                        }
                    }
                    Ok(found) => observed = observed.with_all(&read.id, found),
                    Err(trouble) => report.troubles.push(trouble),
                }
            }
            if !is_news {
                break plan;
            }
        };
        // The next wave begins when this one is gone.
        for entry in plan.remove.first().into_iter().flatten() {
            let group = entry.api_version.split_once('/').map_or("", |(group, _)| group);
            let found = by_key.get(&key(group, &entry.kind, entry.namespace.as_deref(), &entry.name));
            let Some(child) = found else { continue };
            report.has_deleted |= !child.is_going();
            if let Err(trouble) = self.children.delete(child).await? {
                report.troubles.push(trouble);
            }
        }
        Ok(plan)
    }
}

/// The revision of an instance, and what keeps it from another one.
struct Chosen<'o> {
    revision: Option<&'o BlueprintRevisionSpec>,
    fault: Option<String>,
}

/// The revision that was asked for, else the one it was made with, else the newest.
fn choose<'o>(offer: &'o Offer, instance: &DynamicObject, children: &[Child]) -> Chosen<'o> {
    let pinned = &instance.data["status"]["revision"];
    let told = pinned["version"].as_str().filter(|version| !version.is_empty());
    // A status that was lost does not move an instance.
    let version = told.or_else(|| children.iter().find_map(Child::revision));
    let own = version.and_then(|version| offer.revision(version));
    if let Some(asked) = instance.annotations().get(REVISION) {
        return match offer.revision(asked) {
            Some(revision) => Chosen { revision: Some(revision), fault: None },
            None => Chosen { revision: own, fault: Some(format!("there is no revision {asked:?} of this blueprint")) },
        };
    }
    match (version, own) {
        (Some(version), None) => {
            Chosen { revision: None, fault: Some(format!("there is no revision {version:?} of this blueprint")) }
        }
        (Some(_), Some(revision)) => Chosen { revision: Some(revision), fault: None },
        (None, _) => {
            let revision = offer.current.as_deref().and_then(|current| offer.revision(current));
            let fault = revision.is_none().then(|| "no revision of this blueprint is offered".to_owned());
            Chosen { revision, fault }
        }
    }
}

async fn write_finalizers(
    api: &Api<DynamicObject>,
    instance: &DynamicObject,
    finalizers: &[String],
) -> Result<(), Error> {
    let patch = Patch::Merge(json!({
        "metadata": {"resourceVersion": instance.resource_version(), "finalizers": finalizers},
    }));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match api.patch(&instance.name_any(), &params, &patch).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::from_kube("update", instance.name_any(), error)),
    }
}

/// All that is in the way, each once.
pub(super) fn words(troubles: &[Trouble]) -> String {
    troubles.iter().map(ToString::to_string).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("; ")
}
