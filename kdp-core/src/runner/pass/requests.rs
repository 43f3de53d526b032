//! Day-2 actions that somebody asks for by an annotation of the order.

use super::*;
use crate::{
    provider::{ActionCall, ActionOutcome, PlanHash},
    runner::{
        ACTION,
        approval::{Approvable, ApprovalRequest},
        outputs,
        pass::provide::order,
    },
};

/// Longest id of an action: it is part of a name, together with that of the order.
const LONGEST_ID: usize = 63;

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
        if let Err(message) = check_id(&call.id, &self.options.secret_suffix) {
            return Ok(self.tell_outcome(subject, "", "Invalid", &message, Value::Null).await?);
        }
        let id = kept.record.id.clone();
        let request = ApprovalRequest::new(&id, Approvable::Action(&call));
        let waits = self.action_needs_approval(&call.name);
        if waits && !self.is_approved(subject, &kept, Approvable::Action(&call)).await? {
            return Ok(self.wait_to_act(subject, &request, &call.id).await?);
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
        kept.record.acted = Some(call.id.clone());
        self.records.save(&mut kept).await?;
        if waits {
            self.spend(&id, PlanHash(request.hash())).await?;
        }
        Ok(())
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
        let confirmed = self.confirm_fence();
        outputs::deliver(&self.orders, subject.key, subject.object, &observation, &suffix, confirmed).await.map(drop)
    }

    pub(super) async fn tell_outcome(
        &self,
        subject: Subject<'_>,
        id: &str,
        state: &str,
        message: &str,
        outputs: Value,
    ) -> Result<(), Error> {
        self.confirm_fence().await?;
        let message = report::shortened(&self.redactor(subject.key).redact(message));
        let action = json!({"id": id, "state": state, "message": message, "outputs": outputs});
        let fields = [("action".to_owned(), action)].into_iter().collect();
        if report::write(&self.orders, subject.key, subject.object, fields).await? {
            let tone = if state == "Done" { Tone::Normal } else { Tone::Warning };
            self.tell(subject, tone, &format!("Action{state}"), &message).await;
        }
        Ok(())
    }
}

/// Refuses an id that is no part of a name: whoever orders writes it, and it becomes part of the name of
/// a Secret, thus of the path of a request that the platform makes in its own right.
fn check_id(id: &str, secret_suffix: &str) -> Result<(), String> {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let is_label = !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(is_plain);
    if !is_label || id.starts_with('-') || id.ends_with('-') {
        return Err(format!(
            "the id in the annotation {ACTION} must be up to {LONGEST_ID} lower-case letters, digits and -, \
             and begin and end with a letter or a digit"
        ));
    }
    if format!("-{id}") == secret_suffix {
        return Err(format!(
            "the id in the annotation {ACTION} must not be {id}, which names the outputs of the order"
        ));
    }
    Ok(())
}
