#![doc = include_str!("../../docs/crossplane.md")]

use std::fmt;

use async_trait::async_trait;
use kube::Client;
use serde_json::{Map, Value, json};

mod act;
mod cause;
mod cluster;
mod connection;
mod desired;
mod diff;
mod fence;
mod look;
mod offering;
mod options;
mod record;
mod remove;
mod secret;
mod state;
mod target;
mod walk;

pub use self::{
    connection::{Connection, SecretSource},
    offering::{ClaimNames, Offering, PrinterColumn, Scope, discover},
    options::{CrossplaneOptions, GarbageCollection, Namespaces, Pin, WalkLimits},
    target::{Shape, Target},
};

use self::{
    cluster::{Cluster, Effect, Look},
    desired::{FINALIZER, ORDER_LABEL, Place, Whose, lease_of, whose},
    diff::diff,
    fence::Fence,
    look::Located,
    record::composed_by,
    target::MACHINE_FIELDS,
};
use super::{
    Action, ActionCall, ActionOutcome, Change, ChangeAction, Observation, Order, OrderId, Plan, PlanHash, Provider,
    Run, Shown, Teardown, ValueChange,
};
use crate::{Error, ErrorKind};

/// How often Crossplane may write the object between reading and applying it.
const TRIES: usize = 5;

/// Crossplane makes what is ordered: a composite resource, or a claim, for each order.
///
/// See the [module documentation](self).
pub struct CrossplaneProvider {
    cluster: Cluster,
    fence: Fence,
    home: String,
    options: CrossplaneOptions,
}

impl CrossplaneProvider {
    /// A provider on the cluster of this client.
    ///
    /// `home` is a namespace that exists there and that no tenant has a right in: the provider keeps
    /// a Lease in it, and plans what will be in namespaces that are not there yet.
    pub fn new(client: Client, home: impl Into<String>, options: CrossplaneOptions) -> Self {
        let home = home.into();
        let fence = Fence::new(client.clone(), &home, &options.name);
        Self { cluster: Cluster::new(client), fence, home, options }
    }

    /// What applying the order would do now, and what that was found out about.
    async fn draft(&self, order: &Order, run: &Run) -> Result<Draft, Error> {
        desired::parameters(order)?;
        let id = &order.id;
        let mut located = self.locate(id, order.sealed.as_ref()).await?;
        if located.is_taken {
            let message = format!("{} exists and is not this order's", located.place.id());
            return Err(Error::new(ErrorKind::Forbidden, "plan", id, message));
        }
        let desired = desired::object(&self.options, order, &located.place, run.lease)?;
        let subject = format!("{} {}", self.options.target.resource.kind, located.place.id());
        let change = |action| Change::new(action, &subject);
        let changes = match &located.look {
            Look::Unseen(why) => return Err(Error::new(ErrorKind::Unavailable, "plan", id, why)),
            Look::There(object) if is_leaving(object) => {
                vec![change(ChangeAction::Create).with_detail("once the one that is being deleted is gone")]
            }
            Look::There(object) => {
                let becomes = self.cluster.apply(&self.options.target.resource, &desired, Effect::DryRun).await?;
                let values = self.differences(object, &becomes, &desired);
                let update = values.into_iter().fold(change(ChangeAction::Update), Change::with_value);
                if update.values.is_empty() { vec![] } else { vec![update] }
            }
            Look::Absent => {
                let becomes = self.try_creation(&located.place, desired.clone()).await?;
                let values = self.differences(&Value::Null, &becomes, &desired);
                vec![values.into_iter().fold(change(ChangeAction::Create), Change::with_value)]
            }
        };
        if let Look::There(object) = &located.look {
            let object = object.clone();
            located.memory.uid = object["metadata"]["uid"].as_str().map(Into::into);
            located.memory.composed.extend(composed_by(&object, self.options.target.shape));
        }
        let teardown = located.teardown(self, id);
        Ok(Draft { plan: Plan::new(order, changes, teardown), located, desired })
    }

    /// What an object would be once it is created.
    async fn try_creation(&self, place: &Place, mut desired: Value) -> Result<Value, Error> {
        if let (Some(namespace), Namespaces::PerWorkspace { .. }) = (&place.namespace, &self.options.namespaces)
            && !self.cluster.has_namespace(namespace).await?
        {
            // The schema is the same everywhere, and a plan makes no namespace.
            desired["metadata"]["namespace"] = json!(self.home);
        }
        self.cluster.apply(&self.options.target.resource, &desired, Effect::DryRun).await
    }

    /// The values that an apply changes: the parameters, and what else this provider sets.
    fn differences(&self, before: &Value, after: &Value, desired: &Value) -> Vec<ValueChange> {
        let target = &self.options.target;
        let parameters = |object: &Value| match &object["spec"] {
            Value::Object(spec) => {
                let is_parameter = |(name, _): &(&String, &Value)| !MACHINE_FIELDS.contains(&name.as_str());
                spec.iter().filter(is_parameter).map(|(name, value)| (name.clone(), value.clone())).collect()
            }
            _ => Map::new(),
        };
        let (old, new) = (Value::Object(parameters(before)), Value::Object(parameters(after)));
        let mut values = diff("spec", &old, &new, &target.sensitive);
        let fields = target.shape.machine_fields(desired).as_object().into_iter().flatten();
        let ours = fields
            .map(|(name, _)| name)
            .filter(|name| !target.shape.is_legacy() || MACHINE_FIELDS.contains(&name.as_str()));
        for name in ours {
            let field = |object: &Value| target.shape.machine_fields(object)[name].clone();
            let root = if target.shape.is_legacy() { "spec" } else { "spec.crossplane" };
            values.extend(diff(&format!("{root}.{name}"), &field(before), &field(after), &Default::default()));
        }
        if before.is_null() {
            return values;
        }
        let label = |object: &Value| object["metadata"]["labels"][ORDER_LABEL].clone();
        let shown = |value: Value| if value.is_null() { Shown::Absent } else { Shown::Value(value) };
        if label(before) != label(after) {
            let path = format!("metadata.labels.{ORDER_LABEL}");
            values.push(ValueChange::plain(path, shown(label(before)), shown(label(after))));
        }
        if has_finalizer(before) != has_finalizer(after) {
            let state = |has: bool| if has { Shown::Value(json!(FINALIZER)) } else { Shown::Absent };
            let (old, new) = (state(has_finalizer(before)), state(has_finalizer(after)));
            values.push(ValueChange::plain("metadata.finalizers", old, new));
        }
        values
    }

