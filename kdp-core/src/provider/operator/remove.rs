//! Removes what an order has, one object after the other.

use super::{OperatorProvider, inventory::Reference, look::Notes, state::Thing};
use crate::{
    Error,
    provider::{Observation, Phase, Run, Teardown},
};

impl OperatorProvider {
    /// Gets on with removing, as far as that goes without waiting.
    pub(super) async fn tear_down(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        let id = &sealed.id;
        Notes::of(sealed)?;
        let references: Result<Vec<_>, _> = sealed.inventory.iter().map(|item| Reference::parse(item, id)).collect();
        self.fence.enter(id, run).await?;
        for reference in references? {
            let Some(found) = self.cluster.read(&reference, id).await? else { continue };
            let Some(object) = Self::if_ours(found, &reference, id)? else { continue };
            self.remove(&reference, object, id, run).await?;
            // The next one may be needed for as long as this one is there.
            let left = match self.cluster.read(&reference, id).await? {
                Some(left) => Self::if_ours(left, &reference, id)?,
                None => None,
            };
            if left.is_some() {
                let has_status = self.cluster.known(&reference).map(|served| served.has_status);
                return self
                    .being_removed(sealed, Thing { reference, is_wanted: true, has_status, object: left })
                    .await;
            }
        }
        self.check_place(id, Some(sealed)).await?;
        Ok(Observation::new(Phase::Gone))
    }

    async fn being_removed(&self, sealed: &Teardown, thing: Thing) -> Result<Observation, Error> {
        let sight = self.sight(&sealed.id, Some(sealed)).await?;
        let mut observation = sight.observation;
        if observation.phase == Phase::Gone {
            return Ok(observation);
        }
        let state = super::state::judge(&self.offering, std::slice::from_ref(&thing), jiff::Timestamp::now());
        observation.phase = Phase::Deleting;
        observation.message = state.message;
        // What is on its way out is of no use to anybody.
        observation.outputs.clear();
        observation.next_look.get_or_insert(super::look::SHORTEST_LOOK);
        Ok(observation)
    }
}
