//! What a tenant sees is what it would see alone.
//!
//! A seed makes a sequence of requests of one tenant, of the provider whose export it binds, and of
//! others. It is run twice: in a crowded control plane, and in one where the others do not exist.
//! Every answer to the tenant must be the same in both: code, headers, body and watch events. What
//! may differ, and why, is in [`normalize`].
//!
//! Known channels that are not closed, as in kcp:
//! - The distance between two resourceVersions says how much was written in all workspaces
//!   together, and so does a resourceVersion in an error text. Only the order relative to the
//!   tenant's own writes is compared.
//! - How long an answer takes is not compared.
//! - How far back a resourceVersion can be read is a limit of the whole store, so others that
//!   write enough make old ones expire sooner. The runs here stay within the history.

mod case;
mod normalize;
mod operations;
mod world;

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Instant,
};

use self::case::Case;

/// How many requests to make, in all worlds with others together.
const OPS: &str = "KDP_ISOLATION_OPS";
/// The only seed to run.
const SEED: &str = "KDP_ISOLATION_SEED";
const DEFAULT_OPS: u64 = 20_000;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is not a number")))
}

/// Runs a seed; the number of requests made.
#[expect(clippy::print_stdout, reason = "finding a small sequence takes a while, and may find none")]
fn check(seed: u64) -> u64 {
    let case = Case::of_seed(seed);
    let outcome = case.run();
    if let Some(difference) = outcome.difference {
        println!("seed {seed} ({SEED}={seed} runs it again):\n{difference}\nlooking for fewer requests that show it");
        let (smallest, difference) = case.shrink(difference);
        panic!("seed {seed}:\n{difference}\nafter these requests:\n{smallest}");
    }
    outcome.requests
}

#[test]
fn what_a_tenant_sees_does_not_depend_on_other_tenants() {
    if let Some(seed) = number(SEED) {
        check(seed);
        return;
    }
    let wanted = number(OPS).unwrap_or(DEFAULT_OPS);
    let (next, done, started) = (AtomicU64::new(0), AtomicU64::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while done.load(Relaxed) < wanted {
                    done.fetch_add(check(next.fetch_add(1, Relaxed)), Relaxed);
                }
            });
        }
    });
    println!("{} requests of {} seeds in {:?}", done.into_inner(), next.into_inner(), started.elapsed());
}
