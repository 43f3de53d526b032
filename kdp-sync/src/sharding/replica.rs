//! Gets the Leases that a replica should hold, keeps them, and hands them over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use k8s_openapi::api::coordination::v1::Lease;
use kdp_core::{Error, ErrorKind, reconcile::Chain};
use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::{
    Ownership,
    share::{Moves, View},
};
use crate::{
    agent::Board,
    hash,
    lease::{Candidate, Election, JITTER, Leases, Tenure, seen},
};

/// How many times as long as it lasts the Lease of a replica that is gone is kept.
const KEPT: u32 = 20;

/// One of the replicas of an agent.
#[derive(Debug)]
pub(crate) struct Replica {
    leases: Arc<Leases>,
    /// For the Lease of the agent itself.
    main: Candidate,
    shards: Option<Shards>,
    ownership: Ownership,
}

/// The shards, and who else is there.
#[derive(Debug)]
struct Shards {
    /// For a Lease that only says that this replica is alive.
    member: Candidate,
    /// One for each shard.
    candidates: Vec<Candidate>,
    /// What is known of the other replicas, by the names of their Leases.
    others: BTreeMap<String, Election>,
    /// Those that are closed, and left once nothing is under way in them.
    leaving: BTreeSet<usize>,
    /// For how many rounds somebody who works on all workspaces has held the agent's Lease.
    outvoted: usize,
}

impl Replica {
    /// A replica that holds all workspaces with the Lease of its agent, or, with a number of
    /// shards, its share of them.
    pub(crate) fn new(leases: Leases, shards: Option<usize>) -> Self {
        let leases = Arc::new(leases);
        let main_name = format!("syncagent.{}", leases.agent());
        let candidate = |name| Candidate::new(&leases, name);
        let shards = shards.map(|count| Shards {
            member: candidate(member_name(leases.agent(), &leases.options().identity)),
            candidates: (0..count).map(|shard| candidate(format!("{main_name}.shard-{shard}"))).collect(),
            others: BTreeMap::new(),
            leaving: BTreeSet::new(),
            outvoted: 0,
        });
        let main = candidate(main_name.clone());
        let ownership = match &shards {
            Some(shards) => Ownership::new(shards.candidates.iter().map(Candidate::tenure)),
            None => Ownership::new([main.tenure()]),
        };
        Self { leases, main, shards, ownership }
    }

    /// How long this replica publishes.
    pub(crate) fn leads(&self) -> Tenure {
        self.main.tenure()
    }

    /// The workspaces of this replica.
    pub(crate) fn ownership(&self) -> Ownership {
        self.ownership.clone()
    }

    /// Competes until `done`, and then leaves everything to others; who works must have stopped
    /// by then.
    pub(crate) async fn run(mut self, board: &Board, done: &CancellationToken) {
        let period = self.leases.options().retry_period;
        while !done.is_cancelled() {
            tokio::select! {
                () = self.round(board) => {}
                () = done.cancelled() => break,
            }
            let pause = period.mul_f64(rand::rng().random_range(1.0..JITTER));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = done.cancelled() => {}
            }
        }
        self.resign().await;
    }

    async fn round(&mut self, board: &Board) {
        let Self { leases, main, shards, ownership } = self;
        if let Some(shards) = shards
            && let Err(error) = shards.member.campaign().await
        {
            // Who leads without being known to be alive would be taken for one who has no shards.
            return failed(shards.member.name(), &error);
        }
        let leader = main.holder().map(ToOwned::to_owned);
        let share = async {
            let Some(shards) = shards else { return };
            if let Err(error) = shards.round(leases, ownership, leader.as_deref()).await {
                failed("of the shards", &error);
            }
        };
        let (result, ()) = tokio::join!(main.campaign(), share);
        if let Err(error) = result {
            failed(main.name(), &error);
        }
        let is_leader = main.tenure().is_held();
        let leader = main.holder().map(ToOwned::to_owned);
        let held = self.shards.as_ref().map(|shards| shards.held().into_iter().collect());
        board.update(|status| {
            if is_leader != status.is_leader {
                tracing::info!(identity = leases.options().identity, is_leader, "agent.leads");
            }
            (status.is_leader, status.leader, status.shards) = (is_leader, leader.clone(), held.clone());
        });
    }

    async fn resign(&mut self) {
        let shards = self.shards.iter_mut();
        let candidates = shards.flat_map(|shards| shards.candidates.iter_mut()).chain([&mut self.main]);
        let resigned = candidates.map(async |candidate| {
            if let Err(error) = candidate.resign().await {
                failed(candidate.name(), &error);
            }
        });
        join_all(resigned).await;
        // Only now, so that nobody misses this replica while it still holds something.
        if let Some(shards) = &mut self.shards {
            let name = shards.member.name().to_owned();
            let resigned = shards.member.resign().await;
            if let Err(error) = match resigned {
                Ok(()) => self.leases.delete(&name, None).await,
                Err(error) => Err(error),
            } {
                failed(&name, &error);
            }
        }
    }
}

