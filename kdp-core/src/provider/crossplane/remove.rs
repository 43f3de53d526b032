//! Removes the object of an order, and makes sure that all it was composed of is gone.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    CrossplaneProvider, TRIES,
    act::PAUSED,
    cluster::{Deletion, Look},
    desired::{FINALIZER, Place},
    look::Located,
    options::GarbageCollection,
    record::{Composed, Memory, composed_by},
    state::judge,
    target::Shape,
    walk::walk,
};
use crate::{
    Error, ErrorKind,
    provider::{Observation, OrderId, Phase, Run, Teardown},
};

/// Set on what a Usage protects from deletion.
const IN_USE: &str = "crossplane.io/in-use";
/// Between two steps of a removal.
const PAUSE: Duration = Duration::from_secs(1);
/// The most that are named in a message.
const MOST_NAMED: usize = 5;

/// What is left of something that was composed.
#[derive(Default)]
pub(super) struct Left {
    /// Exists, and was made for the object.
    there: Vec<(Composed, Value)>,
    /// May exist, and why that cannot be told.
    unseen: Vec<String>,
}

impl Located {
    /// Whether an object was made for this one, or for something that was: by its owners, or for
    /// the composite resource of a claim by whom it says it is bound to.
    pub(super) fn owns(&self, there: &Value, object: &Value) -> bool {
        let uid = object["metadata"]["uid"].as_str().or(self.memory.uid.as_deref());
        is_made_for(there, &self.place, uid, &self.memory)
    }
}

fn is_made_for(there: &Value, place: &Place, uid: Option<&str>, memory: &Memory) -> bool {
    let owners = there["metadata"]["ownerReferences"].as_array();
    let is_remembered = |owner: &Value| {
        memory.composed.iter().any(|one| {
            owner["apiVersion"] == one.api_version.as_str() && owner["kind"] == one.kind && owner["name"] == one.name
        })
    };
    let is_owner = |owner: &Value| match uid {
        Some(uid) => owner["uid"] == uid || is_remembered(owner),
        None => owner["name"] == place.name || is_remembered(owner),
    };
    let bound = &there["spec"]["claimRef"];
    let is_bound = place.namespace.is_some()
        && bound["name"] == place.name
        && bound["namespace"].as_str() == place.namespace.as_deref();
    is_bound || owners.into_iter().flatten().any(is_owner)
}

impl CrossplaneProvider {
    /// One step of the removal, in a run that was let in.
    pub(super) async fn remove(
        &self,
        id: &OrderId,
        sealed: Option<&Teardown>,
        run: &Run,
    ) -> Result<Observation, Error> {
        for _ in 0..TRIES {
            let located = self.locate(id, sealed).await?;
            match self.step(id, located).await {
                // Crossplane writes the object as well.
                Err(error) if error.kind() == ErrorKind::Stale => self.fence.check(id, run).await?,
                // Rights may be granted later, and the order is not what has to change.
                Err(error) if error.kind() == ErrorKind::Forbidden => {
                    let message = format!("the platform has no right to: {}", error.message());
                    return Err(Error::new(ErrorKind::Unavailable, "delete", id, message).with_source(error));
                }
                done => return done,
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "delete", id, "it keeps changing meanwhile"))
    }

    async fn step(&self, id: &OrderId, mut located: Located) -> Result<Observation, Error> {
        if let Look::There(object) = &located.look {
            let object = self.resumed(object.clone()).await?;
            if object["metadata"]["deletionTimestamp"].is_null() {
                tracing::info!(order = %id, kind = %self.options.target.resource.kind, "object.delete");
                if let Deletion::InUse(why) = self.cluster.delete(&self.options.target.resource, &object).await? {
                    let message = format!("it is protected from deletion, remove the Usage first: {why}");
                    let teardown = located.teardown(self, id);
                    return Ok(Observation::new(Phase::Blocked).with_message(message).with_teardown(teardown));
                }
            }
            self.note(&mut located, &object).await;
            located.look = self.cluster.look(&self.options.target.resource, &located.place).await;
        }
        let left = match &located.look {
            Look::Unseen(why) => return Ok(Observation::new(Phase::Unknown).with_message(why)),
            Look::There(_) | Look::Absent => self.left_of(&located).await,
        };
        if self.options.collection == GarbageCollection::ByProvider {
            self.collect(&located, &left).await?;
        }
        Ok(self.report_left(id, &located, &left))
    }

