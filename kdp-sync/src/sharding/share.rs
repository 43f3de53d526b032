//! How shards are divided among replicas.
//!
//! A replica takes free shards until it has its share, and leaves what it has beyond. Nobody has to
//! agree with anybody: who holds a shard is said by its Lease alone, and when all see the same
//! replicas, their shares add up to all shards.

use std::collections::BTreeSet;

/// What a replica sees.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    pub(super) me: &'a str,
    /// Everybody alive; this replica counts in any case.
    pub(super) members: &'a BTreeSet<String>,
    /// How many shards there are.
    pub(super) count: usize,
    pub(super) held: &'a BTreeSet<usize>,
    pub(super) free: &'a BTreeSet<usize>,
}

/// What a replica does about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    pub(super) take: Vec<usize>,
    pub(super) leave: Vec<usize>,
}

impl View<'_> {
    pub(super) fn moves(&self) -> Moves {
        let (share, rank) = self.share();
        let surplus = self.held.len().saturating_sub(share);
        let missing = share.saturating_sub(self.held.len());
        // Each begins elsewhere, so that replicas seldom want the same one.
        let free: Vec<_> = self.free.iter().copied().collect();
        let from = if free.is_empty() { 0 } else { rank * share % free.len() };
        let take = free.iter().cycle().skip(from).take(missing.min(free.len())).copied().collect();
        Moves { take, leave: self.held.iter().rev().take(surplus).copied().collect() }
    }

    /// How many shards are this replica's, and how many replicas come before it.
    fn share(&self) -> (usize, usize) {
        let rank = self.members.iter().filter(|member| member.as_str() < self.me).count();
        let others = self.members.iter().filter(|member| member.as_str() != self.me).count();
        let members = others + 1;
        (self.count / members + usize::from(rank < self.count % members), rank)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Replicas that see one another act in the order given until nobody moves; two rounds must do.
    fn settle(count: usize, holders: &mut [Option<usize>], members: &BTreeSet<String>) -> usize {
        let names: Vec<_> = members.iter().cloned().collect();
        for round in 0.. {
            let mut is_quiet = true;
            for (at, me) in names.iter().enumerate() {
                let of = |who: Option<usize>| (0..count).filter(|shard| holders[*shard] == who).collect();
                let (held, free): (BTreeSet<_>, BTreeSet<_>) = (of(Some(at)), of(None));
                let Moves { take, leave } = View { me, members, count, held: &held, free: &free }.moves();
                is_quiet &= take.is_empty() && leave.is_empty();
                take.iter().for_each(|shard| holders[*shard] = Some(at));
                leave.iter().for_each(|shard| holders[*shard] = None);
            }
            if is_quiet {
                return round;
            }
            assert!(round < 10, "they never come to rest: {holders:?}");
        }
        unreachable!("the loop has no end")
    }

    proptest! {
        #[test]
        fn everything_is_held_evenly_soon(
            count in 1..64usize,
            members in 1..7usize,
            holders in prop::collection::vec(prop::option::of(0..7usize), 64),
        ) {
            let names = (0..members).map(|at| format!("m{at}")).collect();
            let mut holders: Vec<_> = holders[..count].iter().map(|holder| holder.filter(|at| *at < members)).collect();
            let before = holders.clone();
            let rounds = settle(count, &mut holders, &names);
            prop_assert!(rounds <= 2, "{rounds} rounds");
            let held = |at| holders.iter().filter(|holder| **holder == Some(at)).count();
            let counts: Vec<_> = (0..members).map(held).collect();
            prop_assert_eq!(counts.iter().sum::<usize>(), count);
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{:?}", counts);
            // What somebody keeps is as much as may be.
            for at in 0..members {
                let kept = (0..count).filter(|shard| before[*shard] == Some(at) && holders[*shard] == Some(at)).count();
                let had = before.iter().filter(|holder| **holder == Some(at)).count();
                prop_assert_eq!(kept, had.min(counts[at]));
            }
        }
    }

    #[test]
    fn a_replica_counts_itself_though_it_does_not_see_itself() {
        let (held, free) = (BTreeSet::new(), BTreeSet::from([0, 1, 2, 3]));
        let members = BTreeSet::from(["other".to_owned()]);
        let moves = View { me: "me", members: &members, count: 4, held: &held, free: &free }.moves();
        assert_eq!((moves.take.len(), moves.leave.len()), (2, 0));
    }
}
