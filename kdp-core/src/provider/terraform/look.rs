//! Observing: what there is, as the state and the notes have it.

use std::time::Duration;

use serde_json::json;

use super::{
    Shop,
    draft::read_state,
    notes::Notes,
    state::Snapshot,
    stored::{self, Stored},
};
use crate::{
    Error, ErrorKind,
    provider::{Observation, OrderId, Phase, Teardown},
};

/// After how long something is looked at again that the engine alone can change.
const LONGEST_LOOK: Duration = Duration::from_secs(300);

/// Marks the records of this provider.
const ENGINE: &str = "terraform";

impl Shop {
    /// What there is. No engine is run: what others have changed is found by the next plan.
    pub(super) async fn look(&self, id: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        if let Some(sealed) = sealed {
            self.check_record(sealed)?;
        }
        let unknown =
            |message: &str| Observation::new(Phase::Unknown).with_message(message).with_next_look(LONGEST_LOOK);
        let snapshot = match self.states.latest(id).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => return Ok(unknown(error.message())),
            snapshot => snapshot?,
        };
        let Some(snapshot) = snapshot else {
            let had_state = sealed.is_some_and(|sealed| sealed.data["hadState"] == true);
            let is_other = sealed.is_some_and(|sealed| sealed.data["states"] != json!(self.store));
            return Ok(if had_state || is_other {
                unknown("its state is not in this store of states; nobody knows what there is")
            } else {
                Observation::new(Phase::Gone)
            });
        };
        if snapshot.removed {
            return Ok(Observation::new(Phase::Gone));
        }
        let state = read_state(Some(&snapshot), id)?;
        let notes = Notes::of(&snapshot.notes);
        let holder = self.states.holder(id).await?;
        let is_untouched = notes.begun.is_none() && notes.complete.is_none() && notes.doubt.is_empty();
        if is_untouched && state.as_ref().is_none_or(Stored::is_empty) {
            return Ok(Observation::new(Phase::Gone));
        }
        let state = state.unwrap_or_default();
        let mut observation = judge(&notes, &snapshot, &state, holder.map(|holder| holder.who));
        if let Some(complete) = &notes.complete {
            observation = observation.with_generation(complete.generation);
        }
        observation = state.outputs().fold(observation, |seen, (name, output)| seen.with_output(name, output));
        for (endpoint, output) in &self.options.endpoints {
            // An address with credentials in it would be shown to everybody.
            if let Some(output) = observation.outputs.get(output).filter(|output| !output.sensitive) {
                let address = output.value.clone();
                observation = observation.with_endpoint(endpoint, address);
            }
        }
        let things = state.inventory().into_iter().map(|item| (item.kind, item.id));
        Ok(observation.with_teardown(self.sealed(stored::teardown(id, things), true)))
    }

    /// The record with what shows later that the state is missing, and not that there never was one.
    pub(super) fn sealed(&self, record: Teardown, has_state: bool) -> Teardown {
        record.with_data(json!({"engine": ENGINE, "states": self.store, "hadState": has_state}))
    }

    /// # Errors
    /// `Invalid` when the record is none of this provider's.
    pub(super) fn check_record(&self, sealed: &Teardown) -> Result<(), Error> {
        if sealed.data["engine"] == ENGINE {
            return Ok(());
        }
        let message = format!("the teardown record is none of {}'s", self.name);
        Err(Error::new(ErrorKind::Invalid, "read the record of", &sealed.id, message))
    }
}

fn judge(notes: &Notes, snapshot: &Snapshot, state: &Stored, holder: Option<String>) -> Observation {
    let seen = |phase, message: String| Observation::new(phase).with_message(message);
    if !notes.doubt.is_empty() {
        let places: Vec<_> = notes.doubt.iter().map(String::as_str).collect();
        let message = "the engine was killed while it was creating, and nobody knows how that ended: look whether";
        let message = format!("{message} there is anything, and clear the doubt; {}", places.join(", "));
        return seen(Phase::Blocked, message).with_next_look(LONGEST_LOOK);
    }
    if let Some(begun) = &notes.begun {
        return match holder {
            Some(holder) => seen(Phase::Progressing, format!("{holder} is at work since {}", begun.since)),
            None => seen(Phase::Failing, format!("the run of {} was cut short and is gone on with", begun.since)),
        };
    }
    if let Some(failed) = &notes.failed {
        return seen(Phase::Failing, failed.message.clone());
    }
    let Some(complete) = &notes.complete else {
        return seen(Phase::Progressing, "it was taken over, and not yet made as ordered".into());
    };
    if complete.serial != snapshot.serial {
        return seen(Phase::Degraded, "its state was changed since it was made".into());
    }
    let checks = state.failed_checks();
    if !checks.is_empty() {
        return seen(Phase::Degraded, checks.join("; ")).with_next_look(LONGEST_LOOK);
    }
    Observation::new(Phase::Ready)
}
