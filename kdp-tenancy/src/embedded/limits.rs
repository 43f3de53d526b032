//! What workspaces may use, and what they do use.
//!
//! Limits form a hierarchy with the tree of workspaces: each covers a workspace and everything below
//! it, and is set in its parent, so that nobody can raise their own. Usage is kept by the index from
//! the store's events. What the system itself does always passes, but counts.

mod bounds;
mod charge;
mod fair;
mod gate;
mod ledger;
mod rate;
#[cfg(test)]
mod tests;
mod turns;

use std::{collections::HashMap, sync::Arc, time::Instant};

use kdp_core::{
    Identity, LogicalClusterName,
    api::limits::{GROUP, MAX_TOTAL_OBJECTS_ANNOTATION, WorkspaceLimitsSpec},
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use self::{
    bounds::Bounds,
    gate::{Bounded, Gate},
    ledger::Ledger,
    turns::Turns,
};
pub(crate) use self::{
    charge::Reservation,
    gate::{Seat, WatchPermit, seated, unseated},
    ledger::Usage,
};
use super::{auth::is_unbounded, key::ParsedKey, object, queue::Work, status::Result};
use crate::store::{Entry, Revision};

/// How limits work in one control plane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitsOptions {
    /// For every workspace that no WorkspaceLimits speaks of.
    pub(crate) fallback: Option<WorkspaceLimitsSpec>,
    /// How many requests are worked on at once; `None` to let all in as they come.
    pub(crate) seats: Option<usize>,
}

impl Default for LimitsOptions {
    /// Few requests for each processor, because whoever is worked on only computes: the fewer there
    /// are, the shorter is the way past them. Who waits for the disk holds no seat.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { fallback: None, seats: Some(2 * processors.max(2)) }
    }
}

/// See the module; one for the whole control plane.
#[derive(Debug)]
pub(crate) struct Limits {
    book: Mutex<Book>,
    gate: Option<Arc<Gate>>,
    /// How many ResourceQuotas a namespace has, as `cluster/namespace`.
    quotas: Mutex<HashMap<String, usize>>,
    /// The turns of those who create what a ResourceQuota counts.
    pub(crate) turns: Turns,
}

#[derive(Debug)]
struct Book {
    ledger: Ledger,
    bounds: Bounds,
}

impl Limits {
    pub(crate) fn new(options: LimitsOptions) -> Self {
        Self {
            book: Mutex::new(Book { ledger: Ledger::default(), bounds: Bounds::new(options.fallback) }),
            gate: options.seats.map(|seats| Arc::new(Gate::new(seats))),
            quotas: Mutex::default(),
            turns: Turns::default(),
        }
    }

    /// The same rules without anything known of the store, to be told all of it aside.
    pub(crate) fn aside(&self) -> Self {
        let fallback = self.book.lock().bounds.fallback();
        Self::new(LimitsOptions { fallback, seats: None })
    }

    /// Exchanges what is known of the store with what another one was told. What is about to be written
    /// stays reserved.
    pub(crate) fn adopt(&self, told: &Self) {
        let (mut own, mut new) = (self.book.lock(), told.book.lock());
        own.ledger.adopt(&mut new.ledger);
        std::mem::swap(&mut own.bounds, &mut new.bounds);
        std::mem::swap(&mut *self.quotas.lock(), &mut *told.quotas.lock());
    }

    /// Takes in one change of the store; returns what is to be done because of it. `child` finds
    /// the logical cluster of a workspace in the cluster of the key.
    pub(crate) fn follow(
        &self,
        key: &ParsedKey<'_>,
        entry: Option<&Entry>,
        previous: Option<&Entry>,
        child: impl FnOnce(&str) -> Option<LogicalClusterName>,
    ) -> Option<Work> {
        let child = if key.is(GROUP, "workspacelimits") { child(key.name) } else { None };
        let mut book = self.book.lock();
        book.ledger.record(key.cluster, size(entry), size(previous));
        match (key.group, key.plural) {
            (GROUP, "workspacelimits") => {
                let bounds = entry.and_then(read::<LimitsObject>).map(|object| object.spec);
                book.bounds.set(key.cluster, key.name, child.as_ref().map(LogicalClusterName::as_str), bounds);
            }
            ("core.kcp.io", "logicalclusters") => {
                let total = entry.and_then(read::<Annotated>).and_then(|object| object.total());
                book.bounds.set_total(key.cluster, total);
            }
            _ => {}
        }
        drop(book);
        self.follow_quotas(key, entry.is_some(), previous.is_some())
    }

    /// A namespace whose ResourceQuotas have to be counted anew: one changed, or something that may
    /// count was deleted.
    fn follow_quotas(&self, key: &ParsedKey<'_>, is_there: bool, was_there: bool) -> Option<Work> {
        let namespace = key.namespace?;
        let is_quota = key.is("", "resourcequotas");
        if !is_quota && is_there {
            return None;
        }
        let mut quotas = self.quotas.lock();
        if quotas.is_empty() && !is_quota {
            return None;
        }
        let place = format!("{}/{namespace}", key.cluster);
        if is_quota && is_there != was_there {
            let count = quotas.entry(place.clone()).or_default();
            *count = if is_there { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                quotas.remove(&place);
            }
        }
        let cluster = key.cluster.parse().ok()?;
        quotas.contains_key(&place).then(|| Work::Quota { cluster, namespace: namespace.into() })
    }

