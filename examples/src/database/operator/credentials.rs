//! The Secret in which a consumer finds how to reach its database.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kdp_core::{Error, ErrorKind, provider::Observation};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};

use super::NAME;
use crate::database::Database;

/// Name of the Secret of the Database `name`.
pub(super) fn secret_name(name: &str) -> String {
    format!("{name}-credentials")
}

/// Writes the outputs of an observation that has any.
///
/// A Secret of that name that is somebody else's is left alone: the error is `Invalid`.
pub(super) async fn deliver(client: &Client, database: &Database, observation: &Observation) -> Result<(), Error> {
    let Some(wanted) = secret(database, observation) else { return Ok(()) };
    let name = wanted.name_any();
    let api = api(client, database);
    let current = api.get_opt(&name).await.map_err(|e| Error::from_kube("read", &name, e))?;
    if let Some(current) = current {
        if !is_owned(&current, database) {
            let message = format!("the Secret {name} belongs to somebody else; remove it or rename the Database");
            return Err(Error::new(ErrorKind::Invalid, "deliver", name, message));
        }
        if contents(&current) == *wanted.string_data.as_ref().unwrap_or(&BTreeMap::new()) {
            return Ok(());
        }
    }
    let apply = PatchParams::apply(NAME).force();
    api.patch(&name, &apply, &Patch::Apply(&wanted)).await.map_err(|e| Error::from_kube("deliver", &name, e))?;
    Ok(())
}

/// Deletes the Secret, if it is the Database's.
pub(super) async fn withdraw(client: &Client, database: &Database) -> Result<(), Error> {
    let api = api(client, database);
    let name = secret_name(&database.name_any());
    let failed = |e| Error::from_kube("withdraw", &name, e);
    let Some(current) = api.get_opt(&name).await.map_err(failed)? else { return Ok(()) };
    if !is_owned(&current, database) {
        return Ok(());
    }
    let same = Preconditions { uid: current.uid(), resource_version: None };
    let delete = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
    match api.delete(&name, &delete).await.map_err(failed) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The Secret as it is to be; nothing when there is nothing to deliver yet.
pub(super) fn secret(database: &Database, observation: &Observation) -> Option<Secret> {
    if observation.outputs.is_empty() {
        return None;
    }
    let outputs = observation.outputs.iter().map(|(name, output)| (name.clone(), output.value.clone()));
    let engine = ("engine".to_owned(), database.spec.engine.to_string());
    Some(Secret {
        metadata: ObjectMeta {
            name: Some(secret_name(&database.name_any())),
            namespace: database.namespace(),
            owner_references: Some(database.controller_owner_ref(&()).into_iter().collect()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".into()),
        string_data: Some(outputs.chain([engine]).collect()),
        ..Secret::default()
    })
}

fn contents(secret: &Secret) -> BTreeMap<String, String> {
    let data = secret.data.iter().flatten();
    data.map(|(name, value)| (name.clone(), String::from_utf8_lossy(&value.0).into_owned())).collect()
}

fn is_owned(secret: &Secret, database: &Database) -> bool {
    secret.owner_references().iter().any(|owner| Some(&owner.uid) == database.metadata.uid.as_ref())
}

fn api(client: &Client, database: &Database) -> Api<Secret> {
    Api::namespaced(client.clone(), &database.namespace().unwrap_or_default())
}
