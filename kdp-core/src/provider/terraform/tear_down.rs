//! Deleting: removing all that is in the state, with the inputs that were kept.

use std::sync::Arc;

use super::{Shop, engine::unavailable, notes::Notes, repair::state_of, state::StateSession, stored::Stored};
use crate::{
    Error,
    provider::{OrderId, Run},
};

impl Shop {
    /// Removes what there is, and at last the state.
    pub(super) async fn tear_down(self: Arc<Self>, id: OrderId, run: Run) -> Result<(), Error> {
        let session = self.begin(&id, &run).await?;
        match self.empty(&session, &id, &run).await {
            Ok(true) => {
                session.end().await?;
                self.states.remove(&id, &run).await?;
                self.engine.base.order(&id).remove().map_err(|e| unavailable("delete", &id, e))
            }
            outcome => {
                let ended = session.end().await;
                outcome.map(drop).and(ended)
            }
        }
    }

    /// Whether nothing is left.
    async fn empty(&self, session: &StateSession, id: &OrderId, run: &Run) -> Result<bool, Error> {
        self.settle(session, id, run).await?;
        if !Notes::of(&session.notes().await?).doubt.is_empty() {
            return Ok(false);
        }
        if is_empty(state_of(session, id).await?.as_ref()) {
            return Ok(true);
        }
        let inputs = self.kept_inputs(session, id).await?;
        self.unmake(session, id, &inputs, run).await?;
        Ok(is_empty(state_of(session, id).await?.as_ref()))
    }
}

fn is_empty(state: Option<&Stored>) -> bool {
    state.is_none_or(Stored::is_empty)
}
