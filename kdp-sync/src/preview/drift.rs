//! What does not agree, and stays so.

use std::{collections::BTreeSet, fmt, sync::Arc};

use kdp_core::reconcile::Chain;
use serde::Serialize;
use serde_json::Value;

use super::{
    Cause, FieldChange, ObjectName, Problem, Snapshot, changes,
    rehearsal::{Source, look},
    text,
};
use crate::{
    api::Side,
    engine::{Facts, ObjectKey, OrderKey, Place, Plan, STATE_PREFIX, Standing, Stop, compare, order_of, state_key},
    object::{self, ResourceType},
    wire,
};

/// More questions than comparing one order ever takes.
const MOST_LOOKS: usize = 16;

/// What does not agree between orders and copies.
///
/// Agents that keep their state in the same namespace each take what the others remember for
/// left over.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Drift {
    /// Copies in which something is not as the order says. It was changed on the service cluster,
    /// and is kept until the tenant changes it.
    pub drifted: Vec<Drifted>,
    /// Accepted orders without a copy.
    pub missing: Vec<Cause>,
    /// Copies of this agent whose order is not known.
    pub orphans: Vec<ObjectName>,
    /// Secrets with the state of orders that are not known.
    pub leftovers: Vec<ObjectName>,
    /// What could not be looked at.
    pub problems: Vec<Problem>,
}

/// A copy that differs from its order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Drifted {
    /// Its order.
    pub cause: Cause,
    /// The copy.
    pub copy: ObjectName,
    /// The fields that the order says something about: `before` is what it says, `after` what the
    /// copy has.
    pub fields: Vec<FieldChange>,
}

impl Drift {
    /// Whether everything agrees.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { drifted, missing, orphans, leftovers, problems } = self;
        drifted.is_empty() && missing.is_empty() && orphans.is_empty() && leftovers.is_empty() && problems.is_empty()
    }
}

impl fmt::Display for Drift {
    /// Every difference, `-` for what the order says and `+` for what is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::drift(f, self)
    }
}

/// Looks at the orders and copies of one published resource. `states` are the Secrets that may be
/// left over; those of the orders seen here are taken out.
pub(crate) async fn survey(
    resource: &str,
    plan: &Plan,
    orders: &BTreeSet<OrderKey>,
    snapshot: &mut Snapshot,
    states: &mut BTreeSet<ObjectKey>,
    source: &impl Source,
) -> Drift {
    let mut drift = Drift::default();
    for order in orders {
        states.remove(&state_key(plan, order));
        let cause = Cause::of_order(resource, order);
        match standing(plan, order, snapshot, source).await {
            Ok(Standing::Unconcerned) => {}
            Ok(Standing::Missing) => drift.missing.push(cause),
            Ok(Standing::Placed { copy, wanted, found }) => {
                let fields = differences(&wanted, &found, &plan.local);
                if !fields.is_empty() {
                    drift.drifted.push(Drifted { cause, copy: ObjectName::from(&copy), fields });
                }
            }
            Err(message) => drift.problems.push(Problem { cause, message }),
        }
    }
    let is_orphan = |copy: &Arc<Value>| {
        object::label(copy, wire::AGENT_NAME) == Some(&plan.agent)
            && order_of(copy).is_none_or(|order| !orders.contains(&order))
    };
    let copies = snapshot.of_kind(Side::Service, &plan.local).filter(|(_, copy)| is_orphan(copy));
    drift.orphans.extend(copies.map(|(key, _)| ObjectName::from(key)));
    drift
}

async fn standing(
    plan: &Plan,
    order: &OrderKey,
    snapshot: &mut Snapshot,
    source: &impl Source,
) -> Result<Standing, String> {
    for _ in 0..MOST_LOOKS {
        let result = compare(plan, order, &Facts::new(snapshot));
        match result {
            Ok(standing) => return Ok(standing),
            Err(Stop::Failed(message)) => return Err(message),
            Err(Stop::Refused(message)) => return Err(message.to_owned()),
            Err(Stop::Look(query)) => {
                let found = look(plan, &query, source).await.map_err(|error| Chain(&error).to_string())?;
                snapshot.remember(query, found);
            }
        }
    }
    Err("comparing it takes too many questions".into())
}

/// The fields that the order says something about, and that are not so. What the copy has beside
/// them may be defaults, and is nobody's concern.
fn differences(wanted: &Value, found: &Value, types: &ResourceType) -> Vec<FieldChange> {
    let typed = |content: &Value| {
        let mut content = content.clone();
        content["apiVersion"] = types.api_version().into();
        content["kind"] = types.kind.clone().into();
        content
    };
    let (wanted, found) = (typed(wanted), typed(found));
    let says_something = |field: &FieldChange| match &field.before {
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        before => before.is_some(),
    };
    changes(Some(&wanted), Some(&found)).into_iter().filter(says_something).collect()
}

/// Whether an object is one of the Secrets with what was last synced.
pub(crate) fn is_state(key: &ObjectKey) -> bool {
    key.place == Place::Service && key.name.starts_with(STATE_PREFIX)
}
