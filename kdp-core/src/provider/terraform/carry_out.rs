//! Applying: carrying a plan out, whatever became of what was begun before.

use std::{convert::Infallible, io, sync::Arc};

use jiff::Timestamp;
use serde_json::Map;

use super::{
    Shop,
    draft::{Draft, write_variables},
    engine::{failure, unavailable},
    inputs::Inputs,
    notes::{self, BEGUN, Begun, COMPLETE, Complete, DOUBT, FAILED, Failed, INPUTS, Notes},
    place::{self, ModulePlace},
    process::{self, Ended, RunFiles},
    state::StateSession,
    stored::Stored,
    stream::Event,
};
use crate::{
    Error, ErrorKind,
    provider::{Operation, Order, OrderId, PlanHash, Redactor, Run},
};

impl Shop {
    /// Carries out the plan with this hash.
    pub(super) async fn carry_out(self: Arc<Self>, order: Order, hash: PlanHash, run: Run) -> Result<(), Error> {
        let inputs = Inputs::of(&order, &self.module, &self.options)?;
        let session = self.begin(&order.id, &run).await?;
        let outcome = self.apply(&session, &order, &inputs, &hash, &run).await;
        let ended = session.end().await;
        outcome.and(ended)
    }

    async fn apply(
        &self,
        session: &StateSession,
        order: &Order,
        inputs: &Inputs,
        hash: &PlanHash,
        run: &Run,
    ) -> Result<(), Error> {
        let id = &order.id;
        self.settle(session, id, run).await?;
        if !Notes::of(&session.notes().await?).doubt.is_empty() {
            return Ok(());
        }
        let snapshot = self.states.latest(id).await?;
        let draft = match self.kept_draft(order, inputs, snapshot.as_ref(), hash) {
            Some(draft) => draft,
            None => self.draft(order, inputs, run).await?,
        };
        draft.plan.check(hash, id)?;
        if !draft.plan.changes.is_empty() {
            self.make(session, order, inputs, &draft, run).await?;
        }
        let complete = Complete { generation: order.generation, serial: serial(session).await? };
        let is_known = Notes::of(&session.notes().await?);
        if is_known.complete.as_ref() != Some(&complete) {
            session.note(COMPLETE, notes::value(&complete)).await?;
        }
        if is_known.failed.is_some() {
            session.note(FAILED, None).await?;
        }
        Ok(())
    }

    /// Has the engine carry a plan out.
    async fn make(
        &self,
        session: &StateSession,
        order: &Order,
        inputs: &Inputs,
        draft: &Draft,
        run: &Run,
    ) -> Result<(), Error> {
        let id = &order.id;
        let failed = |e: io::Error| unavailable("apply", id, e);
        let module = self.prepared(session, inputs, id).await?;
        session.keep(INPUTS, inputs.to_bytes(module.lock_file().map_err(failed)?).into()).await?;
        let mut arguments = vec![];
        if let Some(ephemeral) = inputs.ephemeral() {
            arguments.push(Given::Variables(ephemeral));
        }
        arguments.push(Given::Plan(draft));
        self.work(
            session,
            id,
            Work { operation: Operation::Apply, order: Some(order), inputs, module: &module, run },
            arguments,
        )
        .await
    }

    /// Has the engine remove all there is in the state.
    pub(super) async fn unmake(
        &self,
        session: &StateSession,
        id: &OrderId,
        inputs: &Inputs,
        run: &Run,
    ) -> Result<(), Error> {
        let module = self.prepared(session, inputs, id).await?;
        let arguments = vec![Given::Destroy, Given::Variables(inputs.variables.clone())];
        let work = Work { operation: Operation::Delete, order: None, inputs, module: &module, run };
        self.work(session, id, work, arguments).await
    }

