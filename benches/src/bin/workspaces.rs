//! Fills a control plane with workspaces and measures what that costs.
//!
//! `cargo run --release -p kdp-benches --bin workspaces -- [--disk <dir>] [count]`
//!
//! The workspaces lie in organizations of a thousand each. While they are made by 64 clients, one
//! more reads in those that are there, so the latencies are those of a control plane at work.
#![expect(clippy::print_stdout, reason = "it is a program that prints its findings")]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Namespace;
use kdp_benches::{in_process, resident_memory, serve, workspace};
use kdp_core::{ControlPlaneExt, WorkspacePath, api::tenancy::Workspace};
use kdp_tenancy::Embedded;
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use rand::Rng;
use tokio::task::JoinSet;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

const PER_ORGANIZATION: u64 = 1000;
const CLIENTS: usize = 64;
/// How many reads a latency is taken from.
const READS: usize = 10_000;

#[tokio::main]
async fn main() -> Result<()> {
    let (dir, count) = arguments()?;
    let before = memory()?;
    let control_plane = open(dir.as_ref()).await?;
    let served = serve(&control_plane).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = memory()?;
    println!("process before the control plane   {:>10.1} MiB", mib(before));
    println!("idle, serving HTTPS                {:>10.1} MiB", mib(idle));

    let begun = Instant::now();
    let made = Arc::new(AtomicU64::new(0));
    let reader = tokio::spawn(read_while(control_plane.clone(), count, made.clone()));
    let created = create(&control_plane, count, &made).await?;
    let took = begun.elapsed();
    let meanwhile = reader.await??;
    let full = memory()?;
    println!("{count} workspaces made in          {took:>10.1?}, {:.0} a second", f64_of(count) / took.as_secs_f64());
    println!(
        "memory                             {:>10.1} MiB, {} bytes each",
        mib(full),
        (full - idle.min(full)) / count
    );
    report("create, 64 clients", created);
    report("get while they are made", meanwhile);

    let mut reads = Vec::with_capacity(READS);
    for _ in 0..READS {
        reads.push(read_one(&control_plane, count).await?);
    }
    report("get in a random workspace", reads);
    let begun = Instant::now();
    let page =
        Api::<Workspace>::all(in_organization(&control_plane, 0)?).list(&ListParams::default().limit(500)).await?;
    println!("list a page of {} workspaces      {:>10.1?}", page.items.len(), begun.elapsed());

    served.running.stop().await?;
    control_plane.close().await?;
    drop(control_plane);
    if let Some(dir) = dir {
        let begun = Instant::now();
        let control_plane = Embedded::open(&dir).await?;
        read_one(&control_plane, count).await?;
        println!("reopened, to the first answer      {:>10.1?}", begun.elapsed());
        control_plane.close().await?;
    }
    Ok(())
}

fn arguments() -> Result<(Option<PathBuf>, u64)> {
    let (mut dir, mut count) = (None, 10_000);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--disk" => dir = Some(arguments.next().ok_or("--disk needs a directory")?.into()),
            number => count = number.parse().map_err(|_| "usage: workspaces [--disk <dir>] [count]")?,
        }
    }
    Ok((dir, count))
}

async fn open(dir: Option<&PathBuf>) -> Result<Embedded> {
    Ok(match dir {
        Some(dir) => Embedded::open(dir).await?,
        None => Embedded::in_memory().await?,
    })
}

/// Makes the workspaces, and says how long each took.
async fn create(control_plane: &Embedded, count: u64, made: &Arc<AtomicU64>) -> Result<Vec<Duration>> {
    let root: Api<Workspace> = Api::all(in_process(control_plane));
    for organization in 0..count.div_ceil(PER_ORGANIZATION) {
        root.create(&PostParams::default(), &workspace(&organization_name(organization))).await?;
    }
    let next = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (control_plane, next, made) = (control_plane.clone(), next.clone(), made.clone());
        clients.spawn(async move {
            let mut took = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok::<_, Error>(took);
                }
                let api: Api<Workspace> = Api::all(in_organization(&control_plane, number / PER_ORGANIZATION)?);
                let begun = Instant::now();
                api.create(&PostParams::default(), &workspace(&name(number))).await?;
                made.fetch_max(number + 1, Ordering::Relaxed);
                took.push(begun.elapsed());
            }
        });
    }
    let mut all = Vec::with_capacity(usize::try_from(count)?);
    while let Some(took) = clients.join_next().await {
        all.extend(took??);
    }
    Ok(all)
}

/// Reads in random workspaces, a thousand times a second, until all are made.
async fn read_while(control_plane: Embedded, count: u64, made: Arc<AtomicU64>) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    let mut interval = tokio::time::interval(Duration::from_millis(1));
    loop {
        interval.tick().await;
        let there = made.load(Ordering::Relaxed).saturating_sub(1000);
        if there > 0 {
            took.push(read_one(&control_plane, there).await?);
        }
        if made.load(Ordering::Relaxed) >= count {
            return Ok(took);
        }
    }
}

/// How long it takes to get an object in one of the first `count` workspaces.
async fn read_one(control_plane: &Embedded, count: u64) -> Result<Duration> {
    let number = rand::rng().random_range(0..count);
    let path: WorkspacePath =
        format!("root:{}:{}", organization_name(number / PER_ORGANIZATION), name(number)).parse()?;
    let api: Api<Namespace> = Api::all(control_plane.system_client(&path)?);
    let begun = Instant::now();
    api.get("default").await?;
    Ok(begun.elapsed())
}

fn in_organization(control_plane: &Embedded, organization: u64) -> Result<kube::Client> {
    let path: WorkspacePath = format!("root:{}", organization_name(organization)).parse()?;
    Ok(control_plane.system_client(&path)?)
}

fn organization_name(number: u64) -> String {
    format!("org-{number}")
}

fn name(number: u64) -> String {
    format!("ws-{number}")
}

fn report(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 1000).copied().unwrap_or_default();
    println!(
        "{what:<34} p50 {:>9.1?}  p99 {:>9.1?}  p99.9 {:>9.1?}  max {:>9.1?}",
        at(500),
        at(990),
        at(999),
        took.last().copied().unwrap_or_default()
    );
}

fn memory() -> Result<u64> {
    Ok(resident_memory().ok_or("this system does not tell the memory of a process")?)
}

fn mib(bytes: u64) -> f64 {
    f64_of(bytes) / 1024.0 / 1024.0
}

fn f64_of(number: u64) -> f64 {
    number.to_string().parse().unwrap_or(f64::INFINITY)
}
