//! Carries out a plan.

use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, ResourceExt,
    api::{PostParams, Preconditions},
};
use serde_json::{Value, json};

use super::{
    OperatorProvider,
    cluster::{Mode, answer, unavailable},
    draft::{Draft, Step, is_being_deleted, rejected, version},
    identity::{self, Whose},
    inventory::Reference,
    look::Sight,
    managed,
    offering::Wanted,
    settings::Placement,
};
use crate::{
    Error, ErrorKind,
    provider::{Order, OrderId, PlanHash, Run, Step as Told, StepState, fence::superseded},
};

/// An operator writes the status of its objects whenever it likes, so versions often change.
pub(super) const ATTEMPTS: usize = 10;

impl OperatorProvider {
    pub(super) async fn carry_out(&self, order: &Order, hash: &PlanHash, run: &Run) -> Result<Sight, Error> {
        let id = &order.id;
        self.fence.enter(id, run).await?;
        let Draft { plan, steps } = self.draft(order).await?;
        plan.check(hash, id)?;
        let sealed = plan.teardown.on_top_of(order.sealed.as_ref());
        let mut made = Vec::new();
        for step in &steps {
            match step {
                Step::Create(wanted) => {
                    let uid = self.create(order, wanted, run).await?;
                    made.push((wanted.reference.clone(), uid));
                    tell(run, &wanted.reference, "created");
                }
                Step::Update(wanted, found) => {
                    self.update(order, wanted, found, run).await?;
                    tell(run, &wanted.reference, "changed");
                }
                // From now on, a late write under an older lease finds another version than it has read.
                Step::Keep(wanted, found) if identity::lease_of(found) != run.lease => {
                    self.update(order, wanted, found, run).await?;
                }
                Step::Keep(..) | Step::Await | Step::Remove(..) => {}
            }
        }
        self.take_back_if_late(id, run, &made).await?;
        let sight = self.sight(id, Some(&sealed)).await?;
        let removals = steps.iter().filter(|step| matches!(step, Step::Remove(..))).count();
        if !sight.is_wanted_ready || removals == 0 {
            return Ok(sight);
        }
        for step in steps {
            if let Step::Remove(reference, object) = step {
                self.remove(&reference, object, id, run).await?;
                tell(run, &reference, "removed");
            }
        }
        self.sight(id, Some(&sealed)).await
    }

