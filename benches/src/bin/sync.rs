//! Measures the sync agent between two control planes in this process.
//!
//! `cargo run --release -p kdp-benches --bin sync -- [throughput] [lag] [resync] [event]
//! [--workspaces n] [--orders n] [--rate n] [--seconds n] [--concurrency n] [--https]`
//!
//! Tenants, an operator that writes a status, and both control planes run on the same cores as the
//! agent, so the time of the cores for each order is that of all of them together. Times of cores
//! are those of this process only, and hold on a busy machine, too.
#![expect(clippy::print_stdout, reason = "it is a program that prints its findings")]

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use kdp_benches::{
    fleet::{Fleet, Outcome, Transport, create_order, operate, plain, resize_order, watch_databases},
    report::{Stopwatch, percentiles, real},
    resident_memory,
};
use kube::core::WatchEvent;
use mimalloc::MiMalloc;
use rand::Rng;
use tokio::{sync::Notify, task::JoinSet};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How many tenants order at once when it is about throughput.
const TENANTS: usize = 32;
/// How many changes the cost of one is taken from.
const CHANGES: u64 = 2000;

struct Arguments {
    parts: Vec<String>,
    workspaces: usize,
    orders: u64,
    rate: u64,
    seconds: u64,
    concurrency: usize,
    transport: Transport,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Outcome<()> {
    let arguments = arguments()?;
    for part in &arguments.parts {
        match &**part {
            "throughput" => throughput(&arguments).await?,
            "lag" => lag(&arguments).await?,
            "resync" => resync(&arguments).await?,
            "event" => event(&arguments).await?,
            other => return Err(format!("there is no part {other:?}").into()),
        }
    }
    Ok(())
}

fn arguments() -> Outcome<Arguments> {
    let mut found = Arguments {
        parts: Vec::new(),
        workspaces: 1000,
        orders: 10_000,
        rate: 500,
        seconds: 20,
        concurrency: 32,
        transport: Transport::InProcess,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Outcome<u64> { Ok(arguments.next().ok_or("a number is missing")?.parse()?) };
        match &*argument {
            "--workspaces" => found.workspaces = usize::try_from(number()?)?,
            "--orders" => found.orders = number()?,
            "--rate" => found.rate = number()?,
            "--seconds" => found.seconds = number()?,
            "--concurrency" => found.concurrency = usize::try_from(number()?)?,
            "--https" => found.transport = Transport::Https,
            part => found.parts.push(part.into()),
        }
    }
    if found.parts.is_empty() {
        found.parts = ["throughput", "lag", "resync", "event"].map(Into::into).into();
    }
    Ok(found)
}

/// When what happened to each order.
struct Orders {
    all: Vec<Order>,
    done: AtomicU64,
    changed: Notify,
}

#[derive(Default)]
struct Order {
    due: OnceLock<Instant>,
    accepted: OnceLock<Instant>,
    placed: OnceLock<Instant>,
    done: OnceLock<Instant>,
}

impl Orders {
    fn new(count: u64) -> Arc<Self> {
        let all = (0..count).map(|_| Order::default()).collect();
        Arc::new(Self { all, done: AtomicU64::new(0), changed: Notify::new() })
    }

    fn of(&self, name: &str) -> Option<&Order> {
        self.all.get(name.strip_prefix("o-")?.parse::<usize>().ok()?)
    }

