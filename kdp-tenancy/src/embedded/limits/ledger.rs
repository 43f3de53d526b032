//! What each workspace uses, together with everything below it.
//!
//! Pure and synchronous. What is used comes from the store's events alone; what is about to be
//! written is reserved before the commit, and stays reserved until its events have been counted, so
//! that at no moment something is in neither.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::{AddAssign, SubAssign},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::store::Revision;

/// How long a reservation is kept whose write was given up before its outcome was known: such a
/// write may still be made.
const GIVEN_UP: Duration = Duration::from_secs(10);

/// Objects, and the bytes that they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

impl SubAssign for Usage {
    fn sub_assign(&mut self, other: Self) {
        self.objects = self.objects.saturating_sub(other.objects);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

/// The logical clusters from one up to the top of the tree.
pub(super) type Lineage = Vec<Arc<str>>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    accounts: HashMap<Arc<str>, Account>,
    /// What is about to be written, by the clusters that it counts for.
    reserved: HashMap<Arc<str>, Usage>,
    /// Reservations of writes that were made, until their events are counted.
    made: BTreeMap<Revision, Vec<(Lineage, Usage)>>,
    /// Reservations of writes whose outcome nobody waited for, oldest first.
    given_up: VecDeque<(Instant, Lineage, Usage)>,
    /// Everything up to this revision is counted.
    counted: Revision,
}

/// One logical cluster; the only state that every workspace has.
#[derive(Debug, Default)]
struct Account {
    parent: Option<Arc<str>>,
    /// Of the cluster and all below it.
    usage: Usage,
}

impl Ledger {
    /// Exchanges what is used with what another one counted.
    pub(super) fn adopt(&mut self, counted: &mut Self) {
        std::mem::swap(&mut self.accounts, &mut counted.accounts);
    }

    /// Counts one change in a logical cluster.
    pub(super) fn record(&mut self, cluster: &str, gained: Usage, lost: Usage) {
        if gained == lost {
            return;
        }
        let name = self.open(cluster);
        self.each_above(name, |usage| {
            *usage += gained;
            *usage -= lost;
        });
        self.close_if_empty(cluster);
    }

    /// Puts a logical cluster below another one; what it uses counts there too.
    pub(super) fn link(&mut self, child: &str, parent: &str) {
        let is_linked = self.accounts.get(child).is_some_and(|account| account.parent.as_deref() == Some(parent));
        // A cluster cannot be above itself; such an object is not from this server.
        if is_linked || self.lineage(parent).iter().any(|above| &**above == child) {
            return;
        }
        self.unlink(child);
        let (child, parent) = (self.open(child), self.open(parent));
        let account = self.accounts.entry(child).or_default();
        account.parent = Some(Arc::clone(&parent));
        let usage = account.usage;
        self.each_above(parent, |above| *above += usage);
    }

    /// Takes a logical cluster out of the tree.
    pub(super) fn unlink(&mut self, child: &str) {
        let Some(account) = self.accounts.get_mut(child) else { return };
        let usage = account.usage;
        if let Some(parent) = account.parent.take() {
            self.each_above(Arc::clone(&parent), |above| *above -= usage);
            self.close_if_empty(&parent);
        }
        self.close_if_empty(child);
    }

    /// What a logical cluster and all below it use, as far as events tell.
    pub(super) fn usage(&self, cluster: &str) -> Usage {
        self.accounts.get(cluster).map(|account| account.usage).unwrap_or_default()
    }

    /// The same, with what is about to be written.
    pub(super) fn claimed(&self, cluster: &str) -> Usage {
        let mut usage = self.usage(cluster);
        usage += self.reserved.get(cluster).copied().unwrap_or_default();
        usage
    }

    /// The logical clusters that what is in `cluster` counts for: itself first, the top last.
    pub(super) fn lineage(&self, cluster: &str) -> Lineage {
        let mut lineage = Vec::new();
        let mut next = self.accounts.get_key_value(cluster).map(|(name, _)| Arc::clone(name));
        if next.is_none() {
            lineage.push(cluster.into());
        }
        while let Some(name) = next {
            next = self.accounts.get(&name).and_then(|account| account.parent.clone());
            lineage.push(name);
        }
        lineage
    }

    /// Holds room for a write.
    pub(super) fn reserve(&mut self, lineage: &[Arc<str>], usage: Usage) {
        for cluster in lineage {
            *self.reserved.entry(Arc::clone(cluster)).or_default() += usage;
        }
    }

    /// Gives room back at once: the write was not made.
    pub(super) fn release(&mut self, lineage: &[Arc<str>], usage: Usage) {
        for cluster in lineage {
            if let Some(reserved) = self.reserved.get_mut(cluster) {
                *reserved -= usage;
                if *reserved == Usage::default() {
                    self.reserved.remove(cluster);
                }
            }
        }
    }

    /// Gives room back when the events of `revision` are counted: the write was made.
    pub(super) fn release_at(&mut self, revision: Revision, lineage: Lineage, usage: Usage) {
        if revision <= self.counted {
            self.release(&lineage, usage);
        } else {
            self.made.entry(revision).or_default().push((lineage, usage));
        }
    }

    /// Gives room back after a while: nobody knows whether the write will be made.
    pub(super) fn release_later(&mut self, now: Instant, lineage: Lineage, usage: Usage) {
        self.given_up.push_back((now + GIVEN_UP, lineage, usage));
    }

    /// Gives back the room of writes that were given up long enough ago.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.given_up.front().is_some_and(|(until, ..)| *until <= now) {
            if let Some((_, lineage, usage)) = self.given_up.pop_front() {
                self.release(&lineage, usage);
            }
        }
    }

    /// Everything up to `revision` is counted now.
    pub(super) fn counted(&mut self, revision: Revision) {
        self.counted = revision;
        let later = self.made.split_off(&Revision(revision.0 + 1));
        for (lineage, usage) in std::mem::replace(&mut self.made, later).into_values().flatten() {
            self.release(&lineage, usage);
        }
    }

    fn open(&mut self, cluster: &str) -> Arc<str> {
        if let Some((name, _)) = self.accounts.get_key_value(cluster) {
            return Arc::clone(name);
        }
        let name: Arc<str> = cluster.into();
        self.accounts.insert(Arc::clone(&name), Account::default());
        name
    }

    fn close_if_empty(&mut self, cluster: &str) {
        let is_empty = |account: &Account| account.parent.is_none() && account.usage == Usage::default();
        if self.accounts.get(cluster).is_some_and(is_empty) {
            self.accounts.remove(cluster);
        }
    }

    fn each_above(&mut self, cluster: Arc<str>, mut change: impl FnMut(&mut Usage)) {
        let mut next = Some(cluster);
        while let Some(name) = next {
            let account = self.accounts.entry(name).or_default();
            change(&mut account.usage);
            next = account.parent.clone();
        }
    }
}
