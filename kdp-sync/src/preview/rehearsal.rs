//! What one order would cause.

use std::collections::BTreeSet;

use kdp_core::{Error, reconcile::Chain};
use serde_json::Value;

use super::{Cause, Preview, Problem, Snapshot, snapshot::namespace_key};
use crate::engine::{Command, Facts, ListQuery, Next, ObjectKey, OrderKey, Part, Plan, Query, decide};

/// More steps than any order needs at once.
const MOST_STEPS: usize = 64;

/// Reads single things from both sides.
pub(crate) trait Source {
    /// An object, if there is one.
    async fn get(&self, key: &ObjectKey) -> Result<Option<Value>, Error>;
    /// Objects of a kind.
    async fn list(&self, query: &ListQuery) -> Result<Vec<Value>, Error>;
}

/// Does to the snapshot what an agent would do about an order, and tells it.
pub(crate) async fn rehearse(
    resource: &str,
    plan: &Plan,
    order: &OrderKey,
    snapshot: &mut Snapshot,
    source: &impl Source,
) -> Preview {
    let cause = Cause::of_order(resource, order);
    let mut failed = BTreeSet::new();
    let mut messages = Vec::new();
    let mut last = None;
    for _ in 0..MOST_STEPS {
        let next = decide(plan, order, &Facts::new(snapshot), &failed);
        match next {
            Next::Settled(problems) => {
                messages.extend(problems.into_iter().map(|problem| problem.message));
                break;
            }
            Next::Look(part, query) => match look(plan, &query, source).await {
                Ok(found) => snapshot.remember(query, found),
                Err(error) => {
                    messages.push(Chain(&error).to_string());
                    if part == Part::Primary {
                        break;
                    }
                    failed.insert(part);
                }
            },
            Next::Act(batch) if last.as_ref() == Some(&batch) => {
                failed.insert(batch.part);
                messages.push("the same write would be done again and again".into());
                if batch.part == Part::Primary {
                    break;
                }
            }
            Next::Act(batch) => {
                let mut outcome = Ok(());
                for command in &batch.commands {
                    outcome = carry_out(command, snapshot, source).await;
                    if outcome.is_err() {
                        break;
                    }
                }
                let part = batch.part;
                last = Some(batch);
                if let Err(message) = outcome {
                    messages.push(message);
                    failed.insert(part);
                    if part == Part::Primary {
                        break;
                    }
                }
            }
        }
    }
    let problems = messages.into_iter().map(|message| Problem { cause: cause.clone(), message }).collect();
    Preview { changes: snapshot.changes(&cause), problems }
}

async fn carry_out(command: &Command, snapshot: &mut Snapshot, source: &impl Source) -> Result<(), String> {
    if let Command::EnsureNamespace { place, name } = command {
        let key = namespace_key(place, name);
        if !snapshot.knows(&key) {
            let found = source.get(&key).await.map_err(|error| Chain(&error).to_string())?;
            snapshot.remember(Query::Object(key.clone()), found.map(|object| (key, object)).into_iter().collect());
        }
    }
    snapshot.carry_out(command)
}

pub(super) async fn look(plan: &Plan, query: &Query, source: &impl Source) -> Result<Vec<(ObjectKey, Value)>, Error> {
    let copies;
    let list = match query {
        Query::Object(key) => {
            return Ok(source.get(key).await?.map(|object| (key.clone(), object)).into_iter().collect());
        }
        Query::List(list) => list,
        Query::Copies(order) => {
            copies = ListQuery::of_copies(&plan.local, order);
            &copies
        }
    };
    let found = source.list(list).await?;
    Ok(found.into_iter().map(|object| (ObjectKey::of(&list.place, &list.types, &object), object)).collect())
}
