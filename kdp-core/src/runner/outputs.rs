//! The Secret in which a consumer finds what was made for it.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, PostParams, Preconditions},
};

use super::{queue::Key, reach::Orders};
use crate::{
    Error, ErrorKind,
    provider::{Observation, Output},
};

/// Namespace of the Secrets of orders that have none.
const NAMESPACE: &str = "default";

/// Writes the outputs of an observation that has any, and returns the name of the Secret. Between reading
/// and writing it waits for `confirmed`, so that nothing is written by a process that was paused meanwhile.
///
/// `Invalid` when there is a Secret of that name that is somebody else's; it is left alone.
pub(super) async fn deliver(
    orders: &Orders,
    key: &Key,
    object: &DynamicObject,
    observation: &Observation,
    suffix: &str,
    confirmed: impl Future<Output = Result<(), Error>>,
) -> Result<Option<String>, Error> {
    if observation.outputs.is_empty() {
        return Ok(None);
    }
    let name = format!("{}{suffix}", object.name_any());
    let failed = |e| Error::from_kube("deliver", &name, e);
    let api = api(orders, key)?;
    let wanted = contents(&observation.outputs);
    let there = api.get_opt(&name).await.map_err(failed)?;
    confirmed.await?;
    let written = match there {
        None => api.create(&PostParams::default(), &secret(orders.kind(), &name, object, wanted)).await,
        Some(there) if !is_owned(&there, object) => {
            let message = format!("the Secret {name} belongs to somebody else; remove it, or order under another name");
            return Err(Error::new(ErrorKind::Invalid, "deliver", name, message));
        }
        Some(there) if there.data.as_ref() == Some(&wanted) => return Ok(Some(name)),
        Some(there) => api.replace(&name, &PostParams::default(), &Secret { data: Some(wanted), ..there }).await,
    };
    written.map_err(failed)?;
    Ok(Some(name))
}

/// Deletes the Secret, if it is the order's.
pub(super) async fn withdraw(orders: &Orders, key: &Key, object: &DynamicObject, suffix: &str) -> Result<(), Error> {
    let name = format!("{}{suffix}", object.name_any());
    let failed = |e| Error::from_kube("withdraw", &name, e);
    let api = api(orders, key)?;
    let Some(there) = api.get_opt(&name).await.map_err(failed)? else { return Ok(()) };
    if !is_owned(&there, object) {
        return Ok(());
    }
    let same = Preconditions { uid: there.uid(), resource_version: None };
    match api.delete(&name, &DeleteParams { preconditions: Some(same), ..DeleteParams::default() }).await {
        Ok(_) => Ok(()),
        Err(error) => match failed(error) {
            error if error.kind() == ErrorKind::NotFound => Ok(()),
            error => Err(error),
        },
    }
}

fn secret(kind: &ApiResource, name: &str, object: &DynamicObject, data: BTreeMap<String, ByteString>) -> Secret {
    let owner = OwnerReference {
        api_version: kind.api_version.clone(),
        kind: kind.kind.clone(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    Secret {
        metadata: ObjectMeta { name: Some(name.into()), owner_references: Some(vec![owner]), ..ObjectMeta::default() },
        type_: Some("Opaque".into()),
        data: Some(data),
        ..Secret::default()
    }
}

fn contents(outputs: &BTreeMap<String, Output>) -> BTreeMap<String, ByteString> {
    outputs.iter().map(|(name, output)| (name.clone(), ByteString(output.value.clone().into_bytes()))).collect()
}

fn is_owned(secret: &Secret, object: &DynamicObject) -> bool {
    secret.owner_references().iter().any(|owner| Some(&owner.uid) == object.metadata.uid.as_ref())
}

fn api(orders: &Orders, key: &Key) -> Result<Api<Secret>, Error> {
    let namespace = if key.namespace.is_empty() { NAMESPACE } else { &key.namespace };
    Ok(Api::namespaced(orders.client(key)?, namespace))
}
