//! One after the other for whoever would otherwise only get in each other's way.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The turns at each place; a place exists while somebody is there.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    places: Mutex<HashMap<String, Weak<AsyncMutex<()>>>>,
}

impl Turns {
    /// Waits for the turn at `place`, which lasts until the guard is dropped. Cancel-safe.
    pub(crate) async fn take(&self, place: &str) -> OwnedMutexGuard<()> {
        let turn = self.place(place);
        turn.lock_owned().await
    }

    fn place(&self, place: &str) -> Arc<AsyncMutex<()>> {
        let mut places = self.places.lock();
        if let Some(turn) = places.get(place).and_then(Weak::upgrade) {
            return turn;
        }
        places.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        places.insert(place.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_are_taken_at_one_place_and_leave_nothing_behind() {
        let turns = Turns::default();
        let first = turns.take("a").await;
        let _elsewhere = turns.take("b").await;
        let mut second = Box::pin(turns.take("a"));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        drop(second.await);
        for i in 0..100 {
            drop(turns.take(&format!("place-{i}")).await);
        }
        assert!(turns.places.lock().len() <= 2);
    }
}
