//! One pass over an order: decide and act until there is nothing to do.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use kdp_core::{
    Error, ErrorKind,
    reconcile::{Chain, backoff},
};
use kube::core::Selector;
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    cache::By,
    remote::Deleted,
    world::{PassWorld, Seen},
};
use crate::{
    engine::{
        Batch, Command, Facts, ListQuery, Next, ObjectKey, OrderKey, Part, Place, Problem, Query, decide, identity,
        import,
    },
    event::event,
    object::{self, ResourceType},
};

/// More steps than any order needs at once: what comes after is left to the next pass.
const MOST_STEPS: usize = 64;

/// How a pass ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// There is no such order.
    Gone,
    /// Nothing to do until something changes.
    Settled,
    /// To be tried again after this long.
    Failed(Duration),
}

/// What came of a batch that was not refused.
enum Acted {
    Done,
    /// The kind of an object has no status to be written.
    NoStatus,
}

/// The parts of orders whose status cannot be written, so that it is tried and told once.
#[derive(Debug, Default)]
pub(super) struct WithoutStatus(Mutex<HashMap<OrderKey, BTreeSet<Part>>>);

impl WithoutStatus {
    fn of(&self, order: &OrderKey) -> BTreeSet<Part> {
        self.0.lock().get(order).cloned().unwrap_or_default()
    }

    fn note(&self, order: &OrderKey, part: Part) {
        self.0.lock().entry(order.clone()).or_default().insert(part);
    }

    fn forget(&self, order: &OrderKey) {
        self.0.lock().remove(order);
    }
}

impl Shared {
    /// Works on an order until nothing is left to do, something fails, or `shutdown` is cancelled.
    #[tracing::instrument(name = "order.sync", skip_all, fields(kind = %self.plan.remote.kind, %order))]
    pub(super) async fn pass(&self, order: &OrderKey, shutdown: &CancellationToken) -> Outcome {
        let mut seen = Seen::default();
        let mut failed = self.without_status.of(order);
        let mut problems = Vec::new();
        let mut last: Option<Batch> = None;
        for _ in 0..MOST_STEPS {
            // Between two steps everything is consistent: the next agent goes on from here.
            if shutdown.is_cancelled() {
                return Outcome::Settled;
            }
            let (next, grew) = self.decide(order, &seen, &failed);
            match next {
                Next::Look(part, query) => match self.look(&query).await {
                    Ok(found) => seen.remember(query, found),
                    Err(error) => {
                        problems.push(problem(part, Chain(&error).to_string()));
                        if is_vital(part) {
                            break;
                        }
                        failed.insert(part);
                    }
                },
                Next::Act(batch) => {
                    seen.clear();
                    let result = if last.as_ref() == Some(&batch) {
                        Err("the API server accepts the write, but does not keep what was written".into())
                    } else {
                        self.act(order, &batch).await.map_err(|error| Chain(&error).to_string())
                    };
                    let part = batch.part;
                    last = Some(batch);
                    match result {
                        Ok(Acted::Done) => {}
                        Ok(Acted::NoStatus) => {
                            self.without_status.note(order, part);
                            failed.insert(part);
                            let note = format!("{} has no status that could be brought up", self.subject(part));
                            self.tell(order, "Warning", "StatusSubresourceMissing", &note).await;
                        }
                        Err(message) => {
                            problems.push(problem(part, message));
                            if is_vital(part) {
                                break;
                            }
                            failed.insert(part);
                        }
                    }
                }
                Next::Settled(more) if more.iter().any(|problem| problem.part == Part::Import) => {
                    problems.extend(more);
                    failed.insert(Part::Import);
                }
                Next::Settled(_) if grew => {}
                Next::Settled(more) => {
                    problems.extend(more);
                    return self.conclude(order, problems).await;
                }
            }
        }
        self.conclude(order, problems).await
    }

    fn decide(&self, order: &OrderKey, seen: &Seen, failed: &BTreeSet<Part>) -> (Next, bool) {
        let world = PassWorld { known: &self.known, seen };
        let facts = Facts::new(&world);
        let object = self.imports.of(order);
        let next = object.and_then(|object| import(&self.plan, order, &object, &facts, failed));
        let next = next.unwrap_or_else(|| decide(&self.plan, order, &facts, failed));
        (next, self.dependents.remember(order, facts.into_asked()))
    }

    /// Ends a pass: tells about problems that are new, and says when to try again.
    async fn conclude(&self, order: &OrderKey, problems: Vec<Problem>) -> Outcome {
        let (news, failures) = self.failures.record(order, &problems);
        if failures == 0 {
            let exists = self.known.order(&self.plan.order_object(order)).is_some();
            if !exists {
                self.without_status.forget(order);
            }
            return if exists { Outcome::Settled } else { Outcome::Gone };
        }
        let delay = backoff(failures);
        for Problem { part, message, .. } in &problems {
            tracing::warn!(?part, message, ?delay, "order.failed");
        }
        if news {
            self.tell_problems(order, &problems).await;
        }
        Outcome::Failed(delay)
    }

