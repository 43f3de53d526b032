//! kcp's kinds and KDP's own, from the definitions of `kdp_core::api`.

use kdp_core::api::apis::{APIBinding, APIExport, APIExportEndpointSlice, APIResourceSchema};
use kdp_core::api::core::LogicalCluster;
use kdp_core::api::limits::WorkspaceLimits;
use kdp_core::api::tenancy::Workspace;
use kube::CustomResourceExt;
use serde_json::Value;

use crate::embedded::resource::ApiResource;

/// Every resource of kcp and KDP that is served.
pub(super) fn resources() -> Vec<ApiResource> {
    [
        definition::<APIBinding>(),
        definition::<APIExport>(),
        definition::<APIExportEndpointSlice>(),
        definition::<APIResourceSchema>(),
        definition::<LogicalCluster>(),
        definition::<Workspace>(),
        definition::<WorkspaceLimits>(),
    ]
    .iter()
    .flat_map(ApiResource::from_crd)
    .collect()
}

fn definition<T: CustomResourceExt>() -> Value {
    serde_json::to_value(T::crd()).expect("a definition has only string keys")
}
