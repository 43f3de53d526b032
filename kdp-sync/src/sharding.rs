//! Which workspaces a replica of an agent works on.
//!
//! Workspaces are spread over shards by their names, and each shard has a Lease. A replica works on
//! the shards that it holds; [`share`] says which it should, and [`replica`] gets them. Without
//! shards there is one, which is held as long as the agent's own Lease is.

mod replica;
mod share;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use kdp_core::LogicalClusterName;
use sha2::{Digest, Sha256};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

pub(crate) use self::replica::Replica;
use crate::lease::{Beginnings, Endings, Tenure};

/// The workspaces that are this replica's, from moment to moment. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Ownership(Arc<[Shard]>);

#[derive(Debug)]
struct Shard {
    tenure: Tenure,
    /// The turns under way.
    turns: TaskTracker,
    /// Whether it is being handed over, and no new turn may begin.
    is_leaving: AtomicBool,
}

/// The permission for one piece of work in a workspace. Nobody else gets the workspace before it ends.
#[derive(Debug)]
pub(crate) struct Turn {
    tenure: Tenure,
    _under_way: TaskTrackerToken,
}

/// Tells which workspaces have become this replica's.
#[derive(Debug)]
pub(crate) struct Gains {
    beginnings: Beginnings,
    count: usize,
}

/// Tells which workspaces are no longer this replica's.
#[derive(Debug)]
pub(crate) struct Losses {
    endings: Endings,
    count: usize,
}

/// The workspaces of some shards.
#[derive(Debug)]
pub(crate) struct Workspaces {
    shards: Vec<usize>,
    count: usize,
}

impl Ownership {
    /// One shard for each tenure.
    pub(crate) fn new(tenures: impl IntoIterator<Item = Tenure>) -> Self {
        let shard = |tenure| Shard { tenure, turns: TaskTracker::new(), is_leaving: AtomicBool::new(false) };
        Self(tenures.into_iter().map(shard).collect())
    }

    /// Whether new work may be begun in the workspace now.
    pub(crate) fn is_mine(&self, workspace: &LogicalClusterName) -> bool {
        self.shard(workspace).is_some_and(Shard::is_open)
    }

    /// Begins a piece of work in the workspace, if it is this replica's.
    pub(crate) fn begin(&self, workspace: &LogicalClusterName) -> Option<Turn> {
        let shard = self.shard(workspace)?;
        // First counted, then asked: who hands the shard over closes it first, and then counts.
        let turn = Turn { tenure: shard.tenure.clone(), _under_way: shard.turns.token() };
        shard.is_open().then_some(turn)
    }

    /// Tells about the workspaces that become this replica's from now on.
    pub(crate) fn gains(&self) -> Gains {
        let beginnings = Beginnings::new(self.0.iter().map(|shard| shard.tenure.clone()));
        Gains { beginnings, count: self.0.len() }
    }

    /// Tells about the workspaces that cease to be this replica's from now on.
    pub(crate) fn losses(&self) -> Losses {
        let endings = Endings::new(self.0.iter().map(|shard| shard.tenure.clone()));
        Losses { endings, count: self.0.len() }
    }

    /// Closes a shard, and completes when no work is under way in it. It stays closed, also when
    /// this is dropped, until [`Ownership::open`].
    async fn close(&self, shard: usize) {
        let Some(shard) = self.0.get(shard) else { return };
        shard.is_leaving.store(true, Ordering::SeqCst);
        shard.turns.close();
        shard.turns.wait().await;
    }

    /// Lets work begin in a shard again, once it is held again.
    fn open(&self, shard: usize) {
        let Some(shard) = self.0.get(shard) else { return };
        shard.turns.reopen();
        shard.is_leaving.store(false, Ordering::SeqCst);
    }

    fn shard(&self, workspace: &LogicalClusterName) -> Option<&Shard> {
        self.0.get(shard_of(workspace, self.0.len()))
    }
}

impl Shard {
    fn is_open(&self) -> bool {
        !self.is_leaving.load(Ordering::SeqCst) && self.tenure.is_held()
    }
}

impl Turn {
    /// Does the work; `None` when it was cut off, wherever it was, because the time was up.
    pub(crate) async fn within<T>(self, work: impl Future<Output = T>) -> Option<T> {
        self.tenure.within(work).await
    }
}

impl Gains {
    /// What has become this replica's since the last call. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Workspaces {
        Workspaces { shards: self.beginnings.next().await, count: self.count }
    }
}

impl Losses {
    /// What has ceased to be this replica's since the last call, some time after. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Workspaces {
        Workspaces { shards: self.endings.next().await, count: self.count }
    }
}

impl Workspaces {
    pub(crate) fn contains(&self, workspace: &LogicalClusterName) -> bool {
        self.shards.contains(&shard_of(workspace, self.count))
    }
}

/// The shard of a workspace: the first eight bytes of the SHA-256 of its name, modulo the number of
/// shards. Replicas of different versions must agree on it.
fn shard_of(workspace: &LogicalClusterName, count: usize) -> usize {
    if count < 2 {
        return 0;
    }
    let digest = Sha256::digest(workspace.as_str());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(number % count as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests;
