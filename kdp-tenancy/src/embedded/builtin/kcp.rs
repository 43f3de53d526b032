//! kcp's kinds, from the definitions of `kdp_core::api`.

use kdp_core::api::apis::{APIBinding, APIExport, APIExportEndpointSlice, APIResourceSchema, v1alpha1};
use kdp_core::api::core::LogicalCluster;
use kdp_core::api::tenancy::{Workspace, WorkspaceAuthenticationConfiguration, WorkspaceType};
use kube::CustomResourceExt;
use serde_json::Value;

use crate::embedded::resource::ApiResource;

/// Every resource of kcp that is served. Of a resource with several versions the stored one comes first.
pub(super) fn resources() -> Vec<ApiResource> {
    let old = [definition::<v1alpha1::APIBinding>(), definition::<v1alpha1::APIExport>()];
    let old = old.iter().flat_map(ApiResource::from_crd);
    let old = old.map(|resource| ApiResource { storage_version: "v1alpha2".into(), ..resource });
    [
        definition::<APIBinding>(),
        definition::<APIExport>(),
        definition::<APIExportEndpointSlice>(),
        definition::<APIResourceSchema>(),
        definition::<LogicalCluster>(),
        definition::<Workspace>(),
        definition::<WorkspaceType>(),
        definition::<WorkspaceAuthenticationConfiguration>(),
    ]
    .iter()
    .flat_map(ApiResource::from_crd)
    .chain(old)
    .collect()
}

fn definition<T: CustomResourceExt>() -> Value {
    serde_json::to_value(T::crd()).expect("a definition has only string keys")
}
