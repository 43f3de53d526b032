//! Reads what an object is composed of, level by level and within bounds.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    future::Future,
    pin::Pin,
};

use serde_json::Value;
use tokio::time::Instant;

use super::{
    cause::Node,
    cluster::{Cluster, Look},
    options::WalkLimits,
    record::{Composed, composed_by, nested},
    secret::{is_bound, is_owner},
    target::Shape,
};
use crate::provider::Phase;

/// What an object is composed of.
pub(super) struct Walk {
    pub(super) nodes: Vec<Node>,
    /// All objects that were named on the way, and how many levels down: 1 for what the object itself names.
    pub(super) seen: BTreeMap<Composed, usize>,
}

/// Walks down from an object. What is beyond the limits is left out, or said to be not looked at.
pub(super) async fn walk(cluster: &Cluster, object: &Value, shape: Shape, limits: WalkLimits) -> Walk {
    let until = Instant::now() + limits.time;
    let mut walker = Walker { cluster, objects: limits.objects, depth: limits.depth, until, seen: BTreeMap::new() };
    let composed = composed_by(object, shape);
    let nodes = walker.below(object, composed, 1).await;
    Walk { nodes, seen: walker.seen }
}

struct Walker<'a> {
    cluster: &'a Cluster,
    /// Objects that may still be read.
    objects: usize,
    /// The lowest level that is read.
    depth: usize,
    until: Instant,
    seen: BTreeMap<Composed, usize>,
}

impl Walker<'_> {
    fn below<'b>(
        &'b mut self,
        parent: &'b Value,
        composed: BTreeSet<Composed>,
        level: usize,
    ) -> Pin<Box<dyn Future<Output = Vec<Node>> + Send + 'b>> {
        Box::pin(async move {
            let mut nodes = Vec::new();
            for one in composed {
                match self.seen.entry(one.clone()) {
                    // A reference back up would lead round in circles.
                    Entry::Occupied(_) => continue,
                    Entry::Vacant(entry) => entry.insert(level),
                };
                if level > self.depth || self.objects == 0 {
                    continue;
                }
                self.objects -= 1;
                let Ok(look) = tokio::time::timeout_at(self.until, self.cluster.look_at(&one)).await else { break };
                nodes.push(match look {
                    Look::There(object) if is_owner(parent, &object) || is_bound(parent, &object) => {
                        let below = self.below(&object, nested(&object), level + 1).await;
                        Node { below, ..Node::of(&one, &object) }
                    }
                    // What it says may be for others to read.
                    Look::There(_) => {
                        let message = "an object of that name exists and belongs to something else";
                        Node::blank(&one, Phase::Blocked, "NameTaken", message)
                    }
                    Look::Absent => Node::blank(&one, Phase::Progressing, "Absent", "it is not there yet"),
                    Look::Unseen(why) => Node::blank(&one, Phase::Progressing, "Unseen", &why),
                });
            }
            nodes
        })
    }
}
