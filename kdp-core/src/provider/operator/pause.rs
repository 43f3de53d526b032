//! Has operators leave the objects of an order alone, and look after them again.

use serde_json::{Value, json};

use super::{OperatorProvider, identity, inventory::Reference};
use crate::{
    Error, ErrorKind,
    provider::{Action, ActionCall, ActionOutcome, Order, Run},
};

const PAUSE: &str = "pause";
const RESUME: &str = "resume";

impl OperatorProvider {
    pub(super) fn pausing(&self) -> Vec<Action> {
        if self.offering.objects.iter().all(|object| object.pause.is_none()) {
            return Vec::new();
        }
        vec![
            Action::new(PAUSE, "Has the operator leave it alone, such as while something is repaired by hand."),
            Action::new(RESUME, "Has the operator look after it again."),
        ]
    }

    pub(super) async fn pause(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        let id = &order.id;
        if !self.pausing().iter().any(|action| action.name == call.name) {
            let message = format!("{} has no action {:?}", self.name, call.name);
            return Err(Error::new(ErrorKind::Unsupported, "act on", id, message));
        }
        if call.parameters.as_object().map_or_else(|| !call.parameters.is_null(), |fields| !fields.is_empty()) {
            return Err(Error::new(ErrorKind::Invalid, "act on", id, format!("{} takes no parameters", call.name)));
        }
        self.fence.enter(id, run).await?;
        let mut touched = Vec::new();
        for (template, reference) in self.places(id, order.sealed.as_ref()).await? {
            let Some(pause) = self.offering.object(&template).and_then(|object| object.pause.as_ref()) else {
                continue;
            };
            let found = self.cluster.read(&reference, id).await?;
            let Some(object) = found.filter(|found| identity::whose(found, id) == identity::Whose::Ours) else {
                continue;
            };
            let wanted = (call.name == PAUSE).then_some(pause.value.as_str());
            let patch = |object: &Value| {
                let is_so = identity::annotation(object, &pause.name) == wanted;
                (!is_so).then(|| json!({"metadata": {"annotations": {&pause.name: wanted}}}))
            };
            self.change(&reference, object, id, run, patch).await?;
            touched.push(reference);
        }
        if touched.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "act on", id, "there is nothing that could be left alone"));
        }
        let touched = touched.iter().map(Reference::to_string).collect::<Vec<_>>().join(", ");
        let state = if call.name == PAUSE { "left alone" } else { "looked after again" };
        Ok(ActionOutcome::new(format!("{touched}: {state}")))
    }
}
