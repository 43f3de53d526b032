//! Keeps what a collector knows, after a while.

use std::time::Duration;

use kdp_core::{
    Error, ErrorKind,
    reconcile::{Chain, backoff},
};
use tokio::time::{Instant, timeout_at};

use super::Insight;
use crate::insight::{
    PAGES,
    store::{LARGEST, Store},
};

/// When and how pages are kept.
#[derive(Debug)]
pub(super) struct Saving {
    store: Store,
    after: Duration,
    patience: Duration,
    due: Option<Instant>,
    failures: u32,
    /// Whether another collector keeps this journal by now.
    is_superseded: bool,
}

impl Saving {
    pub(super) fn new(store: Store, after: Duration, patience: Duration) -> Self {
        Self { store, after, patience, due: None, failures: 0, is_superseded: false }
    }

    /// Brings back all pages. One that cannot be read is set aside, and begins anew.
    pub(super) async fn load(&mut self, insight: &Insight) -> Result<(), Error> {
        for page in 0..PAGES {
            let Some(text) = self.store.load(page).await? else { continue };
            if let Err(error) = insight.restore(page, &text, &self.store.object(page)) {
                tracing::error!(error = %Chain(&error), "insight.damaged");
                self.store.set_aside(page, text);
            }
        }
        Ok(())
    }

    /// When there is something to be kept, if there is.
    pub(super) fn due(&mut self, insight: &Insight) -> Option<Instant> {
        if self.is_superseded || !insight.has_changed() {
            return None;
        }
        Some(*self.due.get_or_insert_with(|| Instant::now() + self.after))
    }

    /// Keeps what is not kept yet, as far as patience lasts. What fails is tried again later.
    pub(super) async fn save(&mut self, insight: &Insight) {
        self.due = None;
        if self.is_superseded {
            return;
        }
        let mut has_failed = false;
        let deadline = Instant::now() + self.patience;
        for (page, text) in insight.take_changed(LARGEST) {
            let saved = match text {
                Ok(text) => self.write(page, &text, deadline).await,
                Err(error) => Err(Error::new(ErrorKind::Internal, "write", self.store.object(page), "it is no JSON")
                    .with_source(error)),
            };
            match saved {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Stale => {
                    tracing::warn!(error = %Chain(&error), "insight.superseded");
                    self.is_superseded = true;
                    return;
                }
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "insight.save");
                    has_failed = true;
                    insight.put_back(page);
                }
            }
        }
        self.failures = if has_failed { self.failures + 1 } else { 0 };
        if has_failed {
            self.due = Some(Instant::now() + backoff(self.failures).max(self.after));
        }
    }

    async fn write(&mut self, page: usize, text: &str, deadline: Instant) -> Result<(), Error> {
        let object = self.store.object(page);
        let written = timeout_at(deadline, self.store.save(page, text)).await;
        written.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, "write", object, "no answer")))
    }
}