    /// Writes what was drafted. `Stale` when the object has changed meanwhile.
    async fn write(&self, draft: &Draft, id: &OrderId, run: &Run) -> Result<Value, Error> {
        let resource = &self.options.target.resource;
        let mut desired = draft.desired.clone();
        match &draft.located.look {
            Look::There(object) => {
                let written = lease_of(object);
                if written > run.lease {
                    let message = format!("it was written under lease {} already", written.0);
                    return Err(Error::new(ErrorKind::Stale, "apply", id, message));
                }
                if draft.plan.changes.is_empty() && written == run.lease {
                    return Ok(object.clone());
                }
                // Whoever takes over writes its lease, and so ends whatever was begun under an older one.
                desired["metadata"]["uid"] = object["metadata"]["uid"].clone();
                desired["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
            }
            Look::Absent | Look::Unseen(_) => {
                if matches!(self.options.namespaces, Namespaces::PerWorkspace { .. }) {
                    let namespace = self.options.namespaces.of(id)?;
                    if !self.cluster.has_namespace(&namespace).await? {
                        self.cluster.make_namespace(&namespace).await?;
                    }
                }
                tracing::info!(order = %id, kind = %resource.kind, "object.create");
            }
        }
        self.cluster.apply(resource, &desired, Effect::Real).await
    }
}

/// A plan, and what it takes to carry it out.
struct Draft {
    plan: Plan,
    located: Located,
    desired: Value,
}

fn is_leaving(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

fn has_finalizer(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

#[async_trait]
impl Provider for CrossplaneProvider {
    fn name(&self) -> &str {
        &self.options.name
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        Ok(self.draft(order, run).await?.plan)
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        let id = &order.id;
        self.fence.enter(id, run).await?;
        let mut refused = None;
        for _ in 0..TRIES {
            let mut draft = self.draft(order, run).await?;
            draft.plan.check(plan, id)?;
            if matches!(&draft.located.look, Look::There(object) if is_leaving(object)) {
                return self.remove(id, draft.located).await;
            }
            match self.write(&draft, id, run).await {
                Ok(object) => {
                    draft.located.look = Look::There(object);
                    return self.report(id, draft.located).await;
                }
                // Crossplane writes the object as well; only what it says of the order is compared again.
                Err(error) if error.kind() == ErrorKind::Stale => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| Error::new(ErrorKind::Stale, "apply", id, "it keeps changing meanwhile")))
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        let located = self.locate(order, sealed).await?;
        self.report(order, located).await
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.fence.enter(&sealed.id, run).await?;
        let located = self.locate(&sealed.id, Some(sealed)).await?;
        self.remove(&sealed.id, located).await
    }

    async fn import(&self, order: &Order, existing: &str, run: &Run) -> Result<Observation, Error> {
        let id = &order.id;
        self.fence.enter(id, run).await?;
        let resource = &self.options.target.resource;
        // A name alone: what is in the namespace of another workspace cannot even be asked for.
        let usual = desired::place(&self.options, id)?;
        let is_name = !existing.is_empty() && existing.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        if !is_name {
            let message = format!("{existing:?} is no name of a {}", resource.kind);
            return Err(Error::new(ErrorKind::Invalid, "import", id, message));
        }
        let place = Place { name: existing.into(), ..usual };
        let object = match self.cluster.look(resource, &place).await {
            Look::There(object) => object,
            Look::Absent => {
                let message = format!("there is no {} {}", resource.kind, place.id());
                return Err(Error::new(ErrorKind::NotFound, "import", id, message));
            }
            Look::Unseen(why) => return Err(Error::new(ErrorKind::Unavailable, "import", id, why)),
        };
        let object = match whose(&object, id, None) {
            Whose::Ours => object,
            Whose::Foreign => {
                let message = format!("{} {} is another order's", resource.kind, place.id());
                return Err(Error::new(ErrorKind::Forbidden, "import", id, message));
            }
            Whose::Unclear if is_leaving(&object) => {
                let message = format!("{} {} is being deleted", resource.kind, place.id());
                return Err(Error::new(ErrorKind::NotFound, "import", id, message));
            }
            Whose::Unclear => {
                let mut ownership = desired::ownership(&self.options, id, &place, run.lease);
                // Of two orders that want it at once, one comes too late.
                ownership["metadata"]["uid"] = object["metadata"]["uid"].clone();
                ownership["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
                self.cluster.apply(resource, &ownership, Effect::Real).await?
            }
        };
        let memory = record::Memory::default();
        self.report(id, Located { place, memory, look: Look::There(object), is_taken: false }).await
    }

    fn actions(&self) -> Vec<Action> {
        act::actions()
    }

    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        self.carry_out(&order.id, order.sealed.as_ref(), call, run).await
    }
}

impl fmt::Debug for CrossplaneProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrossplaneProvider")
            .field("name", &self.options.name)
            .field("kind", &self.options.target.name())
            .finish_non_exhaustive()
    }
}
