//! Looks at what an order has, and tells its state.

use std::{collections::BTreeMap, time::Duration};

use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    OperatorProvider,
    cluster::{answer, unavailable},
    identity::{self, Whose},
    inventory::Reference,
    offering::CompiledObject,
    settings::Placement,
    state::{Thing, judge},
};
use crate::{
    Error, ErrorKind,
    provider::{Observation, OrderId, Phase, Redactor, Teardown},
};

/// What just began is looked at often, what takes long seldom.
pub(super) const SHORTEST_LOOK: Duration = Duration::from_millis(200);
pub(super) const LONGEST_LOOK: Duration = Duration::from_secs(15);

/// What a record holds beyond its inventory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notes {
    /// The UID of the namespace with the fence: which cluster the objects are in.
    pub(super) cluster: String,
    /// Names, by the ids of objects, that do not follow from the UID: of what was taken over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) names: BTreeMap<String, String>,
}

/// What was seen of an order.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) observation: Observation,
    /// Whether everything that is wanted is ready, whatever else is still there.
    pub(super) is_wanted_ready: bool,
}

impl Notes {
    /// # Errors
    /// `Invalid` when the record is none of an operator provider.
    pub(super) fn of(record: &Teardown) -> Result<Self, Error> {
        serde_json::from_value(record.data.clone()).map_err(|e| {
            Error::new(ErrorKind::Invalid, "read the record of", &record.id, "no operator provider has written it")
                .with_source(e)
        })
    }
}

impl OperatorProvider {
    /// # Errors
    /// `Unavailable` when the evidence is missing; `Invalid` when the record is none of this provider's.
    pub(super) async fn sight(&self, id: &OrderId, sealed: Option<&Teardown>) -> Result<Sight, Error> {
        let things = self.things(id, sealed).await?;
        if things.iter().all(|thing| thing.object.is_none()) {
            self.check_place(id, sealed).await?;
            return Ok(Sight { observation: Observation::new(Phase::Gone), is_wanted_ready: false });
        }
        let now = Timestamp::now();
        let mut state = judge(&self.offering, &things, now);
        let outputs = self.outputs(id, &things).await?;
        if !outputs.missing.is_empty() && matches!(state.wanted, Phase::Ready) {
            state.wanted = Phase::Progressing;
            if state.phase == Phase::Ready {
                (state.phase, state.message) = (Phase::Progressing, outputs.missing.join("; "));
            }
        }
        let mut observation = Observation::new(state.phase).with_teardown(self.record(id, &things).await?);
        observation.outputs = outputs.found;
        let redactor = Redactor::new().with_outputs_of(&observation);
        observation.message = redactor.redact(&state.message);
        observation.conditions = state.conditions;
        observation.conditions.iter_mut().for_each(|seen| seen.message = redactor.redact(&seen.message));
        for (name, address) in self.endpoints(&things) {
            observation = observation.with_endpoint(name, redactor.redact(&address));
        }
        if state.phase != Phase::Ready {
            observation = observation.with_next_look(next_look(&things, now));
        }
        Ok(Sight { observation, is_wanted_ready: state.wanted == Phase::Ready })
    }

    /// What an order has, had or should have.
    async fn things(&self, id: &OrderId, sealed: Option<&Teardown>) -> Result<Vec<Thing>, Error> {
        let references = match sealed {
            Some(sealed) => {
                Notes::of(sealed)?;
                let items = sealed.inventory.iter();
                let parse = |item| Ok((Reference::parse(item, id)?, item.epoch == sealed.epoch));
                items.map(parse).collect::<Result<Vec<_>, Error>>()?
            }
            None => {
                let places = self.places(id, None).await?;
                let templates = self.offering.objects.iter().rev();
                // What not every order has may be missing.
                let place = |template: &CompiledObject| Some((places.get(&template.id)?.clone(), template.is_always()));
                templates.filter_map(place).collect()
            }
        };
        let looks = references.into_iter().map(|(reference, is_wanted)| async move {
            let object = match self.cluster.read(&reference, id).await? {
                Some(object) => Self::if_ours(object, &reference, id)?,
                None => None,
            };
            // What is there without a record is what was wanted, as far as anybody knows.
            let is_wanted = is_wanted || (sealed.is_none() && object.is_some());
            let has_status = self.cluster.known(&reference).map(|served| served.has_status);
            Ok(Thing { reference, is_wanted, has_status, object })
        });
        try_join_all(looks).await
    }

    /// The object, unless it is another order's.
    ///
    /// # Errors
    /// `Unavailable` when it is nobody's: then nobody knows what has become of ours.
    pub(super) fn if_ours(object: Value, reference: &Reference, id: &OrderId) -> Result<Option<Value>, Error> {
        match identity::whose(&object, id) {
            Whose::Ours => Ok(Some(object)),
            Whose::Others => Ok(None),
            Whose::Nobodys => {
                let message = format!("{reference} is there, and lacks the annotation {} of its order", identity::UID);
                Err(Error::new(ErrorKind::Unavailable, "look at", id, message))
            }
        }
    }

