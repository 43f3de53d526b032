//! Requests to the cluster that Crossplane runs in, and what their failures are evidence of.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{
        ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
        Preconditions,
    },
    discovery::{Scope, pinned_kind},
};
use serde_json::{Value, json};

use super::{
    desired::{ORDER_LABEL, Place},
    record::Composed,
};
use crate::{Error, ErrorKind, provider::OrderId};

/// Who owns the fields that orders set.
pub(super) const MANAGER: &str = "kdp";
/// Who owns the annotations that actions set; not those of the order, which an apply would remove.
const ACTION_MANAGER: &str = "kdp-actions";
/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Webhooks of Crossplane that protect what is in use, in every version.
const USAGE_WEBHOOK: &str = "nousages.";

/// What a look at one object has shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Look {
    There(Value),
    /// The server knows the kind, and has no such object.
    Absent,
    /// It cannot be told, and why.
    Unseen(String),
}

/// What came of a deletion.
pub(super) enum Deletion {
    /// It has begun, or there was nothing.
    Begun,
    /// A Usage protects the object.
    InUse(String),
}

/// Whether a request takes effect.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Effect {
    Real,
    DryRun,
}

pub(super) struct Cluster {
    client: Client,
    /// By API version and kind; only what was found.
    kinds: Mutex<HashMap<(String, String), (ApiResource, Scope)>>,
}

impl Cluster {
    pub(super) fn new(client: Client) -> Self {
        Self { client, kinds: Mutex::default() }
    }

    pub(super) async fn look(&self, resource: &ApiResource, place: &Place) -> Look {
        let id = place.id();
        let subject = format!("{} {id}", resource.kind);
        let api = self.api(resource, place.namespace.as_deref());
        match tokio::time::timeout(PATIENCE, api.get(&place.name)).await {
            Ok(Ok(object)) => as_value(object).map_or_else(|e| Look::Unseen(e.message().into()), Look::There),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => {
                // Of a kind it does not know, a server says nothing about an object of that name.
                let is_named = status.details.as_ref().is_some_and(|details| details.name == place.name);
                if is_named {
                    Look::Absent
                } else {
                    Look::Unseen(format!("the cluster does not know {} in {}", resource.plural, resource.api_version))
                }
            }
            Ok(Err(error)) => Look::Unseen(format!("{subject}: {}", Error::from_kube("read", &id, error).message())),
            Err(_) => Look::Unseen(format!("{subject}: the API server did not answer in time")),
        }
    }

    /// Looks at a composed object, of which only the kind is known.
    pub(super) async fn look_at(&self, composed: &Composed) -> Look {
        match self.resolve(composed).await {
            Ok((resource, place)) => self.look(&resource, &place).await,
            Err(error) => Look::Unseen(error.message().into()),
        }
    }

    /// The object that bears the label of an order.
    ///
    /// `Invalid` when several do: somebody copied it together with its labels.
    pub(super) async fn find(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        id: &OrderId,
    ) -> Result<Look, Error> {
        let params = ListParams::default().labels(&format!("{ORDER_LABEL}={}", id.uid)).limit(2);
        let api = self.api(resource, namespace);
        let mut items = match tokio::time::timeout(PATIENCE, api.list(&params)).await {
            Ok(Ok(list)) => list.items,
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => {
                let message = format!("the cluster does not know {} in {}", resource.plural, resource.api_version);
                return Ok(Look::Unseen(message));
            }
            Ok(Err(error)) => {
                return Ok(Look::Unseen(Error::from_kube("list", &resource.plural, error).message().into()));
            }
            Err(_) => return Ok(Look::Unseen("the API server did not answer in time".into())),
        };
        if items.len() > 1 {
            let names: Vec<_> = items.iter().filter_map(|item| item.metadata.name.clone()).collect();
            let message =
                format!("{} bear the label {ORDER_LABEL}; remove it where it was copied", names.join(" and "));
            return Err(Error::new(ErrorKind::Invalid, "find", id, message));
        }
        items.pop().map_or(Ok(Look::Absent), |object| as_value(object).map(Look::There))
    }

    /// Objects of the namespace that bear a label.
    pub(super) async fn labelled(
        &self,
        resource: &ApiResource,
        namespace: &str,
        label: &str,
    ) -> Result<Vec<Value>, Error> {
        let params = ListParams::default().labels(label);
        let api = self.api(resource, Some(namespace));
        let list = within("list", &resource.plural, api.list(&params)).await?;
        list.items.into_iter().map(as_value).collect()
    }

    /// Server-side apply, without taking fields away from others. Unknown fields are refused.
    ///
    /// `Unavailable` when fields are others', or the namespace or the kind is not there; `Stale` when
    /// the object has another resource version than the one to apply.
    pub(super) async fn apply(&self, resource: &ApiResource, object: &Value, effect: Effect) -> Result<Value, Error> {
        let text = |name: &str| object["metadata"][name].as_str();
        let name = text("name").unwrap_or_default();
        let mut params = PatchParams::apply(MANAGER).validation_strict();
        params.dry_run = effect == Effect::DryRun;
        let api = self.api(resource, text("namespace"));
        let subject = format!("{} {name}", resource.kind);
        match answered("apply", &subject, api.patch(name, &params, &Patch::Apply(object))).await? {
            Ok(applied) => as_value(applied),
            Err(kube::Error::Api(status)) if is_conflict_of_managers(&status) => {
                let message = format!("others own fields of it, who have to give them up first: {}", status.message);
                Err(Error::new(ErrorKind::Unavailable, "apply", subject, message))
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                let message = format!("its namespace or its kind is not there: {}", status.message);
                Err(Error::new(ErrorKind::Unavailable, "apply", subject, message))
            }
            Err(error) => Err(Error::from_kube("apply", subject, error)),
        }
    }

