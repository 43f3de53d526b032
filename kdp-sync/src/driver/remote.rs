//! Reads and writes on both sides.

use std::{collections::HashSet, fmt, future::Future, sync::Arc, time::Duration};

use kdp_core::{Error, ErrorKind};
use kube::{
    Client, Resource,
    api::{
        DeleteParams, DynamicObject, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions,
        PropagationPolicy,
    },
    core::{Request, Selector},
};
use parking_lot::Mutex;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use super::{breaker::Breaker, endpoints::Endpoints, sent::Sent};
use crate::{
    engine::{ListQuery, ObjectKey, Place, Propagation},
    object::{self, ResourceType},
};

/// Field manager of everything an agent writes.
pub(crate) const MANAGER: &str = "kdp-sync";

/// How long a single request may take.
pub(super) const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// More namespaces than this are not remembered, but looked for again.
const MOST_NAMESPACES: usize = 100_000;

/// The two sides, for single requests. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Remote(Arc<Inner>);

struct Inner {
    service: Client,
    workspaces: Endpoints,
    /// Those that are known to exist.
    namespaces: Mutex<HashSet<(Place, String)>>,
    service_breaker: Breaker,
    workspaces_breaker: Breaker,
}

/// What came of a deletion.
pub(super) enum Deleted {
    Gone,
    /// It waits for finalizers.
    Held(Value),
}

impl Remote {
    /// The service cluster, and the workspaces that bind the export.
    pub(crate) fn new(service: Client, workspaces: Endpoints) -> Self {
        Self(Arc::new(Inner {
            service,
            workspaces,
            namespaces: Mutex::default(),
            service_breaker: Breaker::default(),
            workspaces_breaker: Breaker::default(),
        }))
    }

    fn client(&self, place: &Place) -> Result<Client, Error> {
        match place {
            Place::Service => Ok(self.0.service.clone()),
            Place::Workspace(cluster) => self.0.workspaces.client(cluster),
        }
    }

