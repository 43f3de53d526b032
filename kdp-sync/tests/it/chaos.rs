//! The agent itself under faults: its requests get lost, its watches break off, it dies in the
//! middle of a request, and its successor starts before it is dead.
//!
//! Time is the runtime's own and stands still while anybody works, so minutes of waiting cost
//! nothing. `KDP_SIM_STEPS` is the number of things that people do in all; `KDP_SIM_SEED` takes
//! one seed instead of the usual ones.

mod faults;
mod people;
#[path = "../../src/engine/tests/chaos/model.rs"]
#[expect(dead_code, reason = "this test needs less of it than that of the engine")]
mod wanted;

use std::{sync::Arc, time::Duration};

use kdp_core::{Component, ComponentContext, Error};
use kdp_sync::{Agent, AgentOptions};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use self::{
    faults::{Distant, Network},
    people::People,
};
use crate::support::{EXPORT, World, databases_with_credentials};

const STEPS: u64 = 600;
const SEEDS: [u64; 3] = [1, 2, 3];
/// Things that people do before the faults stop for a while.
const LAP: u64 = 40;
/// How long it may take until both sides agree once the faults have stopped: agents try again
/// after at most a minute, and requests on their way arrive within one.
const PATIENCE: Duration = Duration::from_secs(900);
const MOST_AGENTS: usize = 3;

#[test]
fn under_faults_agents_bring_both_sides_to_where_the_specification_says() {
    let seeds = match number("KDP_SIM_SEED") {
        Some(seed) => vec![seed],
        None => SEEDS.into(),
    };
    let steps = number("KDP_SIM_STEPS").unwrap_or(STEPS).div_ceil(seeds.len() as u64);
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        if let Err(fault) = runtime.block_on(live(seed, steps)) {
            panic!("{fault}\nKDP_SIM_SEED={seed}");
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.replace('_', "").parse().expect("a number"))
}

/// An agent and its network.
struct Distanced {
    network: Network,
    task: JoinHandle<Result<(), Error>>,
    stop: CancellationToken,
}

impl Distanced {
    fn start(world: &World, seed: u64) -> Self {
        let network = Network::new(seed);
        let options = AgentOptions::new("agent", "root:provider".parse().unwrap(), EXPORT).with_created_export();
        let agent = Box::new(Agent::new(network.client(world.service()), options));
        let stop = CancellationToken::new();
        let control_plane = Distant { control_plane: world.control_plane.clone(), network: network.clone() };
        let (context, _) = ComponentContext::new(Arc::new(control_plane), stop.clone());
        Self { task: tokio::spawn(agent.run(context)), network, stop }
    }

    /// Ends it wherever it is. What it has sent may still arrive.
    fn kill(self) {
        self.network.cut();
        self.task.abort();
    }
}

async fn live(seed: u64, steps: u64) -> Result<(), String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let world = World::new().await;
    world.publish("databases", databases()).await;
    let mut agents = vec![Distanced::start(&world, seed)];
    agents[0].network.set_calm(true);
    world.published("databases").await;
    for path in people::WORKSPACES {
        world.bind(path, &["configmaps", "events", "namespaces", "secrets"]).await;
    }
    let mut people = People::new(&world).await;
    agents[0].network.set_calm(false);
    for lap in 0..steps.div_ceil(LAP) {
        for _ in 0..LAP {
            people.act(&mut rng).await;
            tend(&mut agents, &world, &mut rng);
            sleep(Duration::from_millis(rng.random_range(0..600))).await;
        }
        while agents.len() > 1 {
            agents.remove(0).kill();
        }
        agents[0].network.cut_after(usize::MAX);
        bury(&mut agents, &world, &mut rng);
        settle(&agents[0], &mut people).await.map_err(|fault| format!("lap {lap}: {fault}\n{}", people.diary()))?;
    }
    people.delete_all().await;
    settle(&agents[0], &mut people).await?;
    people.check_nothing_is_left().await?;
    for agent in agents {
        agent.stop.cancel();
        let end = agent.task.await.map_err(|error| error.to_string())?;
        end.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Agents die and others take over, not always in this order.
fn tend(agents: &mut Vec<Distanced>, world: &World, rng: &mut StdRng) {
    match rng.random_range(0..20) {
        0 if agents.len() < MOST_AGENTS => agents.push(Distanced::start(world, rng.random())),
        1 => agents.remove(0).kill(),
        2 => agents[0].network.cut_after(rng.random_range(0..6)),
        _ => {}
    }
    bury(agents, world, rng);
}

/// One whose network is dead is dead, too.
fn bury(agents: &mut Vec<Distanced>, world: &World, rng: &mut StdRng) {
    while let Some(dead) = agents.iter().position(|agent| agent.network.is_cut()) {
        agents.remove(dead).kill();
    }
    if agents.is_empty() {
        agents.push(Distanced::start(world, rng.random()));
    }
}

/// The faults stop, and both sides come to agree; then nothing more is written.
async fn settle(agent: &Distanced, people: &mut People<'_>) -> Result<(), String> {
    agent.network.set_calm(true);
    let start = tokio::time::Instant::now();
    // What was sent late is there after a minute.
    sleep(Duration::from_secs(61)).await;
    while let Err(fault) = people.check().await {
        if start.elapsed() > PATIENCE || agent.task.is_finished() {
            return Err(format!("{fault}; the agent is alive: {}", !agent.task.is_finished()));
        }
        sleep(Duration::from_secs(1)).await;
    }
    // What has ended is remembered until nothing can arrive for it any more.
    sleep(Duration::from_secs(600)).await;
    let writes = agent.network.writes();
    sleep(Duration::from_secs(300)).await;
    people.check().await?;
    people.agree().await;
    if agent.network.writes() != writes {
        return Err(format!("{} writes in five minutes of rest", agent.network.writes() - writes));
    }
    agent.network.set_calm(false);
    Ok(())
}

/// Databases with credentials, and with a ConfigMap of the tenant's.
fn databases() -> Value {
    let mut spec = databases_with_credentials();
    let config = json!({
        "identifier": "config", "origin": "kcp", "kind": "ConfigMap",
        "object": {"template": {"template": "{{ .Object.spec.tier }}"}},
    });
    spec["related"].as_array_mut().unwrap().push(config);
    spec
}
