//! The two ends of a watch.

#[cfg(test)]
mod tests;

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::mpsc::{self, error::TrySendError};

use super::Event;

/// The changes of a prefix.
///
/// A reader that falls too far behind is cut off: after what was queued comes one
/// [`WatchError::Lagged`], and then the stream ends.
pub struct Watch {
    /// History, kept apart from the channel so that its length is not bound by the channel's.
    replay: VecDeque<Arc<Event>>,
    live: mpsc::Receiver<Arc<Event>>,
    lagged: Arc<AtomicBool>,
    /// Dropped with the watch.
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Watch {
    /// A watch for a store to feed: first `replay`, then what is sent, of which at most `capacity`
    /// events wait for the reader.
    #[must_use]
    pub fn channel(replay: Vec<Arc<Event>>, capacity: usize) -> (WatchSender, Self) {
        let (sender, live) = mpsc::channel(capacity);
        let lagged = Arc::new(AtomicBool::new(false));
        let watch = Self { replay: replay.into(), live, lagged: Arc::clone(&lagged), _guard: None };
        (WatchSender { live: Some(sender), lagged }, watch)
    }

    /// Drops `guard` together with the watch, so that a store can tell that nobody reads any more.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self._guard = Some(Box::new(guard));
        self
    }

    /// The next change; `None` when the store was closed or the watch was cut off. Cancel-safe.
    ///
    /// # Errors
    /// When the watch cannot go on; it ends after that.
    pub async fn next(&mut self) -> Option<Result<Arc<Event>, WatchError>> {
        if let Some(event) = self.replay.pop_front() {
            return Some(Ok(event));
        }
        match self.live.recv().await {
            Some(event) => Some(Ok(event)),
            None => self.end(),
        }
    }

    /// The next change if it is there; `None` when there is none yet or none any more.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub fn try_next(&mut self) -> Option<Result<Arc<Event>, WatchError>> {
        if let Some(event) = self.replay.pop_front() {
            return Some(Ok(event));
        }
        match self.live.try_recv() {
            Ok(event) => Some(Ok(event)),
            Err(mpsc::error::TryRecvError::Empty) => None,
            Err(mpsc::error::TryRecvError::Disconnected) => self.end(),
        }
    }

    /// Says once why the stream ended early.
    fn end(&self) -> Option<Result<Arc<Event>, WatchError>> {
        self.lagged.swap(false, Ordering::AcqRel).then_some(Err(WatchError::Lagged))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("waiting", &(self.replay.len() + self.live.len())).finish_non_exhaustive()
    }
}

/// The store's end of a [`Watch`]. Dropping it ends the watch.
#[derive(Debug)]
pub struct WatchSender {
    /// `None` once the watch has ended.
    live: Option<mpsc::Sender<Arc<Event>>>,
    lagged: Arc<AtomicBool>,
}

impl WatchSender {
    /// Queues an event without blocking, and says whether the watch goes on. A reader without room
    /// for it is cut off.
    pub fn send(&mut self, event: Arc<Event>) -> bool {
        let Some(live) = &self.live else { return false };
        match live.try_send(event) {
            Ok(()) => return true,
            Err(TrySendError::Closed(_)) => {}
            // Before the sender goes, as its end is what makes the reader look.
            Err(TrySendError::Full(_)) => self.lagged.store(true, Ordering::Release),
        }
        self.live = None;
        false
    }
}

/// Why a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The reader was too slow.
    #[error("the watch fell too far behind and was cut off; start again from a new list")]
    Lagged,
}
