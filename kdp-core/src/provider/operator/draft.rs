//! Draws up what is to be done for an order, and has the cluster try it out.

use kube::core::Status;
use serde_json::{Map, Value};

use super::{
    OperatorProvider,
    cluster::Mode,
    diff,
    identity::{self, Whose},
    inventory::Reference,
    look::Notes,
    offering::Wanted,
    settings::Placement,
};
use crate::{
    Error, ErrorKind,
    provider::{Change, ChangeAction, Lease, Order, Plan, Redactor, Shown, Teardown},
};

/// A plan, and what carrying it out takes.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) plan: Plan,
    pub(super) steps: Vec<Step<'a>>,
}

#[derive(Debug)]
pub(super) enum Step<'a> {
    Create(Wanted<'a>),
    /// The object as it is wanted, and as it is.
    Update(Wanted<'a>, Value),
    /// As it is wanted, already.
    Keep(Wanted<'a>, Value),
    /// It is being deleted, and made anew when it is gone.
    Await,
    Remove(Reference, Value),
}

impl OperatorProvider {
    pub(super) async fn draft(&self, order: &Order) -> Result<Draft<'_>, Error> {
        let id = &order.id;
        let sealed = order.sealed.as_ref();
        let places = self.places(id, sealed).await?;
        let wanted = self.offering.render(order, &places)?;
        let unwanted = unwanted(order, &wanted)?;

        let mut notes = Notes { cluster: self.cluster_uid(id).await?.to_owned(), ..Notes::default() };
        let mut record = Teardown::new(id);
        for wanted in wanted.iter().rev() {
            let (kind, item) = wanted.reference.item();
            record = record.with_item(kind, item);
            notes.note(&wanted.template.id, &wanted.reference, id);
        }
        let (mut changes, mut steps, mut facts) = (Vec::new(), Vec::new(), Vec::new());
        for wanted in wanted {
            let (change, step) = self.step(order, wanted).await?;
            if let (Some(change), Step::Update(_, found)) = (&change, &step)
                && change.values.iter().any(|value| value.before == Shown::Sensitive)
            {
                facts.push((change.subject.clone(), version(found).to_owned()));
            }
            changes.extend(change);
            steps.push(step);
        }
        for reference in unwanted {
            let found = self.cluster.read(&reference, id).await?;
            let ours = found.filter(|found| identity::whose(found, id) == Whose::Ours);
            let Some(object) = ours.filter(|object| !is_being_deleted(object)) else { continue };
            changes.push(Change::new(ChangeAction::Delete, reference.to_string()));
            steps.push(Step::Remove(reference, object));
        }
        let plan = Plan::new(order, changes, record.with_data(notes.into_data()));
        let plan = plan.with_basis("offering", &self.offering.digest);
        // What changes in a value that is not shown, only the version of its object tells.
        let plan = facts.into_iter().fold(plan, |plan, (subject, version)| plan.with_basis(subject, version));
        Ok(Draft { plan, steps })
    }

    /// What is to be done about one object.
    async fn step<'a>(&self, order: &Order, wanted: Wanted<'a>) -> Result<(Option<Change>, Step<'a>), Error> {
        let id = &order.id;
        let subject = wanted.reference.to_string();
        let Some(found) = self.cluster.read(&wanted.reference, id).await? else {
            self.try_creation(order, &wanted).await?;
            return Ok((Some(Change::new(ChangeAction::Create, subject)), Step::Create(wanted)));
        };
        if identity::whose(&found, id) != Whose::Ours {
            let message = format!("{subject} exists and is not this order's");
            return Err(Error::new(ErrorKind::Forbidden, "plan", id, message));
        }
        if is_being_deleted(&found) {
            let change =
                Change::new(ChangeAction::Create, subject).with_detail("once the one that is being deleted is gone");
            return Ok((Some(change), Step::Await));
        }
        let after = self.try_update(order, &wanted, &found).await?;
        let values = diff::changes(&found, &after, &wanted.template.sensitive);
        if values.is_empty() {
            return Ok((None, Step::Keep(wanted, found)));
        }
        let change = Change::new(ChangeAction::Update, subject);
        let change = values.into_iter().fold(change, Change::with_value);
        Ok((Some(change), Step::Update(wanted, found)))
    }

    async fn try_creation(&self, order: &Order, wanted: &Wanted<'_>) -> Result<(), Error> {
        let document = wanted.document(&order.id, Lease::default());
        match self.cluster.create(&wanted.reference, &document, Mode::Dry, &order.id).await? {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if cannot_be_tried(&status) => Ok(()),
            // The namespace of a workspace is made when it is first needed.
            Err(kube::Error::Api(status))
                if status.code == 404 && matches!(self.offering.placement, Placement::PerWorkspace(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(rejected("plan", order, wanted, error)),
        }
    }

    /// The object as it would be.
    async fn try_update(&self, order: &Order, wanted: &Wanted<'_>, found: &Value) -> Result<Value, Error> {
        let document = wanted.document(&order.id, identity::lease_of(found));
        match self.cluster.apply(&wanted.reference, &document, Mode::Dry, &order.id).await? {
            Ok(after) => Ok(after),
            Err(kube::Error::Api(status)) if cannot_be_tried(&status) => Ok(overlaid(found, &document)),
            Err(error) => Err(rejected("plan", order, wanted, error)),
        }
    }
}

/// What was sealed and is no longer wanted.
fn unwanted(order: &Order, wanted: &[Wanted<'_>]) -> Result<Vec<Reference>, Error> {
    let sealed = order.sealed.iter().flat_map(|sealed| &sealed.inventory);
    let mut unwanted = Vec::new();
    for item in sealed {
        let reference = Reference::parse(item, &order.id)?;
        if !wanted.iter().any(|wanted| wanted.reference.is_same(&reference)) {
            unwanted.push(reference);
        }
    }
    Ok(unwanted)
}

/// Whether a webhook has refused to try it, because that would have effects of its own. It answers as
/// to any bad request, so there is nothing but the words to tell by. Where they change, the order is
/// refused with them.
fn cannot_be_tried(status: &Status) -> bool {
    status.code == 400 && status.message.contains("does not support dry run")
}

/// The cluster has refused an object. The error has no source: it would repeat what is not to be seen.
pub(super) fn rejected(op: &'static str, order: &Order, wanted: &Wanted<'_>, error: kube::Error) -> Error {
    let error = Error::from_kube(op, &order.id, error);
    let redactor = wanted.secrets().into_iter().fold(Redactor::new(), Redactor::with);
    let kind = match error.kind() {
        // The namespace is missing, which the order cannot help.
        ErrorKind::NotFound => ErrorKind::Unavailable,
        kind => kind,
    };
    let message = redactor.redact(&format!("{}: {}", wanted.reference, error.message()));
    Error::new(kind, op, &order.id, message)
}

/// What applying a document comes to, as far as that can be told from outside: nothing is removed, and
/// lists are replaced.
fn overlaid(object: &Value, document: &Value) -> Value {
    match (object, document) {
        (Value::Object(before), Value::Object(fields)) => {
            let mut after: Map<_, _> = before.clone();
            for (name, value) in fields {
                let value = before.get(name).map_or_else(|| value.clone(), |before| overlaid(before, value));
                after.insert(name.clone(), value);
            }
            Value::Object(after)
        }
        (_, value) => value.clone(),
    }
}

pub(super) fn is_being_deleted(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// The version of an object, which changes with every write.
pub(super) fn version(object: &Value) -> &str {
    object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default()
}
