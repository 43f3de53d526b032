//! Workspaces can be taken out of one control plane and brought into another.

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kdp_core::{
    ErrorKind, WorkspacePath,
    api::{
        apis::{APIBinding, APIExport},
        core::LogicalCluster,
        tenancy::{Workspace, WorkspacePhase},
    },
};
use kdp_tenancy::{Embedded, archive, lifecycle};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};

use crate::{
    exports::{bind, publish, widget, widgets},
    support::{dynamic, object, system, workspace},
};

const GROUP: &str = "w.example.com";

fn path(text: &str) -> WorkspacePath {
    text.parse().unwrap()
}

/// A control plane with `root:acme`: an export in `root:acme:provider`, bound in `root:acme`.
async fn acme() -> Embedded {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "acme").await;
    workspace(&control_plane, "root:acme", "provider").await;
    publish(&control_plane, "root:acme:provider", GROUP).await;
    bind(&control_plane, "root:acme", "root:acme:provider", "Accepted").await;
    let client = system(&control_plane, "root:acme");
    let api = widgets(client.clone(), "default", GROUP);
    let made = api.create(&PostParams::default(), &widget("x", GROUP)).await.unwrap();
    let status = json!({"status": {"ready": true}});
    api.patch_status("x", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    let crds = dynamic(
        client.clone(),
        "",
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    );
    crds.create(&PostParams::default(), &object(crate::crud::widget_crd())).await.unwrap();
    let owner = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Widget", "name": "x", "uid": made.metadata.uid});
    let secret =
        json!({"metadata": {"name": "s", "ownerReferences": [owner], "labels": {"a": "b"}}, "stringData": {"k": "v"}});
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    let group = "rbac.authorization.k8s.io";
    let roles = dynamic(client, "", group, "v1", "ClusterRole", "clusterroles");
    let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]);
    let role = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "team:reader"}, "rules": rules});
    roles.create(&PostParams::default(), &object(role)).await.unwrap();
    control_plane
}

async fn export(control_plane: &Embedded, source: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive::export(control_plane, &path(source), &mut bytes).await.unwrap();
    bytes
}

/// The lines of an archive.
fn lines(archive: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    MultiGzDecoder::new(archive).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An archive of these lines, with a checksum that fits.
fn packed(lines: &[Value]) -> Vec<u8> {
    let mut first = GzEncoder::new(Vec::new(), Compression::default());
    lines.iter().for_each(|line| writeln!(first, "{line}").unwrap());
    let mut bytes = first.finish().unwrap();
    let hex: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut second = GzEncoder::new(Vec::new(), Compression::none());
    writeln!(second, "{{\"checksum\":{{\"sha256\":\"{hex}\"}}}}").unwrap();
    bytes.extend(second.finish().unwrap());
    bytes
}

#[tokio::test]
async fn a_workspace_arrives_with_everything_in_it() {
    let (source, target) = (acme().await, Embedded::in_memory().await.unwrap());
    let archive = export(&source, "root:acme").await;
    let summary = archive::import(&target, &path("root:eu"), &archive[..]).await.unwrap();
    assert_eq!((summary.workspaces, summary.skipped), (2, Vec::<String>::new()));

    let client = system(&target, "root:eu");
    let moved = widgets(client.clone(), "default", GROUP).get("x").await.unwrap();
    assert_eq!((&moved.data["spec"], &moved.data["status"]), (&json!({"size": 1}), &json!({"ready": true})));
    let secret = Api::<Secret>::namespaced(client.clone(), "default").get("s").await.unwrap();
    assert_eq!(secret.data.unwrap()["k"].0, b"v");
    let owner = secret.metadata.owner_references.unwrap().remove(0);
    assert_eq!(Some(owner.uid), moved.metadata.uid, "owners are found by their new uids");
    let binding = Api::<APIBinding>::all(client.clone()).get("widgets").await.unwrap();
    assert_eq!(serde_json::to_value(&binding).unwrap()["spec"]["reference"]["export"]["path"], "root:eu:provider");
    let identity = async |control_plane: &Embedded, path: &str| {
        let exports: Api<APIExport> = Api::all(system(control_plane, path));
        exports.get("widgets").await.unwrap().status.unwrap().identity_hash
    };
    assert_eq!(identity(&source, "root:acme:provider").await, identity(&target, "root:eu:provider").await);
    assert_eq!(archive::difference(&archive, &export(&target, "root:eu").await).await.unwrap(), Vec::<String>::new());

    let again = archive::import(&target, &path("root:eu"), &archive[..]).await.unwrap();
    assert_eq!((again.workspaces, again.objects.len()), (0, 0), "a second import finds everything there");
}

#[tokio::test]
async fn five_thousand_objects_are_moved_page_by_page() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "big").await;
    let maps: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root:big"), "default");
    for i in 0..5000 {
        let map = json!({"metadata": {"name": format!("m{i}")}, "data": {"i": i.to_string()}});
        maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    }
    let archive = export(&control_plane, "root:big").await;
    let target = Embedded::in_memory().await.unwrap();
    let summary = archive::import(&target, &path("root:big"), &archive[..]).await.unwrap();
    assert_eq!(summary.objects["configmaps"], 5000);
}

