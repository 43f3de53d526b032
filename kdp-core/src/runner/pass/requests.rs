//! Day-2 actions that somebody asks for by an annotation of the order.

use super::*;
use crate::{
    provider::{ActionCall, ActionOutcome},
    runner::{ACTION, outputs, pass::provide::order},
};

impl Worker {
    /// Does the action that the order asks for, unless it is the one that was done last.
    ///
    /// The provider is called again with the same id when the process ends before the outcome was
    /// noted, so it is told once at least.
    pub(super) async fn act_if_asked(&self, subject: Subject<'_>, mut kept: Kept) -> Result<(), Failure> {
        let Some(text) = subject.annotation(ACTION) else { return Ok(()) };
        let call = match serde_json::from_str::<ActionCall>(text) {
            Ok(call) => call,
            Err(error) => {
                let message = format!("the annotation {ACTION} is no action: {error}");
                return Ok(self.tell_outcome(subject, "", "Invalid", &message, Value::Null).await?);
            }
        };
        if kept.record.acted.as_ref() == Some(&call.id) {
            return Ok(());
        }
        let order = order(subject, &kept);
        let act = |run: Run| {
            let (order, call) = (&order, &call);
            async move { self.provider.act(order, call, &run).await }
        };
        let outcome = match self.operate(Operation::Act, subject, act).await {
            Ok(outcome) => Ok(outcome),
            Err(Failure::Provider(_, error)) if error.retry() == Retry::Never => Err(error),
            Err(failure) => return Err(failure),
        };
        match outcome {
            Ok(outcome) => {
                self.deliver_outcome(subject, &call, &outcome).await?;
                let plain = outcome.outputs.iter().filter(|(_, output)| !output.sensitive);
                let plain: Value = plain.map(|(name, output)| (name.clone(), json!(output.value))).collect();
                self.tell_outcome(subject, &call.id, "Done", &outcome.message, plain).await?;
            }
            Err(error) => self.tell_outcome(subject, &call.id, "Rejected", error.message(), Value::Null).await?,
        }
        kept.record.acted = Some(call.id);
        Ok(self.records.save(&mut kept).await?)
    }

    /// Puts the outputs of an action into a Secret of its own, named by the order and the id of the call.
    async fn deliver_outcome(
        &self,
        subject: Subject<'_>,
        call: &ActionCall,
        outcome: &ActionOutcome,
    ) -> Result<(), Error> {
        let outputs = outcome.outputs.clone();
        let observation = Observation { outputs, ..Observation::new(Phase::Ready) };
        let redactor = self.redactor(subject.key).with_outputs_of(&observation);
        self.with_memory(subject.key, |memory| memory.redactor = redactor);
        let suffix = format!("-{}", call.id);
        outputs::deliver(&self.orders, subject.key, subject.object, &observation, &suffix).await.map(drop)
    }

    async fn tell_outcome(
        &self,
        subject: Subject<'_>,
        id: &str,
        state: &str,
        message: &str,
        outputs: Value,
    ) -> Result<(), Error> {
        let message = self.redactor(subject.key).redact(message);
        let action = json!({"id": id, "state": state, "message": message, "outputs": outputs});
        let fields = [("action".to_owned(), action)].into_iter().collect();
        if report::write(&self.orders, subject.key, subject.object, fields).await? {
            let tone = if state == "Done" { Tone::Normal } else { Tone::Warning };
            self.tell(subject, tone, &format!("Action{state}"), &message).await;
        }
        Ok(())
    }
}