    /// Makes an object that is not there, and returns its UID.
    async fn create(&self, order: &Order, wanted: &Wanted<'_>, run: &Run) -> Result<Option<String>, Error> {
        self.make_namespace(&order.id).await?;
        let document = wanted.document(&order.id, run.lease);
        let created = self.cluster.create(&wanted.reference, &document, Mode::Real, &order.id).await?;
        let created = created.map_err(|error| rejected("apply", order, wanted, error))?;
        self.hand_over(&wanted.reference, created.clone(), &order.id, run).await?;
        Ok(created.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned))
    }

    /// See [`managed`].
    async fn hand_over(&self, reference: &Reference, object: Value, id: &OrderId, run: &Run) -> Result<(), Error> {
        let patch = |object: &Value| Some(json!({"metadata": {"managedFields": managed::handed_over(object)?}}));
        self.change(reference, object, id, run, patch).await
    }

    async fn update(&self, order: &Order, wanted: &Wanted<'_>, found: &Value, run: &Run) -> Result<(), Error> {
        let (id, reference) = (&order.id, &wanted.reference);
        if managed::handed_over(found).is_some() {
            // Its creation was cut short. What applying it removes is only seen once this is done.
            self.hand_over(reference, found.clone(), id, run).await?;
            return Err(Error::new(
                ErrorKind::Stale,
                "apply",
                id,
                format!("the creation of {reference} was completed"),
            ));
        }
        let mut document = wanted.document(id, run.lease);
        let mut found = found.clone();
        for _ in 0..ATTEMPTS {
            check_writable(&found, reference, id, run)?;
            document["metadata"]["resourceVersion"] = version(&found).into();
            match self.cluster.apply(reference, &document, Mode::Real, id).await? {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 => found = self.again(reference, id).await?,
                Err(error) => return Err(rejected("apply", order, wanted, error)),
            }
        }
        Err(busy(reference, id))
    }

    /// Changes an object of the order as `patch` says, unless it says that there is nothing to change.
    pub(super) async fn change(
        &self,
        reference: &Reference,
        mut object: Value,
        id: &OrderId,
        run: &Run,
        patch: impl Fn(&Value) -> Option<Value>,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            check_writable(&object, reference, id, run)?;
            let Some(mut patch) = patch(&object) else { return Ok(()) };
            patch["metadata"]["resourceVersion"] = version(&object).into();
            match self.cluster.merge(reference, &patch, id).await? {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 => object = self.again(reference, id).await?,
                Err(error) => return Err(Error::from_kube("change", format!("{reference} of {id}"), error)),
            }
        }
        Err(busy(reference, id))
    }

    /// Begins to remove an object, in the state it was seen in.
    pub(super) async fn remove(
        &self,
        reference: &Reference,
        mut object: Value,
        id: &OrderId,
        run: &Run,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            if is_being_deleted(&object) {
                return Ok(());
            }
            check_writable(&object, reference, id, run)?;
            let uid = object.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
            let preconditions = Preconditions { uid, resource_version: Some(version(&object).into()) };
            match self.cluster.delete(reference, preconditions, id).await? {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 409 => match self.cluster.read(reference, id).await? {
                    Some(again) if identity::whose(&again, id) == Whose::Ours => object = again,
                    _ => return Ok(()),
                },
                Err(error) => {
                    let subject = format!("{reference} of {id}");
                    let error = Error::from_kube("remove", &subject, error);
                    // Whatever forbids it, such as a policy that protects it, is gone one day.
                    let kind = if error.kind() == ErrorKind::Forbidden { ErrorKind::Unavailable } else { error.kind() };
                    return Err(Error::new(kind, "remove", subject, error.message().to_owned()).with_source(error));
                }
            }
        }
        Err(busy(reference, id))
    }

    /// Removes what was just made if a newer lease was seen in the meantime: it may have been made after
    /// its order was removed.
    async fn take_back_if_late(
        &self,
        id: &OrderId,
        run: &Run,
        made: &[(Reference, Option<String>)],
    ) -> Result<(), Error> {
        if made.is_empty() {
            return Ok(());
        }
        let Err(late) = self.fence.check(id, run).await else { return Ok(()) };
        if late.kind() == ErrorKind::Stale {
            for (reference, uid) in made {
                // If its successor has written to it by now, it is the successor's.
                let Some(found) = self.cluster.read(reference, id).await? else { continue };
                let has_uid = found.pointer("/metadata/uid").and_then(Value::as_str) == uid.as_deref();
                if has_uid && identity::lease_of(&found) == run.lease {
                    self.remove(reference, found, id, run).await?;
                }
            }
        }
        Err(late)
    }

    async fn again(&self, reference: &Reference, id: &OrderId) -> Result<Value, Error> {
        let gone = || Error::new(ErrorKind::Stale, "change", id, format!("{reference} is gone"));
        self.cluster.read(reference, id).await?.ok_or_else(gone)
    }

    /// The namespace of a workspace, if that is where objects are.
    async fn make_namespace(&self, id: &OrderId) -> Result<(), Error> {
        let (Placement::PerWorkspace(_), Some(workspace)) = (&self.offering.placement, &id.workspace) else {
            return Ok(());
        };
        let name = self.offering.namespace(id)?;
        let api = Api::<Namespace>::all(self.cluster.client().clone());
        let failed = |e| unavailable(id, format!("the namespace {name} cannot be made"), e);
        let is_its = |namespace: &Namespace| {
            namespace.annotations().get(identity::WORKSPACE).map(String::as_str) == Some(workspace.as_str())
        };
        let found = match answer(api.get_opt(&name)).await.map_err(failed)? {
            Some(found) => found,
            None => {
                let metadata = ObjectMeta {
                    name: Some(name.clone()),
                    labels: Some([("app.kubernetes.io/managed-by".into(), identity::MANAGER.into())].into()),
                    annotations: Some([(identity::WORKSPACE.into(), workspace.as_str().into())].into()),
                    ..ObjectMeta::default()
                };
                let namespace = Namespace { metadata, ..Namespace::default() };
                match answer(api.create(&PostParams::default(), &namespace)).await {
                    Ok(made) => made,
                    Err(kube::Error::Api(status)) if status.code == 409 => {
                        answer(api.get(&name)).await.map_err(failed)?
                    }
                    Err(error) => return Err(failed(error)),
                }
            }
        };
        if is_its(&found) {
            return Ok(());
        }
        let message = format!("the namespace {name} exists and is not that of the workspace");
        Err(Error::new(ErrorKind::Forbidden, "apply", id, message))
    }
}

/// Whether this run may write to an object, in the state it was read in.
fn check_writable(object: &Value, reference: &Reference, id: &OrderId, run: &Run) -> Result<(), Error> {
    if identity::whose(object, id) != Whose::Ours {
        return Err(Error::new(ErrorKind::Stale, "change", id, format!("{reference} is no longer this order's")));
    }
    if identity::lease_of(object) > run.lease { Err(superseded(id)) } else { Ok(()) }
}

pub(super) fn busy(reference: &Reference, id: &OrderId) -> Error {
    Error::new(ErrorKind::Unavailable, "change", id, format!("{reference} keeps changing"))
}

fn tell(run: &Run, reference: &Reference, what: &str) {
    run.progress.tell(Told::new(StepState::Done, reference.to_string()).with_message(what));
}
