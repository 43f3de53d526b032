//! The site and the agent that most cases share.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, LazyLock},
    time::Duration,
};

use tokio::{
    runtime::Runtime,
    sync::{Mutex, OnceCell},
};

use super::{
    program::{Program, flags},
    site::Site,
};

const DEADLINE: Duration = Duration::from_secs(60);

/// Outlives every case: what a control plane runs ends with the runtime it was opened on.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
static SHARED: OnceCell<Shared> = OnceCell::const_new();

/// A site, and an agent for the cases of each first letter.
///
/// Every binding has all kinds of its export, so one export for all cases would cost the square of
/// their number.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) site: Site,
    agents: Mutex<BTreeMap<char, Program>>,
}

/// Runs a case on the shared site.
pub(crate) fn shared(case: impl AsyncFnOnce(&'static Shared)) {
    run(async {
        let shared = SHARED.get_or_init(Shared::start).await;
        case(shared).await;
    });
}

/// Runs a case that starts what it needs.
pub(crate) fn run(case: impl Future<Output = ()>) {
    RUNTIME.block_on(case);
}

impl Shared {
    async fn start() -> Self {
        Self { site: Site::start("shared").await, agents: Mutex::default() }
    }

    /// The agent of the cases that begin like `case`; its name is also that of its export, and the
    /// label that makes a PublishedResource its own.
    pub(crate) async fn agent_of(&self, case: &str) -> Arc<str> {
        let letter = case.chars().next().unwrap();
        let name = format!("shared-{letter}");
        let mut agents = self.agents.lock().await;
        if let Entry::Vacant(entry) = agents.entry(letter) {
            self.site.create_export(&name).await;
            let selector = format!("--published-resource-selector=agent={name}");
            let agent = Program::start(&self.site, &name, &flags(&self.site, &name, &name, &[&selector]));
            entry.insert(agent);
        }
        name.into()
    }
}

/// Looks again and again until there is something to see.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let seen = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    });
    seen.await.unwrap_or_else(|_| panic!("in vain: {what}; the agents' logs are in {}", env!("CARGO_TARGET_TMPDIR")))
}

/// Waits as long as an agent needs for what it is not to do.
///
/// Nothing can tell that something will not happen; other objects of the same kind, made later and
/// waited for, make it likely that it would have.
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}
