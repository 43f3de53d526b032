//! Bringing an order in step after a run that did not come to its end.

use std::{fs, io, time::Duration};

use super::{
    Shop,
    draft::write_variables,
    engine::{failure, unavailable},
    inputs::Inputs,
    notes::{self, BEGUN, DOUBT, INPUTS, Notes},
    options::Ambiguous,
    place::{self, OrderPlace},
    process::RunFiles,
    settle::{Repair, decide},
    state::{Recovery, StateSession},
    stored::Stored,
    stream::Journal,
};
use crate::{
    Error, ErrorKind,
    provider::{OrderId, Run},
};

/// Nothing that is used once is used longer.
const OLDEST_SCRATCH: Duration = Duration::from_secs(3600);
/// Stands for whatever a run may have made whose files are on another machine.
const ELSEWHERE: &str = "a run on another machine";

impl Shop {
    /// Waits for an engine that was left at work, takes in the state it could not deliver, and brings the
    /// state in step with what it said it has done. Can be repeated at any point.
    pub(super) async fn settle(&self, session: &StateSession, id: &OrderId, run: &Run) -> Result<(), Error> {
        let failed = |e: io::Error| unavailable("settle", id, e);
        let place = self.engine.base.order(id);
        let files = RunFiles(place.run());
        self.engine.outlive(&files, id).await?;
        recover(session, &place, id).await?;
        let known = Notes::of(&session.notes().await?);
        let mut doubts = known.doubt.clone();
        match files.read_output().map_err(failed)? {
            Some(output) => {
                let state = state_of(session, id).await?;
                let (repairs, open) = decide(&Journal::read(&output), &state.unwrap_or_default());
                self.repair(session, id, repairs, run).await?;
                doubts.extend(open);
            }
            None if known.begun.is_some() => {
                doubts.insert(ELSEWHERE.into());
            }
            None => {}
        }
        if self.options.ambiguous == Ambiguous::Hold && doubts != known.doubt {
            session.note(DOUBT, notes::value(&doubts)).await?;
        }
        place::remove(&files.0).map_err(failed)?;
        place.sweep(OLDEST_SCRATCH.max(self.options.plan_timeout * 2)).map_err(failed)?;
        if known.begun.is_some() { session.note(BEGUN, None).await } else { Ok(()) }
    }

    async fn repair(&self, session: &StateSession, id: &OrderId, repairs: Vec<Repair>, run: &Run) -> Result<(), Error> {
        if repairs.is_empty() {
            return Ok(());
        }
        let inputs = self.kept_inputs(session, id).await?;
        for repair in repairs {
            tracing::info!(order = %id, ?repair, "terraform.repair");
            match repair {
                Repair::Forget { address } => {
                    self.change_state(session, id, &inputs, run, &["state", "rm", "-lock=true"], &[&address]).await?;
                }
                Repair::Import { address, id: real } => {
                    self.take_in(session, id, &inputs, run, &address, &real).await?;
                }
            }
        }
        Ok(())
    }

    /// Has the engine enter a real thing into the state.
    pub(super) async fn take_in(
        &self,
        session: &StateSession,
        id: &OrderId,
        inputs: &Inputs,
        run: &Run,
        address: &str,
        real: &str,
    ) -> Result<(), Error> {
        self.change_state(session, id, inputs, run, &["import", "-input=false", "-no-color"], &[address, real]).await
    }

    /// Runs a command that changes nothing but the state.
    async fn change_state(
        &self,
        session: &StateSession,
        id: &OrderId,
        inputs: &Inputs,
        run: &Run,
        command: &[&str],
        arguments: &[&str],
    ) -> Result<(), Error> {
        let failed = |e: io::Error| unavailable("settle", id, e);
        let module = self.prepared(session, inputs, id).await?;
        let place = self.engine.base.order(id);
        let scratch = place.scratch().map_err(failed)?;
        let mut running =
            self.engine.command_for(&place, &module, scratch.path(), &session.environment()).map_err(failed)?;
        running.args(command).kill_on_drop(true);
        if command[0] == "import" {
            let variables = write_variables(scratch.path(), &inputs.variables).map_err(failed)?;
            running.arg(format!("-var-file={}", variables.display()));
        }
        // What follows is no option, whatever it looks like.
        running.arg("--").args(arguments);
        let files = RunFiles(scratch.path().into());
        let redactor = inputs.redactor(None);
        let ended = self.attend(session, running, &files, run, &redactor).await.map_err(failed)?;
        if ended.status.success() { Ok(()) } else { Err(failure("settle", id, &ended, &redactor)) }
    }

    /// The inputs of the last run.
    pub(super) async fn kept_inputs(&self, session: &StateSession, id: &OrderId) -> Result<Inputs, Error> {
        let Some(kept) = session.kept(INPUTS).await? else {
            let message = "the inputs it was made with are not there; restore them in the store of states";
            return Err(Error::new(ErrorKind::Internal, "settle", id, message));
        };
        Inputs::from_bytes(&kept, id)
    }
}

/// Takes in the states that engines left on the disk because nobody took them.
async fn recover(session: &StateSession, place: &OrderPlace, id: &OrderId) -> Result<(), Error> {
    let failed = |e: io::Error| unavailable("settle", id, e);
    for (path, state) in place.errored_states().map_err(failed)? {
        match session.recover(state.into()).await {
            Ok(Recovery::Stored) => tracing::info!(order = %id, "terraform.recovered"),
            Ok(_) => {}
            // Nobody can tell what it is, so it is kept for a person to look at.
            Err(error) if error.kind() == ErrorKind::Invalid => {
                tracing::warn!(order = %id, %error, "terraform.unknown_state");
                fs::rename(&path, path.with_extension("refused")).map_err(failed)?;
            }
            Err(error) => return Err(error),
        }
        place::remove(&path).map_err(failed)?;
    }
    Ok(())
}

pub(super) async fn state_of(session: &StateSession, id: &OrderId) -> Result<Option<Stored>, Error> {
    let state = session.state().await?;
    let state = state.map(|state| Stored::parse(&state)).transpose();
    state.map_err(|message| Error::new(ErrorKind::Internal, "read the state of", id, message))
}