    /// Tells the tenant what is not up to date, and the provider what cannot be imported.
    async fn tell_problems(&self, order: &OrderKey, problems: &[Problem]) {
        let mut told = BTreeSet::new();
        for Problem { part, message, advice } in problems {
            if *part == Part::Import {
                if let Some(object) = self.imports.of(order) {
                    self.tell_provider(&object, &format!("{order} could not be made from it: {message}")).await;
                }
                continue;
            }
            let reason = advice.map(|advice| format!(": {advice}")).unwrap_or_default();
            let note = format!("{} could not be brought up to date{reason}; it is tried again", self.subject(*part));
            if told.insert(note.clone()) {
                self.tell(order, "Warning", "ReconcilingError", &note).await;
            }
        }
    }

    /// What tenants call a part of an order.
    fn subject(&self, part: Part) -> String {
        match part {
            Part::Primary | Part::Import | Part::Status => "the order".into(),
            Part::Former(_) => "a former related resource".into(),
            Part::Related(at) | Part::RelatedStatus(at) => {
                let identifier = self.plan.related.get(at).map_or("", |related| &related.identifier);
                format!("the related resource {identifier:?}")
            }
        }
    }

    async fn look(&self, query: &Query) -> Result<Vec<Value>, Error> {
        match query {
            Query::Object(key) => match self.remote.get(key).await {
                Ok(found) => Ok(found.into_iter().collect()),
                // What a tenant no longer lets the agent see is the tenant's to keep.
                Err(error) if error.kind() == ErrorKind::Forbidden && matches!(key.place, Place::Workspace(_)) => {
                    tracing::warn!(%key, "order.out_of_reach");
                    Ok(Vec::new())
                }
                Err(error) => Err(error),
            },
            Query::List(list) => self.remote.list(list).await,
            Query::Copies(order) => {
                let labels = identity(order).into_iter().map(|(key, value)| (key.to_owned(), value));
                let selector: Selector = labels.collect();
                let types = self.plan.local.clone();
                self.remote.list(&ListQuery { place: Place::Service, types, namespace: None, selector }).await
            }
        }
    }

    async fn act(&self, order: &OrderKey, batch: &Batch) -> Result<Acted, Error> {
        for command in &batch.commands {
            if let Err(error) = self.carry_out(order, command).await {
                // Either the object is gone, or it has no status.
                if let Command::ReplaceStatus { key, .. } = command
                    && error.kind() == ErrorKind::NotFound
                    && self.remote.get(key).await?.is_some()
                {
                    return Ok(Acted::NoStatus);
                }
                return Err(error);
            }
        }
        Ok(Acted::Done)
    }

    async fn carry_out(&self, order: &OrderKey, command: &Command) -> Result<(), Error> {
        let by = By { sync: self, order };
        match command {
            Command::EnsureNamespace { place, name } => self.remote.ensure_namespace(place, name).await?,
            Command::Create { key, object } => self.known.wrote(key, &self.remote.create(key, object).await?, by),
            Command::Patch { key, patch } => self.known.wrote(key, &self.remote.patch(key, patch).await?, by),
            Command::Replace { key, object } => self.known.wrote(key, &self.remote.replace(key, object).await?, by),
            Command::ReplaceStatus { key, object } => {
                self.known.wrote(key, &self.remote.replace_status(key, object).await?, by);
            }
            Command::Delete { key, uid, propagation } => {
                match self.remote.delete(key, uid.clone(), *propagation).await? {
                    Deleted::Gone => self.known.gone(key, by),
                    Deleted::Held(object) => self.known.wrote(key, &object, by),
                }
            }
            Command::Tell { reason, note } => self.tell(order, "Normal", reason, note).await,
        }
        Ok(())
    }

    /// Writes an Event for the tenant. An order is not held up when that fails.
    async fn tell(&self, order: &OrderKey, type_: &str, reason: &str, note: &str) {
        let key = self.plan.order_object(order);
        if let Some(object) = self.known.order(&key) {
            self.write_event(key.place, event(&object, type_, reason, note, &self.plan.agent)).await;
        }
    }

    /// Writes an Event about an object on the service cluster.
    async fn tell_provider(&self, key: &ObjectKey, note: &str) {
        if let Some(object) = self.known.copy(key) {
            let event = event(&object, "Warning", "ReconcilingError", note, &self.plan.agent);
            self.write_event(Place::Service, event).await;
        }
    }

    async fn write_event(&self, place: Place, event: Value) {
        let key = ObjectKey {
            place,
            types: Arc::new(ResourceType::core("Event", "events")),
            namespace: object::namespace(&event).map(Into::into),
            name: object::name(&event).into(),
        };
        if let Err(error) = self.remote.create(&key, &event).await {
            tracing::debug!(reason = %event["reason"], error = %Chain(&error), "event.failed");
        }
    }
}

fn problem(part: Part, message: String) -> Problem {
    Problem { part, message, advice: None }
}

/// Whether nothing else can be done for an order when this part fails.
fn is_vital(part: Part) -> bool {
    matches!(part, Part::Primary | Part::Import)
}
