//! Publishes a kind in a cluster that has no exports: as a CustomResourceDefinition.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kdp_core::{ErrorKind, api::install_crd, reconcile::Chain};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::publisher::Refusal;
use crate::{
    diagnostic::Diagnostic,
    driver::{MANAGER, in_time},
    publish::Projection,
    wire,
};

/// The definition of a kind as tenants see it.
///
/// # Errors
/// When it is not one, such as a version without a name.
pub(super) fn definition_of(projection: &Projection, agent: &str) -> Result<CustomResourceDefinition, Diagnostic> {
    let mut spec = projection.spec.clone();
    // Webhooks of the service cluster are not within reach of the tenants' one.
    spec["conversion"] = json!({"strategy": "None"});
    let mark = json!({wire::AGENT_NAME: agent});
    let mut annotations = mark.clone();
    annotations[wire::SOURCE_GENERATION] = projection.generation.to_string().into();
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": projection.remote.resource_name(), "labels": mark, "annotations": annotations},
        "spec": spec,
    });
    serde_json::from_value(definition).map_err(|error| {
        Diagnostic::new("spec.resource", format!("the CustomResourceDefinition cannot be published: {error}"))
    })
}

/// The definition of this name, if there is one and it is this agent's.
///
/// # Errors
/// A fault when somebody else has made it.
pub(super) async fn own_definition(
    tenants: &Client,
    name: &str,
    agent: &str,
) -> Result<Option<CustomResourceDefinition>, Refusal> {
    let api: Api<CustomResourceDefinition> = Api::all(tenants.clone());
    let existing = in_time("get CustomResourceDefinition", name, api.get_opt(name)).await?;
    if existing
        .as_ref()
        .is_some_and(|existing| existing.annotations().get(wire::AGENT_NAME).is_none_or(|of| of != agent))
    {
        let message = format!(
            "the tenants' cluster has a CustomResourceDefinition {name} that this agent has not made; give tenants \
             another group or kind"
        );
        return Err(vec![Diagnostic::new("spec.projection", message)].into());
    }
    Ok(existing)
}

/// Makes the definition, or brings it up to date; returns its name once orders can be made.
pub(super) async fn install(
    tenants: &Client,
    definition: &CustomResourceDefinition,
    agent: &str,
) -> Result<String, Refusal> {
    let name = definition.name_any();
    own_definition(tenants, &name, agent).await?;
    match install_crd(tenants, definition, MANAGER).await {
        Err(error) if error.kind() == ErrorKind::Invalid => {
            Err(vec![Diagnostic::new("spec.resource", Chain(&error))].into())
        }
        installed => Ok(installed.map(|()| name)?),
    }
}
