//! Takes back what only this agent understands, so that another one can go on.

use std::collections::BTreeSet;

use kdp_core::{Error, ErrorKind, SharedControlPlane};

use super::{Agent, inspector::Site};
use crate::{
    driver::Remote,
    engine::{Claimed, Command, ObjectKey, Plan, order_of},
    preview::ObjectName,
};

/// How often a concurrent change of one object is met with another try at once.
const ATTEMPTS: usize = 5;

impl Agent {
    /// Takes this agent's claims off the objects of tenants that orders refer to, and returns the
    /// objects. For who gives an installation back to kcp's api-syncagent, which does not know claims.
    ///
    /// The agent must have been stopped, with all replicas: one that runs takes its claims again. Claims
    /// of other agents stay, and so do those of orders whose PublishedResource is gone. May be repeated.
    ///
    /// # Errors
    /// When one of the sides cannot be read, a PublishedResource is at fault, or an object cannot be
    /// written. What was done by then is done.
    pub async fn hand_back(&self, control_plane: &SharedControlPlane) -> Result<Vec<ObjectName>, Error> {
        let site = self.inspector().open(control_plane).await?;
        let (preview, plans) = site.publish(&self.service_cluster).await?;
        if let Some(problem) = preview.problems.first() {
            let message = format!("it cannot be told what orders hold: {}", problem.message);
            return Err(Error::new(ErrorKind::Invalid, "hand back", &self.options.name, message));
        }
        let mut released = BTreeSet::new();
        for plan in plans.values() {
            released.extend(self.release(&site, plan).await?);
        }
        Ok(released.into_iter().collect())
    }

    async fn release(&self, site: &Site, plan: &Plan) -> Result<Vec<ObjectName>, Error> {
        let mut orders = site.orders(plan).await?;
        // Of an order that is gone there may be a copy yet.
        let copies = site.on_service(&self.service_cluster, &plan.local).await?;
        orders.extend(copies.iter().filter_map(|(_, copy)| order_of(copy)));
        let claimed = Claimed::by(plan, &orders);
        let mut released = Vec::new();
        for types in &claimed.types {
            for (key, object) in site.in_workspaces(types).await? {
                if claimed.release(&key, &object).is_some() {
                    release(&site.remote, &claimed, &key).await?;
                    released.push(ObjectName::from(&key));
                }
            }
        }
        Ok(released)
    }
}

async fn release(remote: &Remote, claimed: &Claimed, key: &ObjectKey) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        let Some(object) = remote.get(key).await? else { return Ok(()) };
        let Some(Command::Patch { patch, .. }) = claimed.release(key, &object) else { return Ok(()) };
        match remote.patch(key, &patch).await {
            Err(error) if error.kind() == ErrorKind::Stale => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            written => return written.map(drop),
        }
    }
    Err(Error::new(ErrorKind::Stale, "hand back", key, "it is changed again and again at the same time"))
}
