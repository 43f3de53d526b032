//! What an observation looks like in the status of a Database.

use jiff::Timestamp;
use kdp_core::{
    condition::{Condition, set_condition},
    provider::{Observation, Phase},
};
use kube::ResourceExt;

use super::credentials::secret_name;
use crate::database::{Database, DatabaseStatus};

/// The status that reports `observation`. What it says nothing about stays as it was.
pub(super) fn status(database: &Database, observation: &Observation, now: Timestamp) -> DatabaseStatus {
    let mut status = database.status.clone().unwrap_or_default();
    let generation = database.metadata.generation;
    status.phase = observation.phase.to_string();
    status.observed_generation = generation;
    if !observation.outputs.is_empty() {
        status.secret_name = secret_name(&database.name_any());
    }
    let fields =
        [("endpoint", &mut status.endpoint), ("version", &mut status.version), ("storage", &mut status.storage)];
    for (name, field) in fields {
        // The status is no secret.
        if let Some(output) = observation.outputs.get(name).filter(|output| !output.sensitive) {
            field.clone_from(&output.value);
        }
    }
    for condition in observation.conditions.iter().cloned().chain([ready(observation)]) {
        set_condition(&mut status.conditions, Condition { observed_generation: generation, ..condition }, now);
    }
    status
}

/// `metav1.Condition` requires a reason, and knows no severity.
fn ready(observation: &Observation) -> Condition {
    let status = match observation.phase {
        Phase::Ready => "True",
        Phase::Unknown => "Unknown",
        _ => "False",
    };
    Condition {
        type_: "Ready".into(),
        status: status.into(),
        reason: observation.phase.to_string(),
        message: observation.message.clone(),
        ..Condition::default()
    }
}
