//! Which group an instance is in.

use std::collections::BTreeMap;

use kube::core::SelectorExt;

use super::{Instance, Plan, Share};

/// Where an instance stands among all: the same number in every process and on every machine.
///
/// The name of the plan goes into it, so that not the same instances are the canaries every time.
pub(super) fn rank(plan: &str, id: &str) -> u64 {
    // FNV-1a; its high bits hardly change with the last bytes, so they are mixed at the end.
    let bytes = plan.bytes().chain([0]).chain(id.bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Finds groups for `joiners`; `members` are the instances that have one, with its index.
///
/// Whoever has a group keeps it. A share is filled in the order of [`rank`], so the answer depends
/// neither on the order of the fleet nor on who computes it. Those that no group takes are left out.
pub(super) fn assign<'a>(
    plan: &Plan,
    members: &[(&'a Instance, usize)],
    mut joiners: Vec<&'a Instance>,
) -> BTreeMap<&'a str, usize> {
    joiners.sort_by_cached_key(|it| (rank(&plan.name, &it.id), it.id.as_str()));
    let all = joiners.clone();
    let mut groups = BTreeMap::new();
    for (index, group) in plan.groups.iter().enumerate() {
        let selects = |it: &Instance| group.selector.as_ref().is_none_or(|selector| selector.matches(&it.labels));
        let room = match group.share {
            Share::Rest => usize::MAX,
            Share::Amount(amount) => {
                let population = members.iter().map(|(it, _)| *it).chain(all.iter().copied());
                let share = amount.rounded_up(population.filter(|it| selects(it)).count());
                share.saturating_sub(members.iter().filter(|(_, at)| *at == index).count())
            }
        };
        let mut taken = 0;
        joiners.retain(|it| {
            if taken == room || !selects(it) {
                return true;
            }
            taken += 1;
            groups.insert(it.id.as_str(), index);
            false
        });
    }
    groups
}

#[cfg(test)]
mod tests;
