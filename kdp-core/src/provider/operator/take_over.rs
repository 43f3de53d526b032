//! Takes over what exists.

use serde_json::{Value, json};

use super::{
    OperatorProvider,
    carry_out::{ATTEMPTS, busy},
    cluster::Mode,
    draft::{is_being_deleted, version},
    identity::{self, Whose},
    look::Sight,
    offering::CompiledObject,
    outputs::is_name,
};
use crate::{
    Error, ErrorKind,
    provider::{Order, Run},
};

impl OperatorProvider {
    /// `existing` is the name of the object, after `<id>/` where the offering has several.
    pub(super) async fn take_over(&self, order: &Order, existing: &str, run: &Run) -> Result<Sight, Error> {
        let id = &order.id;
        let refused = |kind, message: String| Error::new(kind, "import", id, message);
        if !self.offering.imports {
            let message = format!("{} does not take over what exists already", self.name);
            return Err(refused(ErrorKind::Unsupported, message));
        }
        let (template, name) = self.named(existing).ok_or_else(|| {
            let message = format!("{existing:?} is no name of an object; give <name>, or <id>/<name> with its id");
            refused(ErrorKind::Invalid, message)
        })?;
        self.fence.enter(id, run).await?;
        let mut places = self.places(id, order.sealed.as_ref()).await?;
        let Some(mut reference) = places.remove(&template.id) else {
            return Err(refused(ErrorKind::Invalid, format!("the offering has no object {:?}", template.id)));
        };
        if reference.name != name && self.cluster.read(&reference, id).await?.is_some() {
            return Err(refused(ErrorKind::Forbidden, format!("the order has {reference} already")));
        }
        name.clone_into(&mut reference.name);
        for _ in 0..ATTEMPTS {
            let Some(found) = self.cluster.read(&reference, id).await? else {
                return Err(refused(ErrorKind::NotFound, format!("there is no {reference}")));
            };
            match identity::whose(&found, id) {
                Whose::Ours => return self.sight(id, None).await,
                Whose::Others => return Err(refused(ErrorKind::Forbidden, format!("{reference} is another order's"))),
                Whose::Nobodys if is_being_deleted(&found) => {
                    return Err(refused(ErrorKind::NotFound, format!("{reference} is being deleted")));
                }
                Whose::Nobodys => {}
            }
            let mut metadata = json!({"name": name, "resourceVersion": version(&found)});
            if let Some(namespace) = &reference.namespace {
                metadata["namespace"] = namespace.clone().into();
            }
            identity::mark(&mut metadata, id, &template.id, run.lease);
            let marked: Value =
                json!({"apiVersion": reference.api_version(), "kind": reference.kind, "metadata": metadata});
            match self.cluster.apply(&reference, &marked, Mode::Real, id).await? {
                Ok(_) => return self.sight(id, None).await,
                // Its operator, or another order, was faster: look again.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(Error::from_kube("import", format!("{reference} of {id}"), error)),
            }
        }
        Err(busy(&reference, id))
    }

    fn named<'a>(&self, existing: &'a str) -> Option<(&CompiledObject, &'a str)> {
        let (template, name) = match (existing.split_once('/'), self.offering.objects.as_slice()) {
            (Some((template, name)), _) => (self.offering.object(template)?, name),
            (None, [only]) => (only, existing),
            (None, _) => return None,
        };
        is_name(name).then_some((template, name))
    }
}
