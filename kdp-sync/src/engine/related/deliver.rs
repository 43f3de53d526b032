//! Copies of related objects are made, and follow their originals.

use std::sync::Arc;

use serde_json::Value;

use super::{Related, abandoned::is_abandoned};
use crate::{
    api::Side,
    engine::{
        Batch, Command, Evidence, Facts, ObjectKey, Part, Stop, claims,
        copy::{self, Marks},
        decide::Order,
        ending::{self, Leave},
        history::Step,
        ownership::{is_legacy_related, is_own_related, owner_mark},
        policies::Generations,
        state::{Edit, Entry, State},
        status::copy_status,
        teardown::{self, Removal},
    },
    object,
};

/// What there is to do about one related object.
enum Delivery {
    Act(Vec<Command>),
    /// It is there; its status may have to follow.
    Done(Arc<Value>, Option<Command>),
    /// There is no original, or it is about to go.
    Nothing,
}

impl Related {
    /// The next writes for the objects of this entry, which is at this place in the list; none
    /// when all are in their wanted state.
    ///
    /// An object that cannot be delivered does not hold up the others.
    pub(in crate::engine) fn next(
        &self,
        at: usize,
        with_status: bool,
        order: &Order<'_>,
        state: &State,
        facts: &Facts<'_>,
    ) -> Result<Option<Batch>, Stop> {
        let batch = |part, commands| Ok(Some(Batch { part, commands }));
        let pairs = self.resolve(order, facts)?;
        let mut delivered = Vec::new();
        let mut refusal = None;
        for pair in &pairs {
            let entry = self.entry(pair.clone());
            match self.deliver(&entry, order, state, facts) {
                Ok(Delivery::Act(commands)) => return batch(Part::Related(at), commands),
                Ok(Delivery::Done(_, Some(status))) if with_status => {
                    return batch(Part::RelatedStatus(at), vec![status]);
                }
                Ok(Delivery::Done(original, _)) => delivered.push((original, entry)),
                Ok(Delivery::Nothing) => {}
                Err(look @ Stop::Look(_)) => return Err(look),
                Err(stop) => refusal = refusal.or(Some(stop)),
            }
        }
        if let Some(command) = self.list_on_order(order, &delivered) {
            return batch(Part::Related(at), vec![command]);
        }
        if let Some(commands) = self.retire(&pairs, order, state, facts)? {
            return batch(Part::Related(at), commands);
        }
        refusal.map_or(Ok(None), Err)
    }

    fn deliver(&self, entry: &Entry, order: &Order<'_>, state: &State, facts: &Facts<'_>) -> Result<Delivery, Stop> {
        let from = entry.original(order.key);
        let Some(original) = facts.get(&from, Evidence::Heard)? else { return Ok(Delivery::Nothing) };
        if self.origin == Side::Service && copy::is_made_by_an_agent(&original) {
            // Some tenant's words, with the labels that he gave them: no other tenant's credentials.
            return Ok(Delivery::Nothing);
        }
        if self.origin == Side::Kcp {
            if object::is_deleting(&original) {
                // Not all that the existing agent has copied is recorded, so it is not left to the
                // records to let go of it.
                let removal = teardown::remove(order.plan, entry, order.key, state, facts)?;
                return Ok(match removal {
                    Removal::Act(commands) => Delivery::Act(commands),
                    Removal::Wait | Removal::Done => Delivery::Nothing,
                });
            }
            let claim = claims::finalizer(order.plan, order.key, &self.identifier);
            if let Some(command) = claims::take(&claim, &from, &original, state) {
                // Noted first: whatever comes of the copy, the original must be let go of.
                return make(inventory_with(state, entry).as_slice(), order, state, facts, || vec![command]);
            }
        }
        self.sync(entry, original, order, state, facts)
    }

