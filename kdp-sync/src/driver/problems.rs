//! What is told about an order that is not up to date, and to whom.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use kdp_core::{Error, ErrorKind, reconcile::Chain};
use parking_lot::Mutex;

use super::Shared;
use crate::{
    engine::{Command, NAME_TAKEN, ObjectKey, OrderKey, Part, Place, Problem},
    event::event,
    object::{self, ResourceType},
};

/// The parts of orders whose status cannot be written, so that it is tried and told once.
#[derive(Debug, Default)]
pub(super) struct WithoutStatus(Mutex<HashMap<OrderKey, BTreeSet<Part>>>);

impl WithoutStatus {
    pub(super) fn of(&self, order: &OrderKey) -> BTreeSet<Part> {
        self.0.lock().get(order).cloned().unwrap_or_default()
    }

    pub(super) fn orders(&self) -> Vec<OrderKey> {
        self.0.lock().keys().cloned().collect()
    }

    pub(super) fn forget(&self, order: &OrderKey) {
        self.0.lock().remove(order);
    }
}

impl Shared {
    /// Whether a write failed because the kind of its object has no status, which trying again
    /// does not change. The tenant is told.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub(super) async fn has_no_status(
        &self,
        order: &OrderKey,
        part: Part,
        command: &Command,
        error: &Error,
    ) -> Result<bool, Error> {
        let Command::ReplaceStatus { key, .. } = command else { return Ok(false) };
        if error.kind() != ErrorKind::NotFound || self.remote.get(key).await?.is_none() {
            return Ok(false);
        }
        self.without_status.0.lock().entry(order.clone()).or_default().insert(part);
        let note = format!("{} has no status that could be brought up", self.subject(part));
        self.tell(order, "Warning", "StatusSubresourceMissing", &note);
        Ok(true)
    }

    /// Tells the tenant what is not up to date, and the provider what cannot be imported.
    pub(super) async fn tell_problems(&self, order: &OrderKey, problems: &[Problem]) {
        let mut told = BTreeSet::new();
        for Problem { part, message, advice } in problems {
            if *part == Part::Import {
                self.tell_provider(order, message).await;
                continue;
            }
            if *advice == Some(NAME_TAKEN) {
                self.metrics.conflicted();
            }
            let reason = advice.map(|advice| format!(": {advice}")).unwrap_or_default();
            let note = format!("{} could not be brought up to date{reason}; it is tried again", self.subject(*part));
            if told.insert(note.clone()) {
                self.tell(order, "Warning", "ReconcilingError", &note);
            }
        }
    }

    /// Writes an Event about the object that was to become the copy of an order.
    async fn tell_provider(&self, order: &OrderKey, message: &str) {
        let object = self.imports.of(order).and_then(|key| self.known.copy(&key));
        let Some(object) = object else { return };
        let note = format!("{order} could not be made from it: {message}; it is tried again");
        let event = event(&object, "Warning", "ReconcilingError", &note, &self.plan.agent);
        let key = ObjectKey {
            place: Place::Service,
            types: Arc::new(ResourceType::core("Event", "events")),
            namespace: object::namespace(&event).map(Into::into),
            name: object::name(&event).into(),
        };
        if let Err(error) = self.remote.create(&key, &event).await {
            tracing::debug!(%order, error = %Chain(&error), "event.failed");
        }
    }

    /// What tenants call a part of an order.
    fn subject(&self, part: Part) -> String {
        match part {
            Part::Primary | Part::Import | Part::Status => "the order".into(),
            Part::Former(_) => "a former related resource".into(),
            Part::Related(at) | Part::RelatedStatus(at) => {
                let identifier = self.plan.related.get(at).map_or("", |related| &related.identifier);
                format!("the related resource {identifier:?}")
            }
        }
    }
}
