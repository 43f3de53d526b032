//! The suite that every control plane passes, against ours and against a real kcp.

use kdp_core::{Endpoint, Identity, Platform, WorkspacePath, control_plane::conformance};
use kdp_tenancy::{Embedded, Kcp};
use kube::config::Kubeconfig;
use std::sync::Arc;

/// Names a kubeconfig of a kcp server whose current user is in `system:masters`: the context
/// `shard-base` of the `admin.kubeconfig` that `kcp start` writes.
const KUBECONFIG: &str = "KDP_TEST_KCP_KUBECONFIG";

#[tokio::test]
async fn the_control_plane_in_memory_conforms() {
    let control_plane = Embedded::in_memory().await.unwrap();
    assert_eq!(conformance::run(&control_plane).await, []);
}

#[tokio::test]
async fn the_control_plane_over_https_conforms() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let server = control_plane.server("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let root = Endpoint::Workspace(WorkspacePath::root());
    let kubeconfig = control_plane.kubeconfig(&root, &Identity::system_masters()).unwrap();
    let running = Platform::builder(Arc::new(control_plane)).component(server).start().await.unwrap();
    let remote = Kcp::from_kubeconfig(Kubeconfig::from_yaml(&kubeconfig).unwrap()).await.unwrap();
    assert_eq!(conformance::run(&remote).await, []);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_real_kcp_conforms() {
    let Some(path) = std::env::var_os(KUBECONFIG) else {
        eprintln!("SKIPPED: {KUBECONFIG} names no kubeconfig of a kcp server");
        return;
    };
    let platform =
        Identity { username: "kdp:system".into(), groups: vec!["system:kcp:admin".into()], ..Identity::default() };
    let kcp = Kcp::from_kubeconfig_file(path).await.unwrap().with_platform_identity(platform);
    assert_eq!(conformance::run(&kcp).await, []);
}
