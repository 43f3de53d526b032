//! One pass over an order: decide and act until there is nothing to do.

use std::{collections::BTreeSet, time::Duration};

use kdp_core::{Error, ErrorKind, reconcile::Chain};
use kube::core::Selector;
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
    engine::{Batch, Command, Facts, ListQuery, Next, OrderKey, Part, Place, Problem, Query, decide, identity},
    event::event,
    metrics::Verb,
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

impl Shared {
    /// Works on an order until nothing is left to do, something fails, or `shutdown` is cancelled.
    #[tracing::instrument(name = "order.sync", skip_all, fields(kind = %self.plan.remote.kind, %order))]
    pub(super) async fn pass(&self, order: &OrderKey, shutdown: &CancellationToken) -> Outcome {
        let mut seen = Seen::default();
        let mut failed = BTreeSet::new();
        let mut problems = Vec::new();
        let mut classes = Vec::new();
        let mut last: Option<Batch> = None;
        for _ in 0..MOST_STEPS {
            // Between two steps everything is consistent: the next agent goes on from here.
            if shutdown.is_cancelled() {
                return Outcome::Settled;
            }
            let (next, grew) = self.decide(order, &seen, &failed);
            match next {
                Next::Look(query) => match self.look(&query).await {
                    Ok(found) => {
                        self.known.looked_up(&query, &found, By { sync: self, order });
                        seen.remember(query, found);
                    }
                    Err(error) => {
                        classes.push(self.classify(&error));
                        problems.push(problem(Part::Primary, &error));
                        break;
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
                    if let Err((class, message)) = result {
                        classes.push(class);
                        problems.push(Problem { part, message });
                        if part == Part::Primary {
                            break;
                        }
                        failed.insert(part);
                    }
                }
                Next::Settled(_) if grew => {}
                Next::Settled(more) => {
                    classes.extend(more.iter().map(|_| Class::Undecided));
                    problems.extend(more);
                    return self.conclude(order, &problems, &classes);
                }
            }
        }
        self.conclude(order, &problems, &classes)
    }

    fn decide(&self, order: &OrderKey, seen: &Seen, failed: &BTreeSet<Part>) -> (Next, bool) {
        let world = PassWorld { known: &self.known, seen };
        let facts = Facts::new(&world);
        let next = decide(&self.plan, order, &facts, failed);
        let Difference { grew, asked, released } = self.dependents.remember(order, facts.into_asked());
        asked.iter().for_each(|key| self.known.ask(key));
        released.iter().for_each(|key| self.known.release(key));
        (next, grew)
    }

    /// Ends a pass: tells about problems that are new, and says when to try again.
    fn conclude(&self, order: &OrderKey, problems: &[Problem], classes: &[Class]) -> Outcome {
        let (is_new, failures) = self.failures.record(order, problems);
        if failures == 0 {
            let exists = self.known.order(&self.plan.order_object(order)).is_some();
            return if exists { Outcome::Settled } else { Outcome::Gone };
        }
        let delays = classes.iter().map(|class| class.delay(failures));
        let delay = delays.min().unwrap_or_else(|| Class::Undecided.delay(failures));
        for Problem { part, message } in problems {
            tracing::warn!(?part, message, ?delay, "order.failed");
        }
        if is_new {
            let note = "the order could not be brought up to date; it is tried again";
            self.tell(order, "Warning", "ReconcilingError", note);
        }
        Outcome::Failed(delay)
    }

    fn classify(&self, error: &Error) -> Class {
        self.metrics.failed(error.kind());
        Class::of(error)
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

    async fn act(&self, order: &OrderKey, batch: &Batch) -> Result<(), Error> {
        for command in &batch.commands {
            self.carry_out(order, command).await?;
        }
        Ok(())
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
            Command::Tell { reason, note } => self.tell(order, "Normal", reason, note),
        }
        if let Some((place, verb)) = write_of(command) {
            self.metrics.wrote(side_of(place), verb);
        }
        Ok(())
    }

    /// Has an Event written for the tenant.
    fn tell(&self, order: &OrderKey, type_: &str, reason: &str, note: &str) {
        if let Some(object) = self.known.order(&self.plan.order_object(order)) {
            self.news.push(&order.cluster, event(&object, type_, reason, note, &self.plan.agent));
        }
    }
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

fn problem(part: Part, error: &Error) -> Problem {
    Problem { part, message: Chain(error).to_string() }
}
