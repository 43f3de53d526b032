//! What is there: finds the object of an order and says how it is.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    CrossplaneProvider,
    cause::{self, Cause, causes},
    cluster::{Look, place_of},
    desired::{ORDER_LABEL, Place, Whose, place, whose},
    options::{GarbageCollection, WalkLimits},
    record::{Composed, Memory, sealed_place},
    secret::{self, Found},
    state::{aspects, judge, next_look},
    target::Shape,
    walk::{Walk, walk},
};
use crate::{
    Error,
    provider::{Observation, OrderId, Phase, Redactor, Teardown},
};

/// The most remembered objects that are looked for at once; the others stay remembered.
const MOST_LOOKS: usize = 50;

/// The object of an order, or that there is none.
pub(super) struct Located {
    pub(super) place: Place,
    pub(super) memory: Memory,
    /// An object that is there is the order's.
    pub(super) look: Look,
    /// Whether something else bears its name.
    pub(super) is_taken: bool,
}

impl Located {
    /// The record of what is known of it.
    pub(super) fn teardown(&self, provider: &CrossplaneProvider, id: &OrderId) -> Teardown {
        self.memory.seal(provider.options.target.name(), &self.place, id)
    }
}

impl CrossplaneProvider {
    /// Finds the object of an order: where its record says, or where its name would be, or by its label.
    pub(super) async fn locate(&self, id: &OrderId, sealed: Option<&Teardown>) -> Result<Located, Error> {
        let target = &self.options.target;
        let memory = Memory::sealed(sealed)?;
        let known = sealed.map(|sealed| sealed_place(sealed, &target.name())).transpose()?.flatten();
        let is_recorded = known.is_some();
        let usual = place(&self.options, id)?;
        let place = known.unwrap_or(usual);
        let look = self.cluster.look(&target.resource, &place).await;
        let mut located = Located { place, memory, look, is_taken: false };
        if let Look::There(object) = &located.look {
            match whose(object, id, located.memory.uid.as_deref()) {
                Whose::Ours => {}
                Whose::Foreign => (located.look, located.is_taken) = (Look::Absent, true),
                Whose::Unclear => {
                    let name = format!("{} {}", target.resource.kind, located.place.id());
                    located.look = Look::Unseen(format!(
                        "{name} does not say whose it is: set its label {ORDER_LABEL}={}, or remove it",
                        id.uid
                    ));
                }
            }
        }
        if located.look == Look::Absent && !is_recorded {
            // It may have been taken over under a name of its own, and the record of that be lost.
            let found = self.cluster.find(&target.resource, located.place.namespace.as_deref(), id).await?;
            if let Look::There(object) = &found {
                (located.place, located.is_taken) = (place_of(object), false);
            }
            located.look = found;
        }
        self.identify_cluster(&mut located).await;
        Ok(located)
    }

    /// Makes sure that what is absent is so on the very cluster it was made on: an empty one that has
    /// taken its place is no evidence of anything.
    async fn identify_cluster(&self, located: &mut Located) {
        let is_evidence = matches!(located.look, Look::Absent);
        if located.memory.cluster.is_some() && !is_evidence {
            return;
        }
        let home = &self.home;
        match self.cluster.namespace_uid(home).await {
            Ok(Some(uid)) => {
                let known = located.memory.cluster.get_or_insert_with(|| uid.clone());
                if *known != uid {
                    let message = "this is another cluster than the one it was made on, or the same set up anew";
                    located.look = Look::Unseen(message.into());
                }
            }
            Ok(None) => located.look = Look::Unseen(format!("the namespace {home} is not there, create it")),
            Err(error) => located.look = Look::Unseen(format!("the namespace {home}: {}", error.message())),
        }
    }

    /// Says how the object of an order is, or what is left of it.
    pub(super) async fn report(&self, id: &OrderId, located: Located) -> Result<Observation, Error> {
        match &located.look {
            Look::There(object) => self.report_object(id, &located, object).await,
            Look::Unseen(why) => Ok(Observation::new(Phase::Unknown).with_message(why)),
            Look::Absent => {
                let left = self.left_of(&located).await;
                Ok(self.report_left(id, &located, &left))
            }
        }
    }

