//! How long somebody may work.

use std::future::Future;

use futures::future::select_all;
use tokio::{sync::watch, time::Instant};

/// The time in which a Lease is held. Clones tell the same.
///
/// It ends by itself when nobody renews it, however the one who should is held up.
#[derive(Clone, Debug)]
pub(crate) struct Tenure(Option<watch::Receiver<Held>>);

/// What is known of a Lease at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// Counts how often it was got, or renewed too late.
    number: u64,
    begins_until: Instant,
    works_until: Instant,
}

/// The side that renews.
#[derive(Debug)]
pub(crate) struct Renewal(watch::Sender<Held>);

impl Tenure {
    /// A tenure without a Lease, and without an end.
    pub(crate) fn forever() -> Self {
        Self(None)
    }

    /// Whether new work may be begun now.
    pub(crate) fn is_held(&self) -> bool {
        self.0.as_ref().is_none_or(|held| Instant::now() < held.borrow().begins_until)
    }

    /// Completes once nothing may be under way any more. Cancel-safe.
    pub(crate) async fn ended(&self) {
        let Some(held) = &self.0 else { return std::future::pending().await };
        let began = held.borrow().number;
        loop {
            let Held { number, works_until, .. } = *held.borrow();
            // Whoever was not woken in time does not go on in a time that has begun since.
            if number != began || Instant::now() >= works_until {
                return;
            }
            tokio::time::sleep_until(works_until).await;
        }
    }

    /// Does `work` as long as it is allowed; `None` when it was cut off, wherever it was.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.ended() => None,
            done = work => Some(done),
        }
    }

    /// Whether nothing may be under way any more.
    fn is_over(&self) -> bool {
        self.0.as_ref().is_some_and(|held| Instant::now() >= held.borrow().works_until)
    }

    /// Which time it is held, counted from one; zero as long as it never was.
    pub(crate) fn number(&self) -> u64 {
        self.0.as_ref().map_or(1, |held| held.borrow().number)
    }

    /// Completes when it was got, renewed or left, or never. Cancel-safe.
    async fn changed(&mut self) {
        let is_renewed = match &mut self.0 {
            Some(held) => held.changed().await.is_ok(),
            None => false,
        };
        if !is_renewed {
            std::future::pending().await
        }
    }
}

impl Renewal {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self(watch::Sender::new(Held { number: 0, begins_until: now, works_until: now }))
    }

    pub(crate) fn tenure(&self) -> Tenure {
        Tenure(Some(self.0.subscribe()))
    }

    /// Says until when the Lease is held.
    pub(crate) fn until(&self, begins_until: Instant, works_until: Instant) {
        self.0.send_modify(|held| {
            // Who asked in between was told that it is not held, so this is another time.
            let was_held = Instant::now() < held.begins_until;
            *held = Held { number: held.number + u64::from(!was_held), begins_until, works_until };
        });
    }

    /// Says that the Lease is not held.
    pub(super) fn end(&self) {
        self.0.send_modify(|held| {
            let now = Instant::now();
            (held.begins_until, held.works_until) = (held.begins_until.min(now), held.works_until.min(now));
        });
    }
}

/// Tells which of several tenures have begun.
#[derive(Debug)]
pub(crate) struct Beginnings {
    tenures: Vec<Tenure>,
    seen: Vec<u64>,
}

impl Beginnings {
    /// Those that begin from now on.
    pub(crate) fn new(tenures: impl IntoIterator<Item = Tenure>) -> Self {
        let tenures: Vec<_> = tenures.into_iter().collect();
        let seen = tenures.iter().map(Tenure::number).collect();
        Self { tenures, seen }
    }

    /// The positions of those that have begun since the last call, at least one. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Vec<usize> {
        loop {
            let mut begun = Vec::new();
            for (at, (tenure, seen)) in self.tenures.iter().zip(&mut self.seen).enumerate() {
                let number = tenure.number();
                if std::mem::replace(seen, number) != number {
                    begun.push(at);
                }
            }
            if !begun.is_empty() {
                return begun;
            }
            if self.tenures.is_empty() {
                return std::future::pending().await;
            }
            let changes = self.tenures.iter_mut().map(|tenure| Box::pin(tenure.changed()));
            select_all(changes).await;
        }
    }
}

