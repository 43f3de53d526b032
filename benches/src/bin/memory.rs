//! Measures what the embedded control plane keeps in memory: idle, and for each empty workspace.
//!
//! `cargo run --release -p kdp-benches --bin memory [workspaces]`
#![expect(clippy::print_stdout, reason = "it is a program that prints its findings")]

use std::time::{Duration, Instant};

use kdp_benches::{in_process, resident_memory, serve, unique, workspace};
use kdp_tenancy::Embedded;
use kube::{Api, api::PostParams};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: u64 = std::env::args().nth(1).map_or(Ok(10_000), |count| count.parse())?;
    let before = memory()?;
    let control_plane = Embedded::in_memory().await?;
    let served = serve(&control_plane).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = memory()?;
    let api = Api::all(in_process(&control_plane));
    let begun = Instant::now();
    for _ in 0..count {
        api.create(&PostParams::default(), &workspace(&unique("w"))).await?;
    }
    let took = begun.elapsed();
    let full = memory()?;
    println!("process before the control plane: {:.1} MiB", mib(before));
    println!("idle, serving HTTPS:              {:.1} MiB", mib(idle));
    println!(
        "with {count} workspaces:          {:.1} MiB, {} bytes each",
        mib(full),
        full.saturating_sub(idle) / count
    );
    println!("created in {took:.1?}, {:.0} a second", f64_of(count) / took.as_secs_f64());
    served.running.stop().await?;
    Ok(control_plane.close().await?)
}

fn memory() -> Result<u64, &'static str> {
    resident_memory().ok_or("this system does not tell the memory of a process")
}

fn mib(bytes: u64) -> f64 {
    f64_of(bytes) / 1024.0 / 1024.0
}

fn f64_of(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
