//! Reads and writes objects, and knows an answer that means "there is none" from one that does not.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kube::{
    Client, Resource,
    api::{
        ApiResource, DeleteParams, DynamicObject, GetParams, GroupVersionKind, ListParams, Patch, PatchParams,
        PostParams, Preconditions, PropagationPolicy, Request,
    },
    core::Status,
    discovery::{self, ApiCapabilities, Scope},
};
use serde_json::Value;

use super::{identity::MANAGER, inventory::Reference};
use crate::{Error, ErrorKind, provider::OrderId};

/// After this time a server that does not answer cannot be reached.
const ANSWER: Duration = Duration::from_secs(30);

/// A cluster, and what was learnt of its kinds.
#[derive(Clone)]
pub(super) struct Cluster {
    client: Client,
    served: Arc<Mutex<HashMap<GroupVersionKind, Served>>>,
}

/// How the cluster serves a kind.
#[derive(Clone, Debug)]
pub(super) struct Served {
    resource: ApiResource,
    pub(super) is_namespaced: bool,
    pub(super) has_status: bool,
}

/// Whether a request takes effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    /// It does.
    Real,
    /// It is tried, with all checks, and then forgotten.
    Dry,
}

impl Cluster {
    pub(super) fn new(client: Client) -> Self {
        Self { client, served: Arc::default() }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// How a kind is served, in this version or, if it is gone, in the one that the group prefers.
    ///
    /// # Errors
    /// `Unavailable` also when there is no such kind: then nothing can be said about its objects.
    pub(super) async fn served(&self, reference: &Reference, id: &OrderId) -> Result<Served, Error> {
        let gvk = GroupVersionKind::gvk(&reference.group, &reference.version, &reference.kind);
        if let Some(served) = self.remembered(&gvk) {
            return Ok(served);
        }
        let found = match answer(discovery::pinned_kind(&self.client, &gvk)).await {
            Ok(found) => found,
            Err(error) if is_missing(&error) => self.in_another_version(&gvk, id).await?,
            Err(error) => return Err(unavailable(id, format!("the kind {} cannot be looked up", gvk.kind), error)),
        };
        let served = Served::of(found);
        self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(gvk, served.clone());
        Ok(served)
    }

    async fn in_another_version(
        &self,
        gvk: &GroupVersionKind,
        id: &OrderId,
    ) -> Result<(ApiResource, ApiCapabilities), Error> {
        let missing = || {
            let message = format!("the cluster does not serve {} of {}/{}", gvk.kind, gvk.group, gvk.version);
            Error::new(ErrorKind::Unavailable, "look at", id, message)
        };
        match answer(discovery::group(&self.client, &gvk.group)).await {
            Ok(group) => group.recommended_kind(&gvk.kind).ok_or_else(missing),
            Err(error) if is_missing(&error) => Err(missing().with_source(error)),
            Err(error) => Err(unavailable(id, format!("the group {:?} cannot be looked up", gvk.group), error)),
        }
    }

    /// What is known of a kind without asking.
    pub(super) fn known(&self, reference: &Reference) -> Option<Served> {
        self.remembered(&GroupVersionKind::gvk(&reference.group, &reference.version, &reference.kind))
    }

    fn remembered(&self, gvk: &GroupVersionKind) -> Option<Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).get(gvk).cloned()
    }

    /// An object; none only when the server says that it serves the kind and has no such object.
    ///
    /// # Errors
    /// `Unavailable` in every other case.
    pub(super) async fn read(&self, reference: &Reference, id: &OrderId) -> Result<Option<Value>, Error> {
        let served = self.served(reference, id).await?;
        let request = request(&served, reference).get(&reference.name, &GetParams::default());
        match self.send(request).await {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if is_absence(&status, &reference.name) => Ok(None),
            Err(error) => {
                if is_missing(&error) {
                    self.forget(reference);
                }
                Err(unavailable(id, format!("{reference} cannot be read"), error))
            }
        }
    }

    fn forget(&self, reference: &Reference) {
        let gvk = GroupVersionKind::gvk(&reference.group, &reference.version, &reference.kind);
        self.served.lock().unwrap_or_else(PoisonError::into_inner).remove(&gvk);
    }

    /// The objects next to this one with these labels.
    pub(super) async fn list(&self, like: &Reference, labels: &str, id: &OrderId) -> Result<Vec<Value>, Error> {
        let served = self.served(like, id).await?;
        let request = request(&served, like).list(&ListParams::default().labels(labels));
        let failed = |e| unavailable(id, format!("objects of kind {} cannot be listed", like.kind), e);
        let mut list = self.send(request).await.map_err(failed)?;
        let Some(Value::Array(mut items)) = list.get_mut("items").map(Value::take) else { return Ok(Vec::new()) };
        for item in &mut items {
            item["apiVersion"] = like.api_version().into();
            item["kind"] = like.kind.clone().into();
        }
        Ok(items)
    }

    /// Makes an object that is not there.
    pub(super) async fn create(
        &self,
        reference: &Reference,
        object: &Value,
        mode: Mode,
        id: &OrderId,
    ) -> Result<Result<Value, kube::Error>, Error> {
        let served = self.served_as_written(reference, id).await?;
        let params = PostParams { dry_run: mode == Mode::Dry, field_manager: Some(MANAGER.into()) };
        Ok(self.send(request(&served, reference).create(&params, object.to_string().into_bytes())).await)
    }

    /// Applies an object: its fields become ours, whoever had them.
    pub(super) async fn apply(
        &self,
        reference: &Reference,
        object: &Value,
        mode: Mode,
        id: &OrderId,
    ) -> Result<Result<Value, kube::Error>, Error> {
        let served = self.served_as_written(reference, id).await?;
        let params = PatchParams { dry_run: mode == Mode::Dry, ..PatchParams::apply(MANAGER).force() };
        Ok(self.send(request(&served, reference).patch(&reference.name, &params, &Patch::Apply(object))).await)
    }

    /// Changes single fields of an object.
    pub(super) async fn merge(
        &self,
        reference: &Reference,
        patch: &Value,
        id: &OrderId,
    ) -> Result<Result<Value, kube::Error>, Error> {
        let served = self.served(reference, id).await?;
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        Ok(self.send(request(&served, reference).patch(&reference.name, &params, &Patch::Merge(patch))).await)
    }

    /// Removes an object that is still in this state, after all that it owns.
    pub(super) async fn delete(
        &self,
        reference: &Reference,
        preconditions: Preconditions,
        id: &OrderId,
    ) -> Result<Result<Value, kube::Error>, Error> {
        let served = self.served(reference, id).await?;
        let params = DeleteParams {
            preconditions: Some(preconditions),
            propagation_policy: Some(PropagationPolicy::Foreground),
            ..DeleteParams::default()
        };
        Ok(self.send(request(&served, reference).delete(&reference.name, &params)).await)
    }

    /// What is written is written for one version: another one may not have its fields.
    async fn served_as_written(&self, reference: &Reference, id: &OrderId) -> Result<Served, Error> {
        let served = self.served(reference, id).await?;
        if served.resource.version == reference.version {
            return Ok(served);
        }
        let message = format!(
            "the cluster no longer serves {} {}, only {}; the offering has to be adapted",
            reference.kind,
            reference.api_version(),
            served.resource.api_version
        );
        Err(Error::new(ErrorKind::Unavailable, "write", id, message))
    }

    async fn send(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Value, kube::Error> {
        answer(self.client.request(request.map_err(kube::Error::BuildRequest)?)).await
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cluster")
    }
}

