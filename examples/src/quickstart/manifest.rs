//! Manifest files, applied as `kubectl apply --server-side` does.

use kdp_core::{Error, ErrorKind};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{self, Scope},
};

/// Applies every object of a YAML text, in its order.
///
/// # Errors
/// `Invalid` when the text is no manifest; otherwise as the API server answers.
pub(crate) async fn apply(client: &Client, yaml: &str, manager: &str) -> Result<Vec<DynamicObject>, Error> {
    let mut applied = Vec::new();
    for object in parse(yaml)? {
        applied.push(apply_one(client, &object, manager).await?);
    }
    Ok(applied)
}

/// The objects of a YAML text.
pub(crate) fn parse(yaml: &str) -> Result<Vec<DynamicObject>, Error> {
    serde_saphyr::from_multiple(yaml)
        .map_err(|e| Error::new(ErrorKind::Invalid, "read", "manifest", "it is not valid YAML").with_source(e))
}

async fn apply_one(client: &Client, object: &DynamicObject, manager: &str) -> Result<DynamicObject, Error> {
    let name = object.name_any();
    let failed = |error| Error::from_kube("apply", &name, error);
    let types = object.types.clone().unwrap_or_default();
    let kind = GroupVersionKind::try_from(types)
        .map_err(|e| Error::new(ErrorKind::Invalid, "apply", &name, "it has no apiVersion and kind").with_source(e))?;
    let (resource, capabilities) = discovery::pinned_kind(client, &kind).await.map_err(failed)?;
    let api: Api<DynamicObject> = match (capabilities.scope, object.namespace()) {
        (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), &namespace, &resource),
        (Scope::Namespaced, None) => Api::default_namespaced_with(client.clone(), &resource),
        (Scope::Cluster, _) => Api::all_with(client.clone(), &resource),
    };
    api.patch(&name, &PatchParams::apply(manager).force(), &Patch::Apply(object)).await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_of_the_quickstart_can_be_read() {
        for (yaml, objects) in [
            (include_str!("../../manifests/database.yaml"), 1),
            (include_str!("../../manifests/database-postgres.yaml"), 1),
            (include_str!("../../manifests/published-resource.yaml"), 1),
            (include_str!("../../manifests/service.yaml"), 3),
        ] {
            assert_eq!(parse(yaml).unwrap().len(), objects, "{yaml}");
        }
    }
}
