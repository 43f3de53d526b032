//! Measures what quiet tenants notice of one that sends a hundred times their load.
//!
//! Each quiet tenant reads and writes a ConfigMap of its own, one request every 20 ms. The noisy
//! one keeps 100 requests open all the time: three writes for every list of a thousand objects.
//! What the quiet ones wait is measured without noise, with noise and no turns, with turns, and with
//! turns and a limit on how many requests of a tenant are worked on at once.
//!
//! Over HTTPS the noisy tenant is a process of the lowest priority, as if it were on another machine;
//! in process it shares the processors with everybody.
//!
//! `cargo run --release -p kdp-benches --bin noisy_neighbour [seconds]`
#![expect(clippy::print_stdout, reason = "it is a program that prints its findings")]

use std::{
    error::Error,
    io::Write,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use k8s_openapi::api::{core::v1::ConfigMap, rbac::v1::ClusterRoleBinding};
use kdp_benches::{config_map, serve, workspace};
use kdp_core::{ControlPlane, ControlPlaneExt, Endpoint, Identity, WorkspacePath, api::limits::WorkspaceLimitsSpec};
use kdp_tenancy::{Embedded, EmbeddedOptions};
use kube::{
    Api, Client, Config,
    api::{ListParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::Request,
};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

const QUIET_TENANTS: usize = 8;
const QUIET_PAUSE: Duration = Duration::from_millis(20);
const NOISY_REQUESTS: usize = 100;
const NOISY_OBJECTS: usize = 1000;
/// How late a timer may be.
const TIMER: Duration = Duration::from_millis(3);
/// What the tenant limit allows at once.
const LIMIT: u32 = 2;

/// Makes this program the noisy tenant.
const NOISE: &str = "--noise";
/// Ends the kubeconfig on the input of the noisy tenant, as it ends a document of YAML.
const END: &str = "...";

type Failure = Box<dyn Error + Send + Sync>;

/// How requests travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    InProcess,
    Https,
}

/// What is done about noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    NoNoise,
    Nothing,
    Turns,
    TurnsAndLimit,
}

fn main() -> Result<(), Failure> {
    if std::env::args().nth(1).as_deref() == Some(NOISE) {
        return noise_process();
    }
    let seconds = std::env::args().nth(1).map_or(Ok(10), |seconds| seconds.parse())?;
    println!("{:<11} {:<22} {:>9} {:>9} {:>9} {:>10}", "", "", "p50", "p99", "max", "noise/s");
    for transport in [Transport::InProcess, Transport::Https] {
        for measure in [Measure::NoNoise, Measure::Nothing, Measure::Turns, Measure::TurnsAndLimit] {
            let (mut waits, noise) = run(transport, measure, Duration::from_secs(seconds))?;
            waits.sort_unstable();
            let at = |part: usize| waits.get(waits.len() * part / 1000).copied().unwrap_or_default();
            let name = match measure {
                Measure::NoNoise => "alone",
                Measure::Nothing => "noise, no turns",
                Measure::Turns => "noise, turns",
                Measure::TurnsAndLimit => "noise, turns and limit",
            };
            let (p50, p99, max) = (at(500), at(990), waits.last().copied().unwrap_or_default());
            let transport = format!("{transport:?}");
            println!("{transport:<11} {name:<22} {p50:>9.1?} {p99:>9.1?} {max:>9.1?} {noise:>10}");
        }
    }
    Ok(())
}

/// A runtime beside the server's.
fn elsewhere() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

/// The noisy tenant at work.
enum Noise {
    None,
    Here(Arc<Counter>),
    Elsewhere(Child),
}

#[derive(Default)]
struct Counter {
    stop: AtomicBool,
    answered: AtomicU64,
}

impl Noise {
    /// Ends it, and says how many requests were answered.
    fn end(self) -> Result<u64, Failure> {
        match self {
            Self::None => Ok(0),
            Self::Here(counter) => {
                counter.stop.store(true, Ordering::Relaxed);
                Ok(counter.answered.load(Ordering::Relaxed))
            }
            Self::Elsewhere(mut child) => {
                drop(child.stdin.take());
                let output = child.wait_with_output()?;
                Ok(String::from_utf8(output.stdout)?.trim().parse()?)
            }
        }
    }
}

fn spawn_noise(runtime: &Runtime, client: &Client) -> Arc<Counter> {
    let counter = Arc::<Counter>::default();
    for worker in 0..NOISY_REQUESTS {
        runtime.spawn(make_noise(client.clone(), worker, Arc::clone(&counter)));
    }
    counter
}