    #[tracing::instrument(name = "api.request", level = "debug", skip_all, fields(
        verb = op, kind = key.types.kind, side = ?super::world::side_of(&key.place), otel.kind = "client",
        http.response.status_code, error.kind, otel.status_code
    ))]
    async fn send<T: DeserializeOwned>(
        &self,
        op: &'static str,
        key: &ObjectKey,
        build: impl FnOnce(Request) -> Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<T, Error> {
        let client = self.client(&key.place)?;
        let path = DynamicObject::url_path(&key.types.api_resource(), key.namespace.as_deref());
        let request = build(Request::new(path))
            .map_err(|e| Error::new(ErrorKind::Invalid, op, key, "the request cannot be made").with_source(e))?;
        let (breaker, is_service) = match key.place {
            Place::Service => (&self.0.service_breaker, true),
            Place::Workspace(_) => (&self.0.workspaces_breaker, false),
        };
        // A tenant may be able to delay the requests to his workspace, but not to drop connections.
        let is_silence = |answer: &Result<kube::Result<T>, _>| match answer {
            Ok(answer) => matches!(answer, Err(kube::Error::HyperError(_) | kube::Error::Service(_))),
            Err(tokio::time::error::Elapsed { .. }) => is_service,
        };
        let request = tokio::time::timeout(REQUEST_DEADLINE, client.request::<T>(request));
        let error = match breaker.guard(request, is_silence).await {
            Some(Ok(Ok(answer))) => return Ok(answer),
            Some(Ok(Err(error))) => {
                if let kube::Error::Api(status) = &error {
                    tracing::Span::current().record("http.response.status_code", status.code);
                }
                Error::from_kube(op, key, error)
            }
            Some(Err(_)) => late(op, key),
            None => Error::new(ErrorKind::Unavailable, op, key, "its API server is down; it is tried again soon"),
        };
        tracing::Span::current()
            .record("error.kind", tracing::field::debug(error.kind()))
            .record("otel.status_code", "ERROR");
        Err(error)
    }

    async fn request(
        &self,
        op: &'static str,
        key: &ObjectKey,
        build: impl FnOnce(Request) -> Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Value, Error> {
        Ok(self.send::<Sent>(op, key, build).await?.object)
    }

    /// Completes once both sides may be sent requests; cancel-safe.
    pub(super) async fn reachable(&self) {
        self.0.service_breaker.closed().await;
        self.0.workspaces_breaker.closed().await;
    }

    pub(crate) async fn get(&self, key: &ObjectKey) -> Result<Option<Value>, Error> {
        let found = self.request("get", key, |request| request.get(&key.name, &GetParams::default())).await;
        match found {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The object, if there is one within reach.
    pub(crate) async fn look_up(&self, key: &ObjectKey) -> Result<Option<Value>, Error> {
        match self.get(key).await {
            // What a tenant no longer lets the agent see is the tenant's to keep.
            Err(error) if error.kind() == ErrorKind::Forbidden && matches!(key.place, Place::Workspace(_)) => {
                tracing::warn!(%key, "order.out_of_reach");
                Ok(None)
            }
            found => found,
        }
    }

    pub(crate) async fn list(&self, query: &ListQuery) -> Result<Vec<Value>, Error> {
        let ListQuery { place, types, namespace, selector } = query;
        let key =
            ObjectKey { place: place.clone(), types: types.clone(), namespace: namespace.clone(), name: String::new() };
        let params = ListParams::default().labels(&Selector::to_string(selector));
        let mut list = self.request("list", &key, |request| request.list(&params)).await?;
        let items = list["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        Ok(items.into_iter().map(|item| typed(item, types)).collect())
    }

    pub(super) async fn create(&self, key: &ObjectKey, object: &Value) -> Result<Value, Error> {
        let created = self.request("create", key, |request| request.create(&params(), bytes(object))).await;
        // Perhaps because the namespace is gone.
        if created.is_err()
            && let Some(namespace) = &key.namespace
        {
            self.0.namespaces.lock().remove(&(key.place.clone(), namespace.clone()));
        }
        created
    }

    /// Makes an object that nobody here looks at again.
    pub(super) async fn tell(&self, key: &ObjectKey, object: &Value) -> Result<(), Error> {
        self.send::<IgnoredAny>("create", key, |request| request.create(&params(), bytes(object))).await.map(drop)
    }

    pub(crate) async fn patch(&self, key: &ObjectKey, patch: &Value) -> Result<Value, Error> {
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        self.request("patch", key, |request| request.patch(&key.name, &params, &Patch::Merge(patch))).await
    }

    pub(super) async fn replace(&self, key: &ObjectKey, object: &Value) -> Result<Value, Error> {
        self.request("replace", key, |request| request.replace(&key.name, &params(), bytes(object))).await
    }

    pub(super) async fn replace_status(&self, key: &ObjectKey, object: &Value) -> Result<Value, Error> {
        let replace = |request: Request| request.replace_subresource("status", &key.name, &params(), bytes(object));
        self.request("replace the status of", key, replace).await
    }

    pub(super) async fn delete(
        &self,
        key: &ObjectKey,
        preconditions: Preconditions,
        propagation: Propagation,
    ) -> Result<Deleted, Error> {
        let params = DeleteParams {
            propagation_policy: Some(match propagation {
                Propagation::Background => PropagationPolicy::Background,
                Propagation::Foreground => PropagationPolicy::Foreground,
                Propagation::Orphan => PropagationPolicy::Orphan,
            }),
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        match self.request("delete", key, |request| request.delete(&key.name, &params)).await {
            Ok(object) if object["kind"] == "Status" || object::uid(&object).is_none() => Ok(Deleted::Gone),
            Ok(object) if object::is_deleting(&object) && !object::finalizers(&object).is_empty() => {
                Ok(Deleted::Held(object))
            }
            Ok(_) => Ok(Deleted::Gone),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Deleted::Gone),
            Err(error) => Err(error),
        }
    }

    /// Makes a namespace unless there is one of this name.
    pub(crate) async fn ensure_namespace(&self, place: &Place, name: &str) -> Result<(), Error> {
        let known = (place.clone(), name.to_owned());
        if self.0.namespaces.lock().contains(&known) {
            return Ok(());
        }
        let types = Arc::new(ResourceType::namespaces());
        let key = ObjectKey { place: place.clone(), types, namespace: None, name: name.into() };
        if self.get(&key).await?.is_none() {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            match self.create(&key, &namespace).await {
                Err(error) if error.kind() != ErrorKind::Stale => return Err(error),
                // Made now, or at this moment by somebody else.
                _ => {}
            }
        }
        let mut namespaces = self.0.namespaces.lock();
        if namespaces.len() >= MOST_NAMESPACES {
            namespaces.clear();
        }
        namespaces.insert(known);
        Ok(())
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("workspaces", &self.workspaces).finish_non_exhaustive()
    }
}

/// Waits for an answer, but not forever.
pub(crate) async fn in_time<T>(
    op: &'static str,
    subject: impl fmt::Display,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(REQUEST_DEADLINE, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Error::from_kube(op, subject, error)),
        Err(_) => Err(late(op, subject)),
    }
}

fn late(op: &'static str, subject: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, op, subject, "the API server did not answer in time")
}

fn params() -> PostParams {
    PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() }
}

fn bytes(object: &Value) -> Vec<u8> {
    object.to_string().into_bytes()
}

fn typed(mut item: Value, types: &ResourceType) -> Value {
    item["apiVersion"] = types.api_version().into();
    item["kind"] = types.kind.clone().into();
    item
}