    /// The object without the pause, which would keep Crossplane from letting go of it.
    async fn resumed(&self, object: Value) -> Result<Value, Error> {
        if object["metadata"]["annotations"][PAUSED].is_null() {
            return Ok(object);
        }
        self.resume_composite(&object).await?;
        let metadata = json!({"annotations": {PAUSED: null}});
        self.cluster.patch_metadata(&self.options.target.resource, &object, metadata).await
    }

    /// Remembers what the object names, for when it is gone.
    async fn note(&self, located: &mut Located, object: &Value) {
        let shape = self.options.target.shape;
        located.memory.uid = object["metadata"]["uid"].as_str().map(Into::into);
        located.memory.composed.extend(composed_by(object, shape));
        if shape == Shape::Claim || self.options.collection == GarbageCollection::ByProvider {
            let walk = walk(&self.cluster, object, shape, self.options.limits).await;
            located.memory.composed.extend(walk.seen.into_keys());
        }
    }

    /// What still exists of all that is remembered.
    pub(super) async fn left_of(&self, located: &Located) -> Left {
        let mut left = Left::default();
        for composed in &located.memory.composed {
            match self.cluster.look_at(composed).await {
                Look::There(object) if located.owns(&object, &Value::Null) => {
                    left.there.push((composed.clone(), object))
                }
                // Something else that bears the name now.
                Look::There(_) | Look::Absent => {}
                Look::Unseen(why) => left.unseen.push(format!("{}: {why}", composed.title())),
            }
        }
        left
    }

    /// Does what a garbage collector would: removes the next thing that is left, then lets the object go.
    async fn collect(&self, located: &Located, left: &Left) -> Result<(), Error> {
        if let Look::There(object) = &located.look {
            let finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
            if finalizers.iter().any(|finalizer| finalizer != FINALIZER) {
                // Crossplane would compose anew what is removed before it has let go.
                return Ok(());
            }
            if left.there.is_empty() && left.unseen.is_empty() {
                let metadata = json!({"finalizers": null});
                self.cluster.patch_metadata(&self.options.target.resource, object, metadata).await?;
                return Ok(());
            }
        }
        let is_leaving = |object: &Value| !object["metadata"]["deletionTimestamp"].is_null();
        if let Some((composed, object)) = left.there.first().filter(|(_, object)| !is_leaving(object)) {
            self.cluster.delete_composed(composed, object).await?;
        }
        Ok(())
    }

    /// Says what is left. `Gone` is only what left nothing behind, and nothing of which that cannot be told.
    pub(super) fn report_left(&self, id: &OrderId, located: &Located, left: &Left) -> Observation {
        let is_there = matches!(located.look, Look::There(_));
        let teardown = located.teardown(self, id);
        let observation = |phase, message: String| {
            Observation::new(phase).with_message(message).with_teardown(teardown.clone()).with_next_look(PAUSE)
        };
        let protected = left.there.iter().find(|(_, object)| object["metadata"]["labels"][IN_USE] == "true");
        if let Some((composed, _)) = protected {
            let message = format!("{} is protected from deletion, remove the Usage first", composed.title());
            return observation(Phase::Blocked, message);
        }
        if !left.there.is_empty() {
            let named = left.there.iter().take(MOST_NAMED).map(|(composed, object)| told(composed, object));
            let named = named.collect::<Vec<_>>().join("; ");
            let more = left.there.len().saturating_sub(MOST_NAMED);
            let more = if more == 0 { String::new() } else { format!("; and {more} more") };
            let why = if is_there || self.options.collection == GarbageCollection::ByProvider {
                "waits for what it is composed of"
            } else {
                "what it was composed of is left, and the garbage collector of the cluster, if it has one, \
                 has not removed it"
            };
            return observation(Phase::Deleting, format!("{why}: {named}{more}"));
        }
        if let Some(unseen) = left.unseen.first() {
            return observation(Phase::Unknown, format!("whether it is gone cannot be told: {unseen}"));
        }
        match &located.look {
            Look::There(object) => {
                let said = judge(object);
                observation(Phase::Deleting, format!("Crossplane says {}: {}", said.reason, said.message))
            }
            Look::Absent | Look::Unseen(_) => Observation::new(Phase::Gone),
        }
    }
}

fn told(composed: &Composed, object: &Value) -> String {
    let verdict = judge(object);
    let is_told = verdict.phase == Phase::Deleting && verdict.reason != "Deleting";
    if is_told { format!("{} ({}: {})", composed.title(), verdict.reason, verdict.message) } else { composed.title() }
}
