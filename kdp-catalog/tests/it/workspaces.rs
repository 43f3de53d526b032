//! Workspaces that are made on demand.

use kdp_core::{
    ControlPlaneExt, ErrorKind, Identity, WorkspacePath, api::tenancy::Workspace, workspace::ensure_workspace,
};
use kdp_tenancy::Embedded;
use kube::{Api, ResourceExt};

use crate::support::user;

#[tokio::test]
async fn missing_levels_are_created_and_existing_ones_kept() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let masters = Identity::system_masters();
    let path: WorkspacePath = "root:org:team:project".parse().unwrap();
    let made = ensure_workspace(&control_plane, &path, &masters).await.unwrap();
    assert_eq!(made.name_any(), "project");
    for (parent, child) in [("root", "org"), ("root:org", "team"), ("root:org:team", "project")] {
        let client = control_plane.system_client(&parent.parse().unwrap()).unwrap();
        let children = Api::<Workspace>::all(client).list(&Default::default()).await.unwrap();
        assert_eq!(children.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), [child], "{parent}");
    }
    let again = ensure_workspace(&control_plane, &path, &masters).await.unwrap();
    assert_eq!(again.uid(), made.uid());
    let sibling = "root:org:team:other".parse().unwrap();
    ensure_workspace(&control_plane, &sibling, &masters).await.unwrap();
}

#[tokio::test]
async fn two_who_need_the_same_levels_share_them() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let masters = Identity::system_masters();
    let (a, b): (WorkspacePath, WorkspacePath) = ("root:org:a".parse().unwrap(), "root:org:b".parse().unwrap());
    let (one, two) = (ensure_workspace(&control_plane, &a, &masters), ensure_workspace(&control_plane, &b, &masters));
    futures::try_join!(one, two).unwrap();
}

#[tokio::test]
async fn who_has_no_right_creates_nothing() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let path: WorkspacePath = "root:org:team".parse().unwrap();
    let refused = ensure_workspace(&control_plane, &path, &user("mallory")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden, "{refused}");
    let client = control_plane.system_client(&"root".parse().unwrap()).unwrap();
    assert!(Api::<Workspace>::all(client).list(&Default::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_logical_cluster_without_a_parent_cannot_be_ensured() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let bare: WorkspacePath = "root".parse().unwrap();
    let refused = ensure_workspace(&control_plane, &bare, &Identity::system_masters()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
}