    async fn report_object(&self, id: &OrderId, located: &Located, object: &Value) -> Result<Observation, Error> {
        let verdict = judge(object);
        let walk = self.walk(object, verdict.phase).await;
        let memory = self.remember(located, object, &walk).await;
        let found = if verdict.phase == Phase::Ready { Vec::new() } else { causes(&walk.nodes) };
        let mut observation =
            Observation::new(verdict.phase).with_teardown(memory.seal(self.options.target.name(), &located.place, id));
        observation.message = message(&verdict.reason, &verdict.message, verdict.phase, &found);
        if let Some(first) = found.first().filter(|first| first.phase == Phase::Blocked) {
            // Crossplane waits for it as for anything; a person has to know.
            observation.phase = match verdict.phase {
                Phase::Progressing | Phase::Failing | Phase::Degraded => Phase::Blocked,
                other => other,
            };
            observation.message = message(&first.reason, "a person has to mend it", Phase::Blocked, &found);
        }
        observation.conditions = aspects(object);
        observation.conditions.push(cause::condition(&found));
        self.connect(&mut observation, object).await;
        if matches!(observation.phase, Phase::Progressing | Phase::Failing | Phase::Deleting) {
            observation.next_look = Some(next_look(object, Timestamp::now()));
        }
        let redactor = Redactor::new().with_outputs_of(&observation);
        observation.message = redactor.redact(&observation.message);
        for condition in &mut observation.conditions {
            condition.message = redactor.redact(&condition.message);
        }
        Ok(observation)
    }

    /// Reads what the object is composed of, as far as it is needed: to say why it is not ready, and
    /// to know what there is to remove.
    async fn walk(&self, object: &Value, phase: Phase) -> Walk {
        let shape = self.options.target.shape;
        let is_all_needed = phase != Phase::Ready || self.options.collection == GarbageCollection::ByProvider;
        let limits = match self.options.limits {
            limits if is_all_needed => limits,
            // What a claim is composed of, only its composite resource says.
            limits if shape == Shape::Claim => WalkLimits { depth: 1, ..limits },
            limits => WalkLimits { depth: 0, ..limits },
        };
        walk(&self.cluster, object, shape, limits).await
    }

    /// What is to be remembered of an object: all it names, and what it named before and still exists.
    async fn remember(&self, located: &Located, object: &Value, walk: &Walk) -> Memory {
        let shape = self.options.target.shape;
        let levels = match (self.options.collection, shape) {
            (GarbageCollection::ByProvider, _) => usize::MAX,
            (GarbageCollection::ByCluster, Shape::Claim) => 2,
            // What is composed of something itself stays until that is gone, in the foreground.
            (GarbageCollection::ByCluster, _) => 1,
        };
        let named = walk.seen.iter().filter(|(_, level)| **level <= levels).map(|(composed, _)| composed.clone());
        let mut composed: BTreeSet<_> = named.chain(native_secret(object, shape)).collect();
        let uid = object["metadata"]["uid"].as_str().map(str::to_owned);
        let former: Vec<_> = located.memory.composed.difference(&composed).cloned().collect();
        for (index, former) in former.into_iter().enumerate() {
            let is_gone = index < MOST_LOOKS
                && match self.cluster.look_at(&former).await {
                    Look::Absent => true,
                    Look::There(there) => !located.owns(&there, object),
                    Look::Unseen(_) => false,
                };
            if !is_gone {
                composed.insert(former);
            }
        }
        Memory { cluster: located.memory.cluster.clone(), uid, composed }
    }

    /// Adds the outputs; what has not all that is required is not ready.
    async fn connect(&self, observation: &mut Observation, object: &Value) {
        let Some(connection) = &self.options.connection else { return };
        if matches!(observation.phase, Phase::Deleting | Phase::Progressing) {
            return;
        }
        let (secret, why) =
            match secret::find(&self.cluster, &connection.source, object, self.options.target.shape).await {
                Found::Secret(secret) => (Some(secret), "the Secret does not have them yet".to_owned()),
                Found::None(why) => (None, why),
                Found::Unseen(why) => {
                    if observation.phase == Phase::Ready {
                        observation.phase = Phase::Unknown;
                        observation.message = format!("the connection details cannot be seen: {why}");
                    }
                    return;
                }
            };
        let (outputs, missing) = connection.read(secret.as_deref());
        observation.outputs = outputs;
        if !missing.is_empty() && observation.phase == Phase::Ready {
            observation.phase = Phase::Progressing;
            observation.message = format!("waits for the connection details {}: {why}", missing.join(", "));
        }
    }
}

/// The Secret that Crossplane writes for the object.
fn native_secret(object: &Value, shape: Shape) -> Option<Composed> {
    if !shape.is_legacy() {
        return None;
    }
    let reference = &shape.machine_fields(object)["writeConnectionSecretToRef"];
    let namespace = object["metadata"]["namespace"].as_str().or_else(|| reference["namespace"].as_str())?;
    Some(Composed {
        api_version: "v1".into(),
        kind: "Secret".into(),
        namespace: Some(namespace.into()),
        name: reference["name"].as_str()?.into(),
    })
}

/// Who says so, what it is, and what is behind it.
fn message(reason: &str, text: &str, phase: Phase, causes: &[Cause]) -> String {
    if phase == Phase::Ready {
        return String::new();
    }
    let said = [reason, text].into_iter().filter(|said| !said.is_empty()).collect::<Vec<_>>().join(": ");
    let told = cause::told(causes);
    if told.is_empty() { format!("Crossplane says {said}") } else { format!("Crossplane says {said}; {told}") }
}
