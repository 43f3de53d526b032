//! Orders of several tenants under faults, in a world of which agents know only a part.
//!
//! A run is a script: a list of things that happen, drawn from a seed beforehand, so that parts of
//! it can be left out. The engine is asked as the driver asks it. [`guard`] looks at every write
//! for what must never be done; [`fixed_point`] compares both sides, once the faults stop, with
//! what [`model`] has noted of what people did.
//!
//! `KDP_SIM_STEPS` is the number of things that happen in all; `KDP_SIM_SEED` takes one seed
//! instead of the usual ones.

mod action;
mod agent;
mod fixed_point;
mod found;
mod guard;
mod model;
mod scene;
mod shape;

use rand::{SeedableRng, rngs::StdRng};

use self::{
    action::Action,
    scene::Scene,
    shape::{SHAPES, Shape},
};

const STEPS: usize = 24_000;
/// Things that happen in the life of one scene.
const LIFE: usize = 400;
const SEEDS: [u64; 4] = [1, 2, 3, 4];
/// Tries to find a shorter script that fails, too.
const MOST_TRIES: usize = 3_000;

#[test]
fn under_faults_both_sides_come_to_rest_where_the_specification_says() {
    let steps = number("KDP_SIM_STEPS").unwrap_or(STEPS as u64);
    let seeds = match number("KDP_SIM_SEED") {
        Some(seed) => vec![seed],
        None => SEEDS.into(),
    };
    let lives = steps.div_ceil((seeds.len() * LIFE) as u64);
    for seed in seeds {
        for life in 0..lives {
            live(seed, life);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.replace('_', "").parse().expect("a number"))
}

/// One life of a scene; it does not depend on the lives before it.
fn live(seed: u64, life: u64) {
    let mut rng = StdRng::seed_from_u64(seed ^ life.rotate_left(32));
    let shape = life as usize % SHAPES;
    let script: Vec<_> = (0..LIFE).map(|_| Action::any(&mut rng)).collect();
    run(shape, &script).unwrap_or_else(|fault| {
        let (script, fault) = shorten(shape, script, fault);
        let name = Shape::new(shape).name;
        panic!("{fault}\n{name}, life {life} of KDP_SIM_SEED={seed}; a short way there:\n{script:#?}");
    });
}

fn run(shape: usize, script: &[Action]) -> Result<(), String> {
    let mut scene = Scene::new(Shape::new(shape));
    script.iter().try_for_each(|action| scene.step(*action))?;
    scene.settle()?;
    scene.end()
}

/// Leaves out of a script what it fails without.
fn shorten(shape: usize, mut script: Vec<Action>, mut fault: String) -> (Vec<Action>, String) {
    let mut tries = 0;
    let mut length = script.len() / 2;
    while length > 0 {
        let mut at = 0;
        while at < script.len() && tries < MOST_TRIES {
            tries += 1;
            let mut shorter = script.clone();
            shorter.drain(at..(at + length).min(script.len()));
            match run(shape, &shorter) {
                Err(other) => (script, fault) = (shorter, other),
                Ok(_) => at += length,
            }
        }
        length /= 2;
    }
    (script, fault)
}
