//! Several replicas of one agent: one works, or all share the work, and never two do the same.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kdp_core::{Component, ComponentContext, ControlPlane, Endpoint, Error, Identity};
use kdp_sync::{Agent, AgentOptions, AgentStatus, LeaseOptions, wire};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, PostParams},
    client::Body,
};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::support::{EXPORT, World, databases_with_credentials, delete, eventually, gone};

const SHARDS: usize = 8;
const NAMESPACE: &str = "kdp-sync";
/// For how long something is waited for on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a Lease lasts, when its holder gives up, and how often it tries: so much apart that no
/// replica loses a Lease only because it got no processor for a while.
const TIMES: [Duration; 3] = [Duration::from_secs(8), Duration::from_secs(6), Duration::from_millis(100)];

/// Who wrote what, and when, as seen where it is written.
#[derive(Clone, Debug, Default)]
struct Record(Arc<Mutex<Vec<Written>>>);

#[derive(Clone, Debug)]
struct Written {
    replica: String,
    workspace: String,
    began: Instant,
    ended: Instant,
}

/// A control plane that records the writes of one replica.
#[derive(Debug)]
struct Recorded {
    inner: Embedded,
    replica: String,
    record: Record,
}

impl ControlPlane for Recorded {
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<Client, Error> {
        let client = self.inner.client(endpoint, identity)?;
        let Endpoint::ApiExport { consumer: Some(workspace), .. } = endpoint else { return Ok(client) };
        let (record, replica, workspace) = (self.record.clone(), self.replica.clone(), workspace.to_string());
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (client, record) = (client.clone(), record.clone());
            let (replica, workspace) = (replica.clone(), workspace.clone());
            async move {
                let (began, is_write) = (Instant::now(), request.method() != http::Method::GET);
                let answer = client.send(request).await;
                if is_write {
                    record.0.lock().push(Written { replica, workspace, began, ended: Instant::now() });
                }
                answer
            }
        });
        Ok(Client::new(service, "default"))
    }

    fn url(&self, endpoint: &Endpoint) -> Option<String> {
        self.inner.url(endpoint)
    }
}

/// A replica in a runtime of its own, so that it can be killed anywhere.
struct Replica {
    runtime: tokio::runtime::Runtime,
    task: tokio::task::JoinHandle<Result<(), Error>>,
    stop: CancellationToken,
    ready: watch::Receiver<bool>,
    status: watch::Receiver<AgentStatus>,
}