impl Shards {
    async fn round(&mut self, leases: &Leases, ownership: &Ownership, leader: Option<&str>) -> Result<(), Error> {
        let listed = leases.list().await?;
        let members = self.members(leases, &listed).await;
        for candidate in &mut self.candidates {
            candidate.hear(listed.get(candidate.name()).cloned());
        }
        // An agent without shards works on all workspaces as long as it leads. One look may be
        // wrong, for the members were listed at another time.
        let is_outvoted = leader.is_some_and(|leader| !members.contains(leader));
        self.outvoted = if is_outvoted { self.outvoted + 1 } else { 0 };
        let (held, free) = (self.held(), self.free());
        let count = self.candidates.len();
        let Moves { take, leave } = match self.outvoted {
            0 => View { me: &leases.options().identity, members: &members, count, held: &held, free: &free }.moves(),
            1 => Moves::default(),
            _ => Moves { leave: held.iter().copied().collect(), take: Vec::new() },
        };
        self.leaving.extend(leave);
        let is_kept = |shard: &usize| held.contains(shard) || take.contains(shard) || self.leaving.contains(shard);
        let candidates = self.candidates.iter_mut().enumerate().filter(|(shard, _)| is_kept(shard));
        let bids = candidates.map(async |(_, candidate)| {
            if let Err(error) = candidate.bid().await {
                failed(candidate.name(), &error);
            }
        });
        join_all(bids).await;
        self.leave(ownership, leases.options().retry_period / 2).await;
        Ok(())
    }

    /// Leaves those shards in which nothing is under way any more, or soon.
    async fn leave(&mut self, ownership: &Ownership, patience: Duration) {
        let leaving = &self.leaving;
        let candidates = self.candidates.iter_mut().enumerate().filter(|(shard, _)| leaving.contains(shard));
        let left = candidates.map(async |(shard, candidate)| {
            tokio::time::timeout(patience, ownership.close(shard)).await.ok()?;
            if let Err(error) = candidate.resign().await {
                failed(candidate.name(), &error);
            }
            // Nobody holds it here any more, whatever became of the write.
            ownership.open(shard);
            Some(shard)
        });
        for shard in join_all(left).await.into_iter().flatten() {
            self.leaving.remove(&shard);
        }
    }

    /// The replicas that are alive, as far as this one knows.
    async fn members(&mut self, leases: &Leases, listed: &BTreeMap<String, Lease>) -> BTreeSet<String> {
        let prefix = member_prefix(leases.agent());
        let now = leases.now();
        self.others.retain(|name, _| listed.contains_key(name));
        let mut gone = Vec::new();
        for (name, lease) in listed.iter().filter(|(name, _)| name.starts_with(&prefix)) {
            let other = self.others.entry(name.clone()).or_insert_with(|| Election::new(leases.options()));
            other.observe(Some(seen(lease)), now);
            if name != self.member.name() && other.is_silent_for(leases.options().duration * KEPT, now) {
                gone.push((name, lease.metadata.resource_version.clone()));
            }
        }
        for (name, version) in gone {
            if let Err(error) = leases.delete(name, version).await {
                failed(name, &error);
            }
        }
        self.others.values().filter_map(|other| other.holder(now)).map(ToOwned::to_owned).collect()
    }

    fn held(&self) -> BTreeSet<usize> {
        self.which(|shard, candidate| candidate.tenure().is_held() && !self.leaving.contains(&shard))
    }

    fn free(&self) -> BTreeSet<usize> {
        self.which(|shard, candidate| {
            candidate.is_free() && !candidate.tenure().is_held() && !self.leaving.contains(&shard)
        })
    }

    fn which(&self, is_it: impl Fn(usize, &Candidate) -> bool) -> BTreeSet<usize> {
        self.candidates.iter().enumerate().filter(|(at, candidate)| is_it(*at, candidate)).map(|(at, _)| at).collect()
    }
}

fn member_prefix(agent: &str) -> String {
    format!("syncagent.{agent}.member-")
}

/// An identity need not be fit for a name.
fn member_name(agent: &str, identity: &str) -> String {
    member_prefix(agent) + &hash::sha1_short(identity)
}

/// Somebody else being quicker is how it should be.
fn failed(lease: &str, error: &Error) {
    if error.kind() == ErrorKind::Stale {
        tracing::debug!(lease, error = %Chain(error), "lease.missed");
    } else {
        tracing::warn!(lease, error = %Chain(error), "lease.failed");
    }
}
