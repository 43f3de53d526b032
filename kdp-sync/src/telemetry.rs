//! What an agent tells of its work.

use crate::{
    api::Side,
    health::{Health, WatchHealth},
    metrics::Metrics,
    object::ResourceType,
};

/// Where the parts of an agent count, and say how they are. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Telemetry {
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
}

impl Telemetry {
    /// A watch that tells how it is until this is dropped. `part` names what it covers, if that is
    /// not everything.
    pub(crate) fn watch(&self, side: Side, types: &ResourceType, part: Option<&str>) -> WatchHealth {
        self.health.watch(side, types, part, self.metrics.watch_restarts(side, types))
    }
}
