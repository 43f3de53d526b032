//! Brings a CustomResourceDefinition into a workspace or cluster.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    runtime::wait::{await_condition, conditions},
};

use crate::{Error, ErrorKind};

const ESTABLISHED_DEADLINE: Duration = Duration::from_secs(30);

/// Applies `crd` as `manager` and returns once its objects can be created.
///
/// Server-side apply with force: fields of the definition that others changed are set back. Calling
/// it again changes nothing.
///
/// # Errors
/// `Forbidden` or `Invalid` as the API server answers; `Unavailable` when the definition is not
/// established within 30 s, for instance because its names are taken.
pub async fn install_crd(client: &kube::Client, crd: &CustomResourceDefinition, manager: &str) -> Result<(), Error> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = crd.name_any();
    let applied = api
        .patch(&name, &PatchParams::apply(manager).force(), &Patch::Apply(crd))
        .await
        .map_err(|error| Error::from_kube("install", &name, error))?;
    if conditions::Condition::matches_object(&conditions::is_crd_established(), Some(&applied)) {
        return Ok(());
    }
    let unavailable = |message: &str| Error::new(ErrorKind::Unavailable, "install", &name, message);
    match tokio::time::timeout(ESTABLISHED_DEADLINE, await_condition(api, &name, conditions::is_crd_established()))
        .await
    {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unavailable("it cannot be watched").with_source(error)),
        Err(_) => Err(unavailable("it was not established in time; see its conditions")),
    }
}