    /// The workspace `name` in `parent` is the logical cluster `child`.
    pub(crate) fn link(&self, child: &LogicalClusterName, parent: &LogicalClusterName, name: &str) {
        let mut book = self.book.lock();
        book.ledger.link(child.as_str(), parent.as_str());
        book.bounds.attach(child.as_str(), parent.as_str(), name);
    }

    /// The workspace of a logical cluster is gone.
    pub(crate) fn unlink(&self, child: &LogicalClusterName) {
        let mut book = self.book.lock();
        book.ledger.unlink(child.as_str());
        book.bounds.detach(child.as_str());
    }

    /// Every change up to `revision` is taken in.
    pub(crate) fn counted(&self, revision: Revision) {
        self.book.lock().ledger.counted(revision);
    }

    /// What a logical cluster and everything below it uses.
    pub(crate) fn usage(&self, cluster: &LogicalClusterName) -> Usage {
        self.book.lock().ledger.usage(cluster.as_str())
    }

    /// Whether anything limits objects or bytes anywhere.
    fn are_set(&self) -> bool {
        !self.book.lock().bounds.is_empty()
    }

    /// Holds room in a logical cluster and everything above it.
    fn reserve(self: &Arc<Self>, cluster: &LogicalClusterName, wanted: Usage) -> Result<Reservation, Exceeded> {
        let mut book = self.book.lock();
        book.ledger.expire(Instant::now());
        let lineage = book.ledger.lineage(cluster.as_str());
        for (above, (name, bounds)) in book.bounded(&lineage).enumerate() {
            let claimed = book.ledger.claimed(&name);
            let checks = [
                ("objects", wanted.objects, claimed.objects, bounds.objects),
                ("bytes", wanted.bytes, claimed.bytes, bounds.bytes),
            ];
            for (what, wanted, used, limit) in checks {
                if let Some(limit) = limit
                    && wanted > 0
                    && used.saturating_add(wanted) > limit
                {
                    return Err(Exceeded(exceeded(what, wanted, (above == 0).then_some((used, limit)))));
                }
            }
        }
        book.ledger.reserve(&lineage, wanted);
        drop(book);
        Ok(Reservation::new(Arc::clone(self), lineage, wanted))
    }

    /// Lets a request of `identity` to a logical cluster in, as soon as it is its turn; `None` when
    /// it need not wait. Cancel-safe.
    ///
    /// # Errors
    /// 429 when the workspace, or one above, makes too many requests.
    pub(crate) async fn admit(&self, identity: &Identity, cluster: &LogicalClusterName) -> Result<Option<Seat>> {
        match &self.gate {
            Some(gate) if !is_unbounded(identity) => gate.admit(&self.path(cluster)).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Lets a watch of `identity` in a logical cluster stay open; `None` when it does not count.
    ///
    /// # Errors
    /// 429 when the workspace, or one above, has as many open as it may.
    pub(crate) fn watch(&self, identity: &Identity, cluster: &LogicalClusterName) -> Result<Option<WatchPermit>> {
        match &self.gate {
            Some(gate) if !is_unbounded(identity) => gate.watch(&self.path(cluster)).map(Some),
            _ => Ok(None),
        }
    }

    /// The workspaces from the top to `cluster`, with the limits of each.
    fn path(&self, cluster: &LogicalClusterName) -> Vec<Bounded> {
        let book = self.book.lock();
        let mut path: Vec<_> = book.bounded(&book.ledger.lineage(cluster.as_str())).collect();
        path.reverse();
        path
    }
}

impl Book {
    fn bounded(&self, lineage: &[Arc<str>]) -> impl Iterator<Item = Bounded> {
        lineage.iter().enumerate().map(|(i, name)| {
            let parent = lineage.get(i + 1).map(|parent| &**parent);
            (Arc::clone(name), self.bounds.of(name, parent))
        })
    }
}

/// A limit would be exceeded; in words for whoever asked.
#[derive(Debug)]
struct Exceeded(String);

/// The words of Kubernetes' quota. What a workspace above uses is others' business, so its numbers
/// are left out.
fn exceeded(what: &str, wanted: u64, own: Option<(u64, u64)>) -> String {
    match own {
        Some((used, limit)) => format!(
            "exceeded quota: workspacelimits, requested: {what}={wanted}, used: {what}={used}, limited: {what}={limit}"
        ),
        None => format!("exceeded quota: workspacelimits of a workspace above, requested: {what}={wanted}"),
    }
}

fn size(entry: Option<&Entry>) -> Usage {
    entry.map(|entry| Usage { objects: 1, bytes: entry.value.len() as u64 }).unwrap_or_default()
}

/// Reads part of a stored object. It was valid when it was stored, so a failure is a fault here.
fn read<T: for<'de> Deserialize<'de>>(entry: &Entry) -> Option<T> {
    serde_json::from_slice(&object::to_json(entry))
        .inspect_err(|error| tracing::error!(key = %entry.key, %error, "limits.unreadable"))
        .ok()
}

#[derive(Deserialize)]
struct LimitsObject {
    #[serde(default)]
    spec: WorkspaceLimitsSpec,
}

#[derive(Deserialize)]
struct Annotated {
    metadata: Annotations,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(default)]
    annotations: HashMap<String, Value>,
}

impl Annotated {
    fn total(&self) -> Option<u64> {
        self.metadata.annotations.get(MAX_TOTAL_OBJECTS_ANNOTATION)?.as_str()?.parse().ok()
    }
}
