//! Leases: which of several replicas of an agent works.
//!
//! The rules and the objects are those of Kubernetes' `client-go` (`tools/leaderelection`), so that
//! replicas of both kinds can compete for one Lease. [`election`] decides, [`candidate`] asks the API
//! server, and a [`Tenure`] tells those who work how long they may.

mod candidate;
mod election;
mod tenure;

use std::time::Duration;

use kdp_core::{Error, ErrorKind};

#[cfg(test)]
pub(crate) use self::tenure::Renewal;
pub(crate) use self::{
    candidate::{Candidate, Leases, seen},
    election::Election,
    tenure::{Beginnings, Endings, Tenure},
};

/// How several replicas of an agent compete, by Leases in the agent's state namespace.
///
/// The Lease is `syncagent.<agent>`, as with kcp's api-syncagent, and replicas of both never work at
/// the same time. The times are those that Kubernetes' own controllers use, unless others are said.
///
/// Nobody compares clocks: a Lease has run out for a replica when it has not changed for as long
/// as it says, by that replica's own measure.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LeaseOptions {
    /// Who this replica is; no two that run at a time may share it.
    pub identity: String,
    /// How long a Lease is left to its holder after it was last renewed; whole seconds.
    pub duration: Duration,
    /// After how long without a renewal a holder gives up. It ends what is under way at the middle
    /// between this and `duration`, before anybody else begins.
    pub renew_deadline: Duration,
    /// How often a replica tries to get or to renew a Lease.
    pub retry_period: Duration,
}

impl LeaseOptions {
    /// A replica `name`, such as its Pod, with 15 seconds, 10 seconds and 2 seconds.
    ///
    /// Something random is added to the name, so that a replica that is started anew under its name
    /// is another one.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self {
            identity: format!("{}_{:016x}", name.as_ref(), rand::random::<u64>()),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }

    /// With other times: how long a Lease lasts, when its holder gives up, and how often to try.
    #[must_use]
    pub fn with_times(mut self, duration: Duration, renew_deadline: Duration, retry_period: Duration) -> Self {
        (self.duration, self.renew_deadline, self.retry_period) = (duration, renew_deadline, retry_period);
        self
    }

    /// Checks the rules of `client-go`: a replica may try at least once, with jitter, before it
    /// gives up, and gives up before others begin.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let tries = self.retry_period.mul_f64(JITTER);
        let is_right = !self.identity.is_empty()
            && !self.retry_period.is_zero()
            && tries < self.renew_deadline
            && self.renew_deadline < self.duration
            && self.duration >= Duration::from_secs(1)
            && self.duration.as_secs() <= i32::MAX.unsigned_abs().into()
            && self.duration.subsec_nanos() == 0;
        if is_right {
            return Ok(());
        }
        let message = "an identity is needed, and the duration, in whole seconds, must be longer than the renew \
                       deadline, which must be longer than 1.2 times the retry period";
        Err(Error::new(ErrorKind::Invalid, "use", "the options of the lease", message))
    }
}

/// A pause is up to this many times as long, so that replicas do not try in step.
pub(crate) const JITTER: f64 = 1.2;
