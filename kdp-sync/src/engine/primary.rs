//! The copy of an order: where it goes, what becomes of an object that is there already, and how
//! it follows the order.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Command, Evidence, Facts, ObjectKey, OrderKey, Place, Stop,
    copy::{self, Marks},
    ending::{self, Leave},
    history::Step,
    merge, ownership,
    plan::Plan,
    policies::{Conflict, is_paused},
    state::{Edit, State},
};
use crate::{api::Scope, naming::Origin, object};

/// What tenants are told when something else has the name of their copy.
pub(crate) const NAME_TAKEN: &str =
    "the name of its copy on the service cluster is taken by an object that is not its copy";

/// An order in its workspace, with what is remembered of it.
pub(super) struct Subject<'a> {
    pub(super) plan: &'a Plan,
    pub(super) key: &'a OrderKey,
    /// Of the workspace; empty unless the published resource asks for it.
    pub(super) path: &'a str,
    pub(super) order: &'a Value,
    pub(super) state: &'a State,
}

/// What there is of an order's copy.
pub(super) enum Found {
    Copy(ObjectKey, Arc<Value>),
    /// An object that belongs to nobody has its name.
    Unowned(ObjectKey, Arc<Value>),
    Nothing(ObjectKey),
}

impl Subject<'_> {
    pub(super) fn find(&self, facts: &Facts<'_>) -> Result<Found, Stop> {
        let Self { plan, key, state, .. } = self;
        match ownership::copies(plan, key, state, facts, Evidence::Heard)?.as_slice() {
            [] => {}
            [copy] => return Ok(Found::Copy(key_of_copy(plan, copy), copy.clone())),
            _ => return Err(Stop::Failed("several objects on the service cluster claim to be its copy".into())),
        }
        let target = self.target()?;
        let Some(existing) = facts.get(&target, Evidence::Heard)? else { return Ok(Found::Nothing(target)) };
        if copy::belongs_to(&existing, key) {
            if ownership::is_own_copy(plan, &existing, state) {
                return Ok(Found::Copy(target, existing));
            }
            return Err(Stop::Failed(format!("another agent has made {target}")));
        }
        if plan.policies.conflict == Conflict::Refuse || !ownership::is_free(plan, &existing) {
            // Nothing about the other object is said: it may belong to another tenant.
            return Err(Stop::Refused(NAME_TAKEN));
        }
        Ok(Found::Unowned(target, existing))
    }

    /// Where a new copy goes. An existing one stays where it is, whatever the naming says now.
    fn target(&self) -> Result<ObjectKey, Stop> {
        let Self { plan, key, path, order, .. } = self;
        let origin = Origin { cluster: key.cluster.as_str(), path };
        let namespace = match plan.local_scope {
            Scope::Cluster => None,
            Scope::Namespaced => Some(plan.naming.namespace(origin, order)?),
        };
        if namespace.as_ref() == Some(&plan.state_namespace) {
            return Err(Stop::Refused("the namespace of its copy is out of the order's reach"));
        }
        let name = plan.naming.name(origin, order)?;
        Ok(ObjectKey { place: Place::Service, types: plan.local.clone(), namespace, name })
    }

    pub(super) fn marks(&self) -> Marks {
        Marks::of_order(self.key, self.path, &self.plan.agent)
    }

    /// What the copy is made from.
    pub(super) fn mutated(&self, copy: &Value) -> Result<Value, Stop> {
        Ok(copy::strip(&self.plan.spec_mutations.apply(self.order.clone(), copy)?))
    }

    /// The copy, and what is to be noted before it is made.
    pub(super) fn new_copy(&self, target: &ObjectKey) -> Result<(Value, Vec<Edit>), Stop> {
        let marks = self.marks();
        let mutated = self.mutated(&copy::new_copy(&copy::strip(self.order), target, &marks))?;
        copy::check_type(target, &mutated)?;
        let Step { number, note } = self.state.of_order(self.key).before_create(&mutated);
        Ok((copy::new_copy(&mutated, target, &marks.with_revision(number)), note))
    }

    fn leave(&self, note: &[Edit], facts: &Facts<'_>) -> Result<Leave, Stop> {
        ending::leave(self.plan, self.key, self.order, note, self.state, facts)
    }

    /// Makes the copy.
    pub(super) fn place(&self, target: ObjectKey, facts: &Facts<'_>) -> Result<Vec<Command>, Stop> {
        let (object, note) = self.new_copy(&target)?;
        match self.leave(&note, facts)? {
            Leave::Granted => {}
            Leave::After(note) => return Ok(vec![note]),
            Leave::Denied => return Ok(Vec::new()),
        }
        let place = |name: &String| Command::EnsureNamespace { place: Place::Service, name: name.clone() };
        let mut commands: Vec<_> = target.namespace.as_ref().map(place).into_iter().collect();
        commands.push(Command::Create { key: target, object });
        commands.push(tell("ObjectPlaced", "the order was placed on the service cluster"));
        Ok(commands)
    }

    /// Makes an object that belongs to nobody the copy.
    pub(super) fn take_over(
        &self,
        target: &ObjectKey,
        object: &Value,
        facts: &Facts<'_>,
    ) -> Result<Vec<Command>, Stop> {
        if is_paused(object) {
            return Ok(Vec::new());
        }
        if self.plan.policies.conflict == Conflict::Adopt {
            // As if it had been made from nothing: everything in the order is new.
            return self.link(target, object, &json!({}), facts);
        }
        let (fields, wanted) = (travelling_fields(self.order), travelling_fields(object));
        if let Some(patch) = merge::diff(&fields.into(), &wanted.into()) {
            let told = tell("ObjectSynced", "the fields of an existing object were brought up");
            return Ok(vec![self.patch_order(patch), told]);
        }
        self.link(target, object, &self.mutated(object)?, facts)
    }

    /// The write that gives the order what the object says; none if it does.
    pub(super) fn bring_up(&self, object: &Value) -> Option<Command> {
        let fields = Value::Object(travelling_fields(self.order));
        let mut wanted = fields.clone();
        merge::apply(&mut wanted, &travelling_fields(object).into());
        merge::diff(&fields, &wanted).map(|patch| self.patch_order(patch))
    }

    /// The patch has no resourceVersion, so one that the API server does not keep is noticed: the
    /// same is wanted again.
    fn patch_order(&self, patch: Value) -> Command {
        Command::Patch { key: self.plan.order_object(self.key), patch }
    }

    /// Makes an object the copy, as if it had been made from `base`.
    pub(super) fn link(
        &self,
        target: &ObjectKey,
        object: &Value,
        base: &Value,
        facts: &Facts<'_>,
    ) -> Result<Vec<Command>, Stop> {
        let Step { number, note } = self.state.of_order(self.key).before_link(base, copy::revision(object));
        match self.leave(&note, facts)? {
            Leave::Granted => {}
            Leave::After(note) => return Ok(vec![note]),
            Leave::Denied => return Ok(Vec::new()),
        }
        Ok(vec![
            copy::link(target, object, &self.marks().with_revision(number)),
            tell("ObjectPlaced", "an existing object on the service cluster serves the order"),
        ])
    }

    /// Brings changes of the order to its copy; none if there are none.
    pub(super) fn sync(&self, copy_key: &ObjectKey, copy: &Value) -> Result<Option<Vec<Command>>, Stop> {
        let mutated = self.mutated(copy)?;
        let (history, revision) = (self.state.of_order(self.key), copy::revision(copy));
        let Step { number, note } = history.before_update(&mutated, revision);
        let marks = self.marks().with_revision(number);
        if let Some(write) = copy::update(&mutated, history.base(revision), copy_key, copy, &marks) {
            let told = tell("ObjectSynced", "the change was brought to the service cluster");
            // That it is done is noted with the next decision, which knows the version that the
            // note beforehand has made.
            return Ok(Some(self.state.note(&note)?.into_iter().chain([write, told]).collect()));
        }
        Ok(self.state.note(&history.after(&mutated, revision))?.map(|note| vec![note]))
    }
}

/// The fields of an object that travel, without its metadata.
fn travelling_fields(object: &Value) -> Map<String, Value> {
    let is_content = |(field, _): &(&String, &Value)| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata");
    let stripped = copy::strip(object);
    let fields = stripped.as_object().into_iter().flatten();
    fields.filter(is_content).map(|(field, value)| (field.clone(), value.clone())).collect()
}

pub(super) fn key_of_copy(plan: &Plan, copy: &Value) -> ObjectKey {
    ObjectKey {
        place: Place::Service,
        types: plan.local.clone(),
        namespace: object::namespace(copy).map(Into::into),
        name: object::name(copy).into(),
    }
}

pub(super) fn tell(reason: &'static str, note: &str) -> Command {
    Command::Tell { reason, note: note.into() }
}