impl Served {
    fn of((resource, capabilities): (ApiResource, ApiCapabilities)) -> Self {
        let is_status = |(sub, _): &(ApiResource, ApiCapabilities)| sub.plural.ends_with("status");
        Self {
            is_namespaced: capabilities.scope == Scope::Namespaced,
            has_status: capabilities.subresources.iter().any(is_status),
            resource,
        }
    }
}

fn request(served: &Served, reference: &Reference) -> Request {
    Request::new(DynamicObject::url_path(&served.resource, reference.namespace.as_deref()))
}

/// An answer, as long as it comes in time.
pub(super) async fn answer<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    match tokio::time::timeout(ANSWER, request).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(kube::Error::Service(Box::new(elapsed))),
    }
}

/// Whether a server that serves the kind says that it has no such object. One that does not serve the
/// kind says 404 as well, but about no name.
fn is_absence(status: &Status, name: &str) -> bool {
    status.code == 404 && status.details.as_ref().is_some_and(|details| details.name == name)
}

/// Whether the server does not serve what was asked for.
fn is_missing(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 404,
        kube::Error::Discovery(_) => true,
        _ => false,
    }
}

/// What was looked for cannot be seen, for whatever reason.
pub(super) fn unavailable(id: &OrderId, message: impl Into<String>, source: kube::Error) -> Error {
    let message = match &source {
        kube::Error::Api(status) => format!("{}: {}", message.into(), status.message),
        _ => format!("{}: the cluster did not answer", message.into()),
    };
    Error::new(ErrorKind::Unavailable, "look at", id, message).with_source(source)
}