    async fn until_done(&self, count: u64) {
        loop {
            let changed = self.changed.notified();
            if self.done.load(Ordering::Relaxed) >= count {
                return;
            }
            changed.await;
        }
    }
}

/// Lets an operator work, and notes what becomes of the orders.
async fn observe(fleet: &Fleet, orders: &Arc<Orders>) -> Outcome<JoinSet<Outcome<()>>> {
    let mut tasks = JoinSet::new();
    let seen = orders.clone();
    tasks.spawn(operate(kdp_benches::in_process(&fleet.service_cluster), move |copy| {
        if let Some(order) = seen.of(copy.order()) {
            order.placed.get_or_init(Instant::now);
        }
    }));
    let (client, orders) = (fleet.all_tenants().await?, orders.clone());
    tasks.spawn(async move {
        watch_databases(&client, |event| {
            if let WatchEvent::Added(seen) | WatchEvent::Modified(seen) = event
                && seen.status.size.is_some()
                && let Some(order) = orders.of(&seen.metadata.name)
                && order.done.set(Instant::now()).is_ok()
            {
                orders.done.fetch_add(1, Ordering::Relaxed);
                orders.changed.notify_one();
            }
        })
        .await
    });
    Ok(tasks)
}

/// Has the orders from `from` to `to` made, as fast as it goes.
async fn order_all(fleet: &Fleet, orders: &Orders, from: u64, to: u64) -> Outcome<()> {
    let ordered = stream::iter(from..to).map(|number| async move {
        let at = usize::try_from(number)?;
        let client = fleet.tenant(at);
        orders.all[at].due.get_or_init(Instant::now);
        create_order(client, &format!("o-{number}"), number).await?;
        orders.all[at].accepted.get_or_init(Instant::now);
        Outcome::Ok(())
    });
    ordered.buffer_unordered(TENANTS).try_collect().await
}

async fn throughput(arguments: &Arguments) -> Outcome<()> {
    let fleet = Fleet::new(arguments.workspaces, plain(), arguments.transport).await?;
    let orders = Orders::new(arguments.orders);
    let mut observers = observe(&fleet, &orders).await?;
    let agent = fleet.agent(arguments.concurrency).await?;
    let watch = Stopwatch::start();
    let ordering = async {
        order_all(&fleet, &orders, 0, arguments.orders).await?;
        let took = watch.read().0;
        orders.until_done(arguments.orders).await;
        Outcome::Ok(took)
    };
    let ordered = tokio::select! {
        ordered = ordering => ordered?,
        Some(failed) = observers.join_next() => return Err(format!("an observer ended: {failed:?}").into()),
    };
    let (took, cpu) = watch.read();
    let count = u32::try_from(arguments.orders)?;
    println!(
        "throughput  {} orders in {} workspaces, {:?}: ordered in {ordered:.1?}, done in {took:.1?}",
        arguments.orders, arguments.workspaces, arguments.transport
    );
    println!(
        "            {:.0} orders/s, {:.1?} of the cores each",
        real(arguments.orders) / took.as_secs_f64(),
        cpu / count
    );
    agent.stop().await
}

async fn lag(arguments: &Arguments) -> Outcome<()> {
    let fleet = Arc::new(Fleet::new(arguments.workspaces, plain(), arguments.transport).await?);
    let total = arguments.rate * arguments.seconds;
    let warm = arguments.orders;
    let orders = Orders::new(warm + total);
    let _observers = observe(&fleet, &orders).await?;
    let agent = fleet.agent(arguments.concurrency).await?;
    order_all(&fleet, &orders, 0, warm).await?;
    orders.until_done(warm).await;
    Stopwatch::start().until_idle().await;
    let watch = Stopwatch::start();
    let begun = Instant::now();
    let mut tenants = JoinSet::new();
    for number in 0..total {
        // Not put off by those before it: who waits for an answer measures too little.
        let due = begun + Duration::from_secs_f64(real(number) / real(arguments.rate));
        tokio::time::sleep_until(due.into()).await;
        let (fleet, orders) = (fleet.clone(), orders.clone());
        tenants.spawn(async move {
            let at = usize::try_from(warm + number)?;
            orders.all[at].due.get_or_init(|| due);
            create_order(fleet.tenant(at), &format!("o-{at}"), number).await?;
            orders.all[at].accepted.get_or_init(Instant::now);
            Outcome::Ok(())
        });
    }
    while let Some(ordered) = tenants.join_next().await {
        ordered??;
    }
    orders.until_done(warm + total).await;
    let (took, cpu) = watch.read();
    let new = &orders.all[usize::try_from(warm)?..];
    let between = |from: fn(&Order) -> &OnceLock<Instant>, to: fn(&Order) -> &OnceLock<Instant>| {
        let times =
            new.iter().filter_map(|order| Some(to(order).get()?.saturating_duration_since(*from(order).get()?)));
        percentiles(times.collect())
    };
    println!(
        "lag         {} orders/s for {} s beside {warm} orders in {} workspaces, {:?}; the cores were busy for {:.0} %",
        arguments.rate,
        arguments.seconds,
        arguments.workspaces,
        arguments.transport,
        cpu.as_secs_f64() / took.as_secs_f64() / 2.0 * 100.0,
    );
    println!("            due to status on the order     {}", between(|o| &o.due, |o| &o.done));
    println!("            accepted to copy placed        {}", between(|o| &o.accepted, |o| &o.placed));
    println!("            copy placed to status on order {}", between(|o| &o.placed, |o| &o.done));
    agent.stop().await
}

async fn resync(arguments: &Arguments) -> Outcome<()> {
    let fleet = Fleet::new(arguments.workspaces, plain(), arguments.transport).await?.with_counted_requests();
    let counts = || fleet.requests.as_ref().map(|requests| requests.counts()).unwrap_or_default();
    let orders = Orders::new(arguments.orders);
    let mut made = 0;
    for size in [arguments.orders / 8, arguments.orders / 4, arguments.orders / 2, arguments.orders] {
        let mut observers = observe(&fleet, &orders).await?;
        let agent = fleet.agent(arguments.concurrency).await?;
        order_all(&fleet, &orders, made, size).await?;
        made = size;
        orders.until_done(size).await;
        Stopwatch::start().until_idle().await;
        agent.stop().await?;
        observers.shutdown().await;
        Stopwatch::start().until_idle().await;

        let (before, resident) = (counts(), resident_memory());
        let watch = Stopwatch::start();
        let agent = fleet.agent(arguments.concurrency).await?;
        let (took, cpu) = watch.until_idle().await;
        let count = u32::try_from(size)?;
        let grown = resident_memory().zip(resident).map_or(0, |(now, before)| now.saturating_sub(before)) / size;
        println!(
            "resync      {size} orders: {took:.2?} by the clock, {cpu:.2?} of the cores, {:.1?} each; {grown} bytes each",
            cpu / count
        );
        println!("            {:?}", counts() - before);
        agent.stop().await?;
    }
    Ok(())
}

async fn event(arguments: &Arguments) -> Outcome<()> {
    for workspaces in [10, 100, 1000, 10_000].into_iter().filter(|count| *count <= arguments.workspaces) {
        let fleet = Fleet::new(workspaces, plain(), arguments.transport).await?;
        let count = u64::try_from(workspaces)?;
        let orders = Orders::new(count);
        let _observers = observe(&fleet, &orders).await?;
        let agent = fleet.agent(arguments.concurrency).await?;
        order_all(&fleet, &orders, 0, count).await?;
        orders.until_done(count).await;
        let (size, mut sizes) = tokio::sync::watch::channel(0);
        let service = kdp_benches::in_process(&fleet.service_cluster);
        let watching = tokio::spawn(async move {
            watch_databases(&service, |event| {
                if let WatchEvent::Modified(copy) = event {
                    size.send_replace(copy.spec.size);
                }
            })
            .await
        });
        Stopwatch::start().until_idle().await;
        let watch = Stopwatch::start();
        let mut took = Vec::new();
        for change in 0..CHANGES {
            let number = rand::rng().random_range(0..workspaces);
            let begun = Instant::now();
            let wanted = 1_000_000 + change;
            resize_order(fleet.tenant(number), &format!("o-{number}"), wanted).await?;
            sizes.wait_for(|size| *size == wanted).await?;
            took.push(begun.elapsed());
        }
        let (_, cpu) = watch.until_idle().await;
        println!(
            "event       {workspaces:>6} workspaces: {:>7.1?} of the cores each; to the copy {}",
            cpu / u32::try_from(CHANGES)?,
            percentiles(took)
        );
        watching.abort();
        agent.stop().await?;
    }
    Ok(())
}