impl Replica {
    fn start(world: &World, name: &str, record: &Record, shards: Option<usize>) -> Self {
        let [duration, renew_deadline, retry_period] = TIMES;
        let lease = LeaseOptions::new(name).with_times(duration, renew_deadline, retry_period);
        let options = AgentOptions::new("agent", "root:provider".parse().unwrap(), EXPORT).with_created_export();
        let mut options = options.with_lease(lease);
        if let Some(shards) = shards {
            options = options.with_workspace_shards(NonZeroUsize::new(shards).unwrap());
        }
        let agent = Agent::new(world.service(), options);
        let status = agent.status();
        let control_plane =
            Recorded { inner: world.control_plane.clone(), replica: name.into(), record: record.clone() };
        let stop = CancellationToken::new();
        let (context, ready) = ComponentContext::new(Arc::new(control_plane), stop.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let task = runtime.spawn(Box::new(agent).run(context));
        Self { runtime, task, stop, ready, status }
    }

    async fn until(&mut self, what: &str, is_so: impl FnMut(&AgentStatus) -> bool) {
        let so = tokio::time::timeout(PATIENCE, self.status.wait_for(is_so));
        assert!(so.await.is_ok_and(|seen| seen.is_ok()), "in vain: {what}: {:?}", self.status.borrow());
    }

    async fn is_ready(&mut self) {
        tokio::time::timeout(PATIENCE, self.ready.wait_for(|ready| *ready)).await.unwrap().unwrap();
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
        self.runtime.shutdown_background();
    }

    fn kill(self) {
        self.runtime.shutdown_background();
    }
}

fn leases(world: &World) -> Api<Lease> {
    Api::namespaced(world.service(), NAMESPACE)
}

async fn holder(world: &World, name: &str) -> Option<String> {
    leases(world).get_opt(name).await.unwrap()?.spec?.holder_identity
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_works_and_the_next_takes_over_when_it_leaves_or_dies() {
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    let record = Record::default();
    let mut first = Replica::start(&world, "first", &record, None);
    first.until("it leads", |status| status.is_leader && status.is_ready()).await;
    world.published("databases").await;
    world.bind("root:a", &["events", "namespaces", "secrets"]).await;
    let mut second = Replica::start(&world, "second", &record, None);
    second.is_ready().await;
    assert!(second.status.borrow().is_passive());
    let lease = leases(&world).get("syncagent.agent").await.unwrap().spec.unwrap();
    assert!(lease.holder_identity.as_ref().unwrap().starts_with("first_"));
    assert_eq!((lease.lease_duration_seconds, lease.lease_transitions), (Some(8), Some(0)));

    world.order("root:a", "one", json!({"size": 1})).await;
    world.copy("root:a", "one", |_| true).await;
    // It leaves the Lease to the other at once.
    first.stop().await;
    assert!(holder(&world, "syncagent.agent").await.is_none_or(|holder| !holder.starts_with("first_")));
    second.until("it leads", |status| status.is_leader).await;
    world.order("root:a", "two", json!({"size": 1})).await;
    world.copy("root:a", "two", |_| true).await;
    assert_eq!(leases(&world).get("syncagent.agent").await.unwrap().spec.unwrap().lease_transitions, Some(1));

    let mut third = Replica::start(&world, "third", &record, None);
    third.is_ready().await;
    second.kill();
    world.order("root:a", "three", json!({"size": 1})).await;
    third.until("it leads", |status| status.is_leader).await;
    world.copy("root:a", "three", |_| true).await;
    delete(&world.orders("root:a"), "one").await;
    gone(&world.orders("root:a"), "one").await;
    check_record(&record);
    third.stop().await;
    assert_eq!(holder(&world, "syncagent.agent").await.as_deref(), Some(""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_lease_is_taken_from_it_stops_and_stands_by() {
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    let record = Record::default();
    let mut agent = Replica::start(&world, "one", &record, None);
    agent.until("it leads", |status| status.is_leader && status.is_ready()).await;
    world.published("databases").await;
    world.bind("root:a", &["events", "namespaces", "secrets"]).await;
    // As another agent would, which may be the one of kcp.
    let taken_for = async |seconds: i32| {
        eventually("the lease is taken", async || {
            let mut lease = leases(&world).get("syncagent.agent").await.unwrap();
            let spec = lease.spec.as_mut()?;
            spec.holder_identity = Some("other".into());
            spec.lease_duration_seconds = Some(seconds);
            leases(&world).replace("syncagent.agent", &PostParams::default(), &lease).await.ok()
        })
        .await
    };
    taken_for(3600).await;
    agent.until("it has noticed", |status| status.is_passive()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.copies().list(&ListParams::default()).await.unwrap().items.len(), 0);
    // The other renews it once more, and never again.
    taken_for(1).await;
    agent.until("it leads again", |status| status.is_leader).await;
    world.copy("root:a", "db", |_| true).await;
    agent.stop().await;
}

/// Sixty workspaces, each with an order of each name.
async fn order_everywhere(world: &World, workspaces: &[String], name: &str) {
    for path in workspaces {
        world.order(path, name, json!({"size": 1})).await;
    }
}

/// Waits until every order has its copy; no order ever has two.
async fn all_are_synced(world: &World, orders: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let copies = world.copies().list(&ListParams::default()).await.unwrap().items;
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for copy in &copies {
            let of = (copy.labels()[wire::CLUSTER_LABEL].clone(), copy.annotations()[wire::NAME_ANNOTATION].clone());
            *counts.entry(of).or_default() += 1;
        }
        assert!(counts.values().all(|count| *count == 1), "duplicated: {counts:?}");
        if copies.len() == orders {
            return;
        }
        assert!(Instant::now() < deadline, "{} of {orders} orders have a copy", copies.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// No two replicas have ever written in a workspace at the same time, and each only in a run of its own.
fn check_record(record: &Record) {
    let mut by_workspace: BTreeMap<String, Vec<Written>> = BTreeMap::new();
    for written in record.0.lock().iter() {
        by_workspace.entry(written.workspace.clone()).or_default().push(written.clone());
    }
    for (workspace, mut writes) in by_workspace {
        writes.sort_by_key(|written| written.began);
        for pair in writes.windows(2) {
            let [before, after] = pair else { continue };
            assert!(
                before.replica == after.replica || before.ended <= after.began,
                "{} and {} wrote in {workspace} at the same time: for {:?}, and {:?} after that began, for {:?}",
                before.replica,
                after.replica,
                before.ended - before.began,
                after.began - before.began,
                after.ended - after.began,
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_the_workspaces_and_pass_them_on_as_they_come_and_go() {
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    let record = Record::default();
    let start = |name: &str| Replica::start(&world, name, &record, Some(SHARDS));
    let mut replicas: BTreeMap<_, _> = ["r1", "r2", "r3"].map(|name| (name, start(name))).into();
    world.published("databases").await;
    let workspaces: Api<kdp_core::api::tenancy::Workspace> = Api::all(world.workspace("root"));
    let mut paths = Vec::new();
    for number in 0..60 {
        let name = format!("w{number}");
        let workspace = kdp_core::api::tenancy::Workspace::new(&name, Default::default());
        workspaces.create(&PostParams::default(), &workspace).await.unwrap();
        paths.push(format!("root:{name}"));
    }
    for path in &paths {
        world.bind(path, &["events", "namespaces", "secrets"]).await;
    }
    // Everybody must be there before there is work, or it may be done by then.
    for replica in replicas.values_mut() {
        replica
            .until("it has its share", |status| matches!(&status.shards, Some(held) if (2..=3).contains(&held.len())))
            .await;
        replica.is_ready().await;
    }
    order_everywhere(&world, &paths, "first").await;
    all_are_synced(&world, 60).await;
    let busy =
        |record: &Record| record.0.lock().iter().map(|w| w.replica.clone()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(busy(&record).len(), 3, "everybody works");

    // One dies in the middle of its work.
    let at_once = order_everywhere(&world, &paths, "second");
    let leader = leading(&replicas).await;
    let killed = replicas.remove(leader).unwrap();
    let kill = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        killed.kill();
    };
    tokio::join!(at_once, kill);
    all_are_synced(&world, 120).await;
    for replica in replicas.values_mut() {
        replica
            .until("it has a half", |status| status.shards.as_ref().is_some_and(|held| held.len() == SHARDS / 2))
            .await;
    }

    // Another comes while there is work.
    let at_once = order_everywhere(&world, &paths, "third");
    let mut added = start("r4");
    let (_, ()) = tokio::join!(
        at_once,
        added.until("it has its share", |status| status.shards.as_ref().is_some_and(|held| held.len() >= 2))
    );
    all_are_synced(&world, 180).await;
    replicas.insert("r4", added);
    leading(&replicas).await;
    let mut added = replicas.remove("r4").unwrap();

    // Orders that are deleted while nobody is there for them are finished by whoever comes.
    for path in &paths[..10] {
        delete(&world.orders(path), "first").await;
    }
    for path in &paths[..10] {
        gone(&world.orders(path), "first").await;
    }
    check_record(&record);
    for (_, replica) in replicas {
        replica.stop().await;
    }
    added.until("it has all", |status| status.shards.as_ref().is_some_and(|held| held.len() == SHARDS)).await;
    added.stop().await;
    let left = leases(&world).list(&ListParams::default()).await.unwrap().items;
    let held: Vec<_> = left
        .iter()
        .filter(|lease| lease.spec.as_ref().is_some_and(|spec| spec.holder_identity.as_deref() != Some("")))
        .map(ResourceExt::name_any)
        .collect();
    // Only the one that was killed could not say that it is gone; the others may have tidied up by now.
    assert!(held.len() <= 1 && held.iter().all(|name| name.starts_with("syncagent.agent.member-")), "{held:?}");
}

/// The replica that leads, once one does.
async fn leading(replicas: &BTreeMap<&'static str, Replica>) -> &'static str {
    eventually("somebody leads", async || {
        replicas.iter().find(|(_, replica)| replica.status.borrow().is_leader).map(|(name, _)| *name)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_share_leave_everything_to_an_agent_that_does_not() {
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    let record = Record::default();
    let mut alone = Replica::start(&world, "alone", &record, None);
    alone.until("it leads", |status| status.is_leader && status.is_ready()).await;
    let mut sharing = Replica::start(&world, "sharing", &record, Some(SHARDS));
    sharing.is_ready().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sharing.status.borrow().shards.as_deref(), Some(&[][..]));
    alone.stop().await;
    sharing.until("it has all", |status| status.shards.as_ref().is_some_and(|held| held.len() == SHARDS)).await;
    sharing.stop().await;
}
