//! Giving orders back to an agent that knows nothing of claims.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use serde_json::Value;

use super::{Command, ObjectKey, OrderKey, claims, ownership::set_finalizers, plan::Plan};
use crate::{api::Side, object, object::ResourceType, wire};

/// What orders of one published resource may hold in the workspaces of tenants.
#[derive(Debug)]
pub(crate) struct Claimed {
    /// The kinds of the objects.
    pub(crate) types: BTreeSet<Arc<ResourceType>>,
    finalizers: HashSet<String>,
}

impl Claimed {
    pub(crate) fn by<'a>(plan: &Plan, orders: impl IntoIterator<Item = &'a OrderKey>) -> Self {
        let of_tenants = || plan.related.iter().filter(|related| related.origin == Side::Kcp);
        let types = of_tenants().map(|related| related.types.on(Side::Kcp, Side::Kcp).clone()).collect();
        let claims_of = |order| of_tenants().map(move |related| claims::finalizer(plan, order, &related.identifier));
        Self { types, finalizers: orders.into_iter().flat_map(claims_of).collect() }
    }

    /// The write that takes these claims off an object, and leaves those of others; none if it has none.
    pub(crate) fn release(&self, key: &ObjectKey, original: &Value) -> Option<Command> {
        let before = object::finalizers(original);
        let is_kept = |held: &&str| !(held.starts_with(wire::CLAIM_PREFIX) && self.finalizers.contains(*held));
        let kept: Vec<_> = before.iter().copied().filter(is_kept).collect();
        (kept.len() < before.len()).then(|| set_finalizers(key.clone(), original, &kept))
    }
}
