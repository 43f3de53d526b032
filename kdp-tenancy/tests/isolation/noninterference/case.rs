//! One sequence of requests, run in a crowd and alone.

use std::fmt;

use super::{
    normalize::{Revisions, normalized},
    operations::{self, Actor, Step},
    world::{Observed, World},
};

/// How many runs finding a smaller failing sequence may take.
const SHRINKING: usize = 100;

/// A sequence of requests.
#[derive(Debug)]
pub(super) struct Case {
    steps: Vec<Step>,
}

/// What running a case showed.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) difference: Option<Difference>,
    pub(super) requests: u64,
}

/// The first answer to the tenant that depends on the others.
#[derive(Debug)]
pub(super) struct Difference {
    /// Position of the request.
    step: usize,
    crowded: String,
    alone: String,
}

impl Case {
    pub(super) fn of_seed(seed: u64) -> Self {
        Self { steps: operations::steps(seed) }
    }

    /// Runs the case in both worlds.
    pub(super) fn run(&self) -> Outcome {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let crowded = runtime().block_on(World::crowded(&self.steps));
        let alone = runtime().block_on(World::alone(&self.steps));
        Outcome { difference: difference(&crowded, &alone), requests: self.steps.len() as u64 }
    }

    /// A smaller case that also fails, and how.
    pub(super) fn shrink(mut self, mut difference: Difference) -> (Self, Difference) {
        self.steps.truncate(difference.step + 1);
        let (mut runs, mut size) = (0, self.steps.len() / 2);
        while size > 0 {
            let mut start = 0;
            while start < self.steps.len() && runs < SHRINKING {
                let mut steps = self.steps.clone();
                steps.drain(start..(start + size).min(steps.len()));
                let smaller = Self { steps };
                runs += 1;
                match smaller.run().difference {
                    Some(found) => (self, difference) = (smaller, found),
                    None => start += size,
                }
            }
            size /= 2;
        }
        (self, difference)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.steps.iter().enumerate() {
            writeln!(f, "{i:4} {step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {} is answered in a crowd with\n{}\nand alone with\n{}", self.step, self.crowded, self.alone)
    }
}

fn difference(crowded: &Observed, alone: &Observed) -> Option<Difference> {
    assert_eq!(crowded.observations.len(), alone.observations.len(), "both worlds run the same requests of the tenant");
    // Order shows only over the whole run: a difference elsewhere would shift all that come after.
    [Revisions::Hidden, Revisions::Ranked].into_iter().find_map(|revisions| {
        let (crowded, alone) = (normalized(crowded, revisions), normalized(alone, revisions));
        crowded
            .into_iter()
            .zip(alone)
            .find(|(crowded, alone)| crowded.text != alone.text)
            .map(|(crowded, alone)| Difference { step: crowded.step, crowded: crowded.text, alone: alone.text })
    })
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.actor {
            Actor::Tenant => "tenant".to_owned(),
            Actor::Guest => "guest".to_owned(),
            Actor::Provider => "provider".to_owned(),
            Actor::Other(i) => format!("other{i}"),
        };
        write!(f, "{who}: {:?}", self.ask)
    }
}
