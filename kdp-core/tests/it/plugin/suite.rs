#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use kdp_core::{
    Error, ErrorKind,
    plugin::{PluginOptions, PluginProvider},
    provider::{
        ActionCall, ActionOutcome, Lease, Observation, Order, OrderId, Phase, Plan, PlanHash, Progress, Provider, Run,
        Teardown,
        conformance::{self, Fixture, Orders},
    },
};
use serde_json::json;

/// The example of this crate, which is built with its tests.
pub(super) fn in_rust(base: &Path) -> PluginOptions {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/directories");
    assert!(program.exists(), "build it with `cargo build -p kdp-core --features plugin --example directories`");
    PluginOptions::new(program).with_argument(base)
}

/// The same in another language; none where that is not installed.
pub(super) fn in_python(base: &Path) -> Option<PluginOptions> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join("python3").is_file());
    assert!(
        found || std::env::var_os("KDP_REQUIRE_PYTHON").is_none(),
        "KDP_REQUIRE_PYTHON is set, and there is no python3"
    );
    if !found {
        eprintln!("SKIPPED: there is no python3 on the PATH; KDP_REQUIRE_PYTHON makes it required");
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plugins/directories.py");
    Some(PluginOptions::new("python3").with_argument(script).with_argument(base))
}

/// A directory for each provider.
struct Places<F> {
    start: F,
    root: tempfile::TempDir,
}

/// A plugin and where it works.
#[derive(Debug)]
struct Placed {
    plugin: PluginProvider,
    base: PathBuf,
}

#[async_trait]
impl Provider for Placed {
    fn name(&self) -> &str {
        self.plugin.name()
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        self.plugin.plan(order, run).await
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        self.plugin.apply(order, plan, run).await
    }

    async fn observe(&self, id: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        self.plugin.observe(id, sealed).await
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.plugin.delete(sealed, run).await
    }

    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        self.plugin.import(order, existing, run).await
    }

    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        self.plugin.act(order, call, run).await
    }
}

impl<F: Fn(&Path) -> PluginOptions + Sync> Fixture for Places<F> {
    type Provider = Placed;

    fn orders(&self) -> Orders {
        Orders::new(json!({"note": "a"}), json!({"note": "b"}), json!({"note": 1}), "note")
    }

    async fn open(&self) -> Result<Placed, Error> {
        let base = self.root.path().join(format!("{:x}", rand::random::<u64>()));
        fs::create_dir(&base).unwrap();
        Ok(Placed { plugin: PluginProvider::start((self.start)(&base)).await?, base })
    }

    async fn reopen(&self, provider: &Placed) -> Result<Placed, Error> {
        let base = provider.base.clone();
        Ok(Placed { plugin: PluginProvider::start((self.start)(&base)).await?, base })
    }

    async fn cut_off(&self, provider: &Placed) {
        fs::rename(&provider.base, provider.base.with_extension("away")).unwrap();
    }

    async fn reconnect(&self, provider: &Placed) {
        fs::rename(provider.base.with_extension("away"), &provider.base).unwrap();
    }

    async fn count(&self, provider: &Placed) -> Option<usize> {
        let entries = fs::read_dir(&provider.base).unwrap();
        Some(entries.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_in_rust_keeps_the_promises_of_every_provider() {
    let places = Places { start: in_rust, root: tempfile::tempdir().unwrap() };
    assert_eq!(conformance::run(&places).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_in_python_keeps_the_promises_of_every_provider() {
    if in_python(Path::new("")).is_some() {
        let start = |base: &Path| in_python(base).unwrap();
        let places = Places { start, root: tempfile::tempdir().unwrap() };
        assert_eq!(conformance::run(&places).await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_and_errors_arrive_as_they_were_told() {
    let directory = tempfile::tempdir().unwrap();
    let plugin = PluginProvider::start(in_rust(directory.path())).await.unwrap();
    assert_eq!(plugin.name(), "directories");
    let (progress, mut heard) = Progress::channel(10);
    let run = Run::new(Lease(1)).with_progress(progress);
    let order = Order::new(OrderId::new("u", "team", "order"), 1, json!({"note": "a"}));
    let plan = plugin.plan(&order, &run).await.unwrap();
    assert_eq!(heard.try_recv().unwrap().to_string(), "note: done, was looked at");
    let wrong = Order::new(order.id.clone(), 1, json!({}));
    let error = plugin.plan(&wrong, &run).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Invalid, "note: must be a text"));
    let ready = plugin.apply(&order, &plan.hash(), &run).await.unwrap();
    assert_eq!(ready.phase, Phase::Ready);
    plugin.shutdown().await;
    assert_eq!(plugin.plan(&order, &run).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(plugin.observe(&order.id, None).await.unwrap().phase, Phase::Unknown);
}
