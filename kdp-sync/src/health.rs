//! Whether an agent lives, and whether it is of use.

mod contact;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use kube::runtime::watcher;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::{sync::watch, time::Instant};

pub(crate) use self::contact::keep_in_touch;
use crate::{agent::AgentStatus, api::Side, object::ResourceType};

/// How long a side may be out of reach before it counts.
const OUT_OF_REACH: Duration = Duration::from_secs(60);
/// An attempt to begin a watch that has not failed after this long has succeeded.
const CONNECT_DEADLINE: Duration = Duration::from_secs(35);
/// How long the agent's own work may stand still. Its longest step is a few requests, of which each
/// ends after half a minute.
const STUCK: Duration = Duration::from_secs(300);

/// What an agent says of itself. Cloning it is cheap, and all clones are one.
///
/// An agent that is not live should be restarted. One that lives but is not ready waits for something
/// that a restart would not bring: an API server that answers, a watch that is complete, a
/// PublishedResource that can be published.
///
/// A replica that stands by for another one is ready as well. So is an agent whose export nobody binds.
#[derive(Clone)]
pub struct Health {
    status: watch::Receiver<AgentStatus>,
    state: Arc<Mutex<State>>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Its name, of segments that are separated by `/`.
    pub name: String,
    /// What is wrong, in a sentence; nothing when all is well.
    pub fault: Option<String>,
}

#[derive(Default)]
struct State {
    /// What the parts of the agent reported last, by the name of the check.
    reports: BTreeMap<String, Option<Fault>>,
    /// When a side answered last; the start counts as an answer.
    contacts: BTreeMap<&'static str, Instant>,
    /// The PublishedResources of the start that were never published nor refused.
    unhandled: Vec<String>,
    /// Since when the agent's work stands still; none while it waits for something to do.
    busy_since: Option<Instant>,
}

/// What is wrong.
struct Fault {
    reason: String,
    /// When it counts as over if nobody says so; never when absent.
    until: Option<Instant>,
}

impl Check {
    /// Whether all is well.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.fault.is_none()
    }
}

impl Health {
    /// The health of an agent that says this of itself.
    pub(crate) fn new(status: watch::Receiver<AgentStatus>) -> Self {
        Self { status, state: Arc::default() }
    }

    /// The checks that say whether the agent should go on.
    #[must_use]
    pub fn live(&self) -> Vec<Check> {
        self.live_at(Instant::now())
    }

    /// The checks that say whether the agent does all it should.
    #[must_use]
    pub fn ready(&self) -> Vec<Check> {
        self.ready_at(Instant::now())
    }

    fn live_at(&self, now: Instant) -> Vec<Check> {
        let stuck = self.state.lock().busy_since.map(|since| now.duration_since(since)).filter(|busy| *busy > STUCK);
        let fault = stuck.map(|busy| format!("publishing has stood still for {} s", busy.as_secs()));
        vec![Check { name: "publisher".into(), fault }]
    }

    fn ready_at(&self, now: Instant) -> Vec<Check> {
        let status = self.status.borrow();
        let state = self.state.lock();
        let start = [
            ("start", status.waits_for.clone()),
            ("lease", (!status.is_leader && status.leader.is_none()).then(|| "no replica leads yet".to_owned())),
            ("published-resources", unpublished(&status, &state.unhandled)),
        ];
        let start = start.map(|(name, fault)| Check { name: name.into(), fault });
        let contacts = state.contacts.iter().map(|(side, last)| {
            let silent = now.duration_since(*last);
            let fault = (silent > OUT_OF_REACH).then(|| format!("no answer for {} s", silent.as_secs()));
            Check { name: format!("contact/{side}"), fault }
        });
        let reports = state.reports.iter().map(|(name, fault)| {
            let fault = fault.as_ref().filter(|fault| fault.until.is_none_or(|until| now < until));
            Check { name: name.clone(), fault: fault.map(|fault| fault.reason.clone()) }
        });
        start.into_iter().chain(contacts).chain(reports).collect()
    }

    /// Says how something is, until it is said anew or [`Health::withdraw`]n.
    fn report(&self, name: impl Into<String>, fault: Option<String>) {
        let fault = fault.map(|reason| Fault { reason, until: None });
        self.state.lock().reports.insert(name.into(), fault);
    }

    /// Says nothing more of something.
    fn withdraw(&self, name: &str) {
        self.state.lock().reports.remove(name);
    }

    /// The agent has something to do from now on.
    pub(crate) fn busy(&self) {
        self.state.lock().busy_since = Some(Instant::now());
    }

    /// The agent waits for something to do, and these PublishedResources, which were there at the
    /// start, have neither been published nor refused.
    pub(crate) fn idle<'a>(&self, unhandled: impl IntoIterator<Item = &'a String>) {
        let mut state = self.state.lock();
        state.busy_since = None;
        state.unhandled = unhandled.into_iter().cloned().collect();
    }

    /// A side answered.
    pub(crate) fn answered(&self, side: Side) {
        self.state.lock().contacts.insert(side.name(), Instant::now());
    }

    /// A watch that reports here until it is dropped. `part` names what it covers, if that is not
    /// everything.
    pub(crate) fn watch(&self, side: Side, types: &ResourceType, part: Option<&str>, restarts: Counter) -> WatchHealth {
        let part = part.map(|part| format!("/{part}")).unwrap_or_default();
        let name = format!("watch/{}/{}{part}", side.name(), types.resource_name());
        self.report(&name, Some("what is watched has not been listed yet".into()));
        WatchHealth { health: self.clone(), name, side, restarts }
    }
}

/// The health of one watch.
pub(crate) struct WatchHealth {
    health: Health,
    name: String,
    side: Side,
    restarts: Counter,
}

impl WatchHealth {
    /// What is watched is known completely.
    pub(crate) fn is_in_sync(&self) {
        self.health.answered(self.side);
        self.health.report(&self.name, None);
    }

    /// A watch failed, this often in a row, and is begun anew after a pause.
    pub(crate) fn failed(&self, error: &watcher::Error, failures: u32, pause: Duration) {
        self.restarts.inc();
        match error {
            // The virtual workspace of an export serves nothing as long as nobody binds the export.
            watcher::Error::InitialListFailed(kube::Error::Api(status))
                if status.code == 404 && self.side == Side::Kcp =>
            {
                self.is_in_sync();
            }
            watcher::Error::InitialListFailed(_) => self.health.report(&self.name, Some(error.to_string())),
            // A watch that ends and is begun anew at once misses nothing.
            _ if failures < 2 => {}
            // Nothing is heard of a watch that could be begun, until there is an event.
            _ => {
                let until = Some(Instant::now() + pause + CONNECT_DEADLINE);
                let fault = Fault { reason: error.to_string(), until };
                self.health.state.lock().reports.insert(self.name.clone(), Some(fault));
            }
        }
    }
}

impl Drop for WatchHealth {
    fn drop(&mut self) {
        self.health.withdraw(&self.name);
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ready()).finish()
    }
}

fn unpublished(status: &AgentStatus, unhandled: &[String]) -> Option<String> {
    if !status.has_published {
        return Some("the PublishedResources have not been read yet".into());
    }
    (!unhandled.is_empty()).then(|| format!("not published yet: {}", unhandled.join(", ")))
}
