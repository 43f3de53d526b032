//! A day of operation, compressed: orders come, change and go, and so do bindings and agents.
//!
//! `cargo run --release -p kdp-benches --bin churn -- [operations] [--workspaces n] [--orders n]`
//!
//! The number of orders stays about the same, so memory has to, too, once it is warm. In the end
//! both sides must agree: each order has one copy, one Secret of state and the status of its copy,
//! and nothing is left of the others. Both control planes run in this process; a control plane
//! forgets Events after an hour, so those here are deleted now and then.
#![expect(clippy::print_stdout, reason = "it is a program that prints its findings")]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::Request;
use kdp_benches::{
    fleet::{
        Fleet, Glimpse, Outcome, Transport, create_order, operate, resize_order, watch_databases, with_credentials,
    },
    in_process,
    report::{Stopwatch, real},
    resident_memory,
};
use kube::{Client, core::WatchEvent};
use mimalloc::MiMalloc;
use rand::Rng;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const TENANTS: u64 = 16;
const REPORTS: u64 = 40;
const AGENTS: u64 = 10;
const REBINDS: u64 = 100;
/// When what has ended is no longer remembered.
const FORGOTTEN: Duration = Duration::from_secs(300);

#[derive(Clone, Copy)]
struct Arguments {
    operations: u64,
    workspaces: usize,
    orders: u64,
}

/// Namespace and name of the copies, by the names of their orders.
type Copies = Arc<Mutex<HashMap<String, (String, String)>>>;

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Outcome<()> {
    let arguments = arguments()?;
    let fleet = Arc::new(Fleet::new(arguments.workspaces, with_credentials(), Transport::InProcess).await?);
    let copies = Copies::default();
    let mut observers = JoinSet::new();
    let service = in_process(&fleet.service_cluster);
    observers.spawn(operate(service.clone(), |_| ()));
    observers.spawn(follow_copies(service.clone(), copies.clone()));
    let done = Arc::new(AtomicU64::new(0));
    let mut tenants = JoinSet::new();
    for tenant in 0..TENANTS {
        tenants.spawn(churn(fleet.clone(), copies.clone(), arguments, tenant, done.clone()));
    }
    let watch = Stopwatch::start();
    let mut agent = fleet.agent(32).await?;
    let mut next = [1; 3];
    let mut is_due = |what: usize, times: u64, done: u64| {
        let is_due = done >= next[what] * arguments.operations / times && next[what] <= times;
        next[what] += u64::from(is_due);
        is_due
    };
    loop {
        let (count, is_over) = (done.load(Relaxed), tenants.is_empty());
        if is_due(0, REPORTS, count) {
            report(count, &watch);
            forget_events(&fleet).await?;
        }
        if is_due(1, AGENTS, count) && !is_over {
            agent.stop().await?;
            agent = fleet.agent(32).await?;
        }
        if is_due(2, REBINDS, count) && !is_over {
            rebind(&fleet, rand::rng().random_range(0..arguments.workspaces)).await?;
        }
        if is_over {
            break;
        }
        tokio::select! {
            Some(ended) = tenants.join_next() => ended??,
            Some(ended) = observers.join_next() => return Err(format!("an observer ended: {ended:?}").into()),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
    Stopwatch::start().until_idle().await;
    report(done.load(Relaxed), &watch);
    // What an earlier agent has worked on is remembered for a while after its end.
    let end = Instant::now() + FORGOTTEN;
    while let Err(difference) = compare(&fleet).await {
        if Instant::now() > end {
            return Err(difference);
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    report(done.load(Relaxed), &watch);
    agent.stop().await
}

fn arguments() -> Outcome<Arguments> {
    let mut found = Arguments { operations: 1_000_000, workspaces: 100, orders: 2000 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Outcome<u64> { Ok(arguments.next().ok_or("a number is missing")?.parse()?) };
        match &*argument {
            "--workspaces" => found.workspaces = usize::try_from(number()?)?,
            "--orders" => found.orders = number()?,
            operations => found.operations = operations.parse()?,
        }
    }
    Ok(found)
}

fn report(done: u64, watch: &Stopwatch) {
    let (took, cpu) = watch.read();
    let resident = resident_memory().unwrap_or_default() >> 20;
    println!(
        "{done:>9} operations in {:>6.1} s, {:>5.0} µs of the cores each: {resident:>5} MiB resident",
        took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / real(done.max(1)),
    );
}

async fn follow_copies(client: Client, copies: Copies) -> Outcome<()> {
    watch_databases(&client, |event| {
        let mut copies = copies.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            WatchEvent::Added(copy) | WatchEvent::Modified(copy) => {
                let at = (copy.metadata.namespace.clone(), copy.metadata.name.clone());
                copies.insert(copy.order().to_owned(), at);
            }
            WatchEvent::Deleted(copy) => {
                copies.remove(copy.order());
            }
            _ => {}
        }
    })
    .await
}

/// Does one thing after another to the orders of one tenant in `TENANTS`.
async fn churn(
    fleet: Arc<Fleet>,
    copies: Copies,
    arguments: Arguments,
    tenant: u64,
    done: Arc<AtomicU64>,
) -> Outcome<()> {
    let service = in_process(&fleet.service_cluster);
    while done.fetch_add(1, Relaxed) < arguments.operations {
        let number = rand::rng().random_range(0..arguments.orders / TENANTS) * TENANTS + tenant;
        let (client, name) = (fleet.tenant(usize::try_from(number)?), format!("o-{number}"));
        let size = rand::rng().random_range(0..1_000_000);
        let action = rand::rng().random_range(0..100);
        let outcome = match action {
            0..30 => create_order(client, &name, size).await,
            30..65 => resize_order(client, &name, size).await,
            65..85 => send(client, Request::delete(database(&name)), None).await,
            _ => {
                let copy = copies.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
                match copy {
                    Some((namespace, copy)) => change_credentials(&service, &namespace, &copy, size).await,
                    None => Ok(()),
                }
            }
        };
        if let Err(error) = outcome {
            tolerate(error)?;
        }
    }
    Ok(())
}

/// An order may be gone, or not yet, and so may the binding.
fn tolerate(error: Box<dyn std::error::Error + Send + Sync>) -> Outcome<()> {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) if matches!(status.code, 403 | 404 | 405 | 409) => Ok(()),
        _ => Err(error),
    }
}

fn database(name: &str) -> String {
    format!("/apis/example.com/v1/namespaces/default/databases/{name}")
}

async fn change_credentials(client: &Client, namespace: &str, copy: &str, size: u64) -> Outcome<()> {
    let (all, name) = (format!("/api/v1/namespaces/{namespace}/secrets"), format!("{copy}-credentials"));
    let one = format!("{all}/{name}");
    let action = rand::rng().random_range(0..4);
    match action {
        0 => send(client, Request::delete(one), None).await,
        1..3 => {
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"password": size.to_string()}});
            send(client, Request::post(all), Some(("application/json", secret))).await
        }
        _ => {
            let change = json!({"stringData": {"password": size.to_string()}});
            send(client, Request::patch(one), Some(("application/merge-patch+json", change))).await
        }
    }
}

