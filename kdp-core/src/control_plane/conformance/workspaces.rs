//! Workspaces: how they come, what they start with, how they go.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{
    ensure,
    stand::{self, Outcome, Stand, eventually, from, refused},
};
use crate::{
    ControlPlaneExt, Endpoint,
    api::{core::LogicalCluster, tenancy::Workspace},
};

pub(super) async fn a_workspace_becomes_ready_and_answers_by_path_and_by_name(stand: &Stand<'_>) -> Outcome {
    let place = stand.place().await?;
    let workspace = stand.siblings(&place)?.get(place.path.base()).await?;
    let url = workspace.spec.url.unwrap_or_default();
    ensure!(url.ends_with(&format!("/clusters/{}", place.path)), "the URL of the workspace is {url:?}");
    if let Some(told) = stand.control_plane.url(&Endpoint::Workspace(place.path.clone())) {
        ensure!(told.ends_with(&format!("/clusters/{}", place.path)), "the URL told for the workspace is {told:?}");
    }
    let by_path: Api<ConfigMap> = Api::default_namespaced(stand.system(&place)?);
    let map: ConfigMap = from(json!({"metadata": {"name": "one"}}))?;
    let made = by_path.create(&PostParams::default(), &map).await?;
    let by_name: Api<ConfigMap> = Api::default_namespaced(stand.control_plane.system_client(&place.cluster.path())?);
    ensure!(by_name.get("one").await?.uid() == made.uid(), "path and name lead to different workspaces");
    Ok(())
}

pub(super) async fn a_logical_cluster_knows_its_path_and_its_owner(stand: &Stand<'_>) -> Outcome {
    let place = stand.place().await?;
    let workspace = stand.siblings(&place)?.get(place.path.base()).await?;
    let cluster = Api::<LogicalCluster>::all(stand.system(&place)?).get("cluster").await?;
    let path = cluster.annotations().get("kcp.io/path");
    ensure!(path.is_some_and(|path| path == place.path.as_str()), "kcp.io/path is {path:?}");
    let owner = cluster.spec.owner.unwrap_or_default();
    ensure!(owner.name == place.path.base() && Some(&owner.uid) == workspace.metadata.uid.as_ref(), "{owner:?}");
    let phase = cluster.status.unwrap_or_default().phase;
    ensure!(phase.as_str() == "Ready", "the logical cluster is {phase}");
    Ok(())
}

pub(super) async fn every_object_says_which_logical_cluster_it_is_in(stand: &Stand<'_>) -> Outcome {
    let place = stand.place().await?;
    let child = stand.place_in(&place, "child").await?;
    let workspace = stand.siblings(&child)?.get("child").await?;
    let namespace = Api::<Namespace>::all(stand.system(&place)?).get("default").await?;
    let cluster = Api::<LogicalCluster>::all(stand.system(&place)?).get("cluster").await?;
    for (what, annotations) in [
        ("Workspace", workspace.annotations()),
        ("Namespace", namespace.annotations()),
        ("LogicalCluster", cluster.annotations()),
    ] {
        let told = annotations.get("kcp.io/cluster");
        ensure!(told.is_some_and(|told| told == place.cluster.as_str()), "{what}: kcp.io/cluster is {told:?}");
    }
    Ok(())
}

pub(super) async fn a_workspace_name_is_taken_once_and_has_a_form(stand: &Stand<'_>) -> Outcome {
    let place = stand.place().await?;
    let api = stand.siblings(&place)?;
    let create = async |name: &str| api.create(&PostParams::default(), &Workspace::new(name, Default::default())).await;
    refused("a second of the same name", create(place.path.base()).await, &[409])?;
    refused("a name with a dot", create("a.b").await, &[422])?;
    refused("a name in capitals", create("Capital").await, &[422])
}

pub(super) async fn a_workspace_starts_with_the_default_namespace(stand: &Stand<'_>) -> Outcome {
    let place = stand.place().await?;
    let namespaces: Api<Namespace> = Api::all(stand.system(&place)?);
    eventually("the namespace default is there", async || Ok(namespaces.get_opt("default").await?.map(drop))).await
}

pub(super) async fn a_deleted_workspace_waits_for_the_finalizers_of_its_content(stand: &Stand<'_>) -> Outcome {
    let place = stand.place().await?;
    let maps: Api<ConfigMap> = Api::default_namespaced(stand.system(&place)?);
    let held: ConfigMap = from(json!({"metadata": {"name": "held", "finalizers": ["conformance.kdp.io/hold"]}}))?;
    maps.create(&PostParams::default(), &held).await?;
    maps.create(&PostParams::default(), &from(json!({"metadata": {"name": "free"}}))?).await?;
    let siblings = stand.siblings(&place)?;
    siblings.delete(place.path.base(), &DeleteParams::default()).await?;
    eventually("content without a finalizer is gone", async || Ok(maps.get_opt("free").await?.is_none().then_some(())))
        .await?;
    let workspace = siblings.get_opt(place.path.base()).await?;
    let Some(workspace) = workspace else { return Err("the workspace did not wait".to_owned().into()) };
    ensure!(workspace.metadata.deletion_timestamp.is_some(), "the workspace is not marked as being deleted");
    ensure!(maps.get_opt("held").await?.is_some(), "the held object did not wait");
    let release = json!({"metadata": {"finalizers": null}});
    maps.patch("held", &PatchParams::default(), &Patch::Merge(&release)).await?;
    eventually("the workspace is gone", async || {
        Ok(siblings.get_opt(place.path.base()).await?.is_none().then_some(()))
    })
    .await?;
    eventually("nothing answers for the workspace", async || {
        Ok(refused("a read of what is gone", maps.get("held").await, &[403, 404]).ok())
    })
    .await
}

pub(super) async fn a_workspace_is_deleted_with_its_children(stand: &Stand<'_>) -> Outcome {
    let place = stand.place().await?;
    let child = stand.place_in(&place, "child").await?;
    stand.delete(&place).await?;
    let maps: Api<ConfigMap> = Api::default_namespaced(stand.system(&child)?);
    eventually("nothing answers for the child", async || {
        Ok(refused("a read below what is gone", maps.get("x").await, &[403, 404]).ok())
    })
    .await
}
