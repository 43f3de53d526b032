//! What a namespace holds from its first moment: its service account, and what to trust the server by.

use kdp_core::LogicalClusterName;
use serde_json::json;

use super::put_new;
use crate::{
    embedded::{registry::Registry, status::Result},
    store::Change,
};

/// Name of the service account that every namespace has.
pub(crate) const DEFAULT: &str = "default";
/// Name of the ConfigMap with the certificate authority of this installation.
pub(crate) const ROOT_CA: &str = "kube-root-ca.crt";

/// The service account and the ConfigMap of a new namespace.
///
/// They are written with the namespace, not served as if they were there: about 1.4 kB for each
/// namespace, with which every read, list and watch stays a copy of stored bytes.
pub(crate) fn namespace_content(
    registry: &Registry,
    cluster: &LogicalClusterName,
    namespace: &str,
) -> Result<[Change; 2]> {
    let account = json!({"kind": "ServiceAccount", "metadata": {"name": DEFAULT, "namespace": namespace}});
    let authority = json!({
        "kind": "ConfigMap",
        "metadata": {"name": ROOT_CA, "namespace": namespace},
        "data": {"ca.crt": registry.pki.ca_pem()},
    });
    Ok([put_new(cluster, "", "serviceaccounts", "v1", account)?, put_new(cluster, "", "configmaps", "v1", authority)?])
}