/// Tells which of several tenures have ended.
#[derive(Debug)]
pub(crate) struct Endings {
    tenures: Vec<Tenure>,
    held: Vec<bool>,
}

impl Endings {
    /// Those that end from now on.
    pub(crate) fn new(tenures: impl IntoIterator<Item = Tenure>) -> Self {
        let tenures: Vec<_> = tenures.into_iter().collect();
        let held = tenures.iter().map(|tenure| !tenure.is_over()).collect();
        Self { tenures, held }
    }

    /// The positions of those that have ended since the last call, at least one. One that has begun
    /// again meanwhile is not told. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Vec<usize> {
        loop {
            let mut ended = Vec::new();
            for (at, (tenure, held)) in self.tenures.iter().zip(&mut self.held).enumerate() {
                let is_over = tenure.is_over();
                if std::mem::replace(held, !is_over) && is_over {
                    ended.push(at);
                }
            }
            if !ended.is_empty() {
                return ended;
            }
            if self.tenures.is_empty() {
                return std::future::pending().await;
            }
            let changes = self.tenures.iter_mut().zip(&self.held).map(|(tenure, held)| {
                Box::pin(async move { if *held { tenure.ended().await } else { tenure.changed().await } })
            });
            select_all(changes).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn renew(renewal: &Renewal) {
        let now = Instant::now();
        renewal.until(now + 10 * SECOND, now + 12 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_begun_and_ended_in_time_though_nobody_says_so() {
        let renewal = Renewal::new();
        let tenure = renewal.tenure();
        assert!(!tenure.is_held());
        assert_eq!(tenure.within(async { 1 }).await, None);
        renew(&renewal);
        assert_eq!(tenure.within(async { 1 }).await, Some(1));
        let work = tokio::spawn({
            let tenure = tenure.clone();
            let started = Instant::now();
            async move { (tenure.within(std::future::pending::<()>()).await, started.elapsed()) }
        });
        tokio::time::sleep(9 * SECOND).await;
        assert!(tenure.is_held());
        renew(&renewal);
        tokio::time::sleep(10 * SECOND).await;
        assert!(!tenure.is_held());
        let (done, after) = work.await.unwrap();
        assert!(done.is_none() && after >= 21 * SECOND && after < 22 * SECOND, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_came_too_late_is_a_new_beginning() {
        let renewal = Renewal::new();
        let mut beginnings = Beginnings::new([Tenure::forever(), renewal.tenure()]);
        renew(&renewal);
        assert_eq!(beginnings.next().await, [1]);
        renew(&renewal);
        assert!(tokio::time::timeout(SECOND, beginnings.next()).await.is_err());
        tokio::time::sleep(11 * SECOND).await;
        renew(&renewal);
        assert_eq!(beginnings.next().await, [1]);
        renewal.end();
        assert!(tokio::time::timeout(SECOND, beginnings.next()).await.is_err());
        renew(&renewal);
        assert_eq!(beginnings.next().await, [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_is_told_once_each_time() {
        let renewal = Renewal::new();
        let mut endings = Endings::new([Tenure::forever(), renewal.tenure()]);
        assert!(tokio::time::timeout(SECOND, endings.next()).await.is_err(), "it was never held");
        for _ in 0..2 {
            renew(&renewal);
            assert!(tokio::time::timeout(11 * SECOND, endings.next()).await.is_err());
            assert_eq!(endings.next().await, [1]);
            assert!(tokio::time::timeout(SECOND, endings.next()).await.is_err());
        }
    }

    #[tokio::test]
    async fn without_a_lease_work_goes_on_forever() {
        let tenure = Tenure::forever();
        assert!(tenure.is_held());
        assert_eq!(tenure.within(async { 1 }).await, Some(1));
    }
}