    fn sync(
        &self,
        entry: &Entry,
        original: Arc<Value>,
        order: &Order<'_>,
        state: &State,
        facts: &Facts<'_>,
    ) -> Result<Delivery, Stop> {
        let (from, to) = (entry.original(order.key), entry.copy(order.key));
        let marks = Marks::of_related(&owner_mark(order.plan, order.key, &self.identifier));
        let existing = facts.get(&to, Evidence::Heard)?;
        let fresh = copy::new_copy(&copy::strip(&original), &to, &marks);
        let other = existing.as_deref().unwrap_or(&fresh);
        let mutated = copy::strip(&self.spec_mutations.apply((*original).clone(), other)?);
        if self.origin == Side::Kcp {
            copy::check_type(&to, &mutated)?;
        }
        let history = state.of_related(&from, entry);
        let record: Vec<_> = inventory_with(state, entry).into_iter().collect();

        let Some(existing) = existing else {
            let Step { number, note } = history.before_create(&mutated);
            let note = record.into_iter().chain(note).collect::<Vec<_>>();
            let object = copy::new_copy(&mutated, &to, &marks.with_revision(number));
            return make(&note, order, state, facts, || {
                let place = |name| Command::EnsureNamespace { place: to.place.clone(), name };
                let mut commands: Vec<_> = to.namespace.clone().map(place).into_iter().collect();
                commands.push(Command::Create { key: to, object });
                commands
            });
        };
        if object::is_deleting(&existing) {
            return Ok(Delivery::Nothing);
        }
        let is_legacy = is_legacy_related(&existing, &from, entry, state);
        let is_own = is_legacy || is_own_related(order.plan, &existing, order.key, entry, state);
        if !is_own && !is_abandoned(&existing, entry, order, facts)? {
            tracing::debug!(%to, "related.not_ours");
            return Err(Stop::Refused(
                "an object that was not made for this order has the name of its copy, and is left alone",
            ));
        }
        let revision = copy::revision(&existing);
        let Step { number, note } = history.before_update(&mutated, revision);
        // What another order's copy was made from, only that order knows.
        let base = history.base(revision).filter(|_| is_own);
        let marks = if is_legacy { Marks::default() } else { marks }.with_revision(number);
        let write = copy::update(&mutated, base, &to, &existing, &marks);
        // That a write is done is noted with the next decision, which knows the version that this
        // note makes.
        let note = if write.is_some() { note } else { history.after(&mutated, revision) };
        let mut commands = Vec::new();
        // What the existing agent has made is recorded only along with something else, so that
        // taking it over writes nothing.
        if !is_legacy || write.is_some() || !note.is_empty() {
            commands.extend(state.note(&record.into_iter().chain(note).collect::<Vec<_>>())?);
        }
        commands.extend(write);
        if !commands.is_empty() {
            return Ok(Delivery::Act(commands));
        }
        let status = self.status(&original, &existing, order, to)?;
        Ok(Delivery::Done(original, status))
    }

    fn status(
        &self,
        original: &Value,
        existing: &Value,
        order: &Order<'_>,
        to: ObjectKey,
    ) -> Result<Option<Command>, Stop> {
        if !self.sync_status {
            return Ok(None);
        }
        let mutated = self.status_mutations.apply(original.clone(), existing)?;
        let generations = match self.origin {
            Side::Service => order.plan.policies.generations,
            Side::Kcp => Generations::Verbatim,
        };
        Ok(copy_status(&mutated, existing, to, generations))
    }
}

/// Makes something for an order, of which this is to be noted first.
fn make(
    note: &[Edit],
    order: &Order<'_>,
    state: &State,
    facts: &Facts<'_>,
    commands: impl FnOnce() -> Vec<Command>,
) -> Result<Delivery, Stop> {
    Ok(match ending::leave(order.plan, order.key, order.order, note, state, facts)? {
        Leave::Granted => Delivery::Act(commands()),
        Leave::After(note) => Delivery::Act(vec![note]),
        Leave::Denied => Delivery::Nothing,
    })
}

/// The inventory with this entry, if it is not there yet.
fn inventory_with(state: &State, entry: &Entry) -> Option<Edit> {
    let mut inventory = state.inventory().to_vec();
    if inventory.contains(entry) {
        return None;
    }
    inventory
        .retain(|other| (&other.identifier, &other.from, &other.to) != (&entry.identifier, &entry.from, &entry.to));
    inventory.push(entry.clone());
    Some(Edit::inventory(&inventory))
}
