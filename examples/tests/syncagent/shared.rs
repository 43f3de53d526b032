//! The site and the agent that most cases share.

use std::{sync::LazyLock, time::Duration};

use tokio::{runtime::Runtime, sync::OnceCell};

use super::{
    program::{Program, flags},
    site::Site,
};

/// The export that the shared agent fills.
pub(crate) const EXPORT: &str = "service";
/// Name of the shared agent, also the label that makes a PublishedResource its own.
pub(crate) const AGENT: &str = "shared";

const DEADLINE: Duration = Duration::from_secs(60);

/// Outlives every case: what a control plane runs ends with the runtime it was opened on.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
static SHARED: OnceCell<Shared> = OnceCell::const_new();

/// A site, and an agent that serves the PublishedResources labelled for it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) site: Site,
    agent: Program,
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
        let site = Site::start("shared").await;
        site.create_export(EXPORT).await;
        let selector = format!("--published-resource-selector=agent={AGENT}");
        let agent = Program::start(&site, "agent", &flags(&site, EXPORT, AGENT, &[&selector]));
        Self { site, agent }
    }
}

/// Looks again and again until there is something to see.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let seen = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    seen.await.unwrap_or_else(|_| {
        let log = SHARED.get().map(|shared| shared.agent.log_tail()).unwrap_or_default();
        panic!("in vain: {what}\nthe shared agent's log:\n{log}")
    })
}

/// Waits as long as an agent needs for what it is not to do.
///
/// Nothing can tell that something will not happen; other objects of the same kind, made later and
/// waited for, make it likely that it would have.
pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}