/// Starts this program as the noisy tenant.
fn start_noise(control_plane: &Embedded) -> Result<Child, Failure> {
    let mut child = Command::new("nice")
        .args(["-n", "19"])
        .arg(std::env::current_exe()?)
        .arg(NOISE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = child.stdin.as_mut().ok_or("the noisy tenant has no input")?;
    writeln!(input, "{}\n{END}", kubeconfig(control_plane, "noisy")?)?;
    Ok(child)
}

/// Makes noise until the input ends.
fn noise_process() -> Result<(), Failure> {
    let mut lines = std::io::stdin().lines();
    let mut yaml = String::new();
    for line in lines.by_ref() {
        match line? {
            line if line == END => break,
            line => yaml.extend([&*line, "\n"]),
        }
    }
    let runtime = elsewhere()?;
    let counter = spawn_noise(&runtime, &runtime.block_on(remote(&yaml))?);
    lines.for_each(drop);
    println!("{}", counter.answered.load(Ordering::Relaxed));
    Ok(())
}

/// How long each request of the quiet tenants took, and how many of the noisy one were answered a second.
fn run(transport: Transport, measure: Measure, time: Duration) -> Result<(Vec<Duration>, u64), Failure> {
    let server = Builder::new_multi_thread().enable_all().build()?;
    let mut options = EmbeddedOptions::new();
    if measure == Measure::Nothing {
        options = options.without_fairness();
    }
    if measure == Measure::TurnsAndLimit {
        let limits = WorkspaceLimitsSpec { concurrency: Some(LIMIT), ..WorkspaceLimitsSpec::default() };
        options = options.with_limits(limits);
    }
    let (control_plane, _served) = server.block_on(async {
        let control_plane = Embedded::in_memory_with(options).await?;
        let served = serve(&control_plane).await;
        prepare(&control_plane).await?;
        Ok::<_, Failure>((control_plane, served))
    })?;
    // Over HTTPS, clients are elsewhere: neither they nor the server wait for each other's tasks.
    let quiet_place = match transport {
        Transport::InProcess => None,
        Transport::Https => Some(elsewhere()?),
    };
    let begun = Instant::now();
    let noise = match (measure, transport) {
        (Measure::NoNoise, _) => Noise::None,
        (_, Transport::InProcess) => {
            let client = server.block_on(client(&control_plane, transport, "noisy"))?;
            Noise::Here(spawn_noise(&server, &client))
        }
        (_, Transport::Https) => Noise::Elsewhere(start_noise(&control_plane)?),
    };
    std::thread::sleep(time / 10);
    let runtime = quiet_place.as_ref().unwrap_or(&server);
    let waits = runtime.block_on(async {
        let mut tasks = Vec::new();
        for tenant in 0..QUIET_TENANTS {
            let client = client(&control_plane, transport, &format!("quiet-{tenant}")).await?;
            tasks.push(tokio::spawn(be_quiet(client, time)));
        }
        join_all(tasks).await.into_iter().collect::<Result<Vec<_>, _>>().map_err(Failure::from)
    })?;
    let answered = noise.end()?;
    let noise = answered * 1000 / u64::try_from(begun.elapsed().as_millis())?.max(1);
    for runtime in [quiet_place, Some(server)].into_iter().flatten() {
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
    let waits = waits.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok((waits.concat(), noise))
}

/// Makes the tenants, and what they have.
async fn prepare(control_plane: &Embedded) -> Result<(), Failure> {
    let root: Api<_> = Api::all(control_plane.system_client(&WorkspacePath::root())?);
    let tenants = (0..QUIET_TENANTS).map(|tenant| format!("quiet-{tenant}")).chain(["noisy".to_owned()]);
    for tenant in tenants {
        root.create(&PostParams::default(), &workspace(&tenant)).await?;
        let client = control_plane.system_client(&format!("root:{tenant}").parse()?)?;
        let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
        let admin = json!({"metadata": {"name": "tenant"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": tenant}]});
        bindings.create(&PostParams::default(), &serde_json::from_value(admin)?).await?;
        let api: Api<ConfigMap> = Api::namespaced(client, "default");
        let objects = if tenant == "noisy" { NOISY_OBJECTS } else { 1 };
        for object in 0..objects {
            api.create(&PostParams::default(), &config_map(&format!("c-{object}"))).await?;
        }
    }
    Ok(())
}

async fn client(control_plane: &Embedded, transport: Transport, tenant: &str) -> Result<Client, Failure> {
    if transport == Transport::InProcess {
        let (endpoint, identity) = whereabouts(tenant)?;
        return Ok(control_plane.client(&endpoint, &identity)?);
    }
    remote(&kubeconfig(control_plane, tenant)?).await
}

fn whereabouts(tenant: &str) -> Result<(Endpoint, Identity), Failure> {
    let path: WorkspacePath = format!("root:{tenant}").parse()?;
    Ok((Endpoint::Workspace(path), Identity { username: tenant.into(), ..Identity::default() }))
}

fn kubeconfig(control_plane: &Embedded, tenant: &str) -> Result<String, Failure> {
    let (endpoint, identity) = whereabouts(tenant)?;
    Ok(control_plane.kubeconfig(&endpoint, &identity)?)
}

async fn remote(kubeconfig: &str) -> Result<Client, Failure> {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// One request after the other, until told to stop.
async fn make_noise(client: Client, worker: usize, counter: Arc<Counter>) {
    let list = Request::new("/api/v1/namespaces/default/configmaps");
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let name = format!("c-{worker}");
    let own = config_map(&name);
    for round in worker.. {
        if counter.stop.load(Ordering::Relaxed) {
            return;
        }
        let result = if round % 4 == 0 {
            let request = list.list(&ListParams::default()).expect("it is a valid request");
            client.request_text(request).await.map(drop)
        } else {
            api.replace(&name, &PostParams::default(), &own).await.map(drop)
        };
        if result.is_ok() {
            counter.answered.fetch_add(1, Ordering::Relaxed);
        }
        tokio::task::yield_now().await;
    }
}

/// A read or a write every now and then; returns how long each took.
async fn be_quiet(client: Client, time: Duration) -> Result<Vec<Duration>, kube::Error> {
    let api: Api<ConfigMap> = Api::namespaced(client, "default");
    let mut waits = Vec::new();
    // The first request opens the connection.
    api.get("c-0").await?;
    let begun = Instant::now();
    for round in 0.. {
        let due = begun + QUIET_PAUSE * round;
        if due > begun + time {
            break;
        }
        tokio::time::sleep_until(due.into()).await;
        // A timer is some milliseconds late; beyond that, the request waits from when it was due.
        let now = Instant::now();
        let due = if now - due < TIMER { now } else { due };
        if round % 2 == 0 {
            api.get("c-0").await?;
        } else {
            api.replace("c-0", &PostParams::default(), &config_map("c-0")).await?;
        }
        waits.push(due.elapsed());
    }
    Ok(waits)
}
