//! One pass over an order: decide and act until there is nothing to do.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kdp_core::{Error, ErrorKind, reconcile::Chain};
use kube::api::Preconditions;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    cache::By,
    dependents::Difference,
    remote::Deleted,
    retry::Class,
    world::{PassWorld, Seen, side_of},
};
use crate::{
    engine::{
        Batch, Command, Facts, ListQuery, Next, ObjectKey, OrderKey, Part, Place, Problem, Query, decide, import,
    },
    event::event,
    metrics::Verb,
    object,
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
    /// There is more to do; others come first.
    Unfinished,
    /// There will be more to do after this long.
    Waiting(Duration),
    /// The workspace is another replica's.
    CutOff,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Settled => "settled",
            Self::Failed(_) => "failed",
            Self::Unfinished => "unfinished",
            Self::Waiting(_) => "waiting",
            Self::CutOff => "cut off",
        }
    }
}

/// What came of a batch that did not fail.
enum Acted {
    Done,
    /// There is no status that could be written.
    HasNoStatus,
}

impl Shared {
    /// Works on an order until nothing is left to do, something fails, or `shutdown` is cancelled.
    #[tracing::instrument(name = "order.sync", skip_all, fields(
        resource = self.name, kind = %self.plan.remote.kind, agent = self.plan.agent, workspace = %order.cluster,
        namespace = order.namespace, name = order.name, outcome, otel.status_code
    ))]
    pub(super) async fn pass(&self, order: &OrderKey, shutdown: &CancellationToken) -> Outcome {
        let outcome = self.work_through(order, shutdown).await;
        let span = tracing::Span::current();
        span.record("outcome", outcome.as_str());
        if matches!(outcome, Outcome::Failed(_)) {
            span.record("otel.status_code", "ERROR");
        }
        outcome
    }

    async fn work_through(&self, order: &OrderKey, shutdown: &CancellationToken) -> Outcome {
        let mut seen = Seen::default();
        let mut failed = self.without_status.of(order);
        let mut problems = Vec::new();
        let mut classes = Vec::new();
        let mut last: Option<Batch> = None;
        let mut is_stopped = false;
        for _ in 0..MOST_STEPS {
            // Between two steps everything is consistent: the next agent goes on from here.
            if shutdown.is_cancelled() {
                return Outcome::Settled;
            }
            let (next, grew) = self.decide(order, &seen, &failed);
            match next {
                Next::Look(part, query) => match self.look(&query).await {
                    Ok(found) => {
                        self.known.looked_up(&query, &found, By { sync: self, order });
                        self.miss(order, &query, &found);
                        seen.remember(query, found.into_iter().map(Arc::new).collect());
                    }
                    Err(error) => {
                        classes.push(self.classify(&error));
                        problems.push(problem(part, Chain(&error).to_string()));
                        if is_vital(part) {
                            is_stopped = true;
                            break;
                        }
                        failed.insert(part);
                    }
                },
                Next::Act(batch) => {
                    seen.clear();
                    let result = if last.as_ref() == Some(&batch) {
                        let message = "the API server accepts the write, but does not keep what was written";
                        Err((Class::Undecided, message.to_owned()))
                    } else {
                        let acted = self.act(order, &batch).await;
                        acted.map_err(|error| (self.classify(&error), Chain(&error).to_string()))
                    };
                    let part = batch.part;
                    last = Some(batch);
                    match result {
                        Ok(Acted::Done) => {
                            if let Some(written) = &last {
                                self.remember_order(order, written, &mut seen);
                            }
                        }
                        Ok(Acted::HasNoStatus) => {
                            failed.insert(part);
                        }
                        Err((class, message)) => {
                            classes.push(class);
                            problems.push(problem(part, message));
                            if is_vital(part) {
                                is_stopped = true;
                                break;
                            }
                            failed.insert(part);
                        }
                    }
                }
                // What cannot be imported does not hold up an order that has a copy.
                Next::Settled(more) if more.iter().any(|problem| problem.part == Part::Import) => {
                    classes.extend(more.iter().map(|_| Class::Undecided));
                    problems.extend(more);
                    failed.insert(Part::Import);
                }
                Next::Settled(_) if grew => {}
                Next::Settled(more) => {
                    classes.extend(more.iter().map(|_| Class::Undecided));
                    problems.extend(more);
                    return self.conclude(order, &problems, &classes).await;
                }
            }
        }
        if !is_stopped && problems.is_empty() {
            return Outcome::Unfinished;
        }
        self.conclude(order, &problems, &classes).await
    }

    fn decide(&self, order: &OrderKey, seen: &Seen, failed: &BTreeSet<Part>) -> (Next, bool) {
        let world = PassWorld { known: &self.known, seen, waits: &self.waits };
        let facts = Facts::new(&world);
        let object = self.imports.of(order);
        let next = object.and_then(|object| import(&self.plan, order, &object, &facts, failed));
        let next = next.unwrap_or_else(|| decide(&self.plan, order, &facts, failed));
        let Difference { grew, asked, released } = self.dependents.remember(order, facts.into_asked());
        asked.iter().for_each(|key| self.known.ask(key));
        released.iter().for_each(|key| self.known.release(key));
        (next, grew)
    }

    /// Takes in that the order is not there, although it is known: what a late answer to a write has
    /// left behind, no watch takes away.
    fn miss(&self, order: &OrderKey, query: &Query, found: &[Value]) {
        if let Query::Object(key) = query
            && found.is_empty()
            && *key == self.plan.order_object(order)
            && let Some(ghost) = self.known.order(key)
        {
            self.known.gone(key, object::uid(&ghost), By { sync: self, order });
        }
    }

    /// The answer to a write of the order says what it is now.
    fn remember_order(&self, order: &OrderKey, written: &Batch, seen: &mut Seen) {
        let key = self.plan.order_object(order);
        let is_order = |command: &Command| matches!(command, Command::Patch { key: of, .. } if *of == key);
        if written.commands.iter().any(is_order)
            && let Some(object) = self.known.order(&key)
        {
            seen.remember(Query::Object(key), vec![object]);
        }
    }

    /// Ends a pass: tells about problems that are new, and says when to try again.
    async fn conclude(&self, order: &OrderKey, problems: &[Problem], classes: &[Class]) -> Outcome {
        let (is_new, failures) = self.failures.record(order, problems);
        if failures == 0 {
            if let Some(rest) = self.waits.rest(order) {
                return Outcome::Waiting(rest);
            }
            let is_there = self.known.order(&self.plan.order_object(order)).is_some();
            return if is_there { Outcome::Settled } else { Outcome::Gone };
        }
        let delays = classes.iter().map(|class| class.delay(failures));
        let delay = delays.min().unwrap_or_else(|| Class::Undecided.delay(failures));
        for Problem { part, message, .. } in problems {
            tracing::warn!(?part, message, ?delay, "order.failed");
        }
        if is_new {
            self.tell_problems(order, problems).await;
        }
        Outcome::Failed(delay)
    }

    fn classify(&self, error: &Error) -> Class {
        self.metrics.failed(error.kind());
        Class::of(error)
    }

    async fn look(&self, query: &Query) -> Result<Vec<Value>, Error> {
        match query {
            Query::Object(key) => Ok(self.remote.look_up(key).await?.into_iter().collect()),
            Query::List(list) => self.remote.list(list).await,
            Query::Copies(order) => self.remote.list(&ListQuery::of_copies(&self.plan.local, order)).await,
        }
    }

    async fn act(&self, order: &OrderKey, batch: &Batch) -> Result<Acted, Error> {
        for command in &batch.commands {
            if let Err(error) = self.carry_out(order, command).await {
                if matches!(command, Command::Create { .. }) && error.kind() == ErrorKind::Unavailable {
                    self.waits.doubt(order);
                }
                if self.has_no_status(order, batch.part, command, &error).await? {
                    return Ok(Acted::HasNoStatus);
                }
                if error.kind() == ErrorKind::NotFound {
                    self.confirm_gone(order, command).await;
                }
                return Err(error);
            }
        }
        Ok(Acted::Done)
    }

    /// Takes in that what was to be changed is not there: a list that was read while it went may
    /// have left it behind, and no watch tells of it any more.
    async fn confirm_gone(&self, order: &OrderKey, command: &Command) {
        let (Command::Patch { key, .. } | Command::Replace { key, .. } | Command::ReplaceStatus { key, .. }) = command
        else {
            return;
        };
        // One that is made meanwhile is another version.
        let known = self.known.versions(key);
        if let Ok(None) = self.remote.get(key).await {
            known.iter().for_each(|(cache, version)| cache.lost(key, version, Some(By { sync: self, order })));
        }
    }

    /// Takes in the answer to a patch, which may have let go of the object's last finalizer.
    fn patched(&self, key: &ObjectKey, object: &Value, by: By<'_>) {
        if object::is_deleting(object) && object::finalizers(object).is_empty() {
            self.known.gone(key, object::uid(object), by);
        } else {
            self.known.wrote(key, object, by);
        }
    }

    async fn carry_out(&self, order: &OrderKey, command: &Command) -> Result<(), Error> {
        let by = By { sync: self, order };
        match command {
            Command::EnsureNamespace { place, name } => self.remote.ensure_namespace(place, name).await?,
            Command::Create { key, object } => self.known.wrote(key, &self.remote.create(key, object).await?, by),
            Command::Patch { key, patch } => self.patched(key, &self.remote.patch(key, patch).await?, by),
            Command::Replace { key, object } => self.known.wrote(key, &self.remote.replace(key, object).await?, by),
            Command::ReplaceStatus { key, object } => {
                self.known.wrote(key, &self.remote.replace_status(key, object).await?, by);
            }
            Command::Delete { key, uid, version, propagation } => {
                let preconditions = Preconditions { uid: uid.clone(), resource_version: version.clone() };
                match self.remote.delete(key, preconditions, *propagation).await? {
                    Deleted::Gone => self.known.gone(key, uid.as_deref(), by),
                    Deleted::Held(object) => self.known.wrote(key, &object, by),
                }
            }
            Command::Tell { reason, note } => self.tell(order, "Normal", reason, note),
        }
        if let Some((place, verb)) = write_of(command) {
            self.metrics.wrote(side_of(place), verb);
        }
        Ok(())
    }

    /// Has an Event written for the tenant.
    pub(super) fn tell(&self, order: &OrderKey, type_: &str, reason: &str, note: &str) {
        if let Some(object) = self.known.order(&self.plan.order_object(order)) {
            self.news.push(&order.cluster, event(&object, type_, reason, note, &self.plan.agent));
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

/// Where a command writes, and what it does there; making a namespace rarely is a write.
fn write_of(command: &Command) -> Option<(&Place, Verb)> {
    match command {
        Command::Create { key, .. } => Some((&key.place, Verb::Create)),
        Command::Patch { key, .. } => Some((&key.place, Verb::Patch)),
        Command::Replace { key, .. } => Some((&key.place, Verb::Replace)),
        Command::ReplaceStatus { key, .. } => Some((&key.place, Verb::ReplaceStatus)),
        Command::Delete { key, .. } => Some((&key.place, Verb::Delete)),
        Command::EnsureNamespace { .. } | Command::Tell { .. } => None,
    }
}
