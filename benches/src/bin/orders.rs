//! Measures what a runner adds to the time an operator takes: orders of one object while many orders live,
//! then a hundred orders of an offering of several objects at once.
//!
//! Everything is in one process, with a control plane on the disk. The operator answers at once, so all that
//! is measured is the platform's: watch, plan, apply, observe, deliver, report. The limit is what the writes of
//! an order take that have to be on the disk: the order, two records, the object, its status, the Secret, the
//! status of the order.
//!
//! `cargo run --release -p kdp-benches --bin orders [live orders]`
#![expect(clippy::print_stdout, reason = "it is a program that prints its findings")]

use std::{
    collections::HashMap,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kdp_benches::report::{Stopwatch, percentiles};
use kdp_core::{
    ComponentContext, ControlPlaneExt, Identity, SharedControlPlane, WorkspacePath,
    api::install_crd,
    component::Component,
    provider::operator::{ObjectTemplate, Offering, OperatorProvider, OutputRule, OutputsFrom, Placement, Source},
    runner::{Home, Reach, Runner, RunnerOptions},
    workspace::ensure_workspace,
};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn Error + Send + Sync>;

const LIVE: usize = 10_000;
const MEASURED: usize = 500;
/// So many orders are placed at a time while the live ones are made.
const AT_ONCE: usize = 64;
const PROMISES: usize = 100;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let live = match std::env::args().nth(1) {
        Some(number) => number.parse()?,
        None => LIVE,
    };
    let directory = tempfile::tempdir()?;
    let site = Site::open(&Embedded::open(directory.path()).await?).await?;

    let bucket = |id: &str| {
        ObjectTemplate::new(id, "example.com/v1", "Bucket").with_body(json!({"spec": {"size": "${order.spec.size}"}}))
    };
    let host = OutputsFrom::new(Source::Object("main".into())).with("host", OutputRule::value("object.status.host"));
    let one = Offering::new(Placement::Namespace("things".into())).with_object(bucket("main")).with_outputs(host);
    site.run("Single", &one)?;
    let watch = Stopwatch::start();
    site.place("Single", "live", live, AT_ONCE).await?;
    let (took, cpu) = watch.read();
    println!("{live} orders of one object: {took:.1?}, {cpu:.1?} of all cores");

    let mut overheads = Vec::new();
    for number in 0..MEASURED {
        overheads.extend(site.place("Single", &format!("measured-{number}"), 1, 1).await?);
    }
    println!("order to Ready, one at a time, {live} live: {}", percentiles(overheads));

    let offering = Offering::new(Placement::Namespace("things".into()));
    let ids = ["main", "cache", "queue", "backup", "alerts"];
    site.run("Promise", &ids.iter().fold(offering, |offering, id| offering.with_object(bucket(id))))?;
    let started = Instant::now();
    let each = site.place("Promise", "promise", PROMISES, PROMISES).await?;
    println!(
        "{PROMISES} orders of {} objects at once: {:.2?}; each {}",
        ids.len(),
        started.elapsed(),
        percentiles(each)
    );
    site.stop.cancel();
    Ok(())
}

/// A workspace with orders, and an operator that answers at once.
struct Site {
    control_plane: SharedControlPlane,
    client: Client,
    stop: CancellationToken,
}

impl Site {
    async fn open(control_plane: &Embedded) -> Result<Self, Failure> {
        let path: WorkspacePath = "root:bench".parse()?;
        ensure_workspace(control_plane, &path, &Identity::system_masters()).await?;
        let client = control_plane.system_client(&path)?;
        for kind in ["Single", "Promise", "Bucket"] {
            install_crd(&client, &serde_json::from_value(definition(kind))?, "bench").await?;
        }
        for name in ["home", "things"] {
            let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
            Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
        }
        tokio::spawn(operate(client.clone()));
        Ok(Self { control_plane: Arc::new(control_plane.clone()), client, stop: CancellationToken::new() })
    }

    /// Starts a runner for the orders of a kind.
    fn run(&self, kind: &str, offering: &Offering) -> Result<(), Failure> {
        let name = kind.to_lowercase();
        let provider = OperatorProvider::new(&name, self.client.clone(), "home", offering)?;
        let reach = Reach::endpoint("root:bench".parse::<WorkspacePath>()?.into(), Identity::system_masters());
        let home = Home::new(self.client.clone(), "home");
        // One workspace has all orders here, so it may have all slots.
        let options = RunnerOptions::default().with_concurrency(32, 32);
        let runner = Runner::new(&name, provider, resource(kind), reach, home).with_options(options);
        let (context, _) = ComponentContext::new(self.control_plane.clone(), self.stop.clone());
        tokio::spawn(async move {
            if let Err(error) = Box::new(runner).run(context).await {
                println!("the runner has ended: {error}");
            }
        });
        Ok(())
    }

    /// Places orders and waits until each is ready; returns how long each took.
    async fn place(&self, kind: &str, prefix: &str, number: usize, at_once: usize) -> Result<Vec<Duration>, Failure> {
        let orders = Api::<DynamicObject>::namespaced_with(self.client.clone(), "things", &resource(kind));
        let ready = Mutex::new(HashMap::<String, Instant>::new());
        let selector = watcher::Config::default().labels(&format!("batch={prefix}"));
        let watching = async {
            let mut events = std::pin::pin!(watcher(orders.clone(), selector).applied_objects());
            while let Some(event) = events.next().await {
                let Ok(order) = event else { continue };
                if order.data["status"]["phase"] == "Ready" {
                    let mut ready = ready.lock().await;
                    ready.entry(order.name_any()).or_insert_with(Instant::now);
                    if ready.len() == number {
                        return;
                    }
                }
            }
        };
        let placing = async {
            let placed = stream::iter(0..number).map(|i| {
                let (orders, name) = (orders.clone(), format!("{prefix}-{i}"));
                async move {
                    let started = Instant::now();
                    let order = json!({
                        "apiVersion": "example.com/v1", "kind": kind,
                        "metadata": {"name": name, "labels": {"batch": prefix}}, "spec": {"size": 1},
                    });
                    orders.create(&PostParams::default(), &serde_json::from_value(order)?).await?;
                    Ok::<_, Failure>((name, started))
                }
            });
            placed.buffer_unordered(at_once).collect::<Vec<_>>().await
        };
        let (placed, ()) = tokio::join!(placing, watching);
        let ready = ready.into_inner();
        placed.into_iter().map(|placed| placed.map(|(name, started)| ready[&name] - started)).collect()
    }
}

/// Says of each bucket at once that it is ready.
async fn operate(client: Client) {
    let buckets = Api::<DynamicObject>::namespaced_with(client, "things", &resource("Bucket"));
    let events = watcher(buckets.clone(), watcher::Config::default()).applied_objects();
    events
        .for_each_concurrent(64, |event| async {
            let Ok(bucket) = event else { return };
            let name = bucket.name_any();
            let status = json!({
                "observedGeneration": bucket.metadata.generation, "host": format!("{name}.example.com"),
                "conditions": [{"type": "Ready", "status": "True", "reason": "Done", "message": ""}],
            });
            if bucket.data["status"] != status {
                let patch = Patch::Merge(json!({ "status": status }));
                // What fails is noticed because the order does not become ready.
                drop(buckets.patch_status(&name, &PatchParams::default(), &patch).await);
            }
        })
        .await;
}

fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", kind))
}

fn definition(kind: &str) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    json!({
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}},
            }],
        },
    })
}
