//! What is kept for the logical clusters that are asked for most lately.

use std::{collections::HashMap, sync::Arc};

use kdp_core::LogicalClusterName;

/// A bounded number of caches, one for each logical cluster.
///
/// When there is no room for another one, a hand goes round and takes the first that was not used since
/// it last came by: a busy logical cluster keeps its cache, however many others are asked for once.
///
/// Whoever fills a cache takes it before reading anything. What it holds is forgotten by putting a new
/// one in its place, so what was read before the change ends up where nobody looks any more.
#[derive(Debug)]
pub(super) struct Caches<V> {
    places: HashMap<LogicalClusterName, usize>,
    slots: Vec<Slot<V>>,
    hand: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Slot<V> {
    cluster: LogicalClusterName,
    cache: Arc<V>,
    /// Whether it was used since the hand last came by.
    is_used: bool,
}

impl<V: Default> Caches<V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { places: HashMap::new(), slots: Vec::new(), hand: 0, capacity }
    }

    /// The cache of a logical cluster, an empty one if there was none.
    pub(super) fn of(&mut self, cluster: &LogicalClusterName) -> Arc<V> {
        if let Some(slot) = self.places.get(cluster).and_then(|place| self.slots.get_mut(*place)) {
            slot.is_used = true;
            return Arc::clone(&slot.cache);
        }
        let cache = Arc::<V>::default();
        let slot = Slot { cluster: cluster.clone(), cache: Arc::clone(&cache), is_used: false };
        let place = if self.slots.len() < self.capacity {
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            let place = self.give_way();
            let before = std::mem::replace(&mut self.slots[place], slot);
            self.places.remove(&before.cluster);
            place
        };
        self.places.insert(cluster.clone(), place);
        cache
    }

    /// Forgets what is known of a logical cluster.
    pub(super) fn forget(&mut self, cluster: &LogicalClusterName) {
        if let Some(slot) = self.places.get(cluster).and_then(|place| self.slots.get_mut(*place)) {
            slot.cache = Arc::default();
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }

    /// The place of a cache that was not used lately.
    fn give_way(&mut self) -> usize {
        loop {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            // After one round nothing counts as used any more, so this ends.
            if !std::mem::take(&mut self.slots[place].is_used) {
                return place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    fn name(name: &str) -> LogicalClusterName {
        name.parse().unwrap()
    }

    fn filled(caches: &mut Caches<Mutex<u8>>, cluster: &str) -> u8 {
        *caches.of(&name(cluster)).lock()
    }

    #[test]
    fn what_is_used_stays_and_the_number_is_bounded() {
        let mut caches = Caches::<Mutex<u8>>::new(3);
        *caches.of(&name("busy")).lock() = 7;
        for i in 0..100 {
            assert_eq!(filled(&mut caches, "busy"), 7);
            caches.of(&name(&format!("once{i}")));
            assert!(caches.slots.len() <= 3 && caches.places.len() == caches.slots.len());
        }
        for i in 200..206 {
            caches.of(&name(&format!("once{i}")));
        }
        assert_eq!(filled(&mut caches, "busy"), 0, "it was not used any more");
    }

    #[test]
    fn what_is_read_before_a_change_is_not_found_after_it() {
        let mut caches = Caches::<Mutex<u8>>::new(3);
        let loading = caches.of(&name("a"));
        caches.forget(&name("a"));
        *loading.lock() = 1;
        assert_eq!(filled(&mut caches, "a"), 0);
        let loading = caches.of(&name("a"));
        caches.clear();
        *loading.lock() = 1;
        assert_eq!(filled(&mut caches, "a"), 0);
    }
}