    /// Changes metadata of the object with this UID and resource version.
    pub(super) async fn patch_metadata(
        &self,
        resource: &ApiResource,
        object: &Value,
        mut metadata: Value,
    ) -> Result<Value, Error> {
        let place = place_of(object);
        metadata["uid"] = object["metadata"]["uid"].clone();
        metadata["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
        let params = PatchParams { field_manager: Some(ACTION_MANAGER.into()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({"metadata": metadata}));
        let api = self.api(resource, place.namespace.as_deref());
        let subject = format!("{} {}", resource.kind, place.id());
        as_value(within("annotate", &subject, api.patch(&place.name, &params, &patch)).await?)
    }

    /// Begins to delete the object with this UID, in the foreground: it stays until all that it owns is gone.
    pub(super) async fn delete(&self, resource: &ApiResource, object: &Value) -> Result<Deletion, Error> {
        let place = place_of(object);
        let uid = object["metadata"]["uid"].as_str().map(Into::into);
        let params = DeleteParams::foreground().preconditions(Preconditions { uid, resource_version: None });
        let api = self.api(resource, place.namespace.as_deref());
        let subject = format!("{} {}", resource.kind, place.id());
        match answered("delete", &subject, api.delete(&place.name, &params)).await? {
            Ok(_) => Ok(Deletion::Begun),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Deletion::Begun),
            Err(kube::Error::Api(status)) if status.message.contains(USAGE_WEBHOOK) => {
                Ok(Deletion::InUse(status.message.clone()))
            }
            Err(error) => Err(Error::from_kube("delete", subject, error)),
        }
    }

    pub(super) async fn delete_composed(&self, composed: &Composed, object: &Value) -> Result<Deletion, Error> {
        let (resource, _) = self.resolve(composed).await?;
        self.delete(&resource, object).await
    }

    /// UID of a namespace; none when there is no such namespace.
    pub(super) async fn namespace_uid(&self, name: &str) -> Result<Option<String>, Error> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        Ok(within("read", name, api.get_opt(name)).await?.and_then(|namespace| namespace.metadata.uid))
    }

    pub(super) async fn has_namespace(&self, name: &str) -> Result<bool, Error> {
        Ok(self.namespace_uid(name).await?.is_some())
    }

    pub(super) async fn make_namespace(&self, name: &str) -> Result<(), Error> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.into());
        match answered("make", name, api.create(&PostParams::default(), &namespace)).await? {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(Error::from_kube("make", name, error)),
        }
    }

    /// The kind of a composed object as the server serves it, and where the object is.
    pub(super) async fn resolve(&self, composed: &Composed) -> Result<(ApiResource, Place), Error> {
        let key = (composed.api_version.clone(), composed.kind.clone());
        let known = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let (resource, scope) = match known {
            Some(known) => known,
            None => {
                let (group, version) = composed.api_version.rsplit_once('/').unwrap_or(("", &composed.api_version));
                let gvk = GroupVersionKind::gvk(group, version, &composed.kind);
                let (resource, capabilities) =
                    within("find", &composed.title(), pinned_kind(&self.client, &gvk)).await?;
                let found = (resource, capabilities.scope);
                self.kinds.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
                found
            }
        };
        let namespace = (scope == Scope::Namespaced).then(|| composed.namespace.clone()).flatten();
        Ok((resource, Place { namespace, name: composed.name.clone() }))
    }

    fn api(&self, resource: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }
}

/// Where an object is.
pub(super) fn place_of(object: &Value) -> Place {
    let text = |name: &str| object["metadata"][name].as_str().map(str::to_owned);
    Place { namespace: text("namespace"), name: text("name").unwrap_or_default() }
}

/// The answer, or that there was none in time.
async fn answered<T>(op: &'static str, subject: &str, asked: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, asked)
        .await
        .map_err(|_| Error::new(ErrorKind::Unavailable, op, subject, "the API server did not answer in time"))
}

pub(super) async fn within<T>(
    op: &'static str,
    subject: &str,
    asked: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    answered(op, subject, asked).await?.map_err(|error| Error::from_kube(op, subject, error))
}

fn as_value(object: DynamicObject) -> Result<Value, Error> {
    let name = object.metadata.name.clone().unwrap_or_default();
    serde_json::to_value(object)
        .map_err(|error| Error::new(ErrorKind::Internal, "read", name, "it is no JSON").with_source(error))
}

fn is_conflict_of_managers(status: &kube::core::Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 409 && causes.into_iter().any(|cause| cause.reason == "FieldManagerConflict")
}