    /// Where each object of the offering is, or would be, for an order, by the ids of objects.
    pub(super) async fn places(
        &self,
        id: &OrderId,
        sealed: Option<&Teardown>,
    ) -> Result<BTreeMap<String, Reference>, Error> {
        let notes = sealed.map(Notes::of).transpose()?;
        let namespace = self.offering.namespace(id)?;
        let mut places = BTreeMap::new();
        for template in &self.offering.objects {
            let mut place = Reference {
                group: template.group.clone(),
                version: template.version.clone(),
                kind: template.kind.clone(),
                namespace: Some(namespace.clone()),
                name: identity::name(&template.id, &id.uid),
            };
            if !self.cluster.served(&place, id).await?.is_namespaced {
                place.namespace = None;
            }
            match &notes {
                Some(notes) => {
                    if let Some(name) = notes.names.get(&template.id) {
                        place.name.clone_from(name);
                    }
                }
                None if self.offering.imports => {
                    if let Some(name) = self.taken_over(&place, &template.id, id).await? {
                        place.name = name;
                    }
                }
                None => {}
            }
            places.insert(template.id.clone(), place);
        }
        Ok(places)
    }

    /// The name of an object that the order has taken over, when nothing is written down about it.
    async fn taken_over(&self, like: &Reference, object: &str, id: &OrderId) -> Result<Option<String>, Error> {
        let labels = format!("{}={}", identity::ORDER_LABEL, identity::digest(&id.uid));
        let marked = self.cluster.list(like, &labels, id).await?;
        let is_it = |found: &&Value| {
            identity::whose(found, id) == Whose::Ours && identity::annotation(found, identity::OBJECT) == Some(object)
        };
        let name = |found: &Value| found.pointer("/metadata/name")?.as_str().map(str::to_owned);
        Ok(marked.iter().find(is_it).and_then(name))
    }

    /// The record of what is there.
    async fn record(&self, id: &OrderId, things: &[Thing]) -> Result<Teardown, Error> {
        let mut notes = Notes { cluster: self.cluster_uid(id).await?.to_owned(), names: BTreeMap::new() };
        let mut record = Teardown::new(id);
        for thing in things {
            let Some(object) = &thing.object else { continue };
            let (kind, item) = thing.reference.item();
            record = record.with_item(kind, item);
            if let Some(object) = identity::annotation(object, identity::OBJECT) {
                notes.note(object, &thing.reference, id);
            }
        }
        Ok(record.with_data(notes.into_data()))
    }

    /// Makes sure that there is nothing where the objects would be because they are not there, and not
    /// because this is another cluster, or what is left of one.
    pub(super) async fn check_place(&self, id: &OrderId, sealed: Option<&Teardown>) -> Result<(), Error> {
        // Asked anew: what was found earlier says nothing about now.
        let cluster = self.fence.cluster_uid(id).await?;
        let unknown = |message: String| Error::new(ErrorKind::Unavailable, "look at", id, message);
        if let Some(sealed) = sealed
            && Notes::of(sealed)?.cluster != cluster
        {
            return Err(unknown("this is not the cluster that its objects were made in".into()));
        }
        if let Placement::Namespace(namespace) = &self.offering.placement
            && namespace != self.fence.namespace()
        {
            let api = Api::<Namespace>::all(self.cluster.client().clone());
            let failed = |e| unavailable(id, format!("the namespace {namespace} cannot be read"), e);
            let found = answer(api.get(namespace)).await.map_err(failed)?;
            if found.metadata.deletion_timestamp.is_some() {
                return Err(unknown(format!("the namespace {namespace} is being deleted")));
            }
        }
        Ok(())
    }
}

impl Notes {
    /// Notes the name of an object, unless it follows from the UID.
    pub(super) fn note(&mut self, object: &str, place: &Reference, id: &OrderId) {
        if place.name != identity::name(object, &id.uid) {
            self.names.insert(object.to_owned(), place.name.clone());
        }
    }

    pub(super) fn into_data(self) -> Value {
        // Texts only.
        serde_json::to_value(self).expect("texts and maps of texts are JSON")
    }
}

/// When to look again: the sooner, the less time has passed since the last of them began.
fn next_look(things: &[Thing], now: Timestamp) -> Duration {
    let began = |object: &Value| {
        let times = ["/metadata/deletionTimestamp", "/metadata/creationTimestamp"];
        times.into_iter().find_map(|at| object.pointer(at)?.as_str()?.parse::<Timestamp>().ok())
    };
    let last = things.iter().filter_map(|thing| began(thing.object.as_ref()?)).max().unwrap_or(now);
    let age: Duration = now.duration_since(last).try_into().unwrap_or_default();
    (age / 4).clamp(SHORTEST_LOOK, LONGEST_LOOK)
}