    /// Runs the engine on the real things, and settles what it leaves if it does not come to its end.
    async fn work(
        &self,
        session: &StateSession,
        id: &OrderId,
        work: Work<'_>,
        arguments: Vec<Given<'_>>,
    ) -> Result<(), Error> {
        let Work { operation, order, inputs, module, run } = work;
        let op = operation.as_str();
        let failed = |e: io::Error| unavailable(op, id, e);
        let begun = Begun { operation, generation: order.map_or(0, |order| order.generation), since: Timestamp::now() };
        session.note(BEGUN, notes::value(&begun)).await?;

        let place = self.engine.base.order(id);
        let files = RunFiles(place.run());
        place::make_directory(&files.0).map_err(failed)?;
        let mut command = self.engine.command_for(&place, module, &files.0, &session.environment()).map_err(failed)?;
        command.args(["apply", "-json", "-input=false", "-no-color", "-auto-approve"]);
        command.arg(format!("-parallelism={}", self.options.parallelism));
        for argument in arguments {
            match argument {
                Given::Destroy => command.arg("-destroy"),
                Given::Variables(variables) => {
                    let path = write_variables(&files.0, &variables).map_err(failed)?;
                    command.arg(format!("-var-file={}", path.display()))
                }
                Given::Plan(draft) => command.arg(&draft.file),
            };
        }
        let state = session.state().await?;
        let state = state.as_deref().and_then(|state| Stored::parse(state).ok());
        let redactor = inputs.redactor(state.as_ref());
        let ended = self.attend(session, command, &files, run, &redactor).await.map_err(failed)?;
        if ended.status.success() {
            place::remove(&files.0).map_err(failed)?;
            // None is current any more, and they have secrets in them.
            place::remove(&place.plans()).map_err(failed)?;
            return session.note(BEGUN, None).await;
        }
        let error = failure(op, id, &ended, &redactor);
        // It may have been killed in the middle, or its state not been taken.
        self.settle(session, id, run).await?;
        let message = Failed { message: error.message().into(), at: Timestamp::now() };
        session.note(FAILED, notes::value(&message)).await?;
        Err(error)
    }

    /// Runs a command that writes, tells how it goes, and interrupts it when it may not go on.
    pub(super) async fn attend(
        &self,
        session: &StateSession,
        command: tokio::process::Command,
        files: &RunFiles,
        run: &Run,
        redactor: &Redactor,
    ) -> io::Result<Ended> {
        let stop = self.halt.child_token();
        let patience = self.engine.patience(&stop, Some(run), self.options.apply_timeout);
        let hear = |line: &str| {
            if let Some(step) = Event::parse(line).and_then(|event| event.step(redactor)) {
                run.progress.tell(step);
            }
        };
        let watch = async {
            tokio::select! {
                () = run.stop.cancelled() => {}
                // Somebody else has the turn, and writes what this engine writes is refused.
                () = session.lost() => {}
            }
            stop.cancel();
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            ended = process::run(command, files, patience, hear) => ended,
            never = watch => match never {},
        }
    }

    /// Takes the turn of an order, and waits a moment for whoever has it.
    pub(super) async fn begin(&self, id: &OrderId, run: &Run) -> Result<StateSession, Error> {
        let until = tokio::time::Instant::now() + super::LONGEST_WAIT;
        loop {
            match self.states.begin(id, run).await {
                Err(error) if error.kind() == ErrorKind::Unavailable && tokio::time::Instant::now() < until => {
                    tokio::select! {
                        () = run.stop.cancelled() => return Err(error),
                        () = tokio::time::sleep(super::WAIT) => {}
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Forgets that something may have been made of which nobody knows.
    pub(super) async fn clear_doubt(&self, id: &OrderId, run: &Run) -> Result<(), Error> {
        let session = self.begin(id, run).await?;
        let noted = session.note(DOUBT, None).await;
        noted.and(session.end().await)
    }
}

/// What the engine is to do, for whom.
struct Work<'a> {
    operation: Operation,
    order: Option<&'a Order>,
    inputs: &'a Inputs,
    module: &'a ModulePlace,
    run: &'a Run,
}

/// What an apply is given.
enum Given<'a> {
    Destroy,
    Variables(Map<String, serde_json::Value>),
    Plan(&'a Draft),
}

async fn serial(session: &StateSession) -> Result<Option<u64>, Error> {
    let state = session.state().await?;
    let state = state.map(|state| serde_json::from_slice::<serde_json::Value>(&state));
    Ok(state.and_then(Result::ok).and_then(|state| state["serial"].as_u64()))
}
