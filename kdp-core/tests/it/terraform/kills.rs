//! The platform and its engines are killed at random instants.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use kdp_core::{
    Error, Retry,
    provider::{Lease, Order, OrderId, Phase, Provider, Run, terraform::TerraformProvider},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    is_here,
    place::{Place, spec},
};

const PLACE: &str = "KDP_TEST_PLACE";
const LEASE: &str = "KDP_TEST_LEASE";
const ORDERS: usize = 4;

fn id(number: usize) -> OrderId {
    OrderId::new(format!("uid-{number}"), "team", format!("order-{number}"))
}

/// Tries until it succeeds, as a runner would.
async fn insist<T>(mut attempt: impl AsyncFnMut() -> Result<T, Error>) -> T {
    let started = tokio::time::Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => {
                let goes_on = error.retry() != Retry::Never && started.elapsed() < Duration::from_secs(90);
                assert!(goes_on, "{error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converge(provider: &TerraformProvider, order: &Order, lease: u64) {
    let run = Run::new(Lease(lease)).with_holder("the platform");
    insist(async || {
        let plan = provider.plan(order, &run).await?;
        let observation = provider.apply(order, &plan.hash(), &run).await?;
        assert_eq!(observation.phase, Phase::Ready, "{}", observation.message);
        Ok(())
    })
    .await;
}

async fn vanish(provider: &TerraformProvider, order: &OrderId, lease: u64) {
    let run = Run::new(Lease(lease)).with_holder("the platform");
    insist(async || {
        let Some(teardown) = provider.observe(order, None).await?.teardown else { return Ok(()) };
        provider.delete(&teardown, &run).await.map(drop)
    })
    .await;
}

/// A platform: makes, changes and removes orders for as long as it lives. Run by the test below.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is the program that is killed"]
async fn platform() {
    let Some(path) = std::env::var_os(PLACE) else { return };
    let lease: u64 = std::env::var(LEASE).unwrap().parse().unwrap();
    let place = Place::at(PathBuf::from(path));
    let provider = place.open().await.unwrap();
    let work = (0..ORDERS).map(|number| {
        let (provider, mut random) = (provider.clone(), StdRng::seed_from_u64(lease * 100 + number as u64));
        async move {
            loop {
                if random.random_ratio(1, 3) {
                    vanish(&provider, &id(number), lease).await;
                } else {
                    let note = random.random::<u32>().to_string();
                    converge(&provider, &Order::new(id(number), 1, spec(&note)), lease).await;
                }
            }
        }
    });
    futures::future::join_all(work).await;
}

/// The engines that work at this place.
fn engines(path: &Path) -> Vec<i32> {
    let mark = format!("KDP_TERRAFORM_RUN={}", path.join("work").display());
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let is_ours = |process: &PathBuf| {
        fs::read(process.join("environ")).is_ok_and(|all| all.windows(mark.len()).any(|part| part == mark.as_bytes()))
    };
    processes.filter(is_ours).filter_map(|process| process.file_name()?.to_str()?.parse().ok()).collect()
}

fn kill(pid: i32) {
    drop(Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_stuck_when_platform_and_engine_are_killed_at_any_instant() {
    if !is_here() {
        return;
    }
    let kills: u64 = std::env::var("KDP_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let seed: u64 = std::env::var("KDP_KILL_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("KDP_KILL_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let place = Place::new();
    for lease in 1..=kills {
        let mut platform = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "terraform::kills::platform", "--ignored", "--nocapture"])
            .env(PLACE, place.root())
            .env(LEASE, lease.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(random.random_range(100..1500))).await;
        let victims = engines(place.root());
        match random.random_range(0..3) {
            0 => platform.kill().unwrap(),
            1 => {
                victims.into_iter().for_each(kill);
                tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
                platform.kill().unwrap();
            }
            _ => {
                platform.kill().unwrap();
                victims.into_iter().for_each(kill);
            }
        }
        platform.wait().unwrap();
    }

    let provider = place.open().await.unwrap();
    for number in 0..ORDERS {
        converge(&provider, &Order::new(id(number), 2, spec("at last")), kills + 1).await;
    }
    let mut things = place.things().unwrap();
    things.sort();
    assert_eq!(things, (0..ORDERS).map(|number| format!("uid-{number}")).collect::<Vec<_>>());
    for number in 0..ORDERS {
        let order = Order::new(id(number), 2, spec("at last"));
        let plan = provider.plan(&order, &Run::new(Lease(kills + 1))).await.unwrap();
        assert_eq!(plan.changes, []);
        vanish(&provider, &id(number), kills + 1).await;
    }
    assert_eq!(place.things().unwrap(), Vec::<String>::new());
    // One that only planned for a platform that is dead asks for its state a few times more.
    let started = tokio::time::Instant::now();
    while !engines(place.root()).is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "engines are left: {:?}", engines(place.root()));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_engine_said_it_did_counts_when_it_was_killed_before_it_wrote_that_down() {
    if !is_here() {
        return;
    }
    let place = Place::new();
    let provider = place.open().await.unwrap();
    let order = Order::new(id(1), 1, spec("a"));
    converge(&provider, &order, 1).await;
    let before = provider.observe(&order.id, None).await.unwrap().outputs["key"].value.clone();

    // A run that replaced it, and ended without a word.
    let line = |kind: &str, action: &str, id: &str| {
        let hook = serde_json::json!({"resource": {"addr": "terraform_data.main"}, "action": action, "id_value": id});
        serde_json::json!({"type": kind, "hook": hook}).to_string() + "\n"
    };
    let said = [
        line("apply_start", "delete", &before),
        line("apply_complete", "delete", ""),
        line("apply_start", "create", ""),
        line("apply_complete", "create", "made-anew"),
    ];
    let orders = fs::read_dir(place.path("work").join("orders")).unwrap();
    let run = orders.map(|order| order.unwrap().path()).next().unwrap().join("run");
    fs::create_dir(&run).unwrap();
    fs::write(run.join("out"), said.concat()).unwrap();
    // What it was given for one use, with secrets in it.
    let scratch = run.with_file_name("tmp-left");
    fs::create_dir(&scratch).unwrap();
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(86_400);
    fs::File::open(&scratch).unwrap().set_modified(yesterday).unwrap();
    // So much later that its process number is nobody's.
    fs::write(run.join("pid"), "1999999999").unwrap();

    converge(&provider, &order, 1).await;
    let after = provider.observe(&order.id, None).await.unwrap();
    assert_eq!((after.phase, after.outputs["key"].value.as_str()), (Phase::Ready, "made-anew"));
    assert!(!run.exists() && !scratch.exists());
    vanish(&provider, &order.id, 1).await;
}