async fn send(client: &Client, request: http::request::Builder, body: Option<(&str, Value)>) -> Outcome<()> {
    let request = match body {
        Some((content_type, body)) => {
            request.header("content-type", content_type).body(body.to_string().into_bytes())?
        }
        None => request.body(Vec::new())?,
    };
    client.request_text(request).await?;
    Ok(())
}

/// Takes the binding from a workspace, with all its orders, and gives it back.
async fn rebind(fleet: &Fleet, number: usize) -> Outcome<()> {
    let binding = "/apis/apis.kcp.io/v1alpha2/apibindings/databases";
    let client = fleet.tenant(number);
    send(client, Request::delete(binding), None).await?;
    kdp_benches::fleet::eventually(async || match client.request_text(Request::get(binding).body(Vec::new())?).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(true),
        found => {
            found?;
            Ok(false)
        }
    })
    .await?;
    fleet.bind(client).await
}

async fn forget_events(fleet: &Fleet) -> Outcome<()> {
    for client in fleet.tenants() {
        send(client, Request::delete("/api/v1/namespaces/default/events"), None).await?;
    }
    Ok(())
}

/// Whether both sides agree.
async fn compare(fleet: &Fleet) -> Outcome<()> {
    let service = in_process(&fleet.service_cluster);
    let all = "/apis/example.com/v1/databases";
    let orders: Vec<Glimpse> = list(&fleet.all_tenants().await?, all).await?;
    let copies: Vec<Glimpse> = list(&service, all).await?;
    let states: Vec<Value> = list(&service, "/api/v1/namespaces/kdp-sync/secrets").await?;
    let mut of_order: HashMap<&str, Vec<&Glimpse>> = HashMap::new();
    for copy in &copies {
        of_order.entry(copy.order()).or_default().push(copy);
    }
    let agree = |order: &&Glimpse| match of_order.get(&*order.metadata.name).map(Vec::as_slice) {
        Some([copy]) => order.spec.size == copy.spec.size && order.status.size == Some(order.spec.size),
        _ => false,
    };
    let wrong = orders.iter().filter(|order| !agree(order)).count();
    let found = format!(
        "{} orders, {} copies, {} states; {wrong} orders are not in step",
        orders.len(),
        copies.len(),
        states.len()
    );
    if wrong > 0 || orders.len() != copies.len() || orders.len() != states.len() {
        return Err(format!("the sides do not agree: {found}").into());
    }
    println!("{found}");
    Ok(())
}

async fn list<T: DeserializeOwned>(client: &Client, url: &str) -> Outcome<Vec<T>> {
    Ok(client.request::<List<T>>(Request::get(url).body(Vec::new())?).await?.items)
}