#[tokio::test]
async fn an_import_that_was_cut_off_is_completed_by_the_next() {
    let (source, target) = (acme().await, Embedded::in_memory().await.unwrap());
    let archive = export(&source, "root:acme").await;
    for polls in 1..40 {
        let to = path("root:acme");
        let mut import = std::pin::pin!(archive::import(&target, &to, &archive[..]));
        for _ in 0..polls {
            if futures::poll!(&mut import).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    archive::import(&target, &path("root:acme"), &archive[..]).await.unwrap();
    let arrived = export(&target, "root:acme").await;
    assert_eq!(archive::difference(&archive, &arrived).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_damaged_archive_is_refused_before_anything_is_written() {
    let (source, target) = (acme().await, Embedded::in_memory().await.unwrap());
    let archive = export(&source, "root:acme").await;
    let refused = async |bytes: &[u8]| {
        let error = archive::import(&target, &path("root:acme"), bytes).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    };
    for at in 0..archive.len() {
        let mut damaged = archive.clone();
        damaged[at] ^= 1 << (at % 8);
        refused(&damaged).await;
    }
    for cut in [0, 1, 10, archive.len() / 2, archive.len() - 1] {
        refused(&archive[..cut]).await;
    }
    let workspaces: Api<Workspace> = Api::all(system(&target, "root"));
    assert_eq!(workspaces.list(&Default::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn a_hostile_archive_cannot_reach_beyond_its_target() {
    let control_plane = acme().await;
    workspace(&control_plane, "root", "victim").await;
    let victim: LogicalCluster = Api::all(system(&control_plane, "root:victim")).get("cluster").await.unwrap();
    let cluster = victim.annotations()["kcp.io/cluster"].clone();
    let before = export(&control_plane, "root:victim").await;
    let good = lines(&export(&control_plane, "root:acme").await);
    let good = &good[..good.len() - 1];
    let secret = good.iter().position(|line| line["object"]["object"]["metadata"]["name"] == "s").unwrap();
    let change = |at: usize, pointer: &str, value: Value| {
        let mut lines = good.to_vec();
        *lines[at].pointer_mut(pointer).unwrap() = value;
        packed(&lines)
    };
    let up = format!("../../../../clusters/{cluster}/api/v1/namespaces/default");
    let refused = [
        change(secret, "/object/object/metadata/name", json!(format!("{up}/secrets/s"))),
        change(secret, "/object/object/metadata/namespace", json!(up)),
        change(secret, "/object/plural", json!("../secrets")),
        change(secret, "/object/version", json!("v1/../../clusters")),
        change(secret, "/object/group", json!("..")),
        change(secret, "/object/object/metadata", json!("x")),
        change(secret, "/object/object", json!("x")),
        change(1, "/workspace/path", json!(["..", "victim"])),
        change(1, "/workspace/path", json!(["victim:x"])),
        change(1, "/workspace/path", json!(["a/b"])),
    ];
    for archive in refused {
        let error = archive::import(&control_plane, &path("root:target"), &archive[..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    let workspaces: Api<Workspace> = Api::all(system(&control_plane, "root"));
    assert!(workspaces.get_opt("target").await.unwrap().is_none(), "nothing was written");

    // A forged cluster annotation and a foreign owner lead nowhere.
    let mut lines = good.to_vec();
    let metadata = lines[secret].pointer_mut("/object/object/metadata").unwrap();
    metadata["annotations"] = json!({"kcp.io/cluster": cluster});
    metadata["ownerReferences"][0]["uid"] = json!(victim.metadata.uid);
    let summary = archive::import(&control_plane, &path("root:target"), &packed(&lines)[..]).await.unwrap();
    assert_eq!(summary.skipped.len(), 1, "{:?}", summary.skipped);
    let made = Api::<Secret>::namespaced(system(&control_plane, "root:target"), "default").get("s").await.unwrap();
    assert_ne!(made.annotations()["kcp.io/cluster"], cluster);
    assert!(made.metadata.owner_references.is_none_or(|owners| owners.is_empty()));
    let after = export(&control_plane, "root:victim").await;
    assert_eq!(archive::difference(&before, &after).await.unwrap(), Vec::<String>::new());
    assert_eq!(archive::difference(&after, &before).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_move_leaves_the_source_when_it_fails_and_retires_it_when_it_succeeds() {
    let (source, target) = (acme().await, Embedded::in_memory().await.unwrap());
    let (from, to) = (path("root:acme"), path("root:acme"));
    // An object of the same name that is another one stands in the way.
    workspace(&target, "root", "acme").await;
    let maps: Api<Secret> = Api::namespaced(system(&target, "root:acme"), "default");
    let other = json!({"metadata": {"name": "s"}, "stringData": {"k": "other"}});
    maps.create(&PostParams::default(), &serde_json::from_value(other).unwrap()).await.unwrap();
    let freeze = async || lifecycle::suspend(&source, &from).await;
    let thaw = async || lifecycle::resume(&source, &from).await;
    let phase = async || {
        let workspaces: Api<LogicalCluster> = Api::all(system(&source, "root:acme"));
        workspaces.get("cluster").await.unwrap().status.unwrap().phase
    };
    let retire = async || lifecycle::delete(&source, &from).await;
    let moved = archive::move_workspace((&source, &from), (&target, &to), freeze, thaw, retire).await;
    assert_eq!(moved.unwrap_err().kind(), ErrorKind::Stale);
    assert_eq!(phase().await, WorkspacePhase::Ready);
    maps.delete("s", &Default::default()).await.unwrap();
    archive::move_workspace((&source, &from), (&target, &to), freeze, thaw, retire).await.unwrap();
    assert_ne!(phase().await, WorkspacePhase::Ready);
    let workspaces: Api<Workspace> = Api::all(system(&source, "root"));
    let is_leaving = |found: Option<Workspace>| found.is_none_or(|found| found.metadata.deletion_timestamp.is_some());
    assert!(is_leaving(workspaces.get_opt("acme").await.unwrap()));
}

#[tokio::test]
async fn what_is_being_deleted_stays_behind_and_is_named() {
    let control_plane = acme().await;
    let maps: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root:acme"), "default");
    let map = json!({"metadata": {"name": "leaving", "finalizers": ["example.com/hold"]}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    maps.delete("leaving", &Default::default()).await.unwrap();
    let mut bytes = Vec::new();
    let summary = archive::export(&control_plane, &path("root:acme"), &mut bytes).await.unwrap();
    assert_eq!(summary.skipped, ["root:acme configmaps leaving: it is being deleted"]);
    assert!(lines(&bytes).iter().all(|line| line["object"]["object"]["metadata"]["name"] != "leaving"));
    let marked: Vec<bool> = lines(&bytes)
        .iter()
        .filter(|line| line["object"]["plural"] == "secrets")
        .map(|line| line["object"]["sensitive"] == true)
        .collect();
    assert!(!marked.is_empty() && marked.into_iter().all(|mark| mark));
}
