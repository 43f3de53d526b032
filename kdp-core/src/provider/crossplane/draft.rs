//! What applying an order would do, and doing it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    CrossplaneProvider,
    cluster::{Effect, Look},
    desired::{self, FINALIZER, ORDER_LABEL, Place, lease_of},
    diff::diff,
    look::Located,
    options::Namespaces,
    record::composed_by,
    target::MACHINE_FIELDS,
};
use crate::{
    Error, ErrorKind,
    provider::{Change, ChangeAction, Order, OrderId, Plan, Run, Shown, ValueChange},
};

impl CrossplaneProvider {
    /// What applying the order would do now, and what that was found out about.
    pub(super) async fn draft(&self, order: &Order, run: &Run) -> Result<Draft, Error> {
        desired::parameters(order)?;
        let id = &order.id;
        let mut located = self.locate(id, order.sealed.as_ref()).await?;
        if located.is_taken {
            let message = format!("{} exists and is not this order's", located.place.id());
            return Err(Error::new(ErrorKind::Forbidden, "plan", id, message));
        }
        let mut desired = desired::object(&self.options, order, &located.place, run.lease)?;
        if let Look::There(object) = &located.look {
            desired::concede(&mut desired, object);
        }
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
                if update.values.is_empty() {
                    vec![]
                } else {
                    std::iter::once(update).chain(self.preview(order, &becomes).await?).collect()
                }
            }
            Look::Absent => {
                let becomes = self.try_creation(&located.place, desired.clone()).await?;
                let values = self.differences(&Value::Null, &becomes, &desired);
                let create = values.into_iter().fold(change(ChangeAction::Create), Change::with_value);
                std::iter::once(create).chain(self.preview(order, &becomes).await?).collect()
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
            values.extend(diff(&format!("{root}.{name}"), &field(before), &field(after), &BTreeSet::new()));
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
    pub(super) async fn write(&self, draft: &Draft, id: &OrderId, run: &Run) -> Result<Value, Error> {
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
                let created = self.cluster.apply(resource, &desired, Effect::Real).await?;
                return self.confirm(created, &draft.located.place, id, run).await;
            }
        }
        self.cluster.apply(resource, &desired, Effect::Real).await
    }

    /// Takes back what was created too late.
    ///
    /// A creation has no version that could be compared. So the fence is read once more after it: who
    /// was let in meanwhile may have seen that there is nothing, and would never look again.
    async fn confirm(&self, created: Value, place: &Place, id: &OrderId, run: &Run) -> Result<Value, Error> {
        let Err(late) = self.fence.check(id, run).await else { return Ok(created) };
        if late.kind() == ErrorKind::Stale {
            let resource = &self.options.target.resource;
            // What bears another lease by now, others have made theirs.
            if let Look::There(object) = self.cluster.look(resource, place).await
                && object["metadata"]["uid"] == created["metadata"]["uid"]
                && lease_of(&object) == run.lease
            {
                self.cluster.delete(resource, &object).await?;
            }
        }
        Err(late)
    }
}

/// A plan, and what it takes to carry it out.
pub(super) struct Draft {
    pub(super) plan: Plan,
    pub(super) located: Located,
    desired: Value,
}

pub(super) fn is_leaving(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

fn has_finalizer(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().any(|finalizer| finalizer == FINALIZER)
}
